/**
 * The sizes every encoder, prover and verifier of one chain must agree on. They come from genesis; this floor checks the relations it
 * relies on and asserts them wherever they enter.
 */
import { ReplicatorError } from './errors.ts';

/** How a segment is cut for encryption and for its Merkle trees. */
export interface SegmentGeometry {
  /** Bytes of a segment, and of its replica: a multiple of 1024, so no cipher block is ever padded. At most 1 TiB. */
  readonly segmentSizeBytes: number;
  /** Bytes of a leaf of the segment's and the replica's tree: a multiple of 16 that divides the segment; at most 64 KiB. */
  readonly leafSizeBytes: number;
}

/** Segments are multiples of this by genesis rule. */
export const SEGMENT_SIZE_UNIT_BYTES = 1024;
export const SEGMENT_SIZE_BYTES_MAX: number = 2 ** 40;
export const LEAF_SIZE_BYTES_MAX = 65_536;
/** AES's block. */
export const CIPHER_BLOCK_SIZE_BYTES = 16;
export const SAMPLE_BLOCK_SIZE_BYTES_MAX: number = 2 ** 30;
/** Bounds the work of one period's proof: each block costs a hash or two and a read. */
export const SAMPLE_BLOCK_COUNT_MAX: number = 2 ** 24;

const within = (value: number, low: number, high: number): boolean =>
  Number.isSafeInteger(value) && value >= low && value <= high;

/** What is wrong with a geometry, in words; undefined when nothing is. For values from outside. */
export function geometryProblem({ segmentSizeBytes, leafSizeBytes }: SegmentGeometry): string | undefined {
  if (!within(segmentSizeBytes, 1, SEGMENT_SIZE_BYTES_MAX) || segmentSizeBytes % SEGMENT_SIZE_UNIT_BYTES !== 0)
    return `segmentSizeBytes must be a multiple of ${SEGMENT_SIZE_UNIT_BYTES} up to 2^40, got ${segmentSizeBytes}`;
  if (!within(leafSizeBytes, 1, LEAF_SIZE_BYTES_MAX) || leafSizeBytes % CIPHER_BLOCK_SIZE_BYTES !== 0)
    return `leafSizeBytes must be a multiple of ${CIPHER_BLOCK_SIZE_BYTES} up to 65536, got ${leafSizeBytes}`;
  if (segmentSizeBytes % leafSizeBytes !== 0)
    return `leafSizeBytes must divide segmentSizeBytes ${segmentSizeBytes}, got ${leafSizeBytes}`;
  return undefined;
}

/**
 * What is wrong with a sample block's size for a replica of `replicaSizeBytes`; undefined when nothing is. Any size from 1 byte to 1 GiB is
 * defined, as long as it cuts the replica into at most 2^24 blocks.
 */
export function sampleBlockProblem(sampleBlockSizeBytes: number, replicaSizeBytes: number): string | undefined {
  if (!within(sampleBlockSizeBytes, 1, SAMPLE_BLOCK_SIZE_BYTES_MAX))
    return `sampleBlockSizeBytes must be an integer within 1 .. 2^30, got ${sampleBlockSizeBytes}`;
  if (Math.ceil(replicaSizeBytes / sampleBlockSizeBytes) > SAMPLE_BLOCK_COUNT_MAX)
    return `sampleBlockSizeBytes must cut ${replicaSizeBytes} bytes into at most 2^24 blocks, got ${sampleBlockSizeBytes}`;
  return undefined;
}

/** Throws `ReplicatorError` 'parameters' when `problem` says anything. */
export function refuseProblem(problem: string | undefined): void {
  if (problem !== undefined) throw new ReplicatorError('parameters', problem);
}

/** Leaves whose common hash a replica's file keeps. */
export const SUBTREE_LEAF_COUNT = 16;

/** `wanted` bytes rounded down to whole leaves, at least one. */
export function wholeLeaves(wanted: number, leafSizeBytes: number): number {
  return Math.max(1, Math.floor(wanted / leafSizeBytes)) * leafSizeBytes;
}

/** `wanted` bytes rounded down to whole subtrees of leaves, at least one. */
export function wholeSubtrees(wanted: number, leafSizeBytes: number): number {
  return wholeLeaves(wanted, leafSizeBytes * SUBTREE_LEAF_COUNT);
}
