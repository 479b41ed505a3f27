/**
 * Where every op of the log stands: 24 bytes of memory a batch and 8 a twig (256 ops, numbered from a multiple of 256).
 *
 * A *frame byte* counts the bytes of all frames of the log from 0, segment headers not counted: it does not change when segments
 * are deleted, and says by itself in which segment a byte lies.
 *
 * Invariants
 * - Batches are added in order; those before the first kept one are dropped.
 * - The last op of a batch ends where its frame's padding begins: checked whenever ops are cut out of read bytes.
 */
import { assertInvariant } from '../errors.ts';
import { BATCH_HEAD_SIZE_BYTES, type BatchHead } from './batch.ts';
import { FRAME_ALIGNMENT_BYTES, FRAME_HEAD_SIZE_BYTES } from './frame.ts';
import type { LogPosition } from './log-position.ts';
import { NumberList } from './number-list.ts';
import { ACCOUNT_OP_HEAD, ACCOUNT_OP_SIZE_BYTES, BatchError, checkOp } from './op-layout.ts';

/** Ops of a twig: the bits of one chunk of the activity tree. */
export const TWIG_OPS = 256;

/** Ops of the log in a row, packed: no frames between them. */
export interface OpRange {
  /** Number of the first. */
  readonly firstOp: number;
  /** Borrowed: shared with others who read the same. */
  readonly bytes: Uint8Array;
  /** Where each op begins, and the end: count + 1 entries. */
  readonly offsets: Uint32Array;
}

/** The frame bytes that hold a range of ops, from a known op on. */
export interface ReadPlan {
  readonly startOp: number;
  readonly byteFrom: number;
  readonly byteTo: number;
}

/** A `LogPositions`' contents, for another thread. */
export interface PositionsImage {
  readonly firstOps: Float64Array;
  readonly frameOffsets: Float64Array;
  /** By height from the first: the floor in its head. */
  readonly floors: Float64Array;
  readonly firstTwig: number;
  readonly twigs: Float64Array;
}

/** Where in read bytes ops are not as they must be. */
export class RangeFault extends Error {
  override readonly name = 'RangeFault';
  readonly code = 'range';
  readonly frameByte: number;
  readonly found: string;
  constructor(frameByte: number, found: string) {
    super(`frame byte ${frameByte}: ${found}`);
    this.frameByte = frameByte;
    this.found = found;
  }
}

export class LogPositions {
  /** By height: number of the batch's head. */
  readonly #firstOps: NumberList;
  /** By height: frame byte where its frame begins. */
  readonly #frameOffsets: NumberList;
  /** By height: the floor in its head. */
  readonly #floors: NumberList;
  /** By twig: frame byte of its first op (of the first op there was, in the first twig). */
  readonly #twigs: NumberList;

  /** @param first where the first batch will stand */
  constructor(first: LogPosition) {
    this.#firstOps = new NumberList(first.height);
    this.#frameOffsets = new NumberList(first.height);
    this.#floors = new NumberList(first.height);
    this.#twigs = new NumberList(Math.floor(first.opCount / TWIG_OPS));
  }

  /** Adds the next batch. @param offsets of its ops (`opOffsets`; borrowed) */
  add(head: Pick<BatchHead, 'frameOffset' | 'floor' | 'opCount'>, firstOp: number, offsets: Uint32Array): void {
    this.#firstOps.push(firstOp);
    this.#frameOffsets.push(head.frameOffset);
    this.#floors.push(head.floor);
    const batchAt = head.frameOffset + FRAME_HEAD_SIZE_BYTES;
    if (this.#twigs.end * TWIG_OPS < firstOp) this.#twigs.push(batchAt);
    for (let op = this.#twigs.end * TWIG_OPS; op <= firstOp + head.opCount; op += TWIG_OPS)
      this.#twigs.push(batchAt + offsets[op - firstOp]!);
  }

  /** What it holds, copied. */
  image(): PositionsImage {
    return {
      firstOps: this.#firstOps.toArray(),
      frameOffsets: this.#frameOffsets.toArray(),
      floors: this.#floors.toArray(),
      firstTwig: this.#twigs.start,
      twigs: this.#twigs.toArray(),
    };
  }

  /** Adds the next batches, all at once: those of a `LogPositions` that began where this one ends. */
  adopt({ firstOps, frameOffsets, floors, firstTwig, twigs }: PositionsImage): void {
    this.#firstOps.pushAll(firstOps);
    this.#frameOffsets.pushAll(frameOffsets);
    this.#floors.pushAll(floors);
    // A twig that both have begins here, not there.
    const known = this.#twigs.end - firstTwig;
    assertInvariant(known === 0 || known === 1, 'positions that are adopted go on where these end');
    this.#twigs.pushAll(twigs.subarray(known));
  }

  /** Forgets the batches before a position. */
  dropBefore(first: LogPosition): void {
    this.#firstOps.dropBefore(first.height);
    this.#frameOffsets.dropBefore(first.height);
    this.#floors.dropBefore(first.height);
    this.#twigs.dropBefore(Math.floor(first.opCount / TWIG_OPS));
  }

  /** Height of the batch that holds an op (heads belong to their batch). */
  heightOf(op: number): number {
    return this.#firstOps.lastAtMost(op);
  }

  /** Frame byte where the frame of that height begins. */
  frameOffset(height: number): number {
    return this.#frameOffsets.at(height);
  }

  /** The floor in the head of that height; undefined where no batch is kept. */
  floor(height: number): number | undefined {
    return height >= this.#floors.start && height < this.#floors.end ? this.#floors.at(height) : undefined;
  }

  /** What to read for ops `from` .. `to` (excluded), both within the kept and acknowledged ones. @param end the acknowledged end */
  plan(from: number, to: number, end: LogPosition): ReadPlan {
    const first = this.#firstOps.start;
    const twig = Math.floor(from / TWIG_OPS);
    const behind = Math.ceil(to / TWIG_OPS);
    return {
      startOp: Math.max(twig * TWIG_OPS, this.#firstOps.at(first)),
      byteFrom: Math.max(this.#twigs.at(twig), this.#frameOffsets.at(first) + FRAME_HEAD_SIZE_BYTES),
      byteTo: behind * TWIG_OPS < end.opCount ? this.#twigs.at(behind) : end.frameOffset,
    };
  }

  /** Cuts ops `from` .. `to` out of the bytes that `plan` asked for. Throws `RangeFault` when they are not such ops. */
  cut(bytes: Uint8Array, { startOp, byteFrom }: ReadPlan, from: number, to: number): OpRange {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const offsets = new Uint32Array(to - from + 1);
    const pieces: number[] = [];
    let height = this.heightOf(startOp);
    let [head, nextHead] = [this.#firstOps.at(height), this.#nextHead(height)];
    let [at, gaps, pieceStart] = [0, 0, 0];
    for (let op = startOp; op < to; op++) {
      if (op === nextHead) {
        height += 1;
        [head, nextHead] = [op, this.#nextHead(height)];
        const next = this.#frameOffsets.at(height) + FRAME_HEAD_SIZE_BYTES - byteFrom;
        checkGap(byteFrom, at, next);
        if (op > from) pieces.push(pieceStart, at);
        pieceStart = next;
        gaps += next - at;
        at = next;
      }
      if (op === from) [pieceStart, gaps] = [at, at];
      if (op >= from) offsets[op - from] = at - gaps;
      at = op === head ? at + BATCH_HEAD_SIZE_BYTES : endOfOp(bytes, view, at, byteFrom);
    }
    if (at > bytes.length) throw new RangeFault(byteFrom + at, 'the end');
    offsets[to - from] = at - gaps;
    pieces.push(pieceStart, at);
    return { firstOp: from, bytes: joined(bytes, pieces, at - gaps), offsets };
  }

  #nextHead(height: number): number {
    return height + 1 < this.#firstOps.end ? this.#firstOps.at(height + 1) : Number.POSITIVE_INFINITY;
  }
}

/** Between the last op of a batch and the next batch lie padding and a frame's head. */
function checkGap(byteFrom: number, at: number, next: number): void {
  const padding = next - FRAME_HEAD_SIZE_BYTES - at;
  if (padding < 0 || padding >= FRAME_ALIGNMENT_BYTES)
    throw new RangeFault(byteFrom + at, `the last op of a batch ending ${padding} bytes before its frame`);
}

function endOfOp(bytes: Uint8Array, view: DataView, at: number, byteFrom: number): number {
  // Nearly every op is an account's.
  const whole = at + ACCOUNT_OP_SIZE_BYTES;
  if (whole <= bytes.length && view.getUint32(at, true) === ACCOUNT_OP_HEAD) return whole;
  try {
    return checkOp(bytes, view, at);
  } catch (error) {
    if (error instanceof BatchError) throw new RangeFault(byteFrom + at, error.message);
    throw error;
  }
}

function joined(bytes: Uint8Array, pieces: readonly number[], sizeBytes: number): Uint8Array {
  if (pieces.length === 2) return bytes.subarray(pieces[0], pieces[1]);
  const packed = new Uint8Array(sizeBytes);
  let at = 0;
  for (let piece = 0; piece < pieces.length; piece += 2) {
    packed.set(bytes.subarray(pieces[piece], pieces[piece + 1]), at);
    at += pieces[piece + 1]! - pieces[piece]!;
  }
  return packed;
}
