/** What a proof of mode `open` is made from, out of a stored replica or out of memory. */
import type { Kernels } from '../native/index.ts';
import { HASH_SIZE_BYTES } from '../storage/index.ts';
import { type SegmentGeometry, SUBTREE_LEAF_COUNT } from './geometry.ts';
import type { ReplicaCipher } from './key.ts';
import type { ProvableTree } from './multiproof.ts';
import type { OpenSource } from './open-proof.ts';
import { hashLeaves } from './subtrees.ts';

/** A tree whose leaf hashes are all in memory. */
function heldTree({ hashes, nodes }: { hashes: Uint8Array; nodes: Uint8Array }): ProvableTree {
  const size = SUBTREE_LEAF_COUNT * HASH_SIZE_BYTES;
  return {
    leafCount: hashes.length / HASH_SIZE_BYTES,
    subtrees: nodes,
    subtreeLeaves: async (subtree) => hashes.subarray(subtree * size, (subtree + 1) * size),
  };
}

/** A replica and its segment in memory: for tests, measurements and attackers. Hashes both. */
export function memorySource(
  kernels: Kernels,
  held: { segment: Uint8Array; replica: Uint8Array; cipher: ReplicaCipher },
  { leafSizeBytes }: SegmentGeometry,
): OpenSource {
  const leaf = (bytes: Uint8Array, index: number): Uint8Array =>
    bytes.subarray(index * leafSizeBytes, (index + 1) * leafSizeBytes);
  return {
    cipher: held.cipher,
    replicaTree: heldTree(hashLeaves(kernels, held.replica, leafSizeBytes)),
    segmentTree: heldTree(hashLeaves(kernels, held.segment, leafSizeBytes)),
    replicaLeaf: async (index) => leaf(held.replica, index),
    segmentLeaf: async (index) => leaf(held.segment, index),
  };
}
