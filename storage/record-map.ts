/**
 * The ledger's small keyed records, in memory: rebuilt from the op log at every open.
 *
 * Invariants: `#keys` holds the keys of `#values`, ascending in byte order; keys and values are copies, never views of a batch; each
 * record knows the number of the op that set it.
 */
import { byteKey } from '../native/index.ts';

type Pair = readonly [key: Uint8Array, value: Uint8Array];
interface StoredRecord {
  readonly pair: Pair;
  /** Number of the op that set it. */
  readonly op: number;
}

export class RecordMap {
  readonly #values = new Map<string, StoredRecord>();
  /** Latin-1 strings compare as their bytes do. */
  readonly #keys: string[] = [];

  get size(): number {
    return this.#values.size;
  }

  /** The value (borrowed), or undefined. */
  get(key: Uint8Array): Uint8Array | undefined {
    return this.#values.get(byteKey(key))?.pair[1];
  }

  /** Number of the op that set the record; -1 when there is none. */
  position(key: Uint8Array): number {
    return this.#values.get(byteKey(key))?.op ?? -1;
  }

  /** Numbers of the ops that set the records, in no order. */
  positions(): Float64Array {
    return Float64Array.from(this.#values.values(), ({ op }) => op);
  }

  /** Sets a record; key and value are copied. @param op number of the op that does */
  put(key: Uint8Array, value: Uint8Array, op: number): void {
    const name = byteKey(key);
    if (!this.#values.has(name)) this.#keys.splice(this.#position(name), 0, name);
    this.#values.set(name, { pair: [key.slice(), value.slice()], op });
  }

  /** Removes a record; nothing happens when there is none. */
  delete(key: Uint8Array): void {
    const name = byteKey(key);
    if (this.#values.delete(name)) this.#keys.splice(this.#position(name), 1);
  }

  /** Records whose key starts with `prefix`, ascending; as they were at the first step, whatever changes meanwhile. */
  *withPrefix(prefix: Uint8Array): Generator<Pair> {
    const start = byteKey(prefix);
    const found: Pair[] = [];
    for (let index = this.#position(start); index < this.#keys.length; index++) {
      const name = this.#keys[index]!;
      if (!name.startsWith(start)) break;
      found.push(this.#values.get(name)!.pair);
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
