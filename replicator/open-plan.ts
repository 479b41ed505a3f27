/**
 * What one period's proof of mode `open` must open: leaves of the replica drawn by the period's seed, and for some drawn blocks of the
 * segment everything that shows that they were encoded as they should be. Prover and verifier compute the same plan; it is in no proof.
 *
 * How many to draw: a replica (or an encoding) that is wrong in a share s of its leaves (blocks) passes k independent draws with
 * probability (1 - s)^k. `drawsFor(0.01, 40)` = 2,759 draws leave a hundredth missing 2^-40.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Kernels } from '../native/index.ts';
import { type DecoderShape, neededBlocks } from './decode.ts';
import { CIPHER_BLOCK_SIZE_BYTES, refuseProblem, type SegmentGeometry } from './geometry.ts';
import { sortedUnique } from './multiproof.ts';

/** How much a proof opens. */
export interface OpenParameters {
  /** Leaves drawn from the replica, 1 .. 65,536. */
  readonly sampleCount: number;
  /** Blocks of the segment whose encoding is shown, 0 .. 65,536. */
  readonly checkCount: number;
}

/** Most draws of either kind: bounds a proof's size and a verifier's work. */
export const DRAW_COUNT_MAX = 65_536;
/** Draws that leave a hundredth missing 2^-40. */
export const DEFAULT_SAMPLE_COUNT = 2759;
/** A replica of anything else than this segment under this key passes them with 2^-64 or less where half of it is wrong. */
export const DEFAULT_CHECK_COUNT = 64;

const TAG = { leaves: utf8ToBytes('cairn/open-leaves/1'), checks: utf8ToBytes('cairn/open-checks/1') } as const;
const WORD_RANGE = 2 ** 53;
const WORDS_PER_HASH = 4;
const DRAW_PREFIX = 0x02;
const INPUT_SIZE_BYTES = 36;

/** What is wrong with parameters, in words; undefined when nothing is. */
export function openParametersProblem({ sampleCount, checkCount }: OpenParameters): string | undefined {
  const within = (value: number, low: number): boolean =>
    Number.isInteger(value) && value >= low && value <= DRAW_COUNT_MAX;
  if (!within(sampleCount, 1)) return `sampleCount must be within 1 .. ${DRAW_COUNT_MAX}, got ${sampleCount}`;
  if (!within(checkCount, 0)) return `checkCount must be within 0 .. ${DRAW_COUNT_MAX}, got ${checkCount}`;
  return undefined;
}

/** The least number of draws that a wrong share passes with probability 2^-bits or less. @param wrongShare within 0 .. 1 */
export function drawsFor(wrongShare: number, bits: number): number {
  return Math.max(1, Math.ceil((-bits * Math.LN2) / Math.log1p(-wrongShare)));
}

/** log2 of the probability that a wrong share passes so many draws: 0 or below. */
export function passLog2(wrongShare: number, draws: number): number {
  return wrongShare >= 1 ? Number.NEGATIVE_INFINITY : (draws * Math.log1p(-wrongShare)) / Math.LN2;
}

/**
 * `count` numbers drawn independently and uniformly from 0 .. range - 1, by rejection: words 0..3 (u64, little-endian, taken modulo 2^53) of
 * SHA-256(0x02 || seed || n u32) for n = 0, 1, ...; words at or above the greatest multiple of `range` are passed over.
 * @param seed 32 bytes @param range 1 .. 2^53
 */
export function drawNumbers(kernels: Kernels, seed: Uint8Array, count: number, range: number): Float64Array {
  const drawn = new Float64Array(count);
  const limit = WORD_RANGE - (WORD_RANGE % range);
  let filled = 0;
  for (let first = 0; filled < count; ) {
    const batch = Math.ceil((count - filled) / WORDS_PER_HASH);
    const words = hashBatch(kernels, seed, first, batch);
    first += batch;
    for (let at = 0; at < batch * 32 && filled < count; at += 8) {
      const value = (words.getUint32(at + 4, true) & 0x1f_ffff) * 2 ** 32 + words.getUint32(at, true);
      if (value >= limit) continue;
      drawn[filled] = value % range;
      filled += 1;
    }
  }
  return drawn;
}

function hashBatch(kernels: Kernels, seed: Uint8Array, first: number, count: number): DataView {
  const inputs = new Uint8Array(count * INPUT_SIZE_BYTES);
  const view = new DataView(inputs.buffer);
  for (let index = 0; index < count; index += 1) {
    inputs.set(seed, index * INPUT_SIZE_BYTES);
    view.setUint32(index * INPUT_SIZE_BYTES + 32, first + index, true);
  }
  const out = new Uint8Array(count * 32);
  kernels.sha256Leaves(DRAW_PREFIX, inputs, INPUT_SIZE_BYTES, out);
  return new DataView(out.buffer);
}

/** What must be opened. Indexes ascend, each once. */
export interface OpenPlan {
  /** Leaves of the replica: those drawn, and those the checks need. */
  readonly replicaLeaves: Float64Array;
  /** Leaves of the segment that hold the checked blocks. */
  readonly segmentLeaves: Float64Array;
  /** Blocks of the segment that are checked. */
  readonly checkedBlocks: Float64Array;
  /** Replica blocks they depend on, 2^L each, in the order of `neededBlocks`; -1: an IV. */
  readonly neededBlocks: Float64Array;
  readonly leafCount: number;
}

/** The plan of one period. @param seed from `deriveSampleSeed`, 32 bytes @param decoder only its shape matters here */
export function openPlan(
  kernels: Kernels,
  decoder: DecoderShape,
  { segmentSizeBytes, leafSizeBytes }: SegmentGeometry,
  parameters: OpenParameters,
  seed: Uint8Array,
): OpenPlan {
  refuseProblem(openParametersProblem(parameters));
  const leafCount = segmentSizeBytes / leafSizeBytes;
  const blocksPerLeaf = leafSizeBytes / CIPHER_BLOCK_SIZE_BYTES;
  const leavesOf = (blocks: Float64Array): Float64Array => blocks.map((block) => Math.floor(block / blocksPerLeaf));
  const sampled = drawNumbers(kernels, sha256(concatBytes(TAG.leaves, seed)), parameters.sampleCount, leafCount);
  const checkSeed = sha256(concatBytes(TAG.checks, seed));
  const drawn = drawNumbers(kernels, checkSeed, parameters.checkCount, segmentSizeBytes / CIPHER_BLOCK_SIZE_BYTES);
  const checkedBlocks = sortedUnique(drawn);
  const needed = neededBlocks(decoder, checkedBlocks);
  const neededLeaves = leavesOf(needed.filter((block) => block >= 0));
  return {
    replicaLeaves: sortedUnique(joined(sampled, neededLeaves)),
    segmentLeaves: sortedUnique(leavesOf(checkedBlocks)),
    checkedBlocks,
    neededBlocks: needed,
    leafCount,
  };
}

function joined(first: Float64Array, second: Float64Array): Float64Array {
  const all = new Float64Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
