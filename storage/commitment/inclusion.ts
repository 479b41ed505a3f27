/**
 * Inclusion proofs, RFC 9162 section 2.1.3: the siblings on the way from one leaf to the root.
 *
 * A path is packed (step i at 32 * i), lowest sibling first. Sizes and indexes go up to 2^53 - 1, so nothing here uses
 * 32-bit shifts.
 */
import { sameBytes } from '../../native/index.ts';
import { HASH_SIZE_BYTES, leafCount, MerkleError, type MerkleKernels, nodeHash, parentLevel } from './merkle.ts';

/** Longest path of any tree this project can count: 53 siblings, and one for the first peak of a consistency proof. */
export const PATH_LENGTH_MAX = 54;

const half = (value: number): number => Math.floor(value / 2);

/**
 * Siblings of leaf `index` in the tree over packed `leafHashes`, lowest first.
 * Throws `MerkleError` ('index-range') when there is no such leaf.
 */
export function inclusionProof(kernels: MerkleKernels, leafHashes: Uint8Array, index: number): Uint8Array {
  const count = leafCount(leafHashes);
  if (!Number.isInteger(index) || index < 0 || index >= count)
    throw new MerkleError('index-range', `leaf index must be within 0 .. ${count - 1}, got ${index}`);
  const siblings: Uint8Array[] = [];
  let level = leafHashes;
  for (let position = index; level.length > HASH_SIZE_BYTES; position = half(position)) {
    const sibling = (position % 2 === 0 ? position + 1 : position - 1) * HASH_SIZE_BYTES;
    if (sibling < level.length) siblings.push(level.subarray(sibling, sibling + HASH_SIZE_BYTES));
    level = parentLevel(kernels, level);
  }
  return packHashes(siblings);
}

/** Joins 32-byte hashes into one packed array (copied). */
export function packHashes(hashes: readonly Uint8Array[]): Uint8Array {
  const packed = new Uint8Array(hashes.length * HASH_SIZE_BYTES);
  hashes.forEach((item, index) => {
    packed.set(item, index * HASH_SIZE_BYTES);
  });
  return packed;
}

/** Splits a packed path into its steps (borrowed), or undefined when it is no path: wrong length or too long. */
export function pathSteps(path: Uint8Array): Uint8Array[] | undefined {
  if (path.length % HASH_SIZE_BYTES !== 0 || path.length > PATH_LENGTH_MAX * HASH_SIZE_BYTES) return undefined;
  return Array.from({ length: path.length / HASH_SIZE_BYTES }, (_, step) =>
    path.subarray(step * HASH_SIZE_BYTES, (step + 1) * HASH_SIZE_BYTES),
  );
}

/**
 * The root that a leaf and its path lead to (RFC 9162 section 2.1.3.2), or undefined when the path cannot belong to that leaf of
 * a tree of that size. All arguments may be hostile.
 * @param leaf the leaf's hash, 32 bytes @param index 0-based @param treeSize leaves in the tree @param path packed siblings
 */
export function rootFromInclusion(
  kernels: MerkleKernels,
  leaf: Uint8Array,
  index: number,
  treeSize: number,
  path: Uint8Array,
): Uint8Array | undefined {
  const steps = pathSteps(path);
  if (steps === undefined || leaf.length !== HASH_SIZE_BYTES) return undefined;
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(treeSize) || index < 0 || index >= treeSize)
    return undefined;
  let node: Uint8Array = leaf.slice();
  let [first, last] = [index, treeSize - 1];
  for (const sibling of steps) {
    if (last === 0) return undefined;
    if (first % 2 === 1 || first === last) {
      node = nodeHash(kernels, sibling, node);
      while (first % 2 === 0 && first !== 0) [first, last] = [half(first), half(last)];
    } else {
      node = nodeHash(kernels, node, sibling);
    }
    [first, last] = [half(first), half(last)];
  }
  return last === 0 ? node : undefined;
}

/** True when `leaf` (a leaf's hash) is leaf number `index` of the tree of `treeSize` leaves with that `root`. */
export function verifyInclusion(
  kernels: MerkleKernels,
  leaf: Uint8Array,
  index: number,
  treeSize: number,
  path: Uint8Array,
  root: Uint8Array,
): boolean {
  const reached = rootFromInclusion(kernels, leaf, index, treeSize, path);
  return reached !== undefined && sameBytes(reached, root);
}
