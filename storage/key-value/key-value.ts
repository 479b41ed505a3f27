/**
 * The port through which indexes are kept: small ordered tables, changed by whole transactions. lmdb is the real adapter; the simulated one keeps the same
 * promises and loses whatever they leave open.
 *
 * What a caller may rely on, and no more
 * - A transaction is all or nothing, and durable once `write` resolved; before, a power cut keeps or loses it. Transactions become durable in order.
 * - Its changes are read only once it is durable.
 * - Byte arrays read belong to the store: copy what is kept. Byte arrays written are copied before `write` returns.
 *
 * Adapters: `lmdb-key-values.ts` and `simulated-key-values.ts`; one contract suite runs over both.
 */

/** Text, whole numbers, bytes, or pairs of whole numbers: of one kind within a table. */
export type TableKey = string | number | Uint8Array | readonly [number, number];

/** Fixed when a table is first made. */
export interface TableShape {
  /** Unique in its store; null: the table that is always there. */
  readonly name: string | null;
  /** `bytes` when keys are Uint8Arrays. */
  readonly keys: 'ordered' | 'bytes';
  /** `bytes` when values are Uint8Arrays and nothing else; `packed` (msgpack) for numbers, text, arrays and plain objects of these. */
  readonly values: 'packed' | 'bytes';
}

export interface KeyRange<K> {
  /** First key, included. With `reverse` the walk begins at the end. */
  readonly start?: K;
  /** Not included. */
  readonly end?: K;
  readonly reverse?: boolean;
  /** Most keys. */
  readonly limit?: number;
}

export interface Table<K extends TableKey, V> {
  get(key: K): V | undefined;
  /** Keys in ascending order (numbers by value, bytes and text byte by byte, pairs by first then second). */
  keys(range?: KeyRange<K>): Iterable<K>;
  /** Rows. */
  readonly count: number;
  /** Within `write` only. Replaces. */
  put(key: K, value: V): void;
  /** Within `write` only. Nothing happens when the key is not there. */
  remove(key: K): void;
}

export interface KeyValueStore {
  /** Opens or makes a table. Call once each, before the first `write`. */
  table<K extends TableKey, V>(shape: TableShape): Table<K, V>;
  /** One transaction: `change` puts and removes, at once and without waiting. Durable when resolved. */
  write(change: () => void): Promise<void>;
  /** Waits for writes under way. */
  close(): Promise<void>;
}

export interface KeyValues {
  /** Opens or makes the store at `path` (a folder, created with those above it). */
  open(path: string): KeyValueStore;
}
