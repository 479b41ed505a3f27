/** What a commitment can refuse: errors of the caller or of tables that do not fit the log. Malformed batches are `BatchError`s. */
export type CommitmentErrorCode =
  /** Built upon, or read, after another branch was settled. */
  | 'not-on-final-branch'
  /** A table holds an op number that cannot be: outside the log, or held twice. */
  | 'position'
  /** The batches replayed do not follow one another, or what they say of the floor does not fit the tables. */
  | 'replay'
  /** An op before the first kept one, or past the size asked for. */
  | 'op-range';

export class CommitmentError extends Error {
  override readonly name = 'CommitmentError';
  readonly code: CommitmentErrorCode;
  constructor(code: CommitmentErrorCode, message: string) {
    super(`commitment: ${message}`);
    this.code = code;
  }
}
