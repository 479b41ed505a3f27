/**
 * A growing run of 32-byte items in one piece of memory: one level of a tree, or the chunks of the activity bitmap.
 *
 * Items are numbered over the whole tree, but only those from `first` to `end` - 1 are held.
 *
 * Invariants: numbers below `first` are gone for good; items lie packed, `bytes` and `words` showing the same memory. Growing and
 * dropping may move the memory: never keep `words`, `bytes` or a view from `at` across them. Words are little-endian, as this project's
 * machines are.
 */
import { assertInvariant } from '../errors.ts';
import { HASH_SIZE_BYTES } from './merkle.ts';

export const ITEM_WORDS: number = HASH_SIZE_BYTES / 4;
const CAPACITY_MIN = 16;

export class HashColumn {
  #first: number;
  #end: number;
  #words: Int32Array;
  #bytes: Uint8Array;

  /** @param first number of the first item that will be held */
  constructor(first: number) {
    this.#first = first;
    this.#end = first;
    this.#words = new Int32Array(CAPACITY_MIN * ITEM_WORDS);
    this.#bytes = new Uint8Array(this.#words.buffer);
  }

  /** Number of the first item held. */
  get first(): number {
    return this.#first;
  }

  /** One more than the number of the last item held. */
  get end(): number {
    return this.#end;
  }

  /** All items, item i at word 8 * (i - first); borrowed until the next change of size. */
  get words(): Int32Array {
    return this.#words;
  }

  /** All items, item i at byte 32 * (i - first); borrowed until the next change of size. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** One item: borrowed until the next change of size. */
  at(index: number): Uint8Array {
    assertInvariant(
      index >= this.#first && index < this.#end,
      `item ${index} of a column holding ${this.#first} .. ${this.#end - 1}`,
    );
    const at = (index - this.#first) * HASH_SIZE_BYTES;
    return this.#bytes.subarray(at, at + HASH_SIZE_BYTES);
  }

  /** Adds items (packed, copied) at the end. */
  append(items: Uint8Array): void {
    const at = this.#end;
    this.growTo(at + items.length / HASH_SIZE_BYTES);
    this.#bytes.set(items, (at - this.#first) * HASH_SIZE_BYTES);
  }

  /** Makes `end` at least so large; memory that was never written is zero. */
  growTo(end: number): void {
    if (end <= this.#end) return;
    const size = (end - this.#first) * ITEM_WORDS;
    if (size > this.#words.length) {
      const words = new Int32Array(Math.max(size, this.#words.length * 2));
      words.set(this.#words.subarray(0, (this.#end - this.#first) * ITEM_WORDS));
      this.#hold(words);
    }
    this.#end = end;
  }

  /** Lets go of items below `index`: at once where that is cheap, later where it would mean moving many for the sake of few. */
  dropBefore(index: number): void {
    const dropped = Math.min(index, this.#end) - this.#first;
    const kept = this.#end - this.#first - dropped;
    if (dropped <= kept || dropped <= CAPACITY_MIN) return;
    const live = this.#words.subarray(dropped * ITEM_WORDS, (dropped + kept) * ITEM_WORDS);
    const words = new Int32Array(Math.max(live.length * 2, CAPACITY_MIN * ITEM_WORDS));
    words.set(live);
    this.#first += dropped;
    this.#hold(words);
  }

  #hold(words: Int32Array): void {
    this.#words = words;
    this.#bytes = new Uint8Array(words.buffer);
  }
}
