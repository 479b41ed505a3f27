/**
 * A batch: all changes of state of one block, as bytes. The op log stores it, the ops tree has a leaf for its head and for each
 * of its ops, fast sync ships it.
 *
 *   offset  bytes  field
 *   0       8      height u64
 *   8       4      op count u32, the head not counted
 *   12      4      previous frame size u32: bytes of the frame of the batch before; 0 for batch 0
 *   16      8      frame offset u64: bytes of all frames before this one's, segment headers not counted
 *   24      8      floor u64: the inactivity floor after the batch before; 0 for batch 0
 *   32      32     previous digest: SHA-256('cairn/batch/1' || batch before); the chain id for batch 0
 *   64             ops, one after another
 *
 *   op: 0  1  kind: 1 putAccount, 2 putRecord, 3 deleteRecord, 4 deleteAccount, 5 putBond, 6 deleteBond
 *       1  1  key length k
 *       2  2  value length v, u16
 *       4  k  key: an address (k = 20), or a record's key (1 .. 64)
 *          v  value: balance u64 (v = 8); record value (0 .. 4096); bond u64, last vote u64, 24 bytes of details (v = 40); or nothing
 *             zeros up to a multiple of 4
 *
 * Invariants
 * - One encoding per value: lengths exact, padding zero, nothing behind the last op.
 * - A batch's length is a multiple of 4, at most `BATCH_SIZE_BYTES_MAX`. A putAccount takes 32 bytes and a putBond 64, so that a run
 *   of them is copied into a table's entry layout (key, value, log position) with one move.
 * - In numbers of the log the head is the batch's first op: n ops take n + 1 numbers. Its fields are checked for range here;
 *   whether they are right is for who knows the batch before (the log, the commitment).
 * - A key stands at most once in a batch; that is checked where keys are looked up (the commitment).
 */
import { type Hash, hash, type Kernels } from '../../native/index.ts';
import type { BatchPlace, StateOp } from '../state-reader.ts';
import {
  ACCOUNT_OP_HEAD,
  ACCOUNT_OP_SIZE_BYTES,
  ADDRESS_SIZE_BYTES,
  BALANCE_SIZE_BYTES,
  BatchError,
  BOND_OP_SIZE_BYTES,
  checkOp,
  checkSize,
  KIND_DELETE_ACCOUNT,
  KIND_DELETE_BOND,
  KIND_DELETE_RECORD,
  KIND_PUT_ACCOUNT,
  KIND_PUT_BOND,
  KIND_PUT_RECORD,
  OP_HEAD_SIZE_BYTES,
  OP_LAYOUTS,
  OP_SIZE_BYTES_MIN,
  padded,
} from './op-layout.ts';

export { BatchError, type BatchErrorCode } from './op-layout.ts';

/** ASCII tag before a batch's bytes in its digest. */
export const BATCH_TAG: Uint8Array = new TextEncoder().encode('cairn/batch/1');
export const BATCH_HEAD_SIZE_BYTES = 64;
/** Largest batch: 8 million accounts. Genesis is the only one that comes near. */
export const BATCH_SIZE_BYTES_MAX: number = 256 * 1024 * 1024;
const DIGEST_SIZE_BYTES = 32;
export interface Batch extends BatchPlace {
  readonly ops: readonly StateOp[];
}

/** The tag and a batch, side by side for one hash. Used again, because memory of this size is slow to come by. */
let tagged: Uint8Array = BATCH_TAG.slice();
const TAGGED_KEPT_SIZE_BYTES_MAX: number = 8 * 1024 * 1024;

/** SHA-256('cairn/batch/1' || batch). */
export function batchDigest(kernels: Pick<Kernels, 'sha256'>, batch: Uint8Array): Hash {
  const sizeBytes = BATCH_TAG.length + batch.length;
  const bytes = sizeBytes <= tagged.length ? tagged.subarray(0, sizeBytes) : new Uint8Array(sizeBytes);
  if (sizeBytes > tagged.length) bytes.set(BATCH_TAG, 0);
  if (sizeBytes > tagged.length && sizeBytes <= TAGGED_KEPT_SIZE_BYTES_MAX) tagged = bytes;
  bytes.set(batch, BATCH_TAG.length);
  return hash(kernels.sha256(bytes));
}

function checkCount(
  code: 'height' | 'previous-frame-size' | 'frame-offset' | 'floor',
  found: number,
  max: number = Number.MAX_SAFE_INTEGER,
): void {
  if (!Number.isSafeInteger(found) || found < 0 || found > max)
    throw new BatchError(code, `${code} must be an integer within 0 .. ${max}, got ${found}`);
}

function checkU64(code: 'balance' | 'bond' | 'last-vote', found: bigint): bigint {
  if (found < 0n || found > 0xffff_ffff_ffff_ffffn)
    throw new BatchError(code, `${code} must be within 0 .. 2^64 - 1, got ${found}`);
  return found;
}

/** Encodes a batch into new bytes. Throws `BatchError` for a value outside the format's ranges. */
export function encodeBatch(place: BatchPlace, ops: readonly StateOp[]): Uint8Array {
  let size = BATCH_HEAD_SIZE_BYTES;
  for (const op of ops) size += opSize(op);
  if (size > BATCH_SIZE_BYTES_MAX)
    throw new BatchError('length', `${size} bytes, at most ${BATCH_SIZE_BYTES_MAX} allowed`);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  writeBatchHead(bytes, view, place, ops.length);
  let at = BATCH_HEAD_SIZE_BYTES;
  for (const op of ops) at = writeOp(bytes, view, at, op);
  return bytes;
}

/** Gives a batch's bytes another place in the log; its ops stay. Throws `BatchError` for a value outside the format's ranges. */
export function writeBatchPlace(batch: Uint8Array, place: BatchPlace): void {
  const { opCount } = readBatchHead(batch);
  writeBatchHead(batch, new DataView(batch.buffer, batch.byteOffset, BATCH_HEAD_SIZE_BYTES), place, opCount);
}

function writeBatchHead(bytes: Uint8Array, view: DataView, place: BatchPlace, opCount: number): void {
  checkCount('height', place.height);
  checkCount('previous-frame-size', place.previousFrameSizeBytes, 0xffff_ffff);
  checkCount('frame-offset', place.frameOffset);
  checkCount('floor', place.floor);
  if (place.previousDigest.length !== DIGEST_SIZE_BYTES)
    throw new BatchError('previous-digest', `previous digest must be 32 bytes, got ${place.previousDigest.length}`);
  view.setBigUint64(0, BigInt(place.height), true);
  view.setUint32(8, opCount, true);
  view.setUint32(12, place.previousFrameSizeBytes, true);
  view.setBigUint64(16, BigInt(place.frameOffset), true);
  view.setBigUint64(24, BigInt(place.floor), true);
  bytes.set(place.previousDigest, 32);
}

const keyOf = (op: StateOp): Uint8Array =>
  op.kind === 'putRecord' || op.kind === 'deleteRecord' ? op.key : op.address;

const KINDS: Readonly<Record<StateOp['kind'], number>> = {
  putAccount: KIND_PUT_ACCOUNT,
  putRecord: KIND_PUT_RECORD,
  deleteRecord: KIND_DELETE_RECORD,
  deleteAccount: KIND_DELETE_ACCOUNT,
  putBond: KIND_PUT_BOND,
  deleteBond: KIND_DELETE_BOND,
};

function valueSizeOf(op: StateOp): number {
  if (op.kind === 'putAccount') return BALANCE_SIZE_BYTES;
  if (op.kind === 'putRecord') return op.value.length;
  return op.kind === 'putBond' ? 16 + op.details.length : 0;
}

function opSize(op: StateOp): number {
  const layout = OP_LAYOUTS[KINDS[op.kind]]!;
  const keySize = checkSize('key-length', keyOf(op).length, layout.key);
  const valueSize = checkSize('value-length', valueSizeOf(op), layout.value);
  return padded(OP_HEAD_SIZE_BYTES + keySize + valueSize);
}

function writeOp(bytes: Uint8Array, view: DataView, at: number, op: StateOp): number {
  const key = keyOf(op);
  const valueSize = valueSizeOf(op);
  view.setUint32(at, KINDS[op.kind] | (key.length << 8) | (valueSize << 16), true);
  bytes.set(key, at + OP_HEAD_SIZE_BYTES);
  const valueAt = at + OP_HEAD_SIZE_BYTES + key.length;
  if (op.kind === 'putAccount') view.setBigUint64(valueAt, checkU64('balance', op.balance), true);
  else if (op.kind === 'putRecord') bytes.set(op.value, valueAt);
  else if (op.kind === 'putBond') {
    view.setBigUint64(valueAt, checkU64('bond', op.bond), true);
    view.setBigUint64(valueAt + 8, checkU64('last-vote', op.lastVote), true);
    bytes.set(op.details, valueAt + 16);
  }
  return at + padded(OP_HEAD_SIZE_BYTES + key.length + valueSize);
}

/** What a batch's bytes say before its ops. */
export interface BatchHead extends BatchPlace {
  /** Ops behind the head. */
  readonly opCount: number;
}

/** Reads and checks a batch's head; the bytes may be hostile and are copied. Does not look at the ops. */
export function readBatchHead(bytes: Uint8Array): BatchHead {
  if (bytes.length < BATCH_HEAD_SIZE_BYTES || bytes.length > BATCH_SIZE_BYTES_MAX || bytes.length % 4 !== 0)
    throw new BatchError(
      'length',
      `length must be a multiple of 4 within ${BATCH_HEAD_SIZE_BYTES} .. ${BATCH_SIZE_BYTES_MAX}, got ${bytes.length}`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, BATCH_HEAD_SIZE_BYTES);
  const [height, frameOffset, floor] = [0, 16, 24].map((at) => Number(view.getBigUint64(at, true)));
  checkCount('height', height!);
  checkCount('frame-offset', frameOffset!);
  checkCount('floor', floor!);
  return {
    height: height!,
    opCount: view.getUint32(8, true),
    previousFrameSizeBytes: view.getUint32(12, true),
    frameOffset: frameOffset!,
    floor: floor!,
    previousDigest: bytes.slice(32, BATCH_HEAD_SIZE_BYTES),
  };
}

/** Receives a batch's ops in order. Offsets are bytes of the batch; keys and values are views of it: borrowed. */
export interface OpSink {
  /** `count` putAccount ops in a row, the first at `offset`, each 32 bytes: head 4, address 20, balance u64. */
  accounts(offset: number, count: number): void;
  /** 24 bytes: head 4, address 20. */
  deleteAccount(offset: number): void;
  putRecord(key: Uint8Array, value: Uint8Array, offset: number): void;
  deleteRecord(key: Uint8Array, offset: number): void;
  /** 64 bytes: head 4, address 20, bond u64, last vote u64, details 24. */
  putBond(offset: number): void;
  /** 24 bytes: head 4, address 20. */
  deleteBond(offset: number): void;
}

/**
 * Walks a batch, checking every byte of structure, and hands its ops to `sink` in order; the bytes may be hostile. Allocates nothing
 * for accounts and bonds. Throws `BatchError`; ops before the fault have been handed over by then, so check first (`checkBatch`)
 * where that matters.
 */
export function readOps(bytes: Uint8Array, sink: OpSink): BatchHead {
  const head = readBatchHead(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (head.opCount > (bytes.length - BATCH_HEAD_SIZE_BYTES) / OP_SIZE_BYTES_MIN)
    throw new BatchError('op-count', `${head.opCount} ops cannot fit into ${bytes.length} bytes`);
  let at = BATCH_HEAD_SIZE_BYTES;
  for (let left = head.opCount; left > 0; ) {
    const run = accountRun(view, at, left);
    if (run > 0) {
      sink.accounts(at, run);
      at += run * ACCOUNT_OP_SIZE_BYTES;
      left -= run;
    } else {
      const end = checkOp(bytes, view, at);
      handOver(bytes, view, at, sink);
      at = end;
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
  while (run < fit && view.getUint32(at + run * ACCOUNT_OP_SIZE_BYTES, true) === ACCOUNT_OP_HEAD) run++;
  return run;
}

function handOver(bytes: Uint8Array, view: DataView, at: number, sink: OpSink): void {
  const kind = bytes[at]!;
  if (kind === KIND_DELETE_ACCOUNT) sink.deleteAccount(at);
  else if (kind === KIND_PUT_BOND) sink.putBond(at);
  else if (kind === KIND_DELETE_BOND) sink.deleteBond(at);
  else handOverRecord(bytes, view, at, sink);
}

function handOverRecord(bytes: Uint8Array, view: DataView, at: number, sink: OpSink): void {
  const valueAt = at + OP_HEAD_SIZE_BYTES + bytes[at + 1]!;
  const key = bytes.subarray(at + OP_HEAD_SIZE_BYTES, valueAt);
  if (bytes[at] === KIND_DELETE_RECORD) sink.deleteRecord(key, at);
  else sink.putRecord(key, bytes.subarray(valueAt, valueAt + view.getUint16(at + 2, true)), at);
}

const NOWHERE: OpSink = {
  accounts() {},
  deleteAccount() {},
  putRecord() {},
  deleteRecord() {},
  putBond() {},
  deleteBond() {},
};

/** Checks a whole batch without keeping anything of it. Throws `BatchError`. */
export function checkBatch(bytes: Uint8Array): BatchHead {
  return readOps(bytes, NOWHERE);
}

/**
 * Where each leaf of the ops tree begins: n + 2 offsets, for the head (0), each op, and the end. Checks the whole batch (hostile
 * bytes). Throws `BatchError`.
 */
export function opOffsets(bytes: Uint8Array): Uint32Array {
  const { opCount } = readBatchHead(bytes);
  if (opCount > (bytes.length - BATCH_HEAD_SIZE_BYTES) / OP_SIZE_BYTES_MIN)
    throw new BatchError('op-count', `${opCount} ops cannot fit into ${bytes.length} bytes`);
  const offsets = new Uint32Array(opCount + 2);
  let next = 1;
  const note = (offset: number): void => {
    offsets[next++] = offset;
  };
  readOps(bytes, {
    accounts(offset, count) {
      for (let at = offset; at < offset + count * ACCOUNT_OP_SIZE_BYTES; at += ACCOUNT_OP_SIZE_BYTES)
        offsets[next++] = at;
    },
    deleteAccount: note,
    putRecord: (_key, _value, offset) => note(offset),
    deleteRecord: (_key, offset) => note(offset),
    putBond: note,
    deleteBond: note,
  });
  offsets[next] = bytes.length;
  return offsets;
}

/** Decodes a batch; the bytes may be hostile, and the ops' keys and values are views of them. Throws `BatchError`. */
export function decodeBatch(bytes: Uint8Array): Batch {
  const ops: StateOp[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const addressAt = (offset: number): Uint8Array =>
    bytes.subarray(offset + OP_HEAD_SIZE_BYTES, offset + OP_HEAD_SIZE_BYTES + ADDRESS_SIZE_BYTES);
  const valueAt = OP_HEAD_SIZE_BYTES + ADDRESS_SIZE_BYTES;
  const { opCount: _, ...place } = readOps(bytes, {
    accounts(offset, count) {
      for (let at = offset; at < offset + count * ACCOUNT_OP_SIZE_BYTES; at += ACCOUNT_OP_SIZE_BYTES)
        ops.push({ kind: 'putAccount', address: addressAt(at), balance: view.getBigUint64(at + valueAt, true) });
    },
    deleteAccount: (at) => ops.push({ kind: 'deleteAccount', address: addressAt(at) }),
    putRecord: (key, value) => ops.push({ kind: 'putRecord', key, value }),
    deleteRecord: (key) => ops.push({ kind: 'deleteRecord', key }),
    putBond: (at) =>
      ops.push({
        kind: 'putBond',
        address: addressAt(at),
        bond: view.getBigUint64(at + valueAt, true),
        lastVote: view.getBigUint64(at + valueAt + 8, true),
        details: bytes.subarray(at + valueAt + 16, at + BOND_OP_SIZE_BYTES),
      }),
    deleteBond: (at) => ops.push({ kind: 'deleteBond', address: addressAt(at) }),
  });
  return { ...place, ops };
}
