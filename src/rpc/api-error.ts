/** The one error that a node answers a call with on purpose. */

export type ApiErrorCode =
  /** No such block, transaction or record. */
  | 'not-found'
  /** It existed, but this node no longer has it (pruned), or never fetched it (fast-synced from a later block). */
  | 'not-available'
  /** This role does not serve the method. */
  | 'not-supported'
  /** The node is syncing or stalled; ask another one. */
  | 'unhealthy'
  /** A queue is full; try again later. */
  | 'busy'
  /** A transaction was refused; `reason` is the ledger's or codec's own code. */
  | 'transaction-refused'
  /** A parameter is well-formed but makes no sense here, e.g. a height above the tip. */
  | 'invalid-parameter';

/** The one error an implementation throws on purpose; its message is shown to the caller as it stands. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  /** A finer, machine-readable reason, e.g. `stale-last-valid-hash`; undefined when `code` says it all. */
  readonly reason: string | undefined;
  constructor(code: ApiErrorCode, message: string, reason?: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}
