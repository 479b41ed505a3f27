/**
 * Range proofs: the ops `from` .. `to` - 1 are those of the tree of `size` leaves with a known root. The shape of RFC 9162's inclusion
 * path, for many leaves side by side; a range of one leaf has its path's very hashes.
 *
 * On each level the nodes over the range stand in a row. Where the row begins with a right child the proof has its sibling (`left`), where
 * it ends with a left child that has a sibling, that one (`right`). The left ones are the peaks of the first `from` leaves: a
 * verified range gives the frontier that the next reader of the log can begin with.
 *
 *   tree of 7, range 3 .. 4:   left: the subtree of 0, 1 and leaf 2;   right: leaf 5 and leaf 6 (its own parent on level 1)
 *
 * Invariants: `left` holds the largest subtree first, as a frontier does; `right` the lowest level first. Their lengths follow from
 * from, to and size: anything else is refused. As with any RFC 9162 path, size and root are trusted together (the state root covers both):
 * what lies right of the range may be one hash, whatever its own size.
 */
import { sameBytes } from '../../native/index.ts';
import { Frontier } from './frontier.ts';
import { HASH_SIZE_BYTES, type MerkleKernels, NODE_PREFIX } from './merkle.ts';

export interface RangeProof {
  /** Packed hashes left of the range, the largest subtree first: the peaks of the frontier at `from`. */
  readonly left: Uint8Array;
  /** Packed hashes right of it, the lowest level first. */
  readonly right: Uint8Array;
}

/** Which leaves of which tree. */
export interface LeafRange {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** Leaves of the tree. */
  readonly size: number;
  /** Root of the tree, 32 bytes. */
  readonly root: Uint8Array;
}

/** How many hashes a proof has on each side, for 0 <= from < to <= size. */
export function rangeProofCounts(from: number, to: number, size: number): { left: number; right: number } {
  let [left, right] = [0, 0];
  for (let [low, high, count] = [from, to, size]; count > 1; ) {
    if (low % 2 === 1) left += 1;
    if (high % 2 === 1 && high < count) right += 1;
    [low, high, count] = [Math.floor(low / 2), Math.ceil(high / 2), Math.ceil(count / 2)];
  }
  return { left, right };
}

/**
 * The frontier at `from` when the proof holds, else undefined. Everything may be hostile; work and memory are bounded by the leaves given.
 * @param leafHashes packed, (to - from) * 32 bytes
 */
export function verifyRange(
  kernels: MerkleKernels,
  range: LeafRange,
  leafHashes: Uint8Array,
  proof: RangeProof,
): Frontier | undefined {
  const { from, to, size, root } = range;
  if (![from, to, size].every(Number.isSafeInteger) || from < 0 || from >= to || to > size) return undefined;
  const counts = rangeProofCounts(from, to, size);
  if (leafHashes.length !== (to - from) * HASH_SIZE_BYTES) return undefined;
  if (proof.left.length !== counts.left * HASH_SIZE_BYTES) return undefined;
  if (proof.right.length !== counts.right * HASH_SIZE_BYTES) return undefined;
  const reached = foldRange(kernels, range, leafHashes, proof);
  return sameBytes(reached, root) ? Frontier.of(from, proof.left) : undefined;
}

/** The root that leaves and proof lead to, one kernel call a level. */
function foldRange(kernels: MerkleKernels, range: LeafRange, leafHashes: Uint8Array, proof: RangeProof): Uint8Array {
  let [low, high, count] = [range.from, range.to, range.size];
  let nodes = leafHashes;
  let [leftEnd, rightAt] = [proof.left.length, 0];
  while (count > 1) {
    const hasLeft = low % 2 === 1;
    const hasRight = high % 2 === 1 && high < count;
    const left = hasLeft ? proof.left.subarray(leftEnd - HASH_SIZE_BYTES, leftEnd) : NOTHING;
    const right = hasRight ? proof.right.subarray(rightAt, rightAt + HASH_SIZE_BYTES) : NOTHING;
    leftEnd -= left.length;
    rightAt += right.length;
    nodes = parents(kernels, left, nodes, right);
    [low, high, count] = [Math.floor(low / 2), Math.ceil(high / 2), Math.ceil(count / 2)];
  }
  return nodes;
}

const NOTHING = new Uint8Array(0);

/** Parents of left, nodes and right in a row; a last one without partner moves up. */
function parents(kernels: MerkleKernels, left: Uint8Array, nodes: Uint8Array, right: Uint8Array): Uint8Array {
  const row = new Uint8Array(left.length + nodes.length + right.length);
  row.set(left, 0);
  row.set(nodes, left.length);
  row.set(right, left.length + nodes.length);
  const pairs = Math.floor(row.length / (2 * HASH_SIZE_BYTES));
  const lone = row.subarray(pairs * 2 * HASH_SIZE_BYTES);
  const above = new Uint8Array(pairs * HASH_SIZE_BYTES + lone.length);
  if (pairs > 0)
    kernels.sha256Pairs(
      NODE_PREFIX,
      row.subarray(0, pairs * 2 * HASH_SIZE_BYTES),
      above.subarray(0, pairs * HASH_SIZE_BYTES),
    );
  above.set(lone, pairs * HASH_SIZE_BYTES);
  return above;
}
