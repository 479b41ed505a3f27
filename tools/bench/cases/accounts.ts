/**
 * Accounts as a node keeps them: 16 shards behind `AccountTable`, at three sizes. Lookups of random accounts in batches, and a block's
 * updates (read the balances, then apply the new ones), beside a Map and lmdb.
 *
 * At 100 M accounts there is one table of 8 GiB for both twins, and no peers.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { freemem } from 'node:os';
import { join } from 'node:path';
import type { Kernels } from '../../../native/index.ts';
import { AccountTable } from '../../../storage/accounts/account-table.ts';
import { diskFiles } from '../../../storage/files/disk-files.ts';
import { tableLimitWork } from '../limit-work.ts';
import type { BenchCase, Context, Prepared, Work } from '../model.ts';
import { joined } from '../sample-data.ts';
import { addressesOf, BATCH, BATCHES, draw, OP_BYTES, opsOf, pieces } from './account-ops.ts';
import { lmdbPeer, mapPeer } from './account-peers.ts';

const TINY_ACCOUNTS = 500;
/** From here on one table serves both twins, made at its full size. */
const SHARED_FROM = 50_000_000;
const SHARED_SLOTS_LOG2 = 24;
const SHARED_MEMORY_BYTES = 12 * 2 ** 30;
const OP_HEAD_BYTES = 4;

/** @param newCount how many of the accounts are new, where that is known, as the state store knows it */
function put(table: AccountTable, ops: Uint8Array, firstOp: number, newCount?: number): void {
  const changes = table.prepare(ops, [{ offset: 0, count: ops.length / OP_BYTES, firstOp: 0 }]);
  table.reserve(changes, newCount);
  table.apply(changes, firstOp);
}

async function fill(kernels: Kernels, directory: string, total: number): Promise<AccountTable> {
  const size = total < SHARED_FROM ? {} : { shardSlotCountLog2: SHARED_SLOTS_LOG2 };
  const table = await AccountTable.create({ directory, kernels, files: diskFiles(), ...size });
  let firstOp = 0;
  for (const numbers of pieces(total)) {
    put(table, opsOf(numbers), firstOp);
    firstOp += numbers.length;
    if (total >= SHARED_FROM && firstOp % (numbers.length * 20) === 0)
      process.stderr.write(`accounts: ${Math.round(firstOp / 1e6)} M of ${total / 1e6} M put\n`);
  }
  await table.sweep();
  return table;
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

type Operation = 'lookup' | 'update';

function workOf(table: AccountTable, operation: Operation, batches: readonly Uint8Array[]): Work {
  const addresses = batches.map(addressesOf);
  const balances = new Uint8Array((addresses[0]!.length / 20) * 8);
  let batch = 0;
  const call = (): void => {
    const place = batch++ % BATCHES;
    if (operation === 'lookup') table.lookup(addresses[place]!, balances);
    else {
      table.lookup(batches[place]!.subarray(OP_HEAD_BYTES), balances, OP_BYTES);
      put(table, batches[place]!, 0, 0);
    }
  };
  return { units: balances.length / 8, call };
}

/** Tables made as they are asked for: one a twin, or one for both. */
class Tables {
  readonly #made: AccountTable[] = [];
  readonly #directory: string;
  readonly #total: number;
  /** Which twin works on the shared table now. */
  #current: Kernels | undefined;

  constructor(directory: string, total: number) {
    this.#directory = directory;
    this.#total = total;
  }

  async workFor(kernels: Kernels, operation: Operation, batches: readonly Uint8Array[]): Promise<Work> {
    if (this.#total < SHARED_FROM) {
      const table = await fill(kernels, join(this.#directory, kernels.name), this.#total);
      this.#made.push(table);
      return workOf(table, operation, batches);
    }
    this.#current = kernels;
    if (this.#made.length === 0)
      this.#made.push(await fill(this.#switching(kernels), join(this.#directory, 'shared'), this.#total));
    const { units, call } = workOf(this.#made[0]!, operation, batches);
    return {
      units,
      call: () => {
        this.#current = kernels;
        return call();
      },
    };
  }

  /** Kernels that are those of the twin at work; the memory is the first one's. */
  #switching(kernels: Kernels): Kernels {
    const now = (): Kernels => this.#current ?? kernels;
    return {
      ...kernels,
      tableRead: (...call) => now().tableRead(...call),
      tablePut: (...call) => now().tablePut(...call),
      tableMissing: (...call) => now().tableMissing(...call),
    };
  }

  /** Bytes of memory for each account, in the first table made. */
  get note(): string {
    const table = this.#made[0];
    if (table === undefined) return '';
    return `${(table.sizeBytes / table.count).toFixed(1)} bytes of table an account`;
  }

  close(): void {
    for (const table of this.#made) table.close();
  }
}

async function prepare(context: Context, operation: Operation, accounts: number): Promise<Prepared> {
  const total = context.size === 'tiny' ? TINY_ACCOUNTS : accounts;
  if (total >= SHARED_FROM && freemem() < SHARED_MEMORY_BYTES)
    throw new RangeError(
      `${total} accounts need ${SHARED_MEMORY_BYTES / 2 ** 30} GiB of free memory, there are ${Math.floor(freemem() / 2 ** 30)}`,
    );
  const directory = mkdtempSync(join(context.directory, 'cairn-accounts-'));
  const batches = draw(total);
  const peers =
    total < SHARED_FROM ? { Map: mapPeer(total, batches), lmdb: lmdbPeer(directory, total, batches) } : undefined;
  const tables = new Tables(directory, total);
  return {
    ours: (kernels) => tables.workFor(kernels, operation, batches),
    peers: { Map: peers?.Map[operation], lmdb: peers?.lmdb[operation] },
    limit: tableLimitWork(context, operation === 'lookup' ? 'randomRead' : 'randomUpdate', BATCH, 64 * total),
    note: () => tables.note,
    result: (kernels) => smallResult(context, kernels),
    close: async () => {
      tables.close();
      for (const peer of Object.values(peers ?? {})) await peer.close();
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
    limitIs: `random ${operation === 'lookup' ? 'reads' : 'reads and writes'} of 32-byte slots in as much memory (at most 1 GiB), prefetched 32 ahead`,
    prepare: (context) => prepare(context, operation, accounts),
  }));
}

export const accounts1M: readonly BenchCase[] = cases('1M', 1_000_000, false);
export const accounts10M: readonly BenchCase[] = cases('10M', 10_000_000, true);
export const accounts100M: readonly BenchCase[] = cases('100M', 100_000_000, true);
