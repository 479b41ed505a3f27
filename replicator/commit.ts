/**
 * The two roots a replicator publishes, built while bytes stream by: the replica's (over the whole replica, cut into leaves) and a
 * period's samples (over one slice from each sample block). Both are RFC 9162 trees; memory is one frontier and one batch.
 */
import type { Hash, Kernels } from '../native/index.ts';
import { Frontier, HASH_SIZE_BYTES, LEAF_PREFIX } from '../storage/index.ts';
import { ReplicatorError } from './errors.ts';
import { SLICE_SIZE_BYTES } from './sample.ts';

/** RFC 9162 root over equal leaves of a byte stream. */
export class RootBuilder {
  readonly #kernels: Kernels;
  readonly #leafSizeBytes: number;
  #frontier: Frontier = Frontier.empty;

  constructor(kernels: Kernels, leafSizeBytes: number) {
    this.#kernels = kernels;
    this.#leafSizeBytes = leafSizeBytes;
  }

  /**
   * Adds whole leaves. @param data a multiple of the leaf size, borrowed
   * @returns their hashes, packed, 32 bytes each: a new array
   */
  append(data: Uint8Array): Uint8Array {
    if (data.length % this.#leafSizeBytes !== 0)
      throw new RangeError(`data must be whole leaves of ${this.#leafSizeBytes} bytes, got ${data.length}`);
    const hashes = new Uint8Array((data.length / this.#leafSizeBytes) * HASH_SIZE_BYTES);
    this.#kernels.sha256Leaves(LEAF_PREFIX, data, this.#leafSizeBytes, hashes);
    this.#frontier = this.#frontier.appendMany(this.#kernels, hashes);
    return hashes;
  }

  /** The root over everything added so far. */
  root(): Hash {
    return this.#frontier.root(this.#kernels);
  }
}

/** Leaf data of the samples tree: period hash 32 || slice 32. */
const SAMPLE_LEAF_SIZE_BYTES = 64;
const BATCH_LEAF_COUNT = 64;

/** RFC 9162 root over a period's slices, in the order of their blocks. */
export class SamplesRootBuilder {
  readonly #tree: RootBuilder;
  readonly #batch: Uint8Array = new Uint8Array(BATCH_LEAF_COUNT * SAMPLE_LEAF_SIZE_BYTES);
  #batched = 0;

  /** @param periodHash the period's designated hash, 32 bytes (copied) */
  constructor(kernels: Kernels, periodHash: Uint8Array) {
    if (periodHash.length !== 32)
      throw new ReplicatorError('parameters', `periodHash must be 32 bytes, got ${periodHash.length}`);
    this.#tree = new RootBuilder(kernels, SAMPLE_LEAF_SIZE_BYTES);
    for (let leaf = 0; leaf < BATCH_LEAF_COUNT; leaf += 1) this.#batch.set(periodHash, leaf * SAMPLE_LEAF_SIZE_BYTES);
  }

  /** Adds the next block's slice, 32 bytes (copied). */
  append(slice: Uint8Array): void {
    this.#batch.set(slice.subarray(0, SLICE_SIZE_BYTES), this.#batched * SAMPLE_LEAF_SIZE_BYTES + 32);
    this.#batched += 1;
    if (this.#batched === BATCH_LEAF_COUNT) this.#flush();
  }

  /** The root over every slice added. */
  root(): Hash {
    this.#flush();
    return this.#tree.root();
  }

  #flush(): void {
    this.#tree.append(this.#batch.subarray(0, this.#batched * SAMPLE_LEAF_SIZE_BYTES));
    this.#batched = 0;
  }
}
