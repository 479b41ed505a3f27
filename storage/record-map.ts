/**
 * The ledger's small keyed records, in memory: rebuilt from the op log at every open.
 *
 * Invariants: `#keys` holds the keys of `#values`, ascending in byte order; keys and values are copies, never views of a batch.
 */
import { byteKey } from '../native/index.ts';

type StoredRecord = readonly [key: Uint8Array, value: Uint8Array];

export class RecordMap {
  readonly #values = new Map<string, StoredRecord>();
  /** Latin-1 strings compare as their bytes do. */
  readonly #keys: string[] = [];

  get size(): number {
    return this.#values.size;
  }

  /** The value (borrowed), or undefined. */
  get(key: Uint8Array): Uint8Array | undefined {
    return this.#values.get(byteKey(key))?.[1];
  }

  /** Sets a record; key and value are copied. */
  put(key: Uint8Array, value: Uint8Array): void {
    const name = byteKey(key);
    if (!this.#values.has(name)) this.#keys.splice(this.#position(name), 0, name);
    this.#values.set(name, [key.slice(), value.slice()]);
  }

  /** Removes a record; nothing happens when there is none. */
  delete(key: Uint8Array): void {
    const name = byteKey(key);
    if (this.#values.delete(name)) this.#keys.splice(this.#position(name), 1);
  }

  /** Records whose key starts with `prefix`, ascending; as they were at the first step, whatever changes meanwhile. */
  *withPrefix(prefix: Uint8Array): Generator<StoredRecord> {
    const start = byteKey(prefix);
    const found: StoredRecord[] = [];
    for (let index = this.#position(start); index < this.#keys.length; index++) {
      const name = this.#keys[index]!;
      if (!name.startsWith(start)) break;
      found.push(this.#values.get(name)!);
    }
    yield* found;
  }

  /** Where a key stands, or would stand. */
  #position(name: string): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
