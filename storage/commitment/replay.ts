/**
 * Making the trees at open: the batches of the log are hashed in order from the first kept segment on, then the ops that are some key's
 * latest are marked, as the tables know them. No key is looked up.
 *
 * Invariant: the trees are those that `Commitment.next`, batch by batch from genesis, would have led to.
 */
import type { Hash } from '../../native/index.ts';
import { BatchError, batchDigest, opOffsets, readBatchHead } from '../oplog/batch.ts';
import type { SegmentProof } from '../oplog/log-visitor.ts';
import type { BatchPlace } from '../state-reader.ts';
import { ActivityTree, CHUNK_OPS } from './activity-tree.ts';
import { checkPlace, placeAfter } from './commitment.ts';
import { CommitmentError } from './commitment-error.ts';
import { Frontier } from './frontier.ts';
import { HashColumn, ITEM_WORDS } from './hash-column.ts';
import { OpsAppender } from './ops-append.ts';
import { OpsTree } from './ops-tree.ts';
import { CommitmentTrees, type TreesOptions } from './trees.ts';

export class CommitmentReplay {
  readonly #options: TreesOptions;
  readonly #appender: OpsAppender;
  readonly #ops: OpsTree;
  readonly #chunks: HashColumn;
  readonly #firstOp: number;
  #place: BatchPlace | undefined;
  #activeCount = 0;

  /** @param start the ops tree's frontier at the first kept op, as the first segment's header has it */
  constructor(options: TreesOptions, start: Frontier = Frontier.empty) {
    this.#options = options;
    this.#appender = new OpsAppender(options.kernels);
    this.#ops = new OpsTree(options.kernels, options.twigs, start);
    this.#firstOp = start.size;
    this.#chunks = new HashColumn(Math.floor(start.size / CHUNK_OPS));
    if (start.size > 0) return;
    const previousDigest = options.chainId.slice();
    this.#place = { height: 0, previousFrameSizeBytes: 0, frameOffset: 0, floor: 0, previousDigest };
  }

  /** The ops tree over all batches so far. */
  get frontier(): Frontier {
    return this.#ops.frontier;
  }

  /** Ops so far: number of the next batch's head. */
  get opCount(): number {
    return this.#ops.frontier.size;
  }

  /**
   * Takes in the next batch of the log (borrowed). Throws `BatchError` for malformed bytes, 'place' when it does not follow.
   * @param digest the batch's digest when the caller has it already @param offsets `opOffsets` of it, likewise
   */
  appendOps(batch: Uint8Array, digest?: Hash, offsets: Uint32Array = opOffsets(batch)): void {
    const head = readBatchHead(batch);
    const place = this.#place ?? head;
    if (head.floor < place.floor || head.floor > this.opCount)
      throw new BatchError('place', `its head says floor ${head.floor}, outside ${place.floor} .. ${this.opCount}`);
    // Which floor exactly is known at the end only.
    checkPlace(batch, { ...place, floor: head.floor });
    const { frontier, nodes } = this.#appender.append(this.#ops.frontier, batch, offsets);
    this.#ops.append(nodes, frontier);
    this.#place = placeAfter(place, batch, head.floor, digest ?? batchDigest(this.#options.kernels, batch));
  }

  /** Takes in the batches of the next segment, which another thread has checked and hashed. */
  adopt({ nodes, frontier, tip, positions }: SegmentProof): void {
    const { height, previousFrameSizeBytes, frameOffset, digest: previousDigest } = tip;
    this.#ops.append(nodes, Frontier.decode(frontier));
    this.#place = { height, previousFrameSizeBytes, frameOffset, floor: positions.floors.at(-1)!, previousDigest };
  }

  /**
   * Marks active ops, once all batches are in: call it with the positions of each table, and of the records.
   * @param positions numbers of ops, in any order. Throws `CommitmentError` 'position' for one outside the kept ops, or marked already
   */
  activate(positions: Float64Array): void {
    this.#chunks.growTo(Math.ceil(this.opCount / CHUNK_OPS));
    const { words, first } = this.#chunks;
    const base = first * CHUNK_OPS;
    for (let index = 0; index < positions.length; index++) {
      const position = positions[index]!;
      if (!(position >= this.#firstOp && position < this.opCount))
        throw new CommitmentError(
          'position',
          `a table has op ${position}; kept are ${this.#firstOp} .. ${this.opCount - 1}`,
        );
      const bit = position - base;
      const at = Math.floor(bit / 32);
      const mask = 1 << (bit - at * 32);
      if ((words[at]! & mask) !== 0)
        throw new CommitmentError('position', `two keys of the tables have op ${position}`);
      words[at]! |= mask;
    }
    this.#activeCount += positions.length;
  }

  /** The trees. Throws `CommitmentError` 'replay' when the floor that the tables give lies before the one that the log says. */
  finish(): CommitmentTrees {
    const chunkCount = Math.ceil(this.opCount / CHUNK_OPS);
    this.#chunks.growTo(chunkCount);
    const floor = this.#firstActive();
    const place = this.#place;
    if (place === undefined || floor < place.floor)
      throw new CommitmentError('replay', `the oldest op of the tables is ${floor}, the log's floor ${place?.floor}`);
    this.#chunks.dropBefore(Math.min(Math.floor(floor / CHUNK_OPS), chunkCount - 1));
    return new CommitmentTrees(this.#options, {
      ops: this.#ops,
      activity: new ActivityTree(this.#options.kernels, this.#chunks, chunkCount),
      floor,
      activeCount: this.#activeCount,
      place: { ...place, floor },
    });
  }

  #firstActive(): number {
    const { words, first, end } = this.#chunks;
    for (let at = 0; at < (end - first) * ITEM_WORDS; at++) {
      const word = words[at]!;
      if (word !== 0) return first * CHUNK_OPS + at * 32 + 31 - Math.clz32(word & -word);
    }
    return this.opCount;
  }
}
