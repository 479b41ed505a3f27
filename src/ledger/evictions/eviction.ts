/**
 * An eviction: what is left in the state of an account that could not pay its rent, and how its owner shows it.
 *
 * All evictions of a chain are the leaves of one Merkle mountain range (RFC 9162 leaf and node hashes), in the order in which they happened. The state keeps
 * its peaks only (evictions-record.ts): 32 bytes an eviction is the whole trace of an account, and less as mountains merge.
 *
 *   count 11 = 8 + 2 + 1:  leaves 0 .. 7 | 8 9 | 10      a path leads from a leaf to the peak of its own mountain,
 *                          mountain 0    | 1   | 2       and holds until that mountain merges with its neighbour
 */
import type { Address, Amount, Height } from '../../../native/index.ts';
import { HASH_SIZE_BYTES, leafHash, type MerkleKernels, nodeHash } from '../../../storage/commitment/merkle.ts';
import { invariant } from '../invariant.ts';
import { ADDRESS_SIZE_BYTES } from '../state-key.ts';

/** An account taken out of the table, with all it held. */
export interface Eviction {
  readonly address: Address;
  /** Never 0: an empty account is deleted, not evicted. */
  readonly balance: Amount;
  /** Of the block that evicted it. */
  readonly height: Height;
}

/** The evictions of one block. */
export interface BlockEvictions {
  /** Number of the first of them over the chain. */
  readonly first: number;
  readonly evictions: readonly Eviction[];
}

/** address 20 || balance u64 || height u64. */
export const EVICTION_LEAF_SIZE_BYTES: number = ADDRESS_SIZE_BYTES + 8 + 8;
/** Most evictions a chain can have: the bitmaps of revived ones are numbered by a u32, 2048 to each. */
export const EVICTIONS_MAX: number = 2 ** 43;
const LEVEL_MAX = 43;

/** The bytes an eviction's leaf covers, 36. */
export function evictionLeaf({ address, balance, height }: Eviction): Uint8Array {
  const leaf = new Uint8Array(EVICTION_LEAF_SIZE_BYTES);
  leaf.set(address);
  const view = new DataView(leaf.buffer);
  view.setBigUint64(ADDRESS_SIZE_BYTES, balance, true);
  view.setBigUint64(ADDRESS_SIZE_BYTES + 8, BigInt(height), true);
  return leaf;
}

/** Leaf hashes of evictions, packed. */
export function evictionLeafHashes(kernels: MerkleKernels, evictions: readonly Eviction[]): Uint8Array {
  const packed = new Uint8Array(evictions.length * HASH_SIZE_BYTES);
  for (const [at, eviction] of evictions.entries())
    packed.set(leafHash(kernels, evictionLeaf(eviction)), at * HASH_SIZE_BYTES);
  return packed;
}

/** Where an eviction stands among the mountains. */
export interface MountainPlace {
  /** Number of its mountain, from the left: the peak's index in the record. */
  readonly mountain: number;
  /** Siblings on the way to the peak; the mountain has 2^level leaves. */
  readonly level: number;
  /** The leaf's place within the mountain, 0 .. 2^level - 1. */
  readonly place: number;
}

/** The mountain that holds eviction `index` of `count`; `index` < `count` <= EVICTIONS_MAX. */
export function mountainOf(index: number, count: number): MountainPlace {
  invariant(
    index >= 0 && index < count && count <= EVICTIONS_MAX,
    'argument',
    () => `eviction ${index} of ${count} has no mountain`,
  );
  let mountain = 0;
  let first = 0;
  // Sizes go past 32 bits: no shifts.
  for (let level = LEVEL_MAX; ; level--) {
    const size = 2 ** level;
    if (Math.floor(count / size) % 2 === 0) continue;
    if (index < first + size) return { mountain, level, place: index - first };
    first += size;
    mountain++;
  }
}

/** The peak that a leaf hash and its path lead to. @param path packed siblings, lowest first: exactly the mountain's level of them */
export function peakFromPath(
  kernels: MerkleKernels,
  leaf: Uint8Array,
  { place, level }: MountainPlace,
  path: Uint8Array,
): Uint8Array {
  let node = leaf;
  for (let step = 0, at = place; step < level; step++, at = Math.floor(at / 2)) {
    const sibling = path.subarray(step * HASH_SIZE_BYTES, (step + 1) * HASH_SIZE_BYTES);
    node = at % 2 === 1 ? nodeHash(kernels, sibling, node) : nodeHash(kernels, node, sibling);
  }
  return node;
}
