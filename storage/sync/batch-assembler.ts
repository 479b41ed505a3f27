/**
 * Puts proven pieces, given in order, together to batches.
 *
 * What a piece proves is each op's bytes and number. Which ops are heads of batches follows here, from the head before (never from what
 * the piece says: a bond's 64 bytes can look like a head). Each head must say exactly the place that follows from the batches before it:
 * height, frame sizes and offset, floor, digest.
 *
 * Owns: the pieces of the batch that is not whole yet, at most `BATCH_SIZE_BYTES_MAX` bytes of ops.
 * Invariant: a batch given out is whole, in its place, and its bytes are the log's, byte for byte.
 */
import type { Hash, Kernels } from '../../native/index.ts';
import { assertInvariant, StorageError } from '../errors.ts';
import {
  BATCH_HEAD_SIZE_BYTES,
  BATCH_SIZE_BYTES_MAX,
  BatchError,
  type BatchHead,
  batchDigest,
  readBatchHead,
} from '../oplog/batch.ts';
import { frameSize } from '../oplog/frame.ts';
import { type LogPosition, placeFault, positionAfter } from '../oplog/log-position.ts';
import type { Piece } from './piece.ts';

export interface AssembledBatch {
  /** Borrowed: may be a view of a piece. */
  readonly batch: Uint8Array;
  readonly digest: Hash;
  /** `opOffsets` of it. */
  readonly offsets: Uint32Array;
  /** Number of its head, and the piece that holds it. */
  readonly firstOp: number;
  readonly piece: Piece;
}

/** Ops of one piece that belong to the batch under way: indexes within the piece. */
interface Part {
  readonly piece: Piece;
  readonly from: number;
  readonly to: number;
}

export class BatchAssembler {
  readonly #kernels: Pick<Kernels, 'sha256'>;
  readonly #opCount: number;
  #position: LogPosition;
  #floor: number;
  #nextOp: number;
  #head: BatchHead | undefined;
  #parts: Part[] = [];
  #pendingBytes = 0;

  /** @param position where the next batch goes @param floor in the head before, 0 when there is none @param opCount ops at the target */
  constructor(kernels: Pick<Kernels, 'sha256'>, position: LogPosition, floor: number, opCount: number) {
    this.#kernels = kernels;
    this.#position = position;
    this.#floor = floor;
    this.#nextOp = position.opCount;
    this.#opCount = opCount;
  }

  /** Number of the op that the next piece must hold. */
  get nextOp(): number {
    return this.#nextOp;
  }

  /** Where the next batch goes. */
  get position(): LogPosition {
    return this.#position;
  }

  /** Bytes of ops of the batch that is not whole yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** The pieces that hold ops of the batch that is not whole yet. */
  get pendingPieces(): readonly Piece[] {
    return this.#parts.map(({ piece }) => piece);
  }

  /**
   * Takes the piece that holds `nextOp` (kept until its batches are whole), and gives the batches that it completes: use each before asking for the next.
   * Throws `StorageError` 'wrong-place' when the ops are no log that goes on from `position`; the assembler is of no use then.
   */
  *take(piece: Piece): Generator<AssembledBatch> {
    assertInvariant(piece.from <= this.#nextOp && this.#nextOp < piece.to, 'pieces are put together in order');
    const count = piece.to - piece.from;
    for (let at = this.#nextOp - piece.from; at < count; ) {
      this.#head ??= this.#headAt(piece, at);
      const batchEnd = this.#position.opCount + 1 + this.#head.opCount - piece.from;
      const to = Math.min(count, batchEnd);
      this.#parts.push({ piece, from: at, to });
      this.#pendingBytes += piece.offsets[to]! - piece.offsets[at]!;
      if (this.#pendingBytes > BATCH_SIZE_BYTES_MAX) this.#fail(`it has over ${BATCH_SIZE_BYTES_MAX} bytes`);
      at = to;
      if (to === batchEnd) yield this.#whole(this.#head);
    }
    this.#nextOp = piece.to;
  }

  #headAt({ bytes, offsets }: Piece, at: number): BatchHead {
    const head = this.#readHead(bytes.subarray(offsets[at], offsets[at + 1]));
    const fault = placeFault(head, this.#position, this.#floor);
    if (fault !== undefined) this.#fail(`${fault.expected} expected, got ${fault.found}`);
    if (head.opCount > this.#opCount - this.#position.opCount - 1)
      this.#fail(`it says ${head.opCount} ops, past the ${this.#opCount} of the target`);
    return head;
  }

  #readHead(op: Uint8Array): BatchHead {
    if (op.length !== BATCH_HEAD_SIZE_BYTES) this.#fail(`an op of ${op.length} bytes stands where its head must be`);
    try {
      return readBatchHead(op);
    } catch (error) {
      if (!(error instanceof BatchError)) throw error;
      this.#fail(error.message);
    }
  }

  #whole(head: BatchHead): AssembledBatch {
    const firstOp = this.#position.opCount;
    const { piece } = this.#parts[0]!;
    const batch = joined(this.#parts, this.#pendingBytes);
    const offsets = offsetsOf(this.#parts, head.opCount);
    const digest = batchDigest(this.#kernels, batch);
    this.#position = positionAfter(this.#position, head.opCount, frameSize(batch.length), digest);
    this.#floor = head.floor;
    this.#head = undefined;
    this.#parts = [];
    this.#pendingBytes = 0;
    return { batch, digest, offsets, firstOp, piece };
  }

  #fail(what: string): never {
    throw new StorageError('wrong-place', `batch ${this.#position.height}, op ${this.#position.opCount}: ${what}`);
  }
}

/** The bytes of parts in a row: of a single one they are not copied. */
function joined(parts: readonly Part[], sizeBytes: number): Uint8Array {
  const views = parts.map(({ piece, from, to }) => piece.bytes.subarray(piece.offsets[from], piece.offsets[to]));
  if (views.length === 1) return views[0]!;
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for (const view of views) {
    bytes.set(view, at);
    at += view.length;
  }
  return bytes;
}

function offsetsOf(parts: readonly Part[], opCount: number): Uint32Array {
  const offsets = new Uint32Array(opCount + 2);
  let index = 0;
  let base = 0;
  for (const { piece, from, to } of parts) {
    const shift = base - piece.offsets[from]!;
    for (let op = from; op < to; op += 1) offsets[index++] = piece.offsets[op]! + shift;
    base += piece.offsets[to]! - piece.offsets[from]!;
  }
  offsets[index] = base;
  return offsets;
}
