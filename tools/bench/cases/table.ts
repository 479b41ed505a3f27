/**
 * The account table's kernels: lookups and updates of random accounts in one shard, 40 % full.
 */
import type { Kernels, TableArena, TableShards } from '../../../native/index.ts';
import { tableLimitWork } from '../limit-work.ts';
import type { BenchCase, Context, Prepared, Size } from '../model.ts';
import { joined, sampleBytes } from '../sample-data.ts';

/** Slots as a power of two: 256 MiB, in the quick run 128, both far more than the caches. */
const SLOTS_LOG2: Readonly<Record<Size, number>> = { tiny: 10, quick: 22, full: 23 };
const SLOT_BYTES = 32;
const RECORD_BYTES = 28;
const [ADDRESS_BYTES, BALANCE_BYTES] = [20, 8];
const BATCH_MAX = 65_536;
const BATCHES = 16;
const FULL = 0.4;
const secret = sampleBytes(16, 50);

/** Accounts, the same for both twins. */
interface Accounts {
  /** Records (address and balance, 32 bytes apart) of all. */
  readonly records: Uint8Array;
  /** Records of some, in random order. */
  readonly batches: readonly Uint8Array[];
}

interface Table extends Accounts {
  readonly shards: TableShards;
}

/** As many as a table of 2^log2 slots should hold. */
function accountsFor(log2: number): Accounts {
  const count = Math.floor(FULL * 2 ** log2);
  const records = sampleBytes(SLOT_BYTES * count, 51);
  const size = Math.min(BATCH_MAX, count);
  return { records, batches: Array.from({ length: BATCHES }, (_, i) => draw(records, size, 60 + i)) };
}

/** Records drawn at random from others. */
function draw(records: Uint8Array, count: number, seed: number): Uint8Array {
  const total = records.length / SLOT_BYTES;
  const random = new Uint32Array(sampleBytes(4 * count, seed).buffer);
  const drawn = new Uint8Array(SLOT_BYTES * count);
  for (let i = 0; i < count; i += 1) {
    const from = SLOT_BYTES * (random[i]! % total);
    drawn.set(records.subarray(from, from + SLOT_BYTES), SLOT_BYTES * i);
  }
  return drawn;
}

/** Puts accounts into empty slots. */
function fill(kernels: Kernels, accounts: Accounts, table: Uint8Array): Table {
  const { records } = accounts;
  const shards: TableShards = {
    slotSizeBytes: SLOT_BYTES,
    secret,
    tables: [table],
    olds: [new Uint8Array(0)],
    state: new Uint32Array(4),
  };
  kernels.tablePut(shards, records, SLOT_BYTES, records.length / SLOT_BYTES, 1);
  return { ...accounts, shards };
}

function addressesOf(records: Uint8Array): Uint8Array {
  const addresses = new Uint8Array((records.length / SLOT_BYTES) * ADDRESS_BYTES);
  for (let i = 0; i * ADDRESS_BYTES < addresses.length; i += 1)
    addresses.set(records.subarray(SLOT_BYTES * i, SLOT_BYTES * i + ADDRESS_BYTES), ADDRESS_BYTES * i);
  return addresses;
}

/** Both twins on a small table: its bytes, and the balances of known and unknown addresses. */
function smallResult(kernels: Kernels): Uint8Array {
  const table = new Uint8Array(SLOT_BYTES << 10);
  const { shards, batches } = fill(kernels, accountsFor(10), table);
  const addresses = addressesOf(joined(batches[0]!, sampleBytes(SLOT_BYTES * 100, 52)));
  const balances = new Uint8Array((addresses.length / ADDRESS_BYTES) * BALANCE_BYTES);
  kernels.tableRead(shards, addresses, ADDRESS_BYTES, ADDRESS_BYTES, BALANCE_BYTES, balances);
  return joined(table, balances);
}

type Operate = (kernels: Kernels, batch: number) => void;

function prepare(context: Context, limit: string, operation: (table: Table) => Operate): Prepared {
  const log2 = SLOTS_LOG2[context.size];
  const arenas: TableArena[] = [];
  const accounts = accountsFor(log2);
  return {
    ours: (kernels) => {
      const arena = kernels.tableArena();
      arenas.push(arena);
      const table = fill(kernels, accounts, arena.allocate(SLOT_BYTES * 2 ** log2));
      const operate = operation(table);
      let batch = 0;
      return { units: table.batches[0]!.length / SLOT_BYTES, call: () => operate(kernels, batch++ % BATCHES) };
    },
    peers: {},
    limit: tableLimitWork(context, limit, BATCH_MAX, SLOT_BYTES * 2 ** log2),
    result: smallResult,
    close: () => {
      for (const arena of arenas) arena.close();
    },
  };
}

export const tableLookup: BenchCase = {
  name: 'table.lookup',
  unit: 'lookups',
  limitIs: 'random reads of 32-byte slots in as much memory, prefetched 32 ahead',
  prepare: (context) =>
    prepare(context, 'randomRead', ({ shards, batches }) => {
      const addresses = batches.map(addressesOf);
      const balances = new Uint8Array((batches[0]!.length / SLOT_BYTES) * BALANCE_BYTES);
      return (kernels, batch) =>
        kernels.tableRead(shards, addresses[batch]!, ADDRESS_BYTES, ADDRESS_BYTES, BALANCE_BYTES, balances);
    }),
};

export const tableUpdate: BenchCase = {
  name: 'table.update',
  unit: 'updates',
  limitIs: 'random reads and writes of 32-byte slots in as much memory, prefetched 32 ahead',
  prepare: (context) =>
    prepare(context, 'randomUpdate', ({ shards, batches }) => (kernels, batch) => {
      const records = batches[batch]!;
      kernels.tablePut(
        shards,
        records.subarray(0, records.length - SLOT_BYTES + RECORD_BYTES),
        SLOT_BYTES,
        records.length / SLOT_BYTES,
        1,
      );
    }),
};
