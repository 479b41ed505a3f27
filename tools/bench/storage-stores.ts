/**
 * The stores a user would pick instead of ours, each doing the same durable batch: all puts in one transaction or batch, on disk when it resolves.
 *
 * lmdb is here always; classic-level, better-sqlite3 and rocksdb-native live in tools/bench-peers (`npm ci --prefix tools/bench-peers`). None of them makes a
 * root over its state.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open as openLmdb } from 'lmdb';
import { packageRoot } from '../../native/worker-url.ts';
import type { Work } from './model.ts';

/** A key of 20 bytes and a value of 8. */
export interface Pair {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** An open store as a contestant. */
export interface StoreWork {
  readonly work: Work;
  readonly close: () => Promise<void>;
}

interface Level {
  open(): Promise<void>;
  batch(): { put(key: Buffer, value: Buffer): unknown; write(options: { sync: boolean }): Promise<void> };
  close(): Promise<void>;
}
interface Sqlite {
  pragma(text: string): unknown;
  exec(text: string): unknown;
  prepare(text: string): { run(...values: Buffer[]): unknown };
  transaction(work: () => void): () => void;
  close(): void;
}
interface Rocks {
  ready(): Promise<void>;
  write(): { put(key: Buffer, value: Buffer): unknown; flush(): Promise<void>; destroy(): void };
  flush(): Promise<void>;
  close(): Promise<void>;
}
type Constructor<T> = new (path: string, options?: object) => T;

function find<T>(name: string): T | undefined {
  const folder = join(packageRoot(fileURLToPath(import.meta.url)), 'tools/bench-peers');
  try {
    return createRequire(join(folder, 'package.json'))(name) as T;
  } catch {
    return undefined;
  }
}

function lmdb(directory: string, pairs: readonly Pair[]): StoreWork {
  const database = openLmdb({ path: join(directory, 'lmdb'), keyEncoding: 'binary', encoding: 'binary' });
  const call = (): void =>
    database.transactionSync(() => {
      for (const { key, value } of pairs) database.putSync(key, value);
    });
  return { work: { units: pairs.length, call }, close: () => database.close() };
}

/** LevelDB through its chained batch, the fast form, synced. */
async function level(directory: string, pairs: readonly Pair[]): Promise<StoreWork | undefined> {
  const found = find<{ ClassicLevel: Constructor<Level> }>('classic-level');
  if (found === undefined) return undefined;
  const options = { keyEncoding: 'buffer', valueEncoding: 'buffer' };
  const database = new found.ClassicLevel(join(directory, 'level'), options);
  await database.open();
  const call = (): Promise<void> => {
    const batch = database.batch();
    for (const { key, value } of pairs) batch.put(key, value);
    return batch.write({ sync: true });
  };
  return { work: { units: pairs.length, call }, close: () => database.close() };
}

/** SQLite with a write-ahead log that is synced at every commit. */
function sqlite(directory: string, pairs: readonly Pair[]): StoreWork | undefined {
  const Database = find<Constructor<Sqlite>>('better-sqlite3');
  if (Database === undefined) return undefined;
  const database = new Database(join(directory, 'accounts.sqlite'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('CREATE TABLE accounts (address BLOB PRIMARY KEY, balance BLOB) WITHOUT ROWID');
  const put = database.prepare('INSERT OR REPLACE INTO accounts VALUES (?, ?)');
  const call = database.transaction(() => {
    for (const { key, value } of pairs) put.run(key, value);
  });
  return { work: { units: pairs.length, call }, close: async () => database.close() };
}

/** RocksDB: its binding never syncs the write-ahead log, so a durable batch is a batch and then a flush of the memory table. */
async function rocksdb(directory: string, pairs: readonly Pair[]): Promise<StoreWork | undefined> {
  const Database = find<Constructor<Rocks>>('rocksdb-native');
  if (Database === undefined) return undefined;
  const database = new Database(join(directory, 'rocksdb'));
  await database.ready();
  const call = async (): Promise<void> => {
    const batch = database.write();
    for (const { key, value } of pairs) batch.put(key, value);
    await batch.flush();
    batch.destroy();
    await database.flush();
  };
  return { work: { units: pairs.length, call }, close: () => database.close() };
}

/** Every store that is installed, by name; those that are not are undefined. */
export async function openStores(
  directory: string,
  pairs: readonly Pair[],
): Promise<Readonly<Record<string, StoreWork | undefined>>> {
  return {
    lmdb: lmdb(directory, pairs),
    'classic-level': await level(directory, pairs),
    'better-sqlite3': sqlite(directory, pairs),
    'rocksdb-native': await rocksdb(directory, pairs),
  };
}
