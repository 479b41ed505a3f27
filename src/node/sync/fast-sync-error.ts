/** How a fast sync ends without success. What was taken and proven stays in quarantine, but for 'inconsistent'. */
export type FastSyncErrorCode =
  /** The data directory holds something. */
  | 'not-empty'
  /** Nobody could be reached. */
  | 'no-peer'
  /** Everybody who could be asked lied, or has not the trusted block. */
  | 'no-honest-peer'
  /** The trusted block is too old: its state is not kept any more. */
  | 'pruned'
  /** The peers left before the end. */
  | 'incomplete'
  /** The state is larger than was allowed. */
  | 'too-large'
  /** What hangs on the trusted hash contradicts itself: the block is not one of this chain's. */
  | 'inconsistent';

/** A sync that did not reach its target. */
export class FastSyncError extends Error {
  override readonly name = 'FastSyncError';
  readonly code: FastSyncErrorCode;
  constructor(code: FastSyncErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
