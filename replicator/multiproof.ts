/**
 * Many leaves of one RFC 9162 tree proven together: each node that two paths share is given once, and none that can be computed.
 *
 * Order of the nodes: level by level from the leaves up, by ascending index; one for each known node whose sibling is in the tree and not
 * known. A last node without a partner moves up unchanged. Indexes go up to 2^53 - 1: no 32-bit arithmetic.
 *
 * Byte layout: docs/format/proofs.md, "Openings".
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import { parentLevel } from '../storage/commitment/merkle.ts';
import { HASH_SIZE_BYTES, NODE_PREFIX } from '../storage/index.ts';
import { SUBTREE_LEAF_COUNT } from './geometry.ts';
import { SUBTREE_HEIGHT } from './subtrees.ts';

/** Indexes pass 2^32, and the remainder of doubles is slow: odd is what halving loses. */
const half = (value: number): number => Math.floor(value * 0.5);
const isEven = (index: number): boolean => 2 * half(index) === index;
const siblingOf = (index: number): number => (isEven(index) ? index + 1 : index - 1);

/** Ascending, each once. */
export function sortedUnique(indexes: Float64Array): Float64Array {
  const sorted = indexes.slice().sort();
  return sorted.filter((index, at) => at === 0 || index !== sorted[at - 1]);
}

/** What happens to one known node on its way up: alone at the end, beside a known sibling, or beside one from the proof. */
type Step = 'up' | 'pair' | 'given';

function stepOf(known: Float64Array, at: number, count: number): Step {
  const index = known[at]!;
  if (!isEven(index)) return 'given';
  if (index + 1 >= count) return 'up';
  return at + 1 < known.length && known[at + 1] === index + 1 ? 'pair' : 'given';
}

/** The next level's known nodes. */
function parents(known: Float64Array): Float64Array {
  const next = new Float64Array(known.length);
  let count = 0;
  for (let at = 0; at < known.length; at += 1) {
    const parent = half(known[at]!);
    if (count > 0 && next[count - 1] === parent) continue;
    next[count] = parent;
    count += 1;
  }
  return next.subarray(0, count);
}

/** Calls `need` for each node a proof must give, in its order. @param leaves ascending, each once, all below `leafCount` */
function eachNeeded(leaves: Float64Array, leafCount: number, need: (height: number, index: number) => void): void {
  let known = leaves;
  for (let [height, count] = [0, leafCount]; count > 1; [height, count] = [height + 1, Math.ceil(count / 2)]) {
    for (let at = 0; at < known.length; at += 1) {
      const step = stepOf(known, at, count);
      if (step === 'pair') at += 1;
      else if (step === 'given') need(height, siblingOf(known[at]!));
    }
    known = parents(known);
  }
}

/** How many nodes the proof for these leaves has. */
export function multiproofNodeCount(leaves: Float64Array, leafCount: number): number {
  let nodes = 0;
  eachNeeded(leaves, leafCount, () => {
    nodes += 1;
  });
  return nodes;
}

/** What a prover knows of a tree. */
export interface ProvableTree {
  readonly leafCount: number;
  /** Roots of all subtrees of 16 leaves, packed. */
  readonly subtrees: Uint8Array;
  /** Hashes of the leaves of one subtree, packed: 16, fewer in the last. */
  subtreeLeaves(subtree: number): Promise<Uint8Array>;
}

/** All levels from `level` up, lowest first. */
function levelsFrom(kernels: Kernels, level: Uint8Array): Uint8Array[] {
  const levels = [level];
  for (let top = level; top.length > HASH_SIZE_BYTES; levels.push(top)) top = parentLevel(kernels, top);
  return levels;
}

/** A subtree's levels below its root; in a short last one the top moves up unchanged. */
function subtreeLevels(kernels: Kernels, hashes: Uint8Array): Uint8Array[] {
  const levels = levelsFrom(kernels, hashes);
  while (levels.length < SUBTREE_HEIGHT) levels.push(levels.at(-1)!);
  return levels;
}

/**
 * The nodes that prove `leaves` (ascending, each once), packed. Reads each touched subtree once, and hashes the levels above all of them:
 * 2 hashes for every 16 leaves of the tree.
 */
export async function makeMultiproof(kernels: Kernels, tree: ProvableTree, leaves: Float64Array): Promise<Uint8Array> {
  const upper = levelsFrom(kernels, tree.subtrees);
  const lower = new Map<number, Uint8Array[]>();
  for (const leaf of leaves) {
    const subtree = Math.floor(leaf / SUBTREE_LEAF_COUNT);
    if (!lower.has(subtree)) lower.set(subtree, subtreeLevels(kernels, await tree.subtreeLeaves(subtree)));
  }
  const nodes = new Uint8Array(multiproofNodeCount(leaves, tree.leafCount) * HASH_SIZE_BYTES);
  let filled = 0;
  eachNeeded(leaves, tree.leafCount, (height, index) => {
    const width = 2 ** Math.max(0, SUBTREE_HEIGHT - height);
    const level =
      height < SUBTREE_HEIGHT ? lower.get(Math.floor(index / width))![height]! : upper[height - SUBTREE_HEIGHT]!;
    const place = height < SUBTREE_HEIGHT ? index % width : index;
    nodes.set(level.subarray(place * HASH_SIZE_BYTES, (place + 1) * HASH_SIZE_BYTES), filled);
    filled += HASH_SIZE_BYTES;
  });
  return nodes;
}

/**
 * The root that leaves and nodes lead to, or undefined when there are too few or too many nodes. Bytes may be hostile; the leaves' indexes
 * are the verifier's own. @param hashes of the leaves, packed, in order of `leaves`
 */
export function rootFromMultiproof(
  kernels: Kernels,
  leaves: Float64Array,
  leafCount: number,
  hashes: Uint8Array,
  nodes: Uint8Array,
): Uint8Array | undefined {
  const given = alignedWords(nodes);
  let [known, level, used] = [leaves, alignedWords(hashes), 0];
  for (let count = leafCount; count > 1; count = Math.ceil(count / 2)) {
    const pairs = new Int32Array(known.length * 2 * HASH_WORDS);
    const next = new Float64Array(known.length);
    let [pairCount, single] = [0, -1];
    for (let at = 0; at < known.length; at += 1) {
      const index = known[at]!;
      const step = stepOf(known, at, count);
      next[pairCount] = half(index);
      if (step === 'up') {
        single = at;
        break;
      }
      const isLeft = isEven(index);
      const left = pairCount * 2 * HASH_WORDS;
      copyHash(level, at, pairs, isLeft ? left : left + HASH_WORDS);
      if (step === 'pair') {
        at += 1;
        copyHash(level, at, pairs, left + HASH_WORDS);
      } else {
        if ((used + 1) * HASH_WORDS > given.length) return undefined;
        copyHash(given, used, pairs, isLeft ? left + HASH_WORDS : left);
        used += 1;
      }
      pairCount += 1;
    }
    const nextCount = pairCount + (single < 0 ? 0 : 1);
    const up = new Int32Array(nextCount * HASH_WORDS);
    kernels.sha256Pairs(
      NODE_PREFIX,
      bytesOf(pairs.subarray(0, pairCount * 2 * HASH_WORDS)),
      bytesOf(up.subarray(0, pairCount * HASH_WORDS)),
    );
    if (single >= 0) copyHash(level, single, up, pairCount * HASH_WORDS);
    [known, level] = [next.subarray(0, nextCount), up];
  }
  return used * HASH_SIZE_BYTES === nodes.length && level.length === HASH_WORDS ? bytesOf(level) : undefined;
}

/** A hash as 32-bit words: copying views of bytes one by one cost more than hashing them (measured: 4 of 6.8 ms). */
const HASH_WORDS: number = HASH_SIZE_BYTES / 4;

/** A copy that starts at a multiple of 4; bytes past the last whole hash are left out. */
function alignedWords(bytes: Uint8Array): Int32Array {
  const whole = bytes.slice(0, bytes.length - (bytes.length % HASH_SIZE_BYTES));
  return new Int32Array(whole.buffer, whole.byteOffset, whole.length / 4);
}

const bytesOf = (words: Int32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** Hash number `index` of `from` to word `at` of `to`. */
function copyHash(from: Int32Array, index: number, to: Int32Array, at: number): void {
  const start = index * HASH_WORDS;
  for (let word = 0; word < HASH_WORDS; word += 1) to[at + word] = from[start + word]!;
}

/** True when leaves and nodes lead to `root`. */
export function verifyMultiproof(
  kernels: Kernels,
  leaves: Float64Array,
  leafCount: number,
  opened: { readonly hashes: Uint8Array; readonly nodes: Uint8Array },
  root: Uint8Array,
): boolean {
  const reached = rootFromMultiproof(kernels, leaves, leafCount, opened.hashes, opened.nodes);
  return reached !== undefined && sameBytes(reached, root);
}
