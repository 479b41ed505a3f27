/**
 * A Merkle tree over a long run of leaves, kept by its subtrees of 16 leaves: their roots are enough to make any path again by reading 16
 * leaves, and cost 32 bytes for 16 leaves.
 *
 * Invariant: the tree over subtree roots has the shape of the RFC 9162 tree over the leaves, because every subtree but the last is complete.
 */
import type { Hash, Kernels } from '../native/index.ts';
import { parentLevel } from '../storage/commitment/merkle.ts';
import { Frontier, HASH_SIZE_BYTES, LEAF_PREFIX, type MerkleKernels } from '../storage/index.ts';
import { SUBTREE_LEAF_COUNT } from './geometry.ts';

/** Levels between a leaf and its subtree's root. */
export const SUBTREE_HEIGHT = 4;

/** Hashes of consecutive leaves, and of the subtrees they make. Packed, 32 bytes each. */
export interface HashedLeaves {
  readonly hashes: Uint8Array;
  readonly nodes: Uint8Array;
}

/** Number of subtrees over `leafCount` leaves. */
export const subtreeCount = (leafCount: number): number => Math.ceil(leafCount / SUBTREE_LEAF_COUNT);

/** Hashes whole leaves. @param data from a subtree's first leaf on: whole subtrees, or up to the tree's last leaf. Borrowed */
export function hashLeaves(kernels: Kernels, data: Uint8Array, leafSizeBytes: number): HashedLeaves {
  const hashes = new Uint8Array((data.length / leafSizeBytes) * HASH_SIZE_BYTES);
  kernels.sha256Leaves(LEAF_PREFIX, data, leafSizeBytes, hashes);
  return { hashes, nodes: subtreeRoots(kernels, hashes) };
}

/** The subtrees' roots over packed leaf hashes that start at a subtree's first leaf. */
export function subtreeRoots(kernels: MerkleKernels, hashes: Uint8Array): Uint8Array {
  let level = hashes;
  for (let height = 0; height < SUBTREE_HEIGHT && level.length > HASH_SIZE_BYTES; height += 1)
    level = parentLevel(kernels, level);
  return level;
}

/** The root and state of a tree that grows by subtrees. */
export class SubtreeFrontier {
  readonly #kernels: MerkleKernels;
  #frontier: Frontier;

  /** @param frontier over subtree roots: where an interrupted encoding stood */
  constructor(kernels: MerkleKernels, frontier: Frontier = Frontier.empty) {
    this.#kernels = kernels;
    this.#frontier = frontier;
  }

  /** Adds subtree roots, packed. All but the tree's last must be of 16 leaves. */
  append(nodes: Uint8Array): void {
    this.#frontier = this.#frontier.appendMany(this.#kernels, nodes);
  }

  /** Over subtree roots; immutable. */
  get frontier(): Frontier {
    return this.#frontier;
  }

  root(): Hash {
    return this.#frontier.root(this.#kernels);
  }
}
