/**
 * The account table: lookups and updates of random accounts in one shard, 40 % full. The shard is a mapped file, as in a node: its
 * slots lie two to a cache line.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Kernels, MappedFile } from '../../../native/index.ts';
import { limitWork } from '../limit-work.ts';
import type { BenchCase, Context, Prepared, Size } from '../model.ts';
import { joined, sampleBytes } from '../sample-data.ts';

/** Slots as a power of two: 256 MiB, far more than the caches, in all but the tiny size. */
const SLOTS_LOG2: Readonly<Record<Size, number>> = { tiny: 10, quick: 23, full: 23 };
const SLOT_BYTES = 32;
const BATCH_MAX = 65_536;
const BATCHES = 16;
const FULL = 0.4;
const secret = sampleBytes(16, 50);

interface Table {
  readonly log2: number;
  readonly table: Uint8Array;
  readonly used: number;
  /** Entries of accounts in the table, in random order. */
  readonly batches: readonly Uint8Array[];
}

/** Entries with a log position; the addresses differ. */
function entriesOf(count: number): Uint8Array {
  const entries = sampleBytes(SLOT_BYTES * count, 51);
  for (let at = 28; at < entries.length; at += SLOT_BYTES) entries[at]! |= 1;
  return entries;
}

/** Entries drawn at random from others. */
function draw(entries: Uint8Array, count: number, seed: number): Uint8Array {
  const total = entries.length / SLOT_BYTES;
  const random = new Uint32Array(sampleBytes(4 * count, seed).buffer);
  const drawn = new Uint8Array(SLOT_BYTES * count);
  for (let i = 0; i < count; i += 1) {
    const from = SLOT_BYTES * (random[i]! % total);
    drawn.set(entries.subarray(from, from + SLOT_BYTES), SLOT_BYTES * i);
  }
  return drawn;
}

/** Fills `table`, 2^log2 empty slots. */
function fill(kernels: Kernels, log2: number, table: Uint8Array): Table {
  const entries = entriesOf(Math.floor(FULL * 2 ** log2));
  const used = kernels.tablePut(table, log2, secret, 0, entries);
  const size = Math.min(BATCH_MAX, used);
  return { log2, table, used, batches: Array.from({ length: BATCHES }, (_, i) => draw(entries, size, 60 + i)) };
}

function addressesOf(entries: Uint8Array): Uint8Array {
  const addresses = new Uint8Array((entries.length / SLOT_BYTES) * 20);
  for (let i = 0; i * 20 < addresses.length; i += 1)
    addresses.set(entries.subarray(SLOT_BYTES * i, SLOT_BYTES * i + 20), 20 * i);
  return addresses;
}

/** Both twins on a small table: its bytes, and the slots of known and unknown addresses. */
function smallResult(kernels: Kernels): Uint8Array {
  const { log2, table, batches } = fill(kernels, 10, new Uint8Array(SLOT_BYTES << 10));
  const addresses = addressesOf(joined(batches[0]!, sampleBytes(SLOT_BYTES * 100, 52)));
  const slots = new Int32Array(addresses.length / 20);
  kernels.tableFind(table, log2, secret, addresses, slots);
  return joined(table, slots);
}

type Operate = (kernels: Kernels, table: Table, batch: number) => void;

function prepare(context: Context, limit: string, operation: (table: Table) => Operate): Prepared {
  const directory = mkdtempSync(join(context.directory, 'cairn-table-'));
  const log2 = SLOTS_LOG2[context.size];
  let mapped: MappedFile | undefined;
  let table: Table | undefined;
  let operate: Operate | undefined;
  const units = (shared: Table): number => shared.batches[0]!.length / SLOT_BYTES;
  return {
    ours: (kernels) => {
      mapped ??= kernels.mapFile(join(directory, 'shard'), SLOT_BYTES * 2 ** log2, { create: true });
      table ??= fill(kernels, log2, mapped.bytes);
      operate ??= operation(table);
      const [shared, work] = [table, operate];
      let batch = 0;
      return { units: units(shared), call: () => work(kernels, shared, batch++ % BATCHES) };
    },
    peers: {},
    limit: limitWork(context, limit, BATCH_MAX),
    result: smallResult,
    close: () => {
      mapped?.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export const tableLookup: BenchCase = {
  name: 'table.lookup',
  unit: 'lookups',
  limitIs: 'random reads of 32-byte slots, prefetched 32 ahead',
  prepare: (context) =>
    prepare(context, 'randomRead', ({ batches }) => {
      const addresses = batches.map(addressesOf);
      const slots = new Int32Array(batches[0]!.length / SLOT_BYTES);
      return (kernels, { table, log2 }, batch) => kernels.tableFind(table, log2, secret, addresses[batch]!, slots);
    }),
};

export const tableUpdate: BenchCase = {
  name: 'table.update',
  unit: 'updates',
  limitIs: 'random reads and writes of 32-byte slots, prefetched 32 ahead',
  prepare: (context) =>
    prepare(context, 'randomUpdate', () => (kernels, { table, log2, used, batches }, batch) => {
      kernels.tablePut(table, log2, secret, used, batches[batch]!);
    }),
};
