/**
 * The failures of this floor: operating errors (`StorageError`, `PrunedError`) and damage found on disk (`CorruptionError`).
 */
export type StorageErrorCode =
  | 'failed'
  | 'disk-full'
  | 'closed'
  | 'wrong-chain'
  | 'wrong-format'
  | 'wrong-height'
  | 'wrong-place'
  | 'wrong-root'
  | 'too-large'
  | 'queue-full'
  | 'not-initialized'
  | 'already-initialized'
  | 'table-full'
  | 'not-found'
  | 'incomplete'
  | 'pruned';

/**
 * An operation could not be done. `failed` and `disk-full` mean that the store has stopped taking writes until it is opened again
 * (after a failed write or sync nothing is acknowledged any more); reads go on.
 */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;
  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What was asked for is no longer here, or never was: history is held from `keptFromHeight` on. */
export class PrunedError extends StorageError {
  readonly keptFromHeight: number;
  constructor(what: string, keptFromHeight: number) {
    super('pruned', `${what} is not kept here: history is held from height ${keptFromHeight} on; ask an archive`);
    this.keptFromHeight = keptFromHeight;
  }
}

/** Bytes on disk are not what was acknowledged. Never repaired silently, never cut. */
export class CorruptionError extends Error {
  override readonly name = 'CorruptionError';
  readonly code = 'corrupt';
  readonly path: string;
  /** Where in the file. */
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
  constructor(path: string, offset: number, expected: string, found: string) {
    super(`${path} is damaged at offset ${offset}: expected ${expected}, found ${found}`);
    this.path = path;
    this.offset = offset;
    this.expected = expected;
    this.found = found;
  }
}

/** Stops the program when something that cannot be, is. Always on. */
export function assertInvariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new TypeError(`broken invariant: ${what}`);
}

/** Lower-case hex of bytes, for error messages. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
