/**
 * A growing set of transaction ids, held outside the garbage collector's reach: 16 bytes an id and an open-addressing index.
 *
 * Two ids are the same here when their first 16 bytes are: part of the replay rule (docs/format/records.md), so every node
 * agrees. Finding two transactions that collide takes about 2^64 hashes, and gains nothing but the refusal of one of them.
 *
 * Invariants: the index is at most half full; ids keep their order of arrival; only the latest can be removed.
 * The index is keyed with a secret, so that nobody who grinds ids can aim them at one place; the answers do not depend on it.
 */
import { invariant } from './invariant.ts';

/** 32-bit words of an id that are kept and compared: 16 bytes. */
const WORDS = 4;
const INDEX_SIZE_MIN = 16;

/** Four 32-bit words that spread ids over the index; random for a node, anything in a test. */
export type IdSecret = Uint32Array;
/** A secret for those who face no adversary (tests, offline replay). */
export const OPEN_ID_SECRET: IdSecret = new Uint32Array([0x9e3779b9, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f]);

export class IdSet {
  readonly #secret: IdSecret;
  #words: Uint32Array;
  /** Place in `#words` plus one; 0 is empty. Its length is a power of two. */
  #index: Int32Array;
  #size = 0;

  /** @param secret 4 words @param expected how many ids to make room for at first */
  constructor(secret: IdSecret = OPEN_ID_SECRET, expected = 0) {
    invariant(secret.length === WORDS, 'argument', () => `an id secret has 4 words, got ${secret.length}`);
    this.#secret = secret;
    this.#words = new Uint32Array(Math.max(8, expected) * WORDS);
    this.#index = new Int32Array(indexSize(expected));
  }

  /** How many ids it holds. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of memory held. */
  get sizeBytes(): number {
    return this.#words.byteLength + this.#index.byteLength;
  }

  /** Whether an id (at least 16 bytes, borrowed) is in the set. */
  has(id: Uint8Array): boolean {
    const w0 = word(id, 0);
    const w1 = word(id, 4);
    const w2 = word(id, 8);
    const w3 = word(id, 12);
    return this.#index[this.#find(w0, w1, w2, w3)]! !== 0;
  }

  /** Adds an id (at least 16 bytes, copied); false when it was there already. */
  add(id: Uint8Array): boolean {
    return this.#addWords(word(id, 0), word(id, 4), word(id, 8), word(id, 12));
  }

  /** Adds the id at place `at` (in order of arrival) of another set. */
  addFrom(other: IdSet, at: number): boolean {
    invariant(at >= 0 && at < other.#size, 'argument', () => `no id at ${at} of ${other.#size}`);
    const from = other.#words;
    const start = at * WORDS;
    return this.#addWords(from[start]!, from[start + 1]!, from[start + 2]!, from[start + 3]!);
  }

  /** Forgets the ids that arrived after the first `size`. Takes time proportional to the index. */
  truncate(size: number): void {
    invariant(size >= 0 && size <= this.#size, 'argument', () => `cannot truncate ${this.#size} ids to ${size}`);
    if (size === this.#size) return;
    this.#size = size;
    this.#reindex(this.#index.length);
  }

  #addWords(w0: number, w1: number, w2: number, w3: number): boolean {
    const place = this.#find(w0, w1, w2, w3);
    if (this.#index[place]! !== 0) return false;
    const start = this.#size * WORDS;
    if (start === this.#words.length) this.#words = grown(this.#words);
    const words = this.#words;
    words[start] = w0;
    words[start + 1] = w1;
    words[start + 2] = w2;
    words[start + 3] = w3;
    this.#index[place] = ++this.#size;
    if (this.#size * 2 > this.#index.length) this.#reindex(this.#index.length * 2);
    return true;
  }

  /** Place in the index where the id stands, or the empty one where it would. */
  #find(w0: number, w1: number, w2: number, w3: number): number {
    const words = this.#words;
    const index = this.#index;
    const mask = index.length - 1;
    for (let place = this.#spread(w0, w1, w2, w3) & mask; ; place = (place + 1) & mask) {
      const held = index[place]!;
      if (held === 0) return place;
      const start = (held - 1) * WORDS;
      if (words[start] === w0 && words[start + 1] === w1 && words[start + 2] === w2 && words[start + 3] === w3)
        return place;
    }
  }

  #spread(w0: number, w1: number, w2: number, w3: number): number {
    const secret = this.#secret;
    let mix = Math.imul(w0 ^ secret[0]!, 0x85ebca6b);
    mix = Math.imul((mix ^ (mix >>> 15)) + (w1 ^ secret[1]!), 0xc2b2ae35);
    mix = Math.imul((mix ^ (mix >>> 13)) + (w2 ^ secret[2]!), 0x27d4eb2f);
    mix = Math.imul((mix ^ (mix >>> 16)) + (w3 ^ secret[3]!), 0x9e3779b1);
    return mix ^ (mix >>> 15);
  }

  #reindex(indexLength: number): void {
    const index = new Int32Array(indexLength);
    const mask = index.length - 1;
    const words = this.#words;
    for (let at = 0; at < this.#size; at++) {
      const start = at * WORDS;
      let place = this.#spread(words[start]!, words[start + 1]!, words[start + 2]!, words[start + 3]!) & mask;
      while (index[place]! !== 0) place = (place + 1) & mask;
      index[place] = at + 1;
    }
    this.#index = index;
  }
}

function word(id: Uint8Array, at: number): number {
  return (id[at]! | (id[at + 1]! << 8) | (id[at + 2]! << 16) | (id[at + 3]! << 24)) >>> 0;
}

function grown(words: Uint32Array): Uint32Array {
  const larger = new Uint32Array(words.length * 2);
  larger.set(words);
  return larger;
}

/** Smallest power of two that `expected` ids fill at most half. */
function indexSize(expected: number): number {
  let size = INDEX_SIZE_MIN;
  while (size < expected * 2) size *= 2;
  return size;
}
