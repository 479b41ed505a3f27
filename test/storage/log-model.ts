/** The op log as plain arrays: what a log must hold after every acknowledged batch, floors and segment files included. */
import { Frontier } from '../../storage/commitment/frontier.ts';
import { leafHash } from '../../storage/commitment/merkle.ts';
import { batchDigest, encodeBatch, opOffsets } from '../../storage/oplog/batch.ts';
import { frameSize } from '../../storage/oplog/frame.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { kernels } from './kernels-fixture.ts';
import { addressOf, keyOf } from './state-model.ts';

export interface ModelBatch {
  readonly bytes: Uint8Array;
  /** Its leaves: head first. */
  readonly leaves: readonly Uint8Array[];
  readonly firstOp: number;
  readonly frameOffset: number;
  readonly frameSizeBytes: number;
  readonly floor: number;
  readonly digest: Uint8Array;
  /** The ops tree before it. */
  readonly frontier: Frontier;
}

export class LogModel {
  readonly chainId: Uint8Array;
  readonly segmentSizeBytes: number;
  readonly retainHeights: number;
  /** By height. */
  readonly batches: ModelBatch[] = [];

  constructor(chainId: Uint8Array, segmentSizeBytes: number, retainHeights: number) {
    this.chainId = chainId;
    this.segmentSizeBytes = segmentSizeBytes;
    this.retainHeights = retainHeights;
  }

  /** Leaves so far: the number of the next head. */
  get opCount(): number {
    const last = this.batches.at(-1);
    return last === undefined ? 0 : last.firstOp + last.leaves.length;
  }

  get floor(): number {
    return this.batches.at(-1)?.floor ?? 0;
  }

  /** The ops tree over all leaves. */
  get frontier(): Frontier {
    const last = this.batches.at(-1);
    if (last === undefined) return Frontier.empty;
    let { frontier } = last;
    for (const leaf of last.leaves) frontier = frontier.append(kernels, leafHash(kernels, leaf));
    return frontier;
  }

  /** Adds the next batch. @param floor what its head says */
  add(ops: readonly StateOp[], floor: number): ModelBatch {
    const last = this.batches.at(-1);
    const place = {
      height: this.batches.length,
      previousFrameSizeBytes: last?.frameSizeBytes ?? 0,
      frameOffset: last === undefined ? 0 : last.frameOffset + last.frameSizeBytes,
      floor,
      previousDigest: last?.digest ?? this.chainId,
    };
    const bytes = encodeBatch(place, ops);
    const offsets = opOffsets(bytes);
    const leaves = Array.from({ length: offsets.length - 1 }, (_, index) =>
      bytes.slice(offsets[index], offsets[index + 1]),
    );
    const batch = {
      bytes,
      leaves,
      firstOp: this.opCount,
      frameOffset: place.frameOffset,
      frameSizeBytes: frameSize(bytes.length),
      floor,
      digest: batchDigest(kernels, bytes),
      frontier: this.frontier,
    };
    this.batches.push(batch);
    return batch;
  }

  /** Leaves `from` .. `to` (excluded). */
  leaves(from: number, to: number): Uint8Array[] {
    const found: Uint8Array[] = [];
    for (const { firstOp, leaves } of this.batches)
      if (firstOp + leaves.length > from && firstOp < to)
        found.push(...leaves.slice(Math.max(0, from - firstOp), to - firstOp));
    return found;
  }

  heightOf(op: number): number {
    return this.batches.findLastIndex(({ firstOp }) => firstOp <= op);
  }

  /** Number of the segment of each batch. */
  #segmentOf({ frameOffset }: ModelBatch): number {
    return Math.floor(frameOffset / this.segmentSizeBytes);
  }

  /** The segments that a log of the first `count` batches keeps: numbers, ascending. @param pinned lowest op that is held */
  segments(count: number = this.batches.length, pinned: number = Number.POSITIVE_INFINITY): number[] {
    const all = this.batches.slice(0, count);
    const numbers = [...new Set(all.map((batch) => this.#segmentOf(batch)))];
    const floor = Math.min(all[count - 1 - this.retainHeights]?.floor ?? 0, pinned);
    return numbers.filter((_, index) => {
      const next = all.find((batch) => this.#segmentOf(batch) === numbers[index + 1]);
      return next === undefined || next.firstOp > floor;
    });
  }

  /** Height of the first batch in a segment. */
  firstHeight(segment: number): number {
    return this.batches.findIndex((batch) => this.#segmentOf(batch) === segment);
  }
}

/** Ops of one batch of all kinds, no key twice. @param values most bytes of a record's value */
export function randomLogOps(random: () => number, opsMax: number, values = 60): StateOp[] {
  const below = (n: number): number => Math.floor(random() * n);
  const ops: StateOp[] = [];
  for (let index = 0, count = below(opsMax + 1); index < count; index++) {
    const kind = random();
    const address = addressOf(index * 1000 + below(1000));
    const key = Uint8Array.of(...keyOf(below(40)), index % 256, index >>> 8);
    if (kind < 0.6) ops.push({ kind: 'putAccount', address, balance: BigInt(below(2 ** 31)) << 20n });
    else if (kind < 0.65) ops.push({ kind: 'deleteAccount', address });
    else if (kind < 0.85) ops.push({ kind: 'putRecord', key, value: new Uint8Array(below(values)).fill(below(256)) });
    else if (kind < 0.9) ops.push({ kind: 'deleteRecord', key });
    else if (kind < 0.97) {
      const details = new Uint8Array(24).fill(below(256));
      ops.push({ kind: 'putBond', address, bond: BigInt(below(2 ** 31)), lastVote: BigInt(below(1000)), details });
    } else ops.push({ kind: 'deleteBond', address });
  }
  return ops;
}
