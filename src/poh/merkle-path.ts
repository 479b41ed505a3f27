/**
 * A Merkle path that carries its own directions: siblings from leaf to root, and one bit each for the side they stand on.
 *
 * The trees are RFC 9162's. The RFC's proofs name the leaf's index and the tree's size instead; several sizes can fit one path, and
 * nothing in a block's header fixes the size, so a file holding it could be altered without becoming invalid. Sides cannot: every bit
 * changes the root.
 */
import type { Kernels } from '../../native/index.ts';
import { inclusionProof } from '../../storage/commitment/inclusion.ts';
import { type MerkleKernels, nodeHash } from '../../storage/commitment/merkle.ts';

/** Longest path: a block holds less than 2^17 entries, and an entry fewer transactions. */
export const PATH_STEPS_MAX = 24;

export interface MerklePath {
  /** Sibling i at 32 * i, lowest first. */
  readonly siblings: Uint8Array;
  /** Bit i is 1 when sibling i stands on the left. */
  readonly sides: number;
}

/** The path of leaf `index` in the tree over packed leaf hashes. */
export function merklePath(kernels: MerkleKernels, leafHashes: Uint8Array, index: number): MerklePath {
  const siblings = inclusionProof(kernels, leafHashes, index);
  let sides = 0;
  let step = 0;
  let position = index;
  for (let width = leafHashes.length / 32; width > 1; width = Math.ceil(width / 2)) {
    const isLeft = position % 2 === 1;
    if (isLeft) sides += 2 ** step;
    // An even last node has no partner and moves up without a step.
    if (isLeft || position + 1 < width) step += 1;
    position = Math.floor(position / 2);
  }
  return { siblings, sides };
}

/** The root that a leaf's hash and its path lead to. */
export function pathRoot(kernels: Pick<Kernels, 'sha256Pairs'>, leaf: Uint8Array, path: MerklePath): Uint8Array {
  let node = leaf;
  for (let step = 0; step * 32 < path.siblings.length; step++) {
    const sibling = path.siblings.subarray(step * 32, step * 32 + 32);
    const isLeft = Math.floor(path.sides / 2 ** step) % 2 === 1;
    node = isLeft ? nodeHash(kernels, sibling, node) : nodeHash(kernels, node, sibling);
  }
  return node;
}
