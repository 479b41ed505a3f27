/**
 * Why a transaction or a block is refused: one code a reason, the same on every node, because which of several reasons
 * is given depends only on the fixed order of checks written in execute.ts.
 */

export type RefusalCode =
  /** The Ed25519 signature is not valid by the project's one rule. */
  | 'bad-signature'
  /** The fee is below the genesis minimum. */
  | 'fee-too-low'
  /** The last valid hash lies further back than the recency window. */
  | 'stale-last-valid-hash'
  /** The last valid hash is not the end of a block of this chain (another fork, another chain, the future). */
  | 'unknown-last-valid-hash'
  /** A transaction with this id was applied already. */
  | 'replayed'
  /** The sender's balance does not cover what is moved and the fee. */
  | 'insufficient-funds'
  /** A transfer of nothing. */
  | 'amount-zero'
  /** The deposit is below the genesis minimum. */
  | 'deposit-too-low'
  /** The sender is a replicator identity already. */
  | 'already-registered'
  /** The sender is not a registered replicator identity. */
  | 'identity-unknown'
  /** The segment is not complete in the history before this block. */
  | 'segment-unknown'
  /** The commit is for another rotation than that of the block's slot. */
  | 'rotation-not-current'
  /** This identity has committed to this segment in this rotation already. */
  | 'already-committed'
  /** This identity has no commit for this segment. */
  | 'replica-unknown'
  /** The block's slot is in neither the proof's period nor the next one. */
  | 'period-not-open'
  /** The proof's period belongs to another rotation than the commit. */
  | 'rotation-mismatch'
  /** A proof for this or a later period stands in the ledger already. */
  | 'already-proven'
  /** A seat in a packet of findings is nobody's. */
  | 'not-a-validator'
  /** A proof of another kind than the chain's mode has. */
  | 'mode-mismatch'
  /** The replica was committed after the period's hash was known. */
  | 'commit-too-late'
  /** The replica has missed too many periods in a row. */
  | 'replica-lapsed'
  /** The deposit does not cover one replica more. */
  | 'deposit-short'
  /** The identity has unregistered. */
  | 'identity-leaving'
  /** The identity has replicas still. */
  | 'replicas-held'
  /** The identity has not unregistered. */
  | 'not-unregistered'
  /** The deposit is not free yet. */
  | 'lockout'
  /** The identity's last proof of the segment is for another period, or revealed already. */
  | 'no-such-proof'
  /** The block's slot is outside those in which a fake of the period may be revealed, or the proof came late. */
  | 'reveal-not-open'
  /** The secret does not give the proof. */
  | 'not-a-fake'
  /** The identity has revealed as many fakes as its proofs allow. */
  | 'too-many-fakes'
  /** None of the replicas reported has lapsed. */
  | 'nothing-lapsed'
  /** Sealed findings after the last slot for them. */
  | 'sealing-closed'
  /** Secrets before the last slot for sealed findings has passed. */
  | 'findings-sealed'
  /** Secrets of a period whose proofs no verdict settles any more. */
  | 'period-decided'
  /** There has been no eviction of this number. */
  | 'unknown-eviction'
  /** This eviction was revived before. */
  | 'already-revived'
  /** The path led to a mountain that has merged with its neighbour since. */
  | 'stale-eviction-path'
  /** The eviction was of another account, balance or height, or the path is wrong. */
  | 'wrong-eviction'
  /** The sender has a bond already. */
  | 'already-bonded'
  /** Nobody has a bond under this key. */
  | 'not-bonded'
  /** The bond has not left for absence, or not long enough ago. */
  | 'not-left'
  /** The bond is below the genesis minimum. */
  | 'bond-too-low'
  /** There are 1024 bonds. */
  | 'seats-exhausted'
  /** The bond was slashed. */
  | 'slashed'
  /** The sender has asked to leave before. */
  | 'already-leaving'
  /** The sender has not asked to leave. */
  | 'not-leaving'
  /** The bond has not left the sets, or not long enough ago. */
  | 'bond-not-free'
  /** The evidence shows nothing that is against the rules. */
  | 'not-an-offence'
  /** The offender was slashed before. */
  | 'already-slashed'
  /** What the evidence shows is older than the bond. */
  | 'evidence-too-old'
  /** A signature inside the transaction's payload is not valid. */
  | 'bad-evidence-signature'
  /** The sender does not lead the block, or did not lead the decoy. */
  | 'not-the-leader'
  /** The nominated, or who approves, is no validator or is excluded. */
  | 'not-a-member'
  /** The deadline has passed or lies too far ahead. */
  | 'nomination-deadline'
  /** No such nomination is pending. */
  | 'no-nomination'
  /** The sender has approved this nomination before. */
  | 'already-approved'
  /** This block hands its lead over already. */
  | 'already-handed-over'
  /** This chain has no decoys. */
  | 'no-decoys'
  /** The header is no decoy with this secret. */
  | 'not-a-decoy'
  /** This block reveals the decoy already. */
  | 'already-revealed'
  /** The block holds more transactions than the genesis maximum. */
  | 'too-many-transactions';

/** A refusal: the code decides, the message explains. Messages are for people and are not part of the rules. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

/** A block's refusal: `index` is the first refused transaction's place in execution order, -1 for the block as a whole. */
export interface BlockRefusal {
  readonly index: number;
  readonly refusal: Refusal;
}

export function refuse(code: RefusalCode, message: string): Refusal {
  return { code, message };
}
