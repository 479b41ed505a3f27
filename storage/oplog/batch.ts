/**
 * A batch: all changes of state of one block, as bytes. The op log stores it, the commitment hashes it, fast sync ships it.
 *
 *   offset  bytes  field
 *   0       8      height u64
 *   8       4      op count u32
 *   12      4      reserved, zero
 *   16             ops, one after another
 *
 *   op: 0  1  kind: 1 putAccount, 2 putRecord, 3 deleteRecord
 *       1  1  key length k
 *       2  2  value length v, u16
 *       4  k  key: an address (k = 20), or a record's key (1 .. 64)
 *          v  value: a balance u64 (v = 8), a record's value (0 .. 4096), or nothing
 *             zeros up to a multiple of 4
 *
 * Invariants
 * - One encoding per value: lengths exact, reserved and padding bytes zero, nothing behind the last op.
 * - A batch's length is a multiple of 4, at most `BATCH_SIZE_BYTES_MAX`. A putAccount takes 32 bytes, so a run of them is copied
 *   into the account table's entry layout (address, balance, log position) with one move.
 * - Order counts: where a key stands twice, the later op wins.
 */
import { RECORD_KEY_SIZE_BYTES_MAX, RECORD_VALUE_SIZE_BYTES_MAX, type StateOp } from '../state-reader.ts';

export const BATCH_HEAD_SIZE_BYTES = 16;
/** Largest batch: 8 million accounts. Genesis is the only one that comes near. */
export const BATCH_SIZE_BYTES_MAX: number = 256 * 1024 * 1024;
/** Encoded size of a putAccount. */
export const ACCOUNT_OP_SIZE_BYTES = 32;
export const ADDRESS_SIZE_BYTES = 20;
const OP_HEAD_SIZE_BYTES = 4;
const BALANCE_SIZE_BYTES = 8;

const KIND_PUT_ACCOUNT = 1;
const KIND_PUT_RECORD = 2;
const KIND_DELETE_RECORD = 3;

export interface Batch {
  /** Height of the block; a safe integer. */
  readonly height: number;
  readonly ops: readonly StateOp[];
}

export type BatchErrorCode =
  | 'length'
  | 'height'
  | 'op-count'
  | 'reserved'
  | 'op-kind'
  | 'key-length'
  | 'value-length'
  | 'balance'
  | 'padding'
  | 'truncated'
  | 'trailing';

/** A batch that cannot be encoded, or bytes that are not one. */
export class BatchError extends Error {
  override readonly name = 'BatchError';
  readonly code: BatchErrorCode;
  constructor(code: BatchErrorCode, message: string) {
    super(`batch: ${message}`);
    this.code = code;
  }
}

const padded = (sizeBytes: number): number => Math.ceil(sizeBytes / 4) * 4;

function checkSize(code: 'key-length' | 'value-length', found: number, min: number, max: number): number {
  if (found < min || found > max) throw new BatchError(code, `${code} must be within ${min} .. ${max}, got ${found}`);
  return found;
}

function opSize(op: StateOp): number {
  if (op.kind === 'putAccount') {
    checkSize('key-length', op.address.length, ADDRESS_SIZE_BYTES, ADDRESS_SIZE_BYTES);
    return ACCOUNT_OP_SIZE_BYTES;
  }
  const keySize = checkSize('key-length', op.key.length, 1, RECORD_KEY_SIZE_BYTES_MAX);
  const valueSize = op.kind === 'deleteRecord' ? 0 : op.value.length;
  checkSize('value-length', valueSize, 0, RECORD_VALUE_SIZE_BYTES_MAX);
  return padded(OP_HEAD_SIZE_BYTES + keySize + valueSize);
}

/** Encodes a batch into new bytes. Throws `BatchError` for a value outside the format's ranges. */
export function encodeBatch(batch: Batch): Uint8Array {
  if (!Number.isSafeInteger(batch.height) || batch.height < 0)
    throw new BatchError('height', `height must be a safe integer >= 0, got ${batch.height}`);
  let size = BATCH_HEAD_SIZE_BYTES;
  for (const op of batch.ops) size += opSize(op);
  if (size > BATCH_SIZE_BYTES_MAX)
    throw new BatchError('length', `${size} bytes, at most ${BATCH_SIZE_BYTES_MAX} allowed`);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(batch.height), true);
  view.setUint32(8, batch.ops.length, true);
  let at = BATCH_HEAD_SIZE_BYTES;
  for (const op of batch.ops) at = writeOp(bytes, view, at, op);
  return bytes;
}

function writeHead(view: DataView, at: number, kind: number, keySize: number, valueSize: number): void {
  view.setUint32(at, kind | (keySize << 8) | (valueSize << 16), true);
}

function writeOp(bytes: Uint8Array, view: DataView, at: number, op: StateOp): number {
  if (op.kind === 'putAccount') {
    writeHead(view, at, KIND_PUT_ACCOUNT, ADDRESS_SIZE_BYTES, BALANCE_SIZE_BYTES);
    bytes.set(op.address, at + OP_HEAD_SIZE_BYTES);
    if (op.balance < 0n || op.balance > 0xffff_ffff_ffff_ffffn)
      throw new BatchError('balance', `balance must be within 0 .. 2^64 - 1, got ${op.balance}`);
    view.setBigUint64(at + OP_HEAD_SIZE_BYTES + ADDRESS_SIZE_BYTES, op.balance, true);
    return at + ACCOUNT_OP_SIZE_BYTES;
  }
  const value = op.kind === 'putRecord' ? op.value : new Uint8Array(0);
  const kind = op.kind === 'putRecord' ? KIND_PUT_RECORD : KIND_DELETE_RECORD;
  writeHead(view, at, kind, op.key.length, value.length);
  bytes.set(op.key, at + OP_HEAD_SIZE_BYTES);
  bytes.set(value, at + OP_HEAD_SIZE_BYTES + op.key.length);
  return at + padded(OP_HEAD_SIZE_BYTES + op.key.length + value.length);
}

/** What a batch's bytes say before its ops. */
export interface BatchHead {
  readonly height: number;
  readonly opCount: number;
}

/** Reads and checks a batch's head; the bytes may be hostile. Does not look at the ops. */
export function readBatchHead(bytes: Uint8Array): BatchHead {
  if (bytes.length < BATCH_HEAD_SIZE_BYTES || bytes.length > BATCH_SIZE_BYTES_MAX || bytes.length % 4 !== 0)
    throw new BatchError(
      'length',
      `length must be a multiple of 4 within ${BATCH_HEAD_SIZE_BYTES} .. ${BATCH_SIZE_BYTES_MAX}, got ${bytes.length}`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const height = Number(view.getBigUint64(0, true));
  if (!Number.isSafeInteger(height)) throw new BatchError('height', `height must be at most 2^53 - 1, got ${height}`);
  if (view.getUint32(12, true) !== 0) throw new BatchError('reserved', 'reserved bytes 12 .. 15 must be zero');
  return { height, opCount: view.getUint32(8, true) };
}

/** Receives a batch's ops in order. All bytes are borrowed: they are views of the batch. */
export interface OpSink {
  /** `count` putAccount ops in a row, the first at `offset` of the batch, each 32 bytes: head 4, address 20, balance u64. */
  accounts(offset: number, count: number): void;
  putRecord(key: Uint8Array, value: Uint8Array): void;
  deleteRecord(key: Uint8Array): void;
}

const ACCOUNT_HEAD = KIND_PUT_ACCOUNT | (ADDRESS_SIZE_BYTES << 8) | (BALANCE_SIZE_BYTES << 16);

/**
 * Walks a batch, checking every byte of structure, and hands its ops to `sink` in order; the bytes may be hostile. Throws
 * `BatchError`; ops before the fault have been handed over by then, so check first (`checkBatch`) where that matters.
 */
export function readOps(bytes: Uint8Array, sink: OpSink): BatchHead {
  const head = readBatchHead(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (head.opCount > (bytes.length - BATCH_HEAD_SIZE_BYTES) / 8)
    throw new BatchError('op-count', `${head.opCount} ops cannot fit into ${bytes.length} bytes`);
  let at = BATCH_HEAD_SIZE_BYTES;
  for (let left = head.opCount; left > 0; ) {
    const run = accountRun(view, at, left);
    if (run > 0) {
      sink.accounts(at, run);
      at += run * ACCOUNT_OP_SIZE_BYTES;
      left -= run;
    } else {
      at = readRecordOp(bytes, view, at, sink);
      left -= 1;
    }
  }
  if (at !== bytes.length)
    throw new BatchError('trailing', `${bytes.length - at} bytes behind the last of ${head.opCount} ops`);
  return head;
}

/** How many whole putAccount ops stand at `at`, at most `left`. */
function accountRun(view: DataView, at: number, left: number): number {
  const fit = Math.min(left, Math.floor((view.byteLength - at) / ACCOUNT_OP_SIZE_BYTES));
  let run = 0;
  while (run < fit && view.getUint32(at + run * ACCOUNT_OP_SIZE_BYTES, true) === ACCOUNT_HEAD) run++;
  return run;
}

function readRecordOp(bytes: Uint8Array, view: DataView, at: number, sink: OpSink): number {
  if (at + OP_HEAD_SIZE_BYTES > bytes.length) throw new BatchError('truncated', `op at ${at} is cut off`);
  const kind = bytes[at]!;
  const keySize = bytes[at + 1]!;
  const valueSize = view.getUint16(at + 2, true);
  if (kind === KIND_PUT_ACCOUNT) {
    checkSize('key-length', keySize, ADDRESS_SIZE_BYTES, ADDRESS_SIZE_BYTES);
    checkSize('value-length', valueSize, BALANCE_SIZE_BYTES, BALANCE_SIZE_BYTES);
    throw new BatchError('truncated', `op at ${at} is cut off`);
  }
  if (kind !== KIND_PUT_RECORD && kind !== KIND_DELETE_RECORD)
    throw new BatchError('op-kind', `op at ${at} has unknown kind ${kind}`);
  checkSize('key-length', keySize, 1, RECORD_KEY_SIZE_BYTES_MAX);
  checkSize('value-length', valueSize, 0, kind === KIND_PUT_RECORD ? RECORD_VALUE_SIZE_BYTES_MAX : 0);
  const keyAt = at + OP_HEAD_SIZE_BYTES;
  const valueAt = keyAt + keySize;
  const end = at + padded(OP_HEAD_SIZE_BYTES + keySize + valueSize);
  if (end > bytes.length) throw new BatchError('truncated', `op at ${at} is cut off`);
  for (let index = valueAt + valueSize; index < end; index++)
    if (bytes[index] !== 0) throw new BatchError('padding', `padding byte at ${index} must be zero`);
  const key = bytes.subarray(keyAt, valueAt);
  if (kind === KIND_PUT_RECORD) sink.putRecord(key, bytes.subarray(valueAt, valueAt + valueSize));
  else sink.deleteRecord(key);
  return end;
}

const NOWHERE: OpSink = { accounts() {}, putRecord() {}, deleteRecord() {} };

/** Checks a whole batch without keeping anything of it. Throws `BatchError`. */
export function checkBatch(bytes: Uint8Array): BatchHead {
  return readOps(bytes, NOWHERE);
}

/** Decodes a batch; the bytes may be hostile, and the ops' keys and values are views of them. Throws `BatchError`. */
export function decodeBatch(bytes: Uint8Array): Batch {
  const ops: StateOp[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { height } = readOps(bytes, {
    accounts(offset, count) {
      for (let at = offset; at < offset + count * ACCOUNT_OP_SIZE_BYTES; at += ACCOUNT_OP_SIZE_BYTES) {
        const address = bytes.subarray(at + OP_HEAD_SIZE_BYTES, at + OP_HEAD_SIZE_BYTES + ADDRESS_SIZE_BYTES);
        const balance = view.getBigUint64(at + OP_HEAD_SIZE_BYTES + ADDRESS_SIZE_BYTES, true);
        ops.push({ kind: 'putAccount', address, balance });
      }
    },
    putRecord: (key, value) => ops.push({ kind: 'putRecord', key, value }),
    deleteRecord: (key) => ops.push({ kind: 'deleteRecord', key }),
  });
  return { height, ops };
}
