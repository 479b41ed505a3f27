/**
 * Merkle trees as in RFC 9162 section 2.1: the one construction of this project (transactions, segments, replicas, samples, ops).
 *
 * Leaf hash = SHA-256(0x00 || data); node hash = SHA-256(0x01 || left || right); a tree of n leaves splits at the largest power
 * of two below n; the root of no leaves is SHA-256 of nothing.
 *
 * Invariants
 * - Leaf hashes travel packed: leaf i at 32 * i of one Uint8Array.
 * - Nothing here keeps or changes the caller's bytes; every result is a new array.
 * - Levels are hashed pair by pair in one kernel call a level. A last node without a partner moves up unchanged, which gives the
 *   same tree as the RFC's split.
 */
import { type Hash, hash, type Kernels } from '../../native/index.ts';

/** What this folder needs of the kernels. */
export type MerkleKernels = Pick<Kernels, 'sha256' | 'sha256Pairs'>;

export const HASH_SIZE_BYTES = 32;
/** Prefix byte of a leaf's hash: pass it to `sha256Leaves` and `sha256Ragged`. */
export const LEAF_PREFIX = 0x00;
/** Prefix byte of an inner node's hash: pass it to `sha256Pairs`. */
export const NODE_PREFIX = 0x01;

export type MerkleErrorCode = 'leaves-length' | 'index-range' | 'size-range' | 'frontier-length' | 'frontier-size';

/** A tree was asked for something it does not have, or an encoded frontier is not one. */
export class MerkleError extends Error {
  override readonly name = 'MerkleError';
  readonly code: MerkleErrorCode;
  constructor(code: MerkleErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Number of packed leaf hashes. Throws `MerkleError` when the length is not a multiple of 32. */
export function leafCount(leafHashes: Uint8Array): number {
  if (leafHashes.length % HASH_SIZE_BYTES !== 0)
    throw new MerkleError('leaves-length', `leaf hashes must be a multiple of 32 bytes, got ${leafHashes.length}`);
  return leafHashes.length / HASH_SIZE_BYTES;
}

/** SHA-256(0x00 || data), for any length of data. */
export function leafHash(kernels: Pick<Kernels, 'sha256'>, data: Uint8Array): Hash {
  const prefixed = new Uint8Array(data.length + 1);
  prefixed[0] = LEAF_PREFIX;
  prefixed.set(data, 1);
  return hash(kernels.sha256(prefixed));
}

/** SHA-256(0x01 || left || right) of two 32-byte hashes. */
export function nodeHash(kernels: Pick<Kernels, 'sha256Pairs'>, left: Uint8Array, right: Uint8Array): Hash {
  PAIR.set(left, 0);
  PAIR.set(right, HASH_SIZE_BYTES);
  kernels.sha256Pairs(NODE_PREFIX, PAIR, PARENT);
  return hash(PARENT.slice());
}

/** Where one pair is hashed: small fresh arrays would have to be moved off JavaScript's heap, which takes three times as long as the hash. */
const PAIR = new Uint8Array(new ArrayBuffer(2 * HASH_SIZE_BYTES));
const PARENT = new Uint8Array(new ArrayBuffer(HASH_SIZE_BYTES));

/** The root of a tree without leaves: SHA-256 of the empty string. */
export function emptyRoot(kernels: Pick<Kernels, 'sha256'>): Hash {
  return hash(kernels.sha256(new Uint8Array(0)));
}

/**
 * One level up: the parents of a level's nodes, the last one unchanged when it has no partner.
 * @param level packed nodes, at least two @returns packed parents, ceil(n / 2) of them
 */
export function parentLevel(kernels: Pick<Kernels, 'sha256Pairs'>, level: Uint8Array): Uint8Array {
  const nodes = level.length / HASH_SIZE_BYTES;
  const pairs = Math.floor(nodes / 2);
  const parents = new Uint8Array((pairs + (nodes % 2)) * HASH_SIZE_BYTES);
  kernels.sha256Pairs(
    NODE_PREFIX,
    level.subarray(0, pairs * 2 * HASH_SIZE_BYTES),
    parents.subarray(0, pairs * HASH_SIZE_BYTES),
  );
  if (nodes % 2 === 1) parents.set(level.subarray((nodes - 1) * HASH_SIZE_BYTES), pairs * HASH_SIZE_BYTES);
  return parents;
}

/** Up to here levels are hashed in memory that stays. */
const SMALL_LEVEL_BYTES = 32 * HASH_SIZE_BYTES;
const LEVEL = new Uint8Array(new ArrayBuffer(SMALL_LEVEL_BYTES));
const PARENTS = new Uint8Array(new ArrayBuffer(SMALL_LEVEL_BYTES / 2));
/** Views of all the lengths that occur, in pairs of nodes. */
const PAIRS = Array.from({ length: 17 }, (_, pairs) => ({
  of: LEVEL.subarray(0, 2 * pairs * HASH_SIZE_BYTES),
  to: PARENTS.subarray(0, pairs * HASH_SIZE_BYTES),
}));

/** The root over a level of 1 to 32 nodes. */
function smallRoot(kernels: Pick<Kernels, 'sha256Pairs'>, level: Uint8Array): Hash {
  LEVEL.set(level);
  for (let nodes = level.length / HASH_SIZE_BYTES; nodes > 1; nodes = (nodes + 1) >> 1) {
    const { of, to } = PAIRS[nodes >> 1]!;
    kernels.sha256Pairs(NODE_PREFIX, of, to);
    // The last one goes up unchanged when it has no partner.
    if (nodes % 2 === 1) LEVEL.copyWithin(to.length, of.length, of.length + HASH_SIZE_BYTES);
    LEVEL.set(to);
  }
  return hash(LEVEL.slice(0, HASH_SIZE_BYTES));
}

/** Root over packed leaf hashes (n * 32 bytes, n >= 0). Throws `MerkleError` on another length. */
export function merkleRoot(kernels: MerkleKernels, leafHashes: Uint8Array): Hash {
  if (leafCount(leafHashes) === 0) return emptyRoot(kernels);
  let level = leafHashes;
  while (level.length > SMALL_LEVEL_BYTES) level = parentLevel(kernels, level);
  return smallRoot(kernels, level);
}
