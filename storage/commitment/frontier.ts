/**
 * The frontier of an append-only RFC 9162 tree: its size and its peaks, enough to append leaves and know the root.
 *
 * A tree of n leaves has one complete subtree (peak) for each bit set in n, the largest at the left. Folding the peaks from the
 * right gives the RFC's root.
 *
 * Invariants
 * - Immutable: every append gives a new frontier and leaves the old one as it was.
 * - `peaks` holds exactly one hash for each bit set in `size`, largest subtree first.
 *
 * Encoding: size u64, then the peaks, 32 bytes each: 8 + 32 * popcount(size) bytes; one encoding per frontier.
 */
import { type Hash, hash } from '../../native/index.ts';
import { packHashes } from './inclusion.ts';
import {
  emptyRoot,
  HASH_SIZE_BYTES,
  leafCount,
  MerkleError,
  type MerkleKernels,
  NODE_PREFIX,
  nodeHash,
} from './merkle.ts';

/** What an append may be given besides leaves. */
export interface AppendOptions {
  /**
   * Told the nodes that the append completes, level by level from the leaves (level 0) up: `nodes` are packed and borrowed, the first is
   * number `from` of its level. Levels without a new node are left out.
   */
  readonly onNodes?: (level: number, from: number, nodes: Uint8Array) => void;
  /** Memory to work in, at least `appendRoomBytes` of it; new memory unless given. */
  readonly room?: Uint8Array;
}

/** Bytes that an append of so many bytes of leaf hashes works in: the inner nodes. */
export const appendRoomBytes = (leafHashesBytes: number): number => leafHashesBytes + LEVELS_MAX * HASH_SIZE_BYTES;

const SIZE_FIELD_BYTES = 8;
/** Levels of the largest tree that can be counted. */
const LEVELS_MAX = 54;
const half = (value: number): number => Math.floor(value / 2);

function bitCount(value: number): number {
  let bits = 0;
  for (let rest = value; rest > 0; rest = half(rest)) bits += rest % 2;
  return bits;
}

export class Frontier {
  /** The tree without leaves. */
  static readonly empty: Frontier = new Frontier(0, []);

  /** Leaves appended so far. */
  readonly size: number;
  /** Root hashes of the complete subtrees, largest first. */
  readonly peaks: readonly Uint8Array[];

  private constructor(size: number, peaks: readonly Uint8Array[]) {
    this.size = size;
    this.peaks = peaks;
  }

  /** The frontier with one more leaf. @param leaf a leaf's hash, 32 bytes (borrowed for the call) */
  append(kernels: MerkleKernels, leaf: Uint8Array): Frontier {
    if (leaf.length !== HASH_SIZE_BYTES)
      throw new MerkleError('leaves-length', `a leaf hash must be 32 bytes, got ${leaf.length}`);
    const peaks = [...this.peaks];
    let node: Uint8Array = leaf.slice();
    for (let rest = this.size; rest % 2 === 1; rest = half(rest)) node = nodeHash(kernels, peaks.pop()!, node);
    peaks.push(node);
    return new Frontier(this.size + 1, peaks);
  }

  /** The frontier with n more leaves, hashed level by level. @param leafHashes packed, n * 32 bytes (borrowed) */
  appendMany(kernels: MerkleKernels, leafHashes: Uint8Array, options: AppendOptions = {}): Frontier {
    const size = this.size + leafCount(leafHashes);
    if (!Number.isSafeInteger(size)) throw new MerkleError('size-range', `a tree of ${size} leaves cannot be counted`);
    const room = options.room ?? new Uint8Array(appendRoomBytes(leafHashes.length));
    const oldPeaks = [...this.peaks];
    const newPeaks: Uint8Array[] = [];
    let nodes = leafHashes;
    let used = 0;
    for (let [level, from] = [0, this.size]; from > 0 || nodes.length > 0; level++, from = half(from)) {
      if (nodes.length > 0) options.onNodes?.(level, from, nodes);
      const peak = from % 2 === 1 ? oldPeaks.pop() : undefined;
      const count = nodes.length / HASH_SIZE_BYTES + (peak === undefined ? 0 : 1);
      if (count % 2 === 1) newPeaks.unshift(nodes.length > 0 ? nodes.slice(-HASH_SIZE_BYTES) : peak!);
      const parents = room.subarray(used, used + half(count) * HASH_SIZE_BYTES);
      used += parents.length;
      if (parents.length > 0) hashPairs(kernels, peak, nodes, parents);
      nodes = parents;
    }
    return new Frontier(size, newPeaks);
  }

  /** The frontier of the leaves past the last multiple of 2^levels: the peaks below that level alone. */
  below(levels: number): Frontier {
    const size = this.size % 2 ** levels;
    return new Frontier(size, this.peaks.slice(this.peaks.length - bitCount(size)));
  }

  /** The complete subtree that ends at number `index` of a level (exclusive), where this frontier has one. */
  peakBefore(level: number, index: number): Uint8Array | undefined {
    const nodes = Math.floor(this.size / 2 ** level);
    return nodes === index && index % 2 === 1 ? this.peaks[bitCount(half(nodes))] : undefined;
  }

  /** The RFC 9162 root over all leaves so far. */
  root(kernels: MerkleKernels): Hash {
    const last = this.peaks.at(-1);
    if (last === undefined) return emptyRoot(kernels);
    let node = hash(last.slice());
    for (let index = this.peaks.length - 2; index >= 0; index--) node = nodeHash(kernels, this.peaks[index]!, node);
    return node;
  }

  /** The canonical encoding (see the head of this file). */
  encode(): Uint8Array {
    const bytes = new Uint8Array(SIZE_FIELD_BYTES + this.peaks.length * HASH_SIZE_BYTES);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(this.size), true);
    bytes.set(packHashes(this.peaks), SIZE_FIELD_BYTES);
    return bytes;
  }

  /** Reads an encoding; the bytes are copied and may be hostile. Throws `MerkleError` on anything but an exact encoding. */
  static decode(bytes: Uint8Array): Frontier {
    if (bytes.length < SIZE_FIELD_BYTES)
      throw new MerkleError('frontier-length', `a frontier has at least 8 bytes, got ${bytes.length}`);
    const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    if (!Number.isSafeInteger(size))
      throw new MerkleError('frontier-size', `frontier size must be at most 2^53 - 1, got ${size}`);
    const expected = SIZE_FIELD_BYTES + bitCount(size) * HASH_SIZE_BYTES;
    if (bytes.length !== expected)
      throw new MerkleError('frontier-length', `a frontier of size ${size} has ${expected} bytes, got ${bytes.length}`);
    return Frontier.of(size, bytes.subarray(SIZE_FIELD_BYTES));
  }

  /** A frontier from its size and its packed peaks (copied), largest first. Throws `MerkleError` when their number does not fit. */
  static of(size: number, peaks: Uint8Array): Frontier {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new MerkleError('frontier-size', `frontier size must be within 0 .. 2^53 - 1, got ${size}`);
    if (peaks.length !== bitCount(size) * HASH_SIZE_BYTES)
      throw new MerkleError('frontier-length', `a frontier of size ${size} has ${bitCount(size)} peaks`);
    const copied: Uint8Array[] = [];
    for (let at = 0; at < peaks.length; at += HASH_SIZE_BYTES) copied.push(peaks.slice(at, at + HASH_SIZE_BYTES));
    return new Frontier(size, copied);
  }
}

/** Parents of a level's new nodes, the peak before them (if any) being the first left child; a last node without partner is left out. */
function hashPairs(kernels: MerkleKernels, peak: Uint8Array | undefined, nodes: Uint8Array, parents: Uint8Array): void {
  let [from, to] = [0, 0];
  if (peak !== undefined) {
    parents.set(nodeHash(kernels, peak, nodes.subarray(0, HASH_SIZE_BYTES)), 0);
    [from, to] = [HASH_SIZE_BYTES, HASH_SIZE_BYTES];
  }
  const pairs = parents.length - to;
  kernels.sha256Pairs(NODE_PREFIX, nodes.subarray(from, from + pairs * 2), parents.subarray(to));
}
