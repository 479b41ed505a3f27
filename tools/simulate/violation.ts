/** What a simulation found wrong. */

export type ViolationCode =
  /** Two final blocks at one height, or one that does not stand on the one before. */
  | 'conflicting-finality'
  /** A final block without votes of more than 2/3 for it, or a certificate that does not show it. */
  | 'unjustified-finality'
  /** Units were made or lost. */
  | 'supply'
  /** Equal height, another state root. */
  | 'state-root'
  /** Equal height, other bytes in the op log. */
  | 'op-log'
  /** An honest validator cast two votes that together are slashable. */
  | 'slashable-vote'
  /** An honest leader signed two blocks for one slot. */
  | 'double-proposal'
  /** Something reported final was gone after a restart. */
  | 'lost'
  /** A transaction became final twice. */
  | 'replayed'
  /** A final block breaks a rule that anybody can check from its bytes. */
  | 'invalid-block'
  /** An honest node holds evidence against, or bans, an honest one. */
  | 'false-blame'
  /** An honest node gave up, or could not start again, though its disk kept its promises. */
  | 'gave-up'
  /** Too little became final after the faults had ended. */
  | 'no-progress'
  /** Finality conflicts, and fewer than 1/3 of the bonds can be shown to have cheated. */
  | 'unnamed-culprits'
  /** The ledger's account of its validators is not what the plain rules come to, or a block does what they forbid. */
  | 'stake'
  /** A final block was led by another than who is in line. */
  | 'leader'
  /** Somebody honest lost its bond. */
  | 'honest-slashed'
  /** What a scenario claims besides did not come true in time. */
  | 'claim';

export class Violation extends Error {
  override readonly name = 'Violation';
  readonly code: ViolationCode;
  /** Highest final height anywhere when it was found. */
  readonly height: number;

  constructor(code: ViolationCode, height: number, message: string) {
    super(`${code} at height ${height}: ${message}`);
    this.code = code;
    this.height = height;
  }
}
