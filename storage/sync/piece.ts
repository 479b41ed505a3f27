/**
 * A piece: ops in a row, with the proof that they stand at their numbers in the ops tree. The unit of fast sync, on the wire and as a
 * file in quarantine.
 *
 *   offset  bytes  field
 *   0       4      op count n u32, at least 1
 *   4       4      first head u32: how many of the ops come before the first batch head among them; n when there is none
 *   8       32 p   the proof: hashes left of the ops, then right of them (range-proof.ts); p follows from the range and the tree's size
 *           rest   the ops, one after another, heads of batches among them (a later head follows from the op count in the one before)
 *
 * A whole piece i is ops i * PIECE_OPS .. (i + 1) * PIECE_OPS; a piece that would be larger than `PIECE_SIZE_BYTES_MAX` is cut before the
 * op that would pass it, so that memory for an answer is bounded however large records are.
 *
 * Invariant: `readPiece` allocates by what came, never by what is announced; what it returns is proven.
 */
import type { Kernels } from '../../native/index.ts';
import type { Frontier } from '../commitment/frontier.ts';
import { HASH_SIZE_BYTES, LEAF_PREFIX, type MerkleKernels } from '../commitment/merkle.ts';
import { type RangeProof, rangeProofCounts, verifyRange } from '../commitment/range-proof.ts';
import { BATCH_HEAD_SIZE_BYTES } from '../oplog/batch.ts';
import {
  ACCOUNT_OP_SIZE_BYTES,
  ADDRESS_SIZE_BYTES,
  BALANCE_SIZE_BYTES,
  BatchError,
  checkOp,
  KIND_PUT_ACCOUNT,
  OP_HEAD_SIZE_BYTES,
  OP_SIZE_BYTES_MIN,
  padded,
} from '../oplog/op-layout.ts';
import { RECORD_KEY_SIZE_BYTES_MAX, RECORD_VALUE_SIZE_BYTES_MAX } from '../state-reader.ts';
import { SyncFault } from './sync-fault.ts';

/** Ops of a whole piece: 1 MiB of accounts. */
export const PIECE_OPS = 32_768;
/** Most bytes of ops in a piece. */
export const PIECE_SIZE_BYTES_MAX: number = 4 * 1024 * 1024;
/** Largest encoded op: a record's. */
const OP_SIZE_BYTES_MAX: number = padded(OP_HEAD_SIZE_BYTES + RECORD_KEY_SIZE_BYTES_MAX + RECORD_VALUE_SIZE_BYTES_MAX);
const PIECE_HEAD_SIZE_BYTES = 8;
/** Hashes on both sides of a range of the largest tree. */
const PROOF_LENGTH_MAX = 2 * 53;
/** Most bytes of a piece's frame. */
export const PIECE_FRAME_SIZE_BYTES_MAX: number =
  PIECE_HEAD_SIZE_BYTES + PROOF_LENGTH_MAX * HASH_SIZE_BYTES + PIECE_SIZE_BYTES_MAX;
/** First word of a putAccount. */
const ACCOUNT_HEAD: number = KIND_PUT_ACCOUNT | (ADDRESS_SIZE_BYTES << 8) | (BALANCE_SIZE_BYTES << 16);

export type PieceKernels = MerkleKernels & Pick<Kernels, 'sha256Ragged'>;

/** The tree that pieces are proven against. */
export interface OpsTree {
  /** 32 bytes. */
  readonly opsRoot: Uint8Array;
  readonly opCount: number;
}

/** Proven ops `from` .. `to` (excluded). */
export interface Piece {
  readonly from: number;
  readonly to: number;
  /** Number of the first head of a batch among them; `to` when there is none. */
  readonly firstHead: number;
  /** The ops, packed: a view of `frame`. */
  readonly bytes: Uint8Array;
  /** Where each op begins in `bytes`, and the end: to - from + 1 entries. */
  readonly offsets: Uint32Array;
  /** The whole piece as it came. */
  readonly frame: Uint8Array;
  /** The ops tree before `from`. */
  readonly before: Frontier;
}

/** What a piece is made of. */
export interface PieceParts {
  /** Ops before the first head of a batch; the number of ops when there is none. */
  readonly headsAfter: number;
  readonly proof: RangeProof;
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** A piece's frame (new bytes). */
export function encodePiece({ headsAfter, proof: { left, right }, bytes, count }: PieceParts): Uint8Array {
  const frame = new Uint8Array(PIECE_HEAD_SIZE_BYTES + left.length + right.length + bytes.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, count, true);
  view.setUint32(4, headsAfter, true);
  frame.set(left, PIECE_HEAD_SIZE_BYTES);
  frame.set(right, PIECE_HEAD_SIZE_BYTES + left.length);
  frame.set(bytes, frame.length - bytes.length);
  return frame;
}

/** How many of the ops at `offsets` a piece holds: all, or as many as fit. @param offsets count + 1 entries */
export function fittingOps(offsets: Uint32Array): number {
  const base = offsets[0]!;
  let count = offsets.length - 1;
  while (count > 1 && offsets[count]! - base > PIECE_SIZE_BYTES_MAX) count -= 1;
  return count;
}

/**
 * Reads and proves a piece (hostile bytes, kept as a view): ops from number `from` on.
 * Throws `SyncFault` 'malformed-piece', 'wrong-range', 'wrong-proof'.
 */
export function readPiece(kernels: PieceKernels, frame: Uint8Array, from: number, tree: OpsTree): Piece {
  if (frame.length < PIECE_HEAD_SIZE_BYTES || frame.length > PIECE_FRAME_SIZE_BYTES_MAX)
    throw new SyncFault('malformed-piece', `${frame.length} bytes`);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const count = view.getUint32(0, true);
  const headsAfter = view.getUint32(4, true);
  const to = from + count;
  if (count === 0 || count > PIECE_OPS || to > tree.opCount)
    throw new SyncFault('wrong-range', `${count} ops from ${from} on, of ${tree.opCount} in all`);
  const sides = rangeProofCounts(from, to, tree.opCount);
  const rightAt = PIECE_HEAD_SIZE_BYTES + sides.left * HASH_SIZE_BYTES;
  const opsAt = rightAt + sides.right * HASH_SIZE_BYTES;
  if (frame.length < opsAt) throw new SyncFault('malformed-piece', 'it ends inside its proof');
  const bytes = frame.subarray(opsAt);
  const offsets = opOffsetsOf(bytes, count, headsAfter);
  const leaves = new Uint8Array(count * HASH_SIZE_BYTES);
  kernels.sha256Ragged(LEAF_PREFIX, bytes, offsets, leaves);
  const proof = { left: frame.subarray(PIECE_HEAD_SIZE_BYTES, rightAt), right: frame.subarray(rightAt, opsAt) };
  const before = verifyRange(kernels, { from, to, size: tree.opCount, root: tree.opsRoot }, leaves, proof);
  if (before === undefined) throw new SyncFault('wrong-proof', `ops ${from} .. ${to} are not those of the state`);
  return { from, to, firstHead: from + headsAfter, bytes, offsets, frame, before };
}

/** Whether a piece that answers a question for ops `piece.from` .. `to` may be so short: only because the next op did not fit. */
export function requireWhole(piece: Piece, to: number): void {
  if (piece.to > to) throw new SyncFault('wrong-range', `ops up to ${piece.to}, asked were those before ${to}`);
  if (piece.to < to && piece.bytes.length + OP_SIZE_BYTES_MAX <= PIECE_SIZE_BYTES_MAX)
    throw new SyncFault(
      'wrong-range',
      `ops up to ${piece.to} in ${piece.bytes.length} bytes, asked were those before ${to}`,
    );
}

/** Where each of `count` ops begins, their structure checked. @param firstHead ops before the first head */
function opOffsetsOf(bytes: Uint8Array, count: number, firstHead: number): Uint32Array {
  if (firstHead > count) throw new SyncFault('malformed-piece', `first head ${firstHead} of ${count} ops`);
  if (count * OP_SIZE_BYTES_MIN > bytes.length)
    throw new SyncFault('malformed-piece', `${count} ops in ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const offsets = new Uint32Array(count + 1);
  let at = 0;
  let nextHead = firstHead;
  for (let index = 0; index < count; index += 1) {
    offsets[index] = at;
    if (index === nextHead) {
      nextHead = index + 1 + opCountAt(view, at);
      at += BATCH_HEAD_SIZE_BYTES;
    } else if (at + ACCOUNT_OP_SIZE_BYTES <= bytes.length && view.getUint32(at, true) === ACCOUNT_HEAD)
      at += ACCOUNT_OP_SIZE_BYTES;
    else at = endOfOp(bytes, view, at);
  }
  if (at !== bytes.length) throw new SyncFault('malformed-piece', `${bytes.length} bytes, its ops take ${at}`);
  offsets[count] = at;
  return offsets;
}

function opCountAt(view: DataView, at: number): number {
  if (at + BATCH_HEAD_SIZE_BYTES > view.byteLength) throw new SyncFault('malformed-piece', `head at ${at} is cut off`);
  return view.getUint32(at + 8, true);
}

function endOfOp(bytes: Uint8Array, view: DataView, at: number): number {
  try {
    return checkOp(bytes, view, at);
  } catch (error) {
    if (error instanceof BatchError) throw new SyncFault('malformed-piece', error.message);
    throw error;
  }
}
