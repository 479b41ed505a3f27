/**
 * The simulated adapter of `KeyValues`: environments in memory that outlive the process that opened them, and lose what was not durable in a power cut.
 *
 * Invariants
 * - Transactions asked for while others are being synced wait, and are synced together, as lmdb does it: one `sync` each time, all in order.
 * - A power cut keeps the transactions under way up to some point in their order (chosen by `random`), each whole, and loses the rest.
 * - After a power cut, or a failed sync, the stores opened before throw: 'power-cut', or what the sync threw.
 */
import { byteKey } from '../../native/index.ts';
import { FilesError } from '../files/files.ts';
import type { KeyRange, KeyValueStore, KeyValues, Table, TableKey, TableShape } from './key-value.ts';

export interface SimulatedKeyValuesOptions {
  /** Takes the time of a sync, and may fail as one does; nothing and never unless given. */
  readonly sync?: (path: string) => Promise<void>;
  /** 0 <= x < 1: decides what a power cut keeps. */
  readonly random: () => number;
  /** What stands for the environment of a folder on a disk whose folders are renamed, removed and lost: `SimulatedDisk.environmentAt`. The path itself unless given. */
  readonly placeOf?: (path: string) => object;
}

interface Row {
  readonly key: TableKey;
  readonly value: unknown;
}
type Rows = Map<string | number, Row>;
type Change = { readonly rows: Rows; readonly key: TableKey; readonly value: unknown };

interface Transaction {
  readonly changes: readonly Change[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** One environment: what is durable, by table. */
interface Environment {
  readonly tables: Map<string, Rows>;
  /** Being synced, or waiting for that. */
  readonly pending: Transaction[];
  isOpen: boolean;
}

const REMOVED = Symbol('removed');

export class SimulatedKeyValues implements KeyValues {
  readonly #options: SimulatedKeyValuesOptions;
  readonly #environments = new Map<string | object, Environment>();
  /** Rises when the power goes: what was opened before is dead. */
  #boot = 0;

  constructor(options: SimulatedKeyValuesOptions) {
    this.#options = options;
  }

  open(path: string): KeyValueStore {
    const place = this.#options.placeOf?.(path) ?? path;
    let environment = this.#environments.get(place);
    if (environment === undefined) {
      environment = { tables: new Map(), pending: [], isOpen: false };
      this.#environments.set(place, environment);
    }
    if (environment.isOpen) throw new FilesError('locked', path, 'already open');
    environment.isOpen = true;
    const boot = this.#boot;
    return new SimulatedStore(path, environment, this.#options.sync ?? (async () => {}), () => boot === this.#boot);
  }

  /** The power goes now. Nothing more is acknowledged to those who had a store open. */
  powerCut(): void {
    this.#boot += 1;
    for (const environment of this.#environments.values()) {
      environment.isOpen = false;
      const under = environment.pending.splice(0);
      const kept = Math.floor(this.#options.random() * (under.length + 1));
      for (const [at, transaction] of under.entries()) {
        if (at < kept) apply(transaction.changes);
        transaction.reject(powerCut('a key-value store'));
      }
    }
  }
}

class SimulatedStore implements KeyValueStore {
  readonly #path: string;
  readonly #environment: Environment;
  readonly #sync: (path: string) => Promise<void>;
  readonly #isPowered: () => boolean;
  #changes: Change[] | undefined;
  #syncing: Promise<void> | undefined;
  #failure: Error | undefined;
  #isClosed = false;

  constructor(path: string, environment: Environment, sync: (path: string) => Promise<void>, isPowered: () => boolean) {
    this.#path = path;
    this.#environment = environment;
    this.#sync = sync;
    this.#isPowered = isPowered;
  }

  table<K extends TableKey, V>({ name }: TableShape): Table<K, V> {
    const key = name ?? '';
    let rows = this.#environment.tables.get(key);
    if (rows === undefined) {
      rows = new Map();
      this.#environment.tables.set(key, rows);
    }
    return new SimulatedTable<K, V>(
      rows,
      () => this.#require(),
      (change) => this.#change(change),
    );
  }

  async write(change: () => void): Promise<void> {
    this.#require();
    if (this.#failure !== undefined) throw this.#failure;
    const changes: Change[] = [];
    this.#changes = changes;
    try {
      change();
    } finally {
      this.#changes = undefined;
    }
    const done = new Promise<void>((resolve, reject) => this.#environment.pending.push({ changes, resolve, reject }));
    this.#syncing ??= this.#syncAll();
    await done;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.#syncing;
    this.#isClosed = true;
    if (this.#isPowered()) this.#environment.isOpen = false;
  }

  /** Syncs what waits, batch by batch, until nothing does. */
  async #syncAll(): Promise<void> {
    const { pending } = this.#environment;
    while (pending.length > 0 && this.#isPowered()) {
      const count = pending.length;
      try {
        await this.#sync(this.#path);
      } catch (error) {
        if (this.#isPowered()) this.#fail(error as Error);
        break;
      }
      // A power cut has answered them all.
      if (!this.#isPowered()) break;
      for (const { changes, resolve } of pending.splice(0, count)) {
        apply(changes);
        resolve();
      }
    }
    this.#syncing = undefined;
  }

  #fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#environment.pending.splice(0)) reject(error);
  }

  #require(): void {
    if (!this.#isPowered()) throw powerCut(this.#path);
    if (this.#isClosed) throw new FilesError('closed', this.#path, 'the store is closed');
  }

  #change(change: Change): void {
    if (this.#changes === undefined) throw new RangeError('a table is changed within `write` only');
    this.#changes.push(change);
  }
}

class SimulatedTable<K extends TableKey, V> implements Table<K, V> {
  readonly #rows: Rows;
  readonly #require: () => void;
  readonly #change: (change: Change) => void;

  constructor(rows: Rows, require: () => void, change: (change: Change) => void) {
    this.#rows = rows;
    this.#require = require;
    this.#change = change;
  }

  get(key: K): V | undefined {
    this.#require();
    return this.#rows.get(nameOf(key))?.value as V | undefined;
  }

  keys({ start, end, reverse, limit }: KeyRange<K> = {}): Iterable<K> {
    this.#require();
    const keys: K[] = [];
    for (const { key } of this.#rows.values())
      if ((start === undefined || compare(key, start) >= 0) && (end === undefined || compare(key, end) < 0))
        keys.push(key as K);
    keys.sort(reverse === true ? (a, b) => compare(b, a) : compare);
    return limit === undefined ? keys : keys.slice(0, limit);
  }

  get count(): number {
    this.#require();
    return this.#rows.size;
  }

  put(key: K, value: V): void {
    this.#change({ rows: this.#rows, key: copied(key) as TableKey, value: copied(value) });
  }

  remove(key: K): void {
    this.#change({ rows: this.#rows, key, value: REMOVED });
  }
}

function apply(changes: readonly Change[]): void {
  for (const { rows, key, value } of changes)
    if (value === REMOVED) rows.delete(nameOf(key));
    else rows.set(nameOf(key), { key, value });
}

function nameOf(key: TableKey): string | number {
  if (key instanceof Uint8Array) return byteKey(key);
  return typeof key === 'object' ? key.join('/') : key;
}

/** A deep copy, of what msgpack carries. */
function copied(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(copied);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, copied(one)]));
}

function compare(a: TableKey, b: TableKey): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (Array.isArray(a) && Array.isArray(b)) return a[0] - b[0] || a[1] - b[1];
  return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
}

function powerCut(path: string): FilesError {
  return new FilesError('power-cut', path, 'the power was cut');
}
