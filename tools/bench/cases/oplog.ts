/** The op log through the state store: a batch of account ops, synced, applied to the table, with the root after it. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { address, type Kernels } from '../../../native/index.ts';
import { type BatchPlace, encodeBatch, StateStore, writeBatchPlace } from '../../../storage/index.ts';
import type { BenchCase, Context, Work } from '../model.ts';
import { joined, sampleBytes } from '../sample-data.ts';
import { openStores, type Pair } from '../storage-stores.ts';

const TINY_OPS = 100;
const BATCHES = 8;
const ACCOUNTS_PER_OP = 4;
const START: BatchPlace = {
  height: 0,
  previousFrameSizeBytes: 0,
  frameOffset: 0,
  floor: 0,
  previousDigest: new Uint8Array(32),
};

interface Update {
  readonly address: ReturnType<typeof address>;
  readonly balance: bigint;
}

/** Updates of `count` different accounts, drawn from so many times `ACCOUNTS_PER_OP`. */
function ops(count: number, seed: number): Update[] {
  const accounts = count * ACCOUNTS_PER_OP;
  const pool = sampleBytes(20 * accounts, 70);
  const random = new Uint32Array(sampleBytes(4 * 2 * count, seed).buffer);
  // By number, for a draw of twice as many: those drawn twice count once, with the later balance.
  const drawn = new Map<number, number>();
  for (const value of random) drawn.set(value % accounts, value);
  return Array.from(drawn)
    .slice(0, count)
    .map(([number, value]) => ({
      address: address(pool.subarray(20 * number, 20 * number + 20)),
      balance: BigInt(value),
    }));
}

/** A batch of updates; no account stands twice. */
function batchOf(place: BatchPlace, count: number, seed: number): Uint8Array {
  return encodeBatch(
    place,
    ops(count, seed).map((op) => ({ kind: 'putAccount', ...op })),
  );
}

async function openStore(context: Context, kernels: Kernels): Promise<StateStore> {
  const directory = await mkdtemp(join(context.directory, 'oplog-'));
  return StateStore.open({ directory, kernels, chainId: new Uint8Array(32) });
}

function storeWork(store: StateStore, batches: readonly Uint8Array[], count: number): Work {
  let height = 0;
  const call = async (): Promise<void> => {
    const batch = batches[height % BATCHES]!;
    // The place leads the batch; the bytes are ours again once the append before has resolved.
    writeBatchPlace(batch, store.commitment.place);
    await store.append(batch);
    height += 1;
  };
  return { units: count, call };
}

/** The same puts for other stores. */
const pairsOf = (count: number): Pair[] =>
  ops(count, 71).map((op) => {
    const value = Buffer.alloc(8);
    value.writeBigUInt64LE(op.balance);
    return { key: Buffer.from(op.address), value };
  });

/** As many bytes written to a file and synced, and nothing else. */
function bareWrites(directory: string, batch: Uint8Array, count: number): { work: Work; close: () => void } {
  const file = openSync(join(directory, 'bare'), 'w');
  const call = (): void => {
    writeSync(file, batch);
    fdatasyncSync(file);
  };
  return { work: { units: count, call }, close: () => closeSync(file) };
}

async function smallResult(context: Context, kernels: Kernels): Promise<Uint8Array> {
  const store = await openStore(context, kernels);
  for (let height = 0; height < 3; height += 1) await store.append(batchOf(store.commitment.place, 50, 80 + height));
  const { root } = store.tip.commitment;
  await store.close();
  return joined(root);
}

const append = (name: string, opsPerBatch: number): BenchCase => ({
  name,
  unit: 'ops',
  waits: true,
  limitIs: "the batch's bytes written to a file and synced",
  async prepare(parent) {
    const directory = await mkdtemp(join(parent.directory, 'cairn-bench-'));
    const context = { ...parent, directory };
    const count = context.size === 'tiny' ? TINY_OPS : opsPerBatch;
    const batches = Array.from({ length: BATCHES }, (_, i) => batchOf(START, count, 71 + i));
    const stores: StateStore[] = [];
    const peers = await openStores(directory, pairsOf(count));
    const bare = bareWrites(directory, batches[0]!, count);
    return {
      ours: async (kernels) => {
        const store = await openStore(context, kernels);
        stores.push(store);
        return storeWork(
          store,
          batches.map((batch) => batch.slice()),
          count,
        );
      },
      peers: Object.fromEntries(Object.entries(peers).map(([peer, opened]) => [peer, opened?.work])),
      limit: bare.work,
      result: (kernels) => smallResult(context, kernels),
      close: async () => {
        for (const store of stores) await store.close();
        for (const peer of Object.values(peers)) await peer?.close();
        bare.close();
        await rm(directory, { recursive: true, force: true });
      },
    };
  },
});

export const oplogAppend: BenchCase = append('oplog.append', 100_000);
export const oplogAppendSmall: BenchCase = append('oplog.append.10k', 10_000);
