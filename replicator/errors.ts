/**
 * The three ways this floor fails: wrong parameters or input (`ReplicatorError`), bytes on disk that are not what was written
 * (`CorruptReplicaError`), and broken invariants, which are plain assertions where they stand.
 */
export type ReplicatorErrorCode =
  | 'parameters'
  | 'source-short'
  | 'source-long'
  | 'segment-root'
  | 'key-proof'
  | 'range'
  | 'scratch'
  | 'thread'
  | 'no-subtrees'
  | 'replica-missing'
  | 'replica-exists'
  | 'store-closed';

/** An expected failure. `message` names the field, what was found and what would be right. */
export class ReplicatorError extends Error {
  override readonly name = 'ReplicatorError';
  readonly code: ReplicatorErrorCode;

  constructor(code: ReplicatorErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export type CorruptionCode =
  | 'replica-truncated'
  | 'replica-magic'
  | 'replica-version'
  | 'replica-header'
  | 'replica-leaf'
  | 'replica-root'
  | 'segment-root';

/** A stored replica that is not what was written. Drop it and encode it again; never serve or prove from it. */
export class CorruptReplicaError extends Error {
  override readonly name = 'CorruptReplicaError';
  readonly code: CorruptionCode;
  /** Where in the file, in bytes from its start. */
  readonly offset: number;
  readonly expected: string;
  readonly found: string;

  constructor(code: CorruptionCode, at: { path: string; offset: number; expected: string; found: string }) {
    super(
      `${at.path}: ${code} at byte ${at.offset}: expected ${at.expected}, found ${at.found}; encode the replica again`,
    );
    this.code = code;
    this.offset = at.offset;
    this.expected = at.expected;
    this.found = at.found;
  }
}
