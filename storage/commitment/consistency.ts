/**
 * Consistency proofs, RFC 9162 section 2.1.4: the tree of `second` leaves begins with the very tree of `first` leaves.
 *
 * The RFC leaves `first` = 0 open: here the proof is empty and the first root is the root of no leaves.
 */
import { sameBytes } from '../../native/index.ts';
import { packHashes, pathSteps } from './inclusion.ts';
import {
  emptyRoot,
  HASH_SIZE_BYTES,
  leafCount,
  MerkleError,
  type MerkleKernels,
  merkleRoot,
  nodeHash,
} from './merkle.ts';

/** Largest power of two below n (n >= 2). */
function splitSize(n: number): number {
  let size = 1;
  while (size * 2 < n) size *= 2;
  return size;
}

const half = (value: number): number => Math.floor(value / 2);

/**
 * Proof that the tree over all of `leafHashes` begins with the tree over its first `first` leaves.
 * Throws `MerkleError` ('size-range') when `first` exceeds the tree.
 */
export function consistencyProof(kernels: MerkleKernels, leafHashes: Uint8Array, first: number): Uint8Array {
  const count = leafCount(leafHashes);
  if (!Number.isInteger(first) || first < 0 || first > count)
    throw new MerkleError('size-range', `first tree size must be within 0 .. ${count}, got ${first}`);
  if (first === 0 || first === count) return new Uint8Array(0);
  const nodes: Uint8Array[] = [];
  collectNodes(kernels, leafHashes, first, true, nodes);
  return packHashes(nodes);
}

/** RFC 9162 SUBPROOF(m, D_n, b): pushes its nodes in order. */
function collectNodes(
  kernels: MerkleKernels,
  leafHashes: Uint8Array,
  first: number,
  wholeKnown: boolean,
  nodes: Uint8Array[],
): void {
  const count = leafHashes.length / HASH_SIZE_BYTES;
  if (first === count) {
    if (!wholeKnown) nodes.push(merkleRoot(kernels, leafHashes));
    return;
  }
  const split = splitSize(count);
  const left = leafHashes.subarray(0, split * HASH_SIZE_BYTES);
  const right = leafHashes.subarray(split * HASH_SIZE_BYTES);
  if (first <= split) {
    collectNodes(kernels, left, first, wholeKnown, nodes);
    nodes.push(merkleRoot(kernels, right));
  } else {
    collectNodes(kernels, right, first - split, false, nodes);
    nodes.push(merkleRoot(kernels, left));
  }
}

/** Both trees' sizes and roots, as claimed. */
export interface TreePair {
  readonly firstSize: number;
  readonly firstRoot: Uint8Array;
  readonly secondSize: number;
  readonly secondRoot: Uint8Array;
}

/** True when `path` proves that the second tree begins with the first. All arguments may be hostile. */
export function verifyConsistency(kernels: MerkleKernels, trees: TreePair, path: Uint8Array): boolean {
  const { firstSize, firstRoot, secondSize, secondRoot } = trees;
  const steps = pathSteps(path);
  if (steps === undefined || !Number.isSafeInteger(firstSize) || !Number.isSafeInteger(secondSize)) return false;
  if (firstSize < 0 || firstSize > secondSize) return false;
  if (firstSize === secondSize) return steps.length === 0 && sameBytes(firstRoot, secondRoot);
  if (firstSize === 0) return steps.length === 0 && sameBytes(firstRoot, emptyRoot(kernels));
  return climb(kernels, trees, steps);
}

/** RFC 9162 section 2.1.4.2 for 0 < first < second. */
function climb(kernels: MerkleKernels, trees: TreePair, steps: readonly Uint8Array[]): boolean {
  let [first, last] = [trees.firstSize - 1, trees.secondSize - 1];
  while (first % 2 === 1) [first, last] = [half(first), half(last)];
  // A first tree that is a power of two is itself the lowest node, and is left out of the path.
  const nodes = first === 0 ? [trees.firstRoot, ...steps] : steps;
  const start = nodes[0];
  if (start === undefined || steps.length === 0) return false;
  let [oldRoot, newRoot] = [start, start];
  for (const node of nodes.slice(1)) {
    if (last === 0) return false;
    if (first % 2 === 1 || first === last) {
      oldRoot = nodeHash(kernels, node, oldRoot);
      newRoot = nodeHash(kernels, node, newRoot);
      while (first % 2 === 0 && first !== 0) [first, last] = [half(first), half(last)];
    } else {
      newRoot = nodeHash(kernels, newRoot, node);
    }
    [first, last] = [half(first), half(last)];
  }
  return last === 0 && sameBytes(oldRoot, trees.firstRoot) && sameBytes(newRoot, trees.secondRoot);
}
