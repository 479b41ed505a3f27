/**
 * The activity tree: one bit for each op of the log, 1 while the op is a put and still its key's latest.
 *
 * Bits stand in chunks of 256 (32 bytes; op p is bit p % 256 of chunk floor(p / 256), bit 0 the lowest of byte 0); the tree is RFC
 * 9162's over the chunks from op 0 on. Node (level, i) covers chunks i * 2^level .. ; at the right edge, where that range is cut, a node
 * without right child equals its left one, which gives the RFC's root.
 *
 * Owns the working copy: one version of the bitmap and of every node, in flat memory. `apply` moves it on by one batch, and gives what
 * takes it back; `exchange` goes back, and forth again.
 *
 * Invariants
 * - Held are chunks from `firstChunk` on, and nodes from the one that covers it on, or its left sibling. All before are of zero chunks:
 *   constants, one for each level.
 * - Past the chunks of the version shown the bitmap's memory is zero: taking a batch back restores it, so the next begins on clean chunks.
 * - A batch costs in proportion to the chunks it changes, one kernel call a level; never to the size of the tree.
 */
import { type Hash, hash, type Kernels } from '../../native/index.ts';
import { assertInvariant } from '../errors.ts';
import { BatchError } from '../oplog/batch.ts';
import { bytesOf, type ColumnPatch, exchangeItems, gather, inARow } from './column-items.ts';
import { HashColumn, ITEM_WORDS } from './hash-column.ts';
import { emptyRoot, HASH_SIZE_BYTES, LEAF_PREFIX, leafHash, NODE_PREFIX, nodeHash } from './merkle.ts';

/** Ops of one chunk. */
export const CHUNK_OPS = 256;
/** Bytes of one chunk. */
export const CHUNK_SIZE_BYTES = 32;

/** Walking the marks of this many chunks takes as long as sorting one chunk's number in. */
const SORTED_SHARE = 32;

export type ActivityKernels = Pick<Kernels, 'sha256' | 'sha256Pairs' | 'sha256Leaves'>;

/** What one batch changes. */
export interface ActivityChange {
  /** Numbers of active ops whose keys have a later op now; in any order, none twice. Borrowed. */
  readonly retired: Float64Array;
  /** Number of the batch's first op: the ops so far. */
  readonly firstOp: number;
  /** Ops with the batch. */
  readonly opCount: number;
  /** The batch's active ops as runs: from, to (exclusive), from, to ... */
  readonly added: readonly number[];
}

/** What makes another version of the working copy: other chunks (row 0) and nodes (row 1 + level). */
export type ActivityPatch = readonly ColumnPatch[];

export class ActivityTree {
  readonly #kernels: ActivityKernels;
  readonly #chunks: HashColumn;
  readonly #levels: HashColumn[] = [];
  readonly #zeroNodes: Hash[];
  #firstChunk: number;
  #marks = new Uint8Array(0);
  #room = new Int32Array(0);

  /** A tree over `chunkCount` chunks; all before the first of `chunks` (taken over) are zero. */
  constructor(kernels: ActivityKernels, chunks: HashColumn, chunkCount: number) {
    this.#kernels = kernels;
    this.#chunks = chunks;
    this.#firstChunk = chunks.first;
    this.#zeroNodes = [leafHash(kernels, new Uint8Array(CHUNK_SIZE_BYTES))];
    const count = chunkCount - this.#firstChunk;
    if (count > 0)
      this.#rehash(
        Float64Array.from({ length: count }, (_, i) => this.#firstChunk + i),
        chunkCount,
        [],
      );
  }

  /** Root of the version shown, which has so many ops. */
  root(opCount: number): Hash {
    const chunkCount = Math.ceil(opCount / CHUNK_OPS);
    if (chunkCount === 0) return emptyRoot(this.#kernels);
    return hash(this.node(levelsOver(chunkCount) - 1, 0).slice());
  }

  /** A chunk of the version shown, 32 bytes; borrowed until the next change. */
  chunk(index: number): Uint8Array {
    return index < this.#chunks.first ? ZERO_CHUNK : this.#chunks.at(index);
  }

  /** A node of the version shown; borrowed until the next change. */
  node(level: number, index: number): Uint8Array {
    const column = this.#level(level);
    return index < column.first ? this.#zeroNode(level) : column.at(index);
  }

  /**
   * Makes one batch's change. Throws `BatchError` 'repeated-key' when an op is retired that is not active: nothing has changed then.
   * @returns what takes the change back
   */
  apply(change: ActivityChange): ActivityPatch {
    const dirty = this.#dirtyChunks(change);
    const chunkCount = Math.ceil(change.opCount / CHUNK_OPS);
    this.#chunks.growTo(chunkCount);
    const rows = [this.#copyChunks(dirty)];
    const wrong = this.#retire(change.retired);
    if (wrong >= 0) {
      this.exchange(rows);
      throw new BatchError('repeated-key', `two of its ops have the key of op ${wrong}`);
    }
    const base = this.#chunks.first * CHUNK_OPS;
    for (let run = 0; run < change.added.length; run += 2)
      setBits(this.#chunks.words, change.added[run]! - base, change.added[run + 1]! - base);
    this.#rehash(dirty, chunkCount, rows);
    return rows;
  }

  /** Puts a patch's values in, and takes those that stood there into the patch: it leads back then. */
  exchange(patch: ActivityPatch): void {
    for (const [row, items] of patch.entries()) exchangeItems(row === 0 ? this.#chunks : this.#level(row - 1), items);
  }

  /** Number of the first active op at or after `from` of the version shown, which has none before; `opCount` when there is none. */
  firstActive(from: number, opCount: number): number {
    const { words, first } = this.#chunks;
    const end = Math.ceil(opCount / 32) - first * ITEM_WORDS;
    for (let at = Math.floor(from / 32) - first * ITEM_WORDS; at < end; at++) {
      const word = words[at]!;
      if (word !== 0) return (first * ITEM_WORDS + at) * 32 + 31 - Math.clz32(word & -word);
    }
    return opCount;
  }

  /** Lets go of chunks before `chunk`, all zero in every version that will still be asked for, and of the nodes over them. */
  dropBefore(chunk: number): void {
    this.#firstChunk = Math.max(this.#firstChunk, chunk);
    this.#chunks.dropBefore(this.#firstChunk);
    for (const [level, column] of this.#levels.entries()) column.dropBefore(firstNode(this.#firstChunk, level));
  }

  /** The column of a level. A new one begins left of `firstChunk`'s node, so that every node held has its left sibling. */
  #level(level: number): HashColumn {
    for (let next = this.#levels.length; next <= level; next++) {
      const column = new HashColumn(firstNode(this.#firstChunk, next));
      while (column.end < Math.floor(this.#firstChunk / 2 ** next)) column.append(this.#zeroNode(next));
      this.#levels.push(column);
    }
    return this.#levels[level]!;
  }

  #zeroNode(level: number): Hash {
    for (let next = this.#zeroNodes.length; next <= level; next++) {
      const below = this.#zeroNodes[next - 1]!;
      this.#zeroNodes.push(nodeHash(this.#kernels, below, below));
    }
    return this.#zeroNodes[level]!;
  }

  /** Numbers of the chunks that a change touches, ascending: those of the retired ops and those of the batch. */
  #dirtyChunks({ retired, firstOp, opCount }: ActivityChange): Float64Array {
    const first = this.#chunks.first;
    const [own, end] = [Math.floor(firstOp / CHUNK_OPS) - first, Math.ceil(opCount / CHUNK_OPS) - first];
    if (this.#marks.length < end) this.#marks = new Uint8Array(end * 2);
    const marks = this.#marks;
    const found = new Int32Array(Math.min(retired.length, end) + end - own);
    let count = 0;
    for (let chunk = own; chunk < end; chunk++) {
      marks[chunk] = 1;
      found[count++] = chunk;
    }
    const base = first * CHUNK_OPS;
    for (let index = 0; index < retired.length; index++) {
      const bit = retired[index]! - base;
      if (!(bit >= 0 && bit < firstOp - base))
        assertInvariant(false, `a key's op is number ${retired[index]}, outside ${base} .. ${firstOp - 1}`);
      const chunk = (bit / CHUNK_OPS) | 0;
      if (marks[chunk] === 0) {
        marks[chunk] = 1;
        found[count++] = chunk;
      }
    }
    return this.#numbersOf(found.subarray(0, count), end);
  }

  /** Marked chunks as ascending numbers; takes the marks off. Many are found again by walking the marks, few are sorted. */
  #numbersOf(found: Int32Array, end: number): Float64Array {
    const [marks, { first }] = [this.#marks, this.#chunks];
    const numbers = new Float64Array(found.length);
    if (found.length * SORTED_SHARE < end) {
      found.sort();
      for (let index = 0; index < found.length; index++) {
        numbers[index] = first + found[index]!;
        marks[found[index]!] = 0;
      }
      return numbers;
    }
    for (let chunk = 0, count = 0; count < found.length; chunk++) {
      if (marks[chunk] === 0) continue;
      marks[chunk] = 0;
      numbers[count++] = first + chunk;
    }
    return numbers;
  }

  #copyChunks(indexes: Float64Array): ColumnPatch {
    const words = new Int32Array(indexes.length * ITEM_WORDS);
    bytesOf(words).set(this.#packed(this.#chunks, indexes, indexes.length, 1));
    return { indexes, words };
  }

  /** Clears the bits of retired ops. @returns the first that was not set, or -1 */
  #retire(retired: Float64Array): number {
    const { words, first } = this.#chunks;
    const base = first * CHUNK_OPS;
    for (let index = 0; index < retired.length; index++) {
      const bit = retired[index]! - base;
      const at = (bit / 32) | 0;
      const mask = 1 << (bit - at * 32);
      if ((words[at]! & mask) === 0) return retired[index]!;
      words[at]! &= ~mask;
    }
    return -1;
  }

  /** Hashes the given chunks, of `chunkCount` in all, and every node over them; what they were before goes to the end of `rows`. */
  #rehash(chunks: Float64Array, chunkCount: number, rows: ColumnPatch[]): void {
    let indexes = chunks;
    for (let [level, count, below] = [0, chunkCount, 0]; ; level++) {
      const words = new Int32Array(indexes.length * ITEM_WORDS);
      if (level === 0) this.#hashChunks(indexes, words);
      else this.#hashParents(level, below, indexes, words);
      const column = this.#level(level);
      column.growTo(count);
      exchangeItems(column, { indexes, words });
      rows.push({ indexes, words });
      if (count === 1) return;
      indexes = parentsOf(indexes);
      [count, below] = [Math.ceil(count / 2), count];
    }
  }

  #hashChunks(indexes: Float64Array, words: Int32Array): void {
    this.#kernels.sha256Leaves(
      LEAF_PREFIX,
      this.#packed(this.#chunks, indexes, indexes.length, 1),
      CHUNK_SIZE_BYTES,
      bytesOf(words),
    );
  }

  /** Nodes of a level from the two below each; the last of all has but one when there is an odd number below. */
  #hashParents(level: number, belowCount: number, indexes: Float64Array, words: Int32Array): void {
    const below = this.#level(level - 1);
    const last = indexes[indexes.length - 1]!;
    const lone = 2 * last + 1 === belowCount;
    const pairs = indexes.length - (lone ? 1 : 0);
    if (lone) bytesOf(words).set(below.at(2 * last), pairs * HASH_SIZE_BYTES);
    if (pairs === 0) return;
    const packed = this.#packed(below, indexes, pairs, 2);
    this.#kernels.sha256Pairs(NODE_PREFIX, packed, bytesOf(words).subarray(0, pairs * HASH_SIZE_BYTES));
  }

  /** Groups of items side by side: where they lie when they do, else copied. Group i: `size` items from number indexes[i] * size on. */
  #packed(column: HashColumn, indexes: Float64Array, count: number, size: number): Uint8Array {
    const from = indexes[0]!;
    if (inARow(indexes, count)) {
      const at = (from * size - column.first) * HASH_SIZE_BYTES;
      return column.bytes.subarray(at, at + count * size * HASH_SIZE_BYTES);
    }
    const words = count * size * ITEM_WORDS;
    if (this.#room.length < words) this.#room = new Int32Array(words * 2);
    gather(column, indexes, count, size, this.#room);
    return bytesOf(this.#room).subarray(0, words * 4);
  }
}

const ZERO_CHUNK: Uint8Array = new Uint8Array(CHUNK_SIZE_BYTES);

/** Levels of a tree over `chunkCount` >= 1 chunks, that of the leaves and that of the root included. */
function levelsOver(chunkCount: number): number {
  let levels = 1;
  for (let count = chunkCount; count > 1; count = Math.ceil(count / 2)) levels += 1;
  return levels;
}

/** First node held of a level: a left child. */
function firstNode(chunk: number, level: number): number {
  return Math.floor(chunk / 2 ** (level + 1)) * 2;
}

/** Numbers of the parents of the nodes given, ascending. */
function parentsOf(indexes: Float64Array): Float64Array {
  const parents = new Float64Array(indexes.length);
  let count = 0;
  for (let index = 0; index < indexes.length; index++) {
    const parent = Math.floor(indexes[index]! / 2);
    if (count === 0 || parents[count - 1] !== parent) parents[count++] = parent;
  }
  return parents.subarray(0, count);
}

/** Sets the bits from .. to - 1. */
function setBits(words: Int32Array, from: number, to: number): void {
  const [first, last] = [Math.floor(from / 32), Math.floor(to / 32)];
  const head = -1 << (from % 32);
  const tail = (1 << (to % 32)) - 1;
  if (first === last) words[first]! |= head & tail;
  else {
    words[first]! |= head;
    words.fill(-1, first + 1, last);
    if (tail !== 0) words[last]! |= tail;
  }
}
