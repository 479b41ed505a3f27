/**
 * The ops of a batch as bytes: kinds, the lengths that each allows, and the check of one op. The byte table stands in batch.ts.
 *
 * Invariant: the lengths of a kind are stated once, here, for encoder and decoder.
 */
import { RECORD_KEY_SIZE_BYTES_MAX, RECORD_VALUE_SIZE_BYTES_MAX } from '../state-reader.ts';

/** Encoded size of a putAccount. */
export const ACCOUNT_OP_SIZE_BYTES = 32;
/** Encoded size of a putBond. */
export const BOND_OP_SIZE_BYTES = 64;
export const ADDRESS_SIZE_BYTES = 20;
/** Bytes of an op before its key. */
export const OP_HEAD_SIZE_BYTES = 4;
const BOND_DETAILS_SIZE_BYTES = 24;
export const BALANCE_SIZE_BYTES = 8;
const BOND_SIZE_BYTES: number = 8 + 8 + BOND_DETAILS_SIZE_BYTES;
/** A deleteRecord with a key of one byte. */
export const OP_SIZE_BYTES_MIN = 8;

export const KIND_PUT_ACCOUNT = 1;
export const KIND_PUT_RECORD = 2;
export const KIND_DELETE_RECORD = 3;
export const KIND_DELETE_ACCOUNT = 4;
export const KIND_PUT_BOND = 5;
export const KIND_DELETE_BOND = 6;

/** The first four bytes of every putAccount, as a little-endian u32. */
export const ACCOUNT_OP_HEAD: number = KIND_PUT_ACCOUNT | (ADDRESS_SIZE_BYTES << 8) | (BALANCE_SIZE_BYTES << 16);

/** Lengths that an op's key and value may have. */
interface OpLayout {
  readonly key: readonly [min: number, max: number];
  readonly value: readonly [min: number, max: number];
}

const ADDRESS = [ADDRESS_SIZE_BYTES, ADDRESS_SIZE_BYTES] as const;
const RECORD_KEY = [1, RECORD_KEY_SIZE_BYTES_MAX] as const;
const NOTHING = [0, 0] as const;
/** By kind; the first entry stands for no kind. */
export const OP_LAYOUTS: readonly (OpLayout | undefined)[] = [
  undefined,
  { key: ADDRESS, value: [BALANCE_SIZE_BYTES, BALANCE_SIZE_BYTES] },
  { key: RECORD_KEY, value: [0, RECORD_VALUE_SIZE_BYTES_MAX] },
  { key: RECORD_KEY, value: NOTHING },
  { key: ADDRESS, value: NOTHING },
  { key: ADDRESS, value: [BOND_SIZE_BYTES, BOND_SIZE_BYTES] },
  { key: ADDRESS, value: NOTHING },
];

export type BatchErrorCode =
  | 'length'
  | 'height'
  | 'op-count'
  | 'previous-frame-size'
  | 'frame-offset'
  | 'floor'
  | 'previous-digest'
  | 'op-kind'
  | 'key-length'
  | 'value-length'
  | 'balance'
  | 'bond'
  | 'last-vote'
  | 'padding'
  | 'truncated'
  | 'trailing'
  /** A key stands twice. */
  | 'repeated-key'
  /** The head says another place than the one that follows from the batch before. */
  | 'place';

/** A batch that cannot be encoded, or bytes that are not one, or one that does not follow. */
export class BatchError extends Error {
  override readonly name = 'BatchError';
  readonly code: BatchErrorCode;
  constructor(code: BatchErrorCode, message: string) {
    super(`batch: ${message}`);
    this.code = code;
  }
}

/** A length with its padding. */
export const padded = (sizeBytes: number): number => Math.ceil(sizeBytes / 4) * 4;

/** Checks a length against the ones that a layout allows. Throws `BatchError` of that code. */
export function checkSize(
  code: 'key-length' | 'value-length',
  found: number,
  [min, max]: readonly [number, number],
): number {
  if (found < min || found > max) throw new BatchError(code, `${code} must be within ${min} .. ${max}, got ${found}`);
  return found;
}

/**
 * Checks the one op at `at` of some bytes (hostile), padding included. @param view of the same bytes
 * @returns where it ends. Throws `BatchError` 'truncated', 'op-kind', 'key-length', 'value-length', 'padding'
 */
export function checkOp(bytes: Uint8Array, view: DataView, at: number): number {
  if (at + OP_HEAD_SIZE_BYTES > bytes.length) throw new BatchError('truncated', `op at ${at} is cut off`);
  const layout = OP_LAYOUTS[bytes[at]!];
  if (layout === undefined) throw new BatchError('op-kind', `op at ${at} has unknown kind ${bytes[at]}`);
  const keySize = checkSize('key-length', bytes[at + 1]!, layout.key);
  const valueSize = checkSize('value-length', view.getUint16(at + 2, true), layout.value);
  const valueEnd = at + OP_HEAD_SIZE_BYTES + keySize + valueSize;
  const end = at + padded(valueEnd - at);
  if (end > bytes.length) throw new BatchError('truncated', `op at ${at} is cut off`);
  for (let index = valueEnd; index < end; index++)
    if (bytes[index] !== 0) throw new BatchError('padding', `padding byte at ${index} must be zero`);
  return end;
}
