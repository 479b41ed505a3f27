/**
 * Which bytes of a replica a period asks for: one 32-byte slice from each sample block, at an offset nobody could choose.
 *
 * Block j holds the replica's bytes [j * size, min((j + 1) * size, replica)), `length` of them (the last may be short). Its slice starts
 * at an offset drawn uniformly from 0 .. length - 1 and wraps around *inside the block*: byte t of the slice is the block's byte
 * (offset + t) mod length. So every byte of a block is asked for with the same odds, 32 / length, the first and last included, and a
 * block shorter than 32 bytes is asked for whole, some bytes repeated.
 *
 * Layout of the generator's input: docs/format/proofs.md, "Samples". Blocks are independent: offsets need no order.
 */
import type { Kernels } from '../native/index.ts';
import { refuseProblem, sampleBlockProblem } from './geometry.ts';

/** Bytes of one slice. */
export const SLICE_SIZE_BYTES = 32;

const WORD_COUNT = 8;
const WORD_RANGE = 2 ** 32;

/** How a replica is cut for sampling. */
export interface SampleLayout {
  /** Bytes of the replica: a segment's size. */
  readonly replicaSizeBytes: number;
  /** Bytes of a sample block, 1 .. 2^30. */
  readonly sampleBlockSizeBytes: number;
}

/** A run of a slice's bytes that lie together in the replica. */
export interface SliceRun {
  /** Where in the replica. */
  readonly replicaOffset: number;
  /** Where in the slice, 0 .. 31. */
  readonly sliceOffset: number;
  readonly sizeBytes: number;
}

/** How many slices, and so leaves of the samples tree, a period has. */
export function sampleCount({ replicaSizeBytes, sampleBlockSizeBytes }: SampleLayout): number {
  refuseProblem(sampleBlockProblem(sampleBlockSizeBytes, replicaSizeBytes));
  return Math.ceil(replicaSizeBytes / sampleBlockSizeBytes);
}

/**
 * A number drawn uniformly from 0 .. range - 1 for one block, by rejection: words 0..7 (u32, little-endian) of
 * SHA-256(seed || block u32 || attempt u32), attempt = 0, 1, ...; the first word below the greatest multiple of `range` counts.
 * @param seed 32 bytes @param range 1 .. 2^32
 */
export function drawOffset(kernels: Kernels, seed: Uint8Array, block: number, range: number): number {
  const limit = WORD_RANGE - (WORD_RANGE % range);
  const input = new Uint8Array(40);
  input.set(seed);
  const view = new DataView(input.buffer);
  view.setUint32(32, block, true);
  // Each attempt fails with odds below 2^-8: eight words, each refused with odds below 1/2.
  for (let attempt = 0; ; attempt += 1) {
    view.setUint32(36, attempt, true);
    const digest = kernels.sha256(input);
    const words = new DataView(digest.buffer, digest.byteOffset);
    for (let word = 0; word < WORD_COUNT; word += 1) {
      const value = words.getUint32(word * 4, true);
      if (value < limit) return value % range;
    }
  }
}

/** Where block `block` starts, and its length. */
export function sampleBlock(layout: SampleLayout, block: number): { start: number; length: number } {
  const start = block * layout.sampleBlockSizeBytes;
  return { start, length: Math.min(layout.sampleBlockSizeBytes, layout.replicaSizeBytes - start) };
}

/** The runs, in the slice's order, that make up a slice starting at `offset` of its block: one, two when it wraps, more in tiny blocks. */
export function sliceRuns(block: { start: number; length: number }, offset: number): SliceRun[] {
  const runs: SliceRun[] = [];
  for (let filled = 0, from = offset; filled < SLICE_SIZE_BYTES; from = 0) {
    const sizeBytes = Math.min(SLICE_SIZE_BYTES - filled, block.length - from);
    runs.push({ replicaOffset: block.start + from, sliceOffset: filled, sizeBytes });
    filled += sizeBytes;
  }
  return runs;
}

/** The runs of block `block` for this period's seed. */
export function drawSlice(kernels: Kernels, seed: Uint8Array, layout: SampleLayout, block: number): SliceRun[] {
  const bounds = sampleBlock(layout, block);
  return sliceRuns(bounds, drawOffset(kernels, seed, block, bounds.length));
}
