/** The real adapter of `KeyValues`: one lmdb environment a store, values in msgpackr. */
import { type Database, open, type RangeOptions, type RootDatabase } from 'lmdb';
import type { KeyRange, KeyValueStore, KeyValues, Table, TableKey, TableShape } from './key-value.ts';

/** Named tables one store may have. */
const TABLES_MAX = 8;

type Key = string | number | Buffer | number[];

/** lmdb wants Buffers and arrays it may call its own. */
function asKey(key: TableKey): Key {
  if (key instanceof Uint8Array) return Buffer.from(key.buffer, key.byteOffset, key.length);
  return typeof key === 'object' ? [...key] : key;
}

class LmdbTable<K extends TableKey, V> implements Table<K, V> {
  readonly #rows: Database<V, Key>;
  readonly #isBytes: boolean;

  constructor(rows: Database<V, Key>, isBytes: boolean) {
    this.#rows = rows;
    this.#isBytes = isBytes;
  }

  get(key: K): V | undefined {
    return this.#rows.get(asKey(key));
  }

  keys({ start, end, reverse, limit }: KeyRange<K> = {}): Iterable<K> {
    const range: RangeOptions = {};
    // lmdb walks from `start` towards `end` whatever the direction: reversed, from the end down.
    const [from, to] = reverse === true ? [end, start] : [start, end];
    if (from !== undefined) range.start = asKey(from);
    if (to !== undefined) range.end = asKey(to);
    if (reverse !== undefined) range.reverse = reverse;
    if (limit !== undefined) range.limit = limit;
    return this.#rows.getKeys(range) as Iterable<Key> as Iterable<K>;
  }

  get count(): number {
    return (this.#rows.getStats() as { entryCount?: number }).entryCount ?? 0;
  }

  put(key: K, value: V): void {
    const owned = this.#isBytes ? (Buffer.from(value as Uint8Array) as V) : value;
    void this.#rows.put(asKey(key), owned);
  }

  remove(key: K): void {
    void this.#rows.remove(asKey(key));
  }
}

class LmdbStore implements KeyValueStore {
  readonly #root: RootDatabase<unknown, Key>;

  constructor(path: string) {
    // Without overlapping sync a write's promise resolves only when it is on disk.
    this.#root = open<unknown, Key>({ path, overlappingSync: false, maxDbs: TABLES_MAX });
  }

  table<K extends TableKey, V>({ name, keys, values }: TableShape): Table<K, V> {
    const options = {
      ...(keys === 'bytes' ? { keyEncoding: 'binary' as const } : {}),
      ...(values === 'bytes' ? { encoding: 'binary' as const } : {}),
    };
    const rows = name === null ? this.#root : this.#root.openDB<unknown, Key>({ name, ...options });
    return new LmdbTable<K, V>(rows as Database<V, Key>, values === 'bytes');
  }

  async write(change: () => void): Promise<void> {
    await this.#root.batch(change);
  }

  close(): Promise<void> {
    return this.#root.close();
  }
}

/** lmdb on the real disk. */
export const lmdbKeyValues: KeyValues = { open: (path) => new LmdbStore(path) };
