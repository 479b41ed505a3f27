/**
 * Accounts as a node keeps them: 16 shards in mapped files behind `AccountTable`, at two sizes. Lookups of random accounts in batches, and
 * read-modify-write of a batch of account ops (read the balances, then apply the new ones), beside a Map and lmdb.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { open as openLmdb } from 'lmdb';
import { byteKey, type Kernels } from '../../../native/index.ts';
import { AccountTable } from '../../../storage/accounts/account-table.ts';
import { diskFiles } from '../../../storage/files/disk-files.ts';
import { limitWork } from '../limit-work.ts';
import type { BenchCase, Context, Prepared, Work } from '../model.ts';
import { joined, sampleBytes } from '../sample-data.ts';

const TINY_ACCOUNTS = 500;
const BATCH = 65_536;
const BATCHES = 16;
const OP_BYTES = 32;
/** Ops put at once while filling. */
const FILL_OPS = 262_144;
const ACCOUNT_OP_HEAD = 1 | (20 << 8) | (8 << 16);

/** Ops (head, address, balance) of accounts numbered by `numbers`; address n is the same in every call. */
function opsOf(numbers: Uint32Array): Uint8Array {
  const ops = new Uint8Array(numbers.length * OP_BYTES);
  const view = new DataView(ops.buffer);
  for (const [index, number] of numbers.entries()) {
    const at = index * OP_BYTES;
    view.setUint32(at, ACCOUNT_OP_HEAD, true);
    // A one-to-one mixing, so that addresses are spread over the shards and differ.
    view.setUint32(at + 4, Math.imul(number + 1, 0x9e3779b1));
    view.setUint32(at + 20, number, true);
    view.setUint32(at + 24, number + 1, true);
  }
  return ops;
}

const addressesOf = (ops: Uint8Array): Uint8Array => {
  const addresses = new Uint8Array((ops.length / OP_BYTES) * 20);
  for (let i = 0; i * 20 < addresses.length; i += 1)
    addresses.set(ops.subarray(i * OP_BYTES + 4, i * OP_BYTES + 24), i * 20);
  return addresses;
};

function put(table: AccountTable, ops: Uint8Array, firstOp: number): void {
  const changes = table.prepare(ops, [{ offset: 0, count: ops.length / OP_BYTES, firstOp: 0 }]);
  table.reserve(changes);
  table.apply(changes, firstOp);
}

/** Numbers from..to in pieces. */
function* pieces(total: number): Generator<Uint32Array> {
  for (let from = 0; from < total; from += FILL_OPS)
    yield Uint32Array.from({ length: Math.min(FILL_OPS, total - from) }, (_, index) => from + index);
}

async function fill(kernels: Kernels, directory: string, total: number): Promise<AccountTable> {
  const table = await AccountTable.create({ directory, kernels, files: diskFiles(kernels) });
  let firstOp = 0;
  for (const numbers of pieces(total)) {
    put(table, opsOf(numbers), firstOp);
    firstOp += numbers.length;
  }
  await table.sweep();
  return table;
}

/** Batches of random accounts. */
function draw(total: number): Uint8Array[] {
  const size = Math.min(BATCH, total);
  return Array.from({ length: BATCHES }, (_, batch) => {
    const random = new Uint32Array(sampleBytes(4 * size, 90 + batch).buffer);
    return opsOf(random.map((value) => value % total));
  });
}

async function smallResult(context: Context, kernels: Kernels): Promise<Uint8Array> {
  const directory = mkdtempSync(join(context.directory, 'cairn-accounts-'));
  const table = await fill(kernels, join(directory, 'small'), TINY_ACCOUNTS);
  const addresses = addressesOf(opsOf(Uint32Array.from({ length: 2 * TINY_ACCOUNTS }, (_, index) => index)));
  const balances = new Uint8Array((addresses.length / 20) * 8);
  table.lookup(addresses, balances);
  table.close();
  rmSync(directory, { recursive: true });
  return joined(balances);
}

interface Peer {
  readonly lookup: Work;
  readonly update: Work;
  readonly close: () => Promise<void>;
}

/** A Map from the address as a string: what one would write first. */
function mapPeer(total: number, batches: readonly Uint8Array[]): Peer {
  const map = new Map<string, bigint>();
  for (const numbers of pieces(total)) {
    const addresses = addressesOf(opsOf(numbers));
    for (const [index, number] of numbers.entries())
      map.set(byteKey(addresses.subarray(index * 20, index * 20 + 20)), BigInt(number));
  }
  const asked = batches.map(addressesOf);
  const units = asked[0]!.length / 20;
  let batch = 0;
  const each = (act: (key: string) => unknown): void => {
    const addresses = asked[batch++ % BATCHES]!;
    for (let at = 0; at < addresses.length; at += 20) act(byteKey(addresses.subarray(at, at + 20)));
  };
  const read = (key: string): bigint => map.get(key) ?? 0n;
  return {
    lookup: { units, call: () => each(read) },
    update: { units, call: () => each((key) => void map.set(key, read(key) + 1n)) },
    close: async () => map.clear(),
  };
}

/** lmdb without syncing: its memory map against ours. */
function lmdbPeer(directory: string, total: number, batches: readonly Uint8Array[]): Peer {
  const database = openLmdb({ path: join(directory, 'lmdb'), keyEncoding: 'binary', encoding: 'binary', noSync: true });
  const value = Buffer.alloc(8, 1);
  for (const numbers of pieces(total)) {
    const addresses = Buffer.from(addressesOf(opsOf(numbers)).buffer);
    database.transactionSync(() => {
      for (let at = 0; at < addresses.length; at += 20) database.putSync(addresses.subarray(at, at + 20), value);
    });
  }
  const asked = batches.map((ops) => Buffer.from(addressesOf(ops).buffer));
  const units = asked[0]!.length / 20;
  let batch = 0;
  const each = (act: (key: Buffer) => void): void => {
    const addresses = asked[batch++ % BATCHES]!;
    for (let at = 0; at < addresses.length; at += 20) act(addresses.subarray(at, at + 20));
  };
  return {
    lookup: { units, call: () => each((key) => void database.getBinaryFast(key)) },
    update: {
      units,
      call: () =>
        database.transactionSync(() =>
          each((key) => {
            database.getBinaryFast(key);
            database.putSync(key, value);
          }),
        ),
    },
    close: () => database.close(),
  };
}

type Operation = 'lookup' | 'update';

function workOf(table: AccountTable, operation: Operation, batches: readonly Uint8Array[]): Work {
  const addresses = batches.map(addressesOf);
  const balances = new Uint8Array((addresses[0]!.length / 20) * 8);
  let batch = 0;
  const call = (): void => {
    const place = batch++ % BATCHES;
    table.lookup(addresses[place]!, balances);
    if (operation === 'update') put(table, batches[place]!, 0);
  };
  return { units: balances.length / 8, call };
}

async function prepare(context: Context, operation: Operation, accounts: number): Promise<Prepared> {
  const total = context.size === 'tiny' ? TINY_ACCOUNTS : accounts;
  const directory = mkdtempSync(join(context.directory, 'cairn-accounts-'));
  const batches = draw(total);
  const peers = { Map: mapPeer(total, batches), lmdb: lmdbPeer(directory, total, batches) };
  const tables: AccountTable[] = [];
  return {
    ours: async (kernels) => {
      const table = await fill(kernels, join(directory, kernels.name), total);
      tables.push(table);
      return workOf(table, operation, batches);
    },
    peers: { Map: peers.Map[operation], lmdb: peers.lmdb[operation] },
    limit: limitWork(context, operation === 'lookup' ? 'randomRead' : 'randomUpdate', BATCH),
    result: (kernels) => smallResult(context, kernels),
    close: async () => {
      for (const table of tables) table.close();
      for (const peer of Object.values(peers)) await peer.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function cases(label: string, accounts: number, onRequest: boolean): BenchCase[] {
  return (['lookup', 'update'] as const).map((operation) => ({
    name: `accounts.${operation}.${label}`,
    unit: operation === 'lookup' ? 'lookups' : 'updates',
    rounds: 9,
    onRequest,
    limitIs: `random ${operation === 'lookup' ? 'reads' : 'reads and writes'} of 32-byte slots in 256 MiB, prefetched 32 ahead`,
    prepare: (context) => prepare(context, operation, accounts),
  }));
}

export const accounts1M: readonly BenchCase[] = cases('1M', 1_000_000, false);
export const accounts10M: readonly BenchCase[] = cases('10M', 10_000_000, true);
