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

const SIZE_FIELD_BYTES = 8;
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
  appendMany(kernels: MerkleKernels, leafHashes: Uint8Array): Frontier {
    const added = leafCount(leafHashes);
    const size = this.size + added;
    if (!Number.isSafeInteger(size)) throw new MerkleError('size-range', `a tree of ${size} leaves cannot be counted`);
    const oldPeaks = [...this.peaks];
    const newPeaks: Uint8Array[] = [];
    let level = leafHashes;
    for (let rest = this.size; rest > 0 || level.length > 0; rest = half(rest)) {
      const peak = rest % 2 === 1 ? oldPeaks.pop() : undefined;
      const nodes = peak === undefined ? level : joined(peak, level);
      const pairs = Math.floor(nodes.length / (2 * HASH_SIZE_BYTES));
      if (nodes.length % (2 * HASH_SIZE_BYTES) !== 0) newPeaks.unshift(nodes.slice(pairs * 2 * HASH_SIZE_BYTES));
      level = new Uint8Array(pairs * HASH_SIZE_BYTES);
      if (pairs > 0) kernels.sha256Pairs(NODE_PREFIX, nodes.subarray(0, pairs * 2 * HASH_SIZE_BYTES), level);
    }
    return new Frontier(size, newPeaks);
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
    const peaks: Uint8Array[] = [];
    for (let at = SIZE_FIELD_BYTES; at < expected; at += HASH_SIZE_BYTES)
      peaks.push(bytes.slice(at, at + HASH_SIZE_BYTES));
    return new Frontier(size, peaks);
  }
}

function joined(peak: Uint8Array, level: Uint8Array): Uint8Array {
  const nodes = new Uint8Array(HASH_SIZE_BYTES + level.length);
  nodes.set(peak, 0);
  nodes.set(level, HASH_SIZE_BYTES);
  return nodes;
}
