import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptyCommitment } from '../../storage/commitment/commitment.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { BatchError, encodeBatch } from '../../storage/oplog/batch.ts';
import { StateStore, type StateStoreOptions } from '../../storage/state.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { kernels } from './kernels-fixture.ts';
import { addressOf, keyOf, randomOps, StateModel } from './state-model.ts';

const chainId = new Uint8Array(32).fill(5);
let folder = '';
let made = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-state-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const onDisk = (): StateStoreOptions => ({ directory: `${folder}/${made++}`, kernels, chainId });
const simulated = (disk: SimulatedDisk): StateStoreOptions => ({
  directory: '/state',
  kernels,
  chainId,
  files: disk,
  segmentSizeBytes: 4096,
  shardCountLog2: 1,
  shardSlotCountLog2: 7,
  randomBytes: (size) => new Uint8Array(size).fill(3),
});
const collect = async (store: StateStore, from: number): Promise<Uint8Array[]> => {
  const batches: Uint8Array[] = [];
  for await (const batch of store.readBatches(from)) batches.push(batch);
  return batches;
};

describe('StateStore', () => {
  it('keeps balances, records and the commitment over a reopen on the real disk', async () => {
    const options = onDisk();
    let store = await StateStore.open(options);
    expect(store.isInitialized).toBe(false);
    expect(() => store.tip).toThrow(/no genesis/);
    const first = encodeBatch({ height: 0, ops: [{ kind: 'putAccount', address: addressOf(1), balance: 7n }] });
    const second = encodeBatch({
      height: 1,
      ops: [
        { kind: 'putRecord', key: keyOf(2), value: Uint8Array.of(9) },
        { kind: 'putAccount', address: addressOf(1), balance: 2n ** 64n - 1n },
        { kind: 'putRecord', key: keyOf(5), value: Uint8Array.of(8) },
        { kind: 'deleteRecord', key: keyOf(2) },
      ],
    });
    await store.initialize(first);
    await expect(store.initialize(first)).rejects.toMatchObject({ code: 'already-initialized' });
    await store.append(second, 1);
    const root = emptyCommitment(kernels).next(first).next(second).root;
    expect(store.tip).toMatchObject({ height: 1, commitment: { root } });
    await store.close();
    await store.close();
    expect(() => store.balance(addressOf(1))).toThrow(/closed/);

    store = await StateStore.open(options);
    expect(store.openReport).toEqual({ batchCount: 2, opCount: 5, rebuilt: false });
    expect(existsSync(`${options.directory}/accounts/clean`)).toBe(false);
    expect(store.tip).toMatchObject({ height: 1, commitment: { root } });
    expect(store.balance(addressOf(1))).toBe(2n ** 64n - 1n);
    expect(store.balance(addressOf(2))).toBe(0n);
    expect(store.record(keyOf(2))).toBeUndefined();
    expect([...store.records(Uint8Array.of(2))]).toEqual([[keyOf(5), Uint8Array.of(8)]]);
    expect(await collect(store, 0)).toEqual([first, second]);
    expect(await collect(store, 1)).toEqual([second]);
    expect(await collect(store, 2)).toEqual([]);
    await expect(collect(store, 3)).rejects.toMatchObject({ code: 'not-found' });
    await store.close();
  });

  it('equals a plain Map under any mix of appends, queued appends and reopens', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2 ** 31),
        fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 25 }),
        async (seed, steps) => {
          const random = seededRandom(seed);
          const disk = new SimulatedDisk(seed);
          let store = await StateStore.open(simulated(disk));
          const model = new StateModel();
          for (const step of steps) {
            if (step === 0) {
              await store.close();
              store = await StateStore.open(simulated(disk));
              expect(store.openReport.rebuilt).toBe(false);
            }
            const waiting: Promise<void>[] = [];
            for (let count = 0; count < step; count++) {
              const ops = randomOps(random, 60, 2000);
              const batch = model.encode(ops);
              model.commit(ops);
              waiting.push(store.append(batch, model.height));
            }
            await Promise.all(waiting);
            expect(model.difference(store)).toBeUndefined();
          }
          await store.close();
        },
      ),
      { seed: 20, numRuns: 40 },
    );
  });

  it('refuses bad batches before they are logged, and goes on', async () => {
    const store = await StateStore.open(onDisk());
    const account: StateOp = { kind: 'putAccount', address: addressOf(1), balance: 1n };
    await store.initialize(encodeBatch({ height: 0, ops: [account] }));
    await expect(store.append(encodeBatch({ height: 2, ops: [] }), 2)).rejects.toMatchObject({ code: 'wrong-height' });
    await expect(store.append(encodeBatch({ height: 1, ops: [] }), 2)).rejects.toMatchObject({ code: 'wrong-height' });
    const torn = encodeBatch({ height: 1, ops: [account] });
    torn[16] = 77;
    await expect(store.append(torn, 1)).rejects.toBeInstanceOf(BatchError);
    await store.append(encodeBatch({ height: 1, ops: [account] }), 1);
    expect(store.tip.height).toBe(1);
    await store.close();
    await expect(store.append(encodeBatch({ height: 2, ops: [] }), 2)).rejects.toMatchObject({ code: 'closed' });
  });

  it('opens for one holder only, and for its own chain only', async () => {
    const options = onDisk();
    const store = await StateStore.open(options);
    await store.initialize(encodeBatch({ height: 0, ops: [] }));
    await expect(StateStore.open(options)).rejects.toMatchObject({ code: 'locked' });
    await store.close();
    const other = { ...options, chainId: new Uint8Array(32) };
    await expect(StateStore.open(other)).rejects.toMatchObject({ code: 'wrong-chain' });
    await expect(StateStore.open({ ...options, segmentSizeBytes: 8192 })).rejects.toMatchObject({
      code: 'wrong-format',
    });
    await (await StateStore.open(options)).close();
  });

  it('rebuilds the table when its mark, a shard or the secret is gone, with the same contents', async () => {
    const disk = new SimulatedDisk(3);
    const random = seededRandom(3);
    const model = new StateModel();
    let store = await StateStore.open(simulated(disk));
    for (let count = 0; count < 10; count++) {
      const ops = randomOps(random, 200, 1000);
      await store.append(model.encode(ops), model.height + 1);
      model.commit(ops);
    }
    await store.close();
    for (const gone of ['clean', 'shard-', 'secret']) {
      const name = (await disk.list('/state/accounts')).find((each) => each.startsWith(gone));
      await disk.remove(`/state/accounts/${name}`);
      store = await StateStore.open(simulated(disk));
      expect(store.openReport.rebuilt).toBe(true);
      expect(model.difference(store)).toBeUndefined();
      await store.close();
    }
    disk.corrupt('/state/accounts/clean', 20, 1);
    store = await StateStore.open(simulated(disk));
    expect(store.openReport.rebuilt).toBe(true);
    // No clean mark while the store is open: a crash now means a rebuild.
    expect(await disk.exists('/state/accounts/clean')).toBe(false);
    await store.close();
  });

  it('writes byte-identical log segments however appends were grouped and reopened', async () => {
    const segments = async (reopenEvery: number, together: boolean): Promise<string> => {
      const disk = new SimulatedDisk(1);
      const random = seededRandom(9);
      const model = new StateModel();
      let store = await StateStore.open(simulated(disk));
      const waiting: Promise<void>[] = [];
      for (let count = 1; count <= 30; count++) {
        const ops = randomOps(random, 40, 100);
        const appended = store.append(model.encode(ops), model.height + 1);
        model.commit(ops);
        if (together) waiting.push(appended);
        else await appended;
        if (count % reopenEvery === 0) {
          await Promise.all(waiting);
          await store.close();
          store = await StateStore.open(simulated(disk));
        }
      }
      await Promise.all(waiting);
      const image = [...disk.image()].filter(([path]) => path.includes('/log/segment-'));
      expect(image.length).toBeGreaterThan(2);
      return image.map(([path, bytes]) => `${path} ${Buffer.from(kernels.sha256(bytes)).toString('hex')}`).join('\n');
    };
    const wanted = await segments(1000, false);
    expect(await segments(1000, true)).toBe(wanted);
    expect(await segments(7, false)).toBe(wanted);
    expect(await segments(1, true)).toBe(wanted);
  });
});
