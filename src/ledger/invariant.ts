/**
 * Broken promises inside the ledger: errors of the program, never of anyone's input. Always on; a node that meets one stops,
 * because going on could commit a wrong state.
 */

/** Which promise was broken. */
export type LedgerInvariantCode =
  /** A balance would leave 0 .. 2^64 - 1, or a debit exceeds what was checked. */
  | 'balance-range'
  /** An argument has the wrong length or range. */
  | 'argument'
  /** An overlay or a window was used after it was settled or on a branch that finality has left. */
  | 'not-on-final-branch'
  /** Savepoints were not closed in the reverse order of opening. */
  | 'savepoint-order'
  /** A block was changed after its compaction, compacted twice, or compacted before its votes. */
  | 'compacted'
  /** Units were created or destroyed. */
  | 'supply';

/** Thrown when the ledger's own rules do not hold. */
export class LedgerInvariantError extends Error {
  override readonly name = 'LedgerInvariantError';
  readonly code: LedgerInvariantCode;
  constructor(code: LedgerInvariantCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Throws `LedgerInvariantError` unless `holds`; `message` is built only then. */
export function invariant(holds: boolean, code: LedgerInvariantCode, message: () => string): asserts holds {
  if (!holds) throw new LedgerInvariantError(code, message());
}
