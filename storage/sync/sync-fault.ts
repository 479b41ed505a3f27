/** What can be wrong with what a peer sent to a fast sync. Each is proven by the very bytes: whoever sent them is to blame, nobody else. */

export type SyncFaultCode =
  /** A manifest that is not the target's. */
  | 'wrong-manifest'
  /** A first op at which no log can begin. */
  | 'wrong-start'
  /** Bytes that are no piece. */
  | 'malformed-piece'
  /** Not the ops that were asked for, or fewer without need. */
  | 'wrong-range'
  /** Ops that do not lead to the ops root. */
  | 'wrong-proof';

/** A lie, exactly attributed. */
export class SyncFault extends Error {
  override readonly name = 'SyncFault';
  readonly code: SyncFaultCode;
  constructor(code: SyncFaultCode, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}
