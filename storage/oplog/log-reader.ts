/**
 * Reads of an open log: batches in order, and ops by number. What is read is acknowledged.
 *
 * Invariant: bytes read back are checked as far as a part of a frame can be; what is not as it was written throws `CorruptionError`.
 */
import { CorruptionError } from '../errors.ts';
import type { SegmentDeletion } from './deletion.ts';
import type { FrameKernels } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import type { LogPosition } from './log-position.ts';
import { type LogPositions, type OpRange, RangeFault, type ReadPlan, TWIG_OPS } from './positions.ts';
import { type KeptSegment, SegmentList } from './segment-list.ts';

/** Twigs kept as they were read: compaction walks upward and comes back to where it stopped. */
const CACHED_TWIGS = 8;

/** Most ops that one `readOps` gives. */
export const READ_OPS_MAX: number = 64 * 1024;

export class LogReader {
  readonly #kernels: FrameKernels;
  readonly #segments: SegmentList;
  readonly #positions: LogPositions;
  readonly #tip: () => LogPosition;
  readonly #deletion: SegmentDeletion;
  readonly #cache: (OpRange | undefined)[] = new Array<OpRange | undefined>(CACHED_TWIGS).fill(undefined);

  /** @param deletion is kept from taking what is being read @param tip the acknowledged end of the log */
  constructor(
    kernels: FrameKernels,
    segments: SegmentList,
    positions: LogPositions,
    deletion: SegmentDeletion,
    tip: () => LogPosition,
  ) {
    this.#deletion = deletion;
    this.#kernels = kernels;
    this.#segments = segments;
    this.#positions = positions;
    this.#tip = tip;
  }

  /** Where the kept log begins. */
  get first(): LogPosition {
    return this.#segments.first?.first ?? this.#tip();
  }

  /** Height of the batch that holds an op. Throws `StorageError` 'not-found' when the op is not kept. */
  heightOf(op: number): number {
    SegmentList.checkRange('op', op, this.first.opCount, this.#tip().opCount - 1);
    return this.#positions.heightOf(op);
  }

  /** The kept ops of one twig, in one synchronous read. Throws `StorageError` 'not-found', `CorruptionError`, `FilesError`. */
  readTwig(index: number): OpRange {
    const { first } = this;
    const tip = this.#tip();
    SegmentList.checkRange('twig', index, Math.floor(first.opCount / TWIG_OPS), Math.ceil(tip.opCount / TWIG_OPS) - 1);
    const from = Math.max(index * TWIG_OPS, first.opCount);
    const to = Math.min((index + 1) * TWIG_OPS, tip.opCount);
    const cached = this.#cache[index % CACHED_TWIGS];
    if (cached?.firstOp === from && cached.offsets.length === to - from + 1) return cached;
    const plan = this.#positions.plan(from, to, tip);
    const range = this.#cut(this.#segments.readSync(plan.byteFrom, plan.byteTo), plan, from, to);
    this.#cache[index % CACHED_TWIGS] = range;
    return range;
  }

  /**
   * Ops `from` .. `to` (excluded), at most `READ_OPS_MAX` of them.
   * Rejects with `StorageError` 'not-found' for ops that are not kept or too many, `CorruptionError`, `FilesError`.
   */
  async readOps(from: number, to: number): Promise<OpRange> {
    const tip = this.#tip();
    SegmentList.checkRange('first op', from, this.first.opCount, tip.opCount);
    SegmentList.checkRange('op behind the last', to, from, Math.min(tip.opCount, from + READ_OPS_MAX));
    if (from === to) return { firstOp: from, bytes: new Uint8Array(0), offsets: new Uint32Array(1) };
    const plan = this.#positions.plan(from, to, tip);
    const release = this.#deletion.pin(plan.startOp);
    try {
      return this.#cut(await this.#segments.read(plan.byteFrom, plan.byteTo), plan, from, to);
    } finally {
      release();
    }
  }

  #cut(bytes: Uint8Array, plan: ReadPlan, from: number, to: number): OpRange {
    try {
      return this.#positions.cut(bytes, plan, from, to);
    } catch (error) {
      if (!(error instanceof RangeFault)) throw error;
      const { path, offset } = this.#segments.place(Math.min(error.frameByte, plan.byteTo - 1));
      throw new CorruptionError(path, offset, `ops ${from} to ${to - 1}`, error.found);
    }
  }

  /**
   * The batches from `fromHeight` on, in order, copied. Batches acknowledged while reading are included.
   * Throws `StorageError` 'not-found' for a height that is not kept (any more: pin them) or past the tip, `CorruptionError`.
   */
  async *read(fromHeight: number): AsyncGenerator<Uint8Array> {
    SegmentList.checkRange('height', fromHeight, this.first.height, this.#tip().height);
    let height = fromHeight;
    while (height < this.#tip().height) {
      SegmentList.checkRange('height', height, this.first.height, this.#tip().height);
      for await (const batch of this.#readSegment(this.#segments.find('height', height), height)) {
        yield batch;
        height += 1;
      }
    }
  }

  async *#readSegment(segment: KeptSegment, height: number): AsyncGenerator<Uint8Array> {
    const release = this.#segments.hold(segment);
    try {
      const offset = segment.headerSizeBytes + this.#positions.frameOffset(height) - segment.first.frameOffset;
      const reader = new FrameReader(this.#kernels, segment.file, offset, segment.end);
      for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
        if (frame.kind === 'fault')
          throw new CorruptionError(segment.file.path, frame.offset, frame.expected, frame.found);
        yield frame.batch.slice();
      }
    } finally {
      release();
    }
  }
}
