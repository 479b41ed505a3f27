/**
 * Where the history stream stands: its length, how many segments it has completed, and the root over their roots; what the next
 * block's header says.
 *
 * The stream is every block from height 1 on, each as u32 length || block bytes, one after another. It is cut every `segmentSizeBytes`,
 * wherever that falls. A segment's root is RFC 9162 over its leaves of `leafSizeBytes`; `segmentsRoot` is RFC 9162 over
 * the segments' roots (leaf data: the 32-byte root).
 *
 * Invariants
 * - Immutable and pure: equal bytes appended in any pieces give an equal cursor.
 * - Small: the unfinished segment is kept as a frontier of its whole leaves and fewer than `leafSizeBytes` bytes of tail.
 */
import { type Hash, hash, type Kernels } from '../../native/index.ts';
import { Frontier } from '../commitment/frontier.ts';
import { HASH_SIZE_BYTES, LEAF_PREFIX, leafHash } from '../commitment/merkle.ts';
import { assertInvariant } from '../errors.ts';

export const FRAME_LENGTH_SIZE_BYTES = 4;
/** Largest block the stream takes. */
export const BLOCK_SIZE_BYTES_MAX: number = 64 * 1024 * 1024;

export type HistoryKernels = Pick<Kernels, 'sha256' | 'sha256Pairs' | 'sha256Leaves'>;

/** How the stream is cut; genesis parameters. */
export interface HistoryShape {
  /** A multiple of `leafSizeBytes`, at most 1 GiB. */
  readonly segmentSizeBytes: number;
  readonly leafSizeBytes: number;
}

/** A block as it stands in the stream: u32 length || bytes (copied). Throws for a block of 0 or more than 64 MiB. */
export function frameBlock(block: Uint8Array): Uint8Array {
  assertInvariant(block.length > 0 && block.length <= BLOCK_SIZE_BYTES_MAX, 'a block has 1 .. 64 Mi bytes');
  const framed = new Uint8Array(FRAME_LENGTH_SIZE_BYTES + block.length);
  new DataView(framed.buffer).setUint32(0, block.length, true);
  framed.set(block, FRAME_LENGTH_SIZE_BYTES);
  return framed;
}

interface CursorParts {
  readonly length: number;
  readonly segments: Frontier;
  readonly segmentsRoot: Hash;
  readonly leaves: Frontier;
  readonly tail: Uint8Array;
  readonly completed: readonly Hash[];
}

export class HistoryCursor {
  readonly shape: HistoryShape;
  readonly #parts: CursorParts;

  private constructor(shape: HistoryShape, parts: CursorParts) {
    this.shape = shape;
    this.#parts = parts;
  }

  /** The stream before block 1. */
  static start(kernels: HistoryKernels, shape: HistoryShape): HistoryCursor {
    return HistoryCursor.rebuild(kernels, shape, new Uint8Array(0), new Uint8Array(0));
  }

  /**
   * The cursor after the segments of those roots and the bytes of the unfinished one.
   * @param segmentRoots packed, 32 bytes each, from segment 0 @param unfinished fewer than `segmentSizeBytes` bytes
   */
  static rebuild(
    kernels: HistoryKernels,
    shape: HistoryShape,
    segmentRoots: Uint8Array,
    unfinished: Uint8Array,
  ): HistoryCursor {
    const { segmentSizeBytes, leafSizeBytes } = shape;
    const sound = leafSizeBytes > 0 && segmentSizeBytes >= leafSizeBytes && segmentSizeBytes <= 2 ** 30;
    assertInvariant(sound && segmentSizeBytes % leafSizeBytes === 0, 'segment size is a multiple of the leaf size');
    assertInvariant(unfinished.length < segmentSizeBytes, 'an unfinished segment is shorter than a segment');
    const count = segmentRoots.length / HASH_SIZE_BYTES;
    const leaves = new Uint8Array(segmentRoots.length);
    kernels.sha256Leaves(LEAF_PREFIX, segmentRoots, HASH_SIZE_BYTES, leaves);
    const segments = Frontier.empty.appendMany(kernels, leaves);
    const empty = new HistoryCursor(shape, {
      length: count * segmentSizeBytes,
      segments,
      segmentsRoot: segments.root(kernels),
      leaves: Frontier.empty,
      tail: new Uint8Array(0),
      completed: [],
    });
    return empty.append(kernels, unfinished);
  }

  /** Bytes of the stream. */
  get length(): number {
    return this.#parts.length;
  }

  /** Segments completed. */
  get segmentCount(): number {
    return this.#parts.segments.size;
  }

  /** RFC 9162 root over the roots of the completed segments. */
  get segmentsRoot(): Hash {
    return this.#parts.segmentsRoot;
  }

  /** Roots of the segments that the last `append` completed, in order; the first is of segment `segmentCount - completed.length`. */
  get completed(): readonly Hash[] {
    return this.#parts.completed;
  }

  /** The cursor behind more bytes of the stream, e.g. a framed block (borrowed for the call). */
  append(kernels: HistoryKernels, bytes: Uint8Array): HistoryCursor {
    const { segmentSizeBytes } = this.shape;
    let { length, segments, segmentsRoot, leaves, tail } = this.#parts;
    const completed: Hash[] = [];
    for (let done = 0; done < bytes.length; ) {
      const left = segmentSizeBytes - (length % segmentSizeBytes);
      const piece = bytes.subarray(done, done + left);
      ({ leaves, tail } = this.#takeLeaves(kernels, leaves, tail, piece));
      length += piece.length;
      done += piece.length;
      if (piece.length < left) continue;
      const root = leaves.root(kernels);
      completed.push(root);
      segments = segments.append(kernels, leafHash(kernels, root));
      leaves = Frontier.empty;
    }
    if (completed.length > 0) segmentsRoot = segments.root(kernels);
    return new HistoryCursor(this.shape, { length, segments, segmentsRoot, leaves, tail, completed });
  }

  /** Hashes the whole leaves of tail and piece; what is left over is the new tail. */
  #takeLeaves(
    kernels: HistoryKernels,
    leaves: Frontier,
    tail: Uint8Array,
    piece: Uint8Array,
  ): { leaves: Frontier; tail: Uint8Array } {
    const { leafSizeBytes } = this.shape;
    const bytes = new Uint8Array(tail.length + piece.length);
    bytes.set(tail, 0);
    bytes.set(piece, tail.length);
    const whole = Math.floor(bytes.length / leafSizeBytes) * leafSizeBytes;
    const hashes = new Uint8Array((whole / leafSizeBytes) * HASH_SIZE_BYTES);
    kernels.sha256Leaves(LEAF_PREFIX, bytes.subarray(0, whole), leafSizeBytes, hashes);
    return { leaves: leaves.appendMany(kernels, hashes), tail: bytes.slice(whole) };
  }
}

/** Root of one whole segment. @param bytes exactly `segmentSizeBytes` (borrowed) */
export function segmentRootOf(kernels: HistoryKernels, shape: HistoryShape, bytes: Uint8Array): Hash {
  assertInvariant(bytes.length === shape.segmentSizeBytes, 'a segment has exactly its size');
  const hashes = new Uint8Array((bytes.length / shape.leafSizeBytes) * HASH_SIZE_BYTES);
  kernels.sha256Leaves(LEAF_PREFIX, bytes, shape.leafSizeBytes, hashes);
  return hash(Frontier.empty.appendMany(kernels, hashes).root(kernels));
}
