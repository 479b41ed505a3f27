/**
 * A list of numbers with running indexes: grows at the end, is dropped from the front. 8 bytes an entry.
 *
 * Invariant: entries keep their index; those before `start` are gone.
 */
import { assertInvariant } from '../errors.ts';

const CAPACITY_MIN = 64;

export class NumberList {
  #values = new Float64Array(CAPACITY_MIN);
  /** Index of the entry that stands first in `#values`; at most `#start`. */
  #base: number;
  #start: number;
  #end: number;

  /** An empty list. @param start index that the first entry will have */
  constructor(start: number) {
    this.#base = start;
    this.#start = start;
    this.#end = start;
  }

  /** Index of the first entry kept. */
  get start(): number {
    return this.#start;
  }

  /** Index that the next entry gets. */
  get end(): number {
    return this.#end;
  }

  push(value: number): void {
    if (this.#end - this.#base === this.#values.length) this.#makeRoom();
    this.#values[this.#end - this.#base] = value;
    this.#end += 1;
  }

  /** Adds entries, copied. */
  pushAll(values: Float64Array): void {
    if (this.#end - this.#base + values.length > this.#values.length) this.#makeRoom(values.length);
    this.#values.set(values, this.#end - this.#base);
    this.#end += values.length;
  }

  /** All entries, copied. */
  toArray(): Float64Array {
    return this.#values.slice(this.#start - this.#base, this.#end - this.#base);
  }

  /** The entry of that index. */
  at(index: number): number {
    assertInvariant(index >= this.#start && index < this.#end, 'a number list is read where it has entries');
    return this.#values[index - this.#base]!;
  }

  /** Drops the entries before `index`; nothing happens when they are gone. */
  dropBefore(index: number): void {
    this.#start = Math.max(this.#start, Math.min(index, this.#end));
  }

  /** Index of the last entry that is at most `value`, in an ascending list; `start - 1` when there is none. @param end look before it */
  lastAtMost(value: number, end: number = this.#end): number {
    let [low, high] = [this.#start, end];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#values[middle - this.#base]! <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Twice the room, or the same when that is half empty at the front; enough for `more` in any case. */
  #makeRoom(more = 1): void {
    const kept = this.#values.subarray(this.#start - this.#base, this.#end - this.#base);
    const values = new Float64Array(Math.max(CAPACITY_MIN, kept.length * 2, kept.length + more));
    values.set(kept);
    this.#values = values;
    this.#base = this.#start;
  }
}
