import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptyCommitment } from '../../storage/commitment/trees.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { BatchError, encodeBatch } from '../../storage/oplog/batch.ts';
import { StateStore, type StateStoreOptions } from '../../storage/state.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { kernels } from './kernels-fixture.ts';
import { addressOf, bondOf, keyOf, randomOps, StateModel } from './state-model.ts';

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
  retainHeights: 4,
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
    const empty = emptyCommitment(kernels, chainId);
    const first = encodeBatch(empty.place, [
      { kind: 'putAccount', address: addressOf(1), balance: 7n },
      { kind: 'putRecord', key: keyOf(2), value: Uint8Array.of(9) },
      { kind: 'putAccount', address: addressOf(3), balance: 3n },
    ]);
    const afterFirst = empty.next(first);
    const second = encodeBatch(afterFirst.place, [
      { kind: 'putAccount', address: addressOf(1), balance: 2n ** 64n - 1n },
      { kind: 'putRecord', key: keyOf(5), value: Uint8Array.of(8) },
      { kind: 'deleteRecord', key: keyOf(2) },
      { kind: 'deleteAccount', address: addressOf(3) },
      { kind: 'putBond', address: addressOf(1), ...bondOf(77n) },
    ]);
    await store.initialize(first);
    await expect(store.initialize(first)).rejects.toMatchObject({ code: 'already-initialized' });
    await store.append(second);
    const { root } = afterFirst.next(second);
    expect(store.tip).toMatchObject({ height: 1, commitment: { root } });
    await store.close();
    await store.close();
    expect(() => store.balance(addressOf(1))).toThrow(/closed/);

    store = await StateStore.open(options);
    expect(store.openReport).toEqual({ batchCount: 2, opCount: 10, rebuilt: false, threads: 0 });
    expect(existsSync(`${options.directory}/accounts/clean`)).toBe(false);
    expect(store.tip).toMatchObject({ height: 1, commitment: { root } });
    expect(store.balance(addressOf(1))).toBe(2n ** 64n - 1n);
    expect(store.balance(addressOf(2))).toBe(0n);
    expect(store.balance(addressOf(3))).toBe(0n);
    expect(store.accountCount).toBe(1);
    expect(store.bond(addressOf(1))).toEqual(bondOf(77n));
    expect(store.bond(addressOf(3))).toBeUndefined();
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
            let before = store.commitment;
            for (let count = 0; count < step; count++) {
              const ops = model.compacted(before, randomOps(random, 60, 300));
              const batch = model.encode(before, ops);
              model.commit(ops);
              if (step % 2 === 0) {
                before = before.next(batch);
                waiting.push(store.append(batch, before));
              } else {
                await store.append(batch);
                before = store.commitment;
              }
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
    const batch = (ops: StateOp[]): Uint8Array => encodeBatch(store.commitment.place, ops);
    await store.initialize(batch([account]));
    const { place } = store.commitment;
    for (const wrong of [{ height: 2 }, { frameOffset: 8 }, { floor: 1 - place.floor }, { previousDigest: chainId }])
      await expect(store.append(encodeBatch({ ...place, ...wrong }, []))).rejects.toMatchObject({ code: 'place' });
    await expect(store.append(batch([account, account]))).rejects.toMatchObject({ code: 'repeated-key' });
    const torn = batch([account]);
    torn[64] = 77;
    await expect(store.append(torn)).rejects.toBeInstanceOf(BatchError);
    await store.append(batch([account]));
    expect(store.tip.height).toBe(1);
    const late = batch([]);
    await store.close();
    await expect(store.append(late)).rejects.toMatchObject({ code: 'closed' });
  });

  it('opens for one holder only, and for its own chain only', async () => {
    const options = onDisk();
    const store = await StateStore.open(options);
    await store.initialize(encodeBatch(store.commitment.place, []));
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
      await store.append(model.encode(store.commitment, ops));
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

  it('rebuilds tables whose clean mark is of another point of the log, as a restored copy may have them', async () => {
    const options = onDisk();
    const random = seededRandom(4);
    const model = new StateModel();
    for (const kept of [true, false]) {
      const store = await StateStore.open(options);
      for (let count = 0; count < 5; count++) {
        const ops = randomOps(random, 40, 100);
        await store.append(model.encode(store.commitment, ops));
        model.commit(ops);
      }
      await store.close();
      for (const name of ['accounts', 'bonds']) {
        const [live, copy] = [`${options.directory}/${name}`, `${options.directory}-copy/${name}`];
        if (!kept) await rm(live, { recursive: true });
        await cp(kept ? live : copy, kept ? copy : live, { recursive: true });
      }
    }
    const store = await StateStore.open(options);
    expect(store.openReport.rebuilt).toBe(true);
    expect(model.difference(store)).toBeUndefined();
    await store.close();
  });

  it('writes byte-identical log segments however appends were grouped and reopened', async () => {
    const segments = async (reopenEvery: number, together: boolean): Promise<string> => {
      const disk = new SimulatedDisk(1);
      const random = seededRandom(9);
      const model = new StateModel();
      let store = await StateStore.open(simulated(disk));
      let before = store.commitment;
      const waiting: Promise<void>[] = [];
      for (let count = 1; count <= 60; count++) {
        const ops = model.compacted(before, randomOps(random, 40, 100));
        const batch = model.encode(before, ops);
        before = before.next(batch);
        const appended = store.append(batch, before);
        model.commit(ops);
        if (together) waiting.push(appended);
        else await appended;
        if (count % reopenEvery === 0) {
          await Promise.all(waiting);
          await store.close();
          store = await StateStore.open(simulated(disk));
          before = store.commitment;
        }
      }
      await Promise.all(waiting);
      await store.close();
      expect(store.firstOp).toBeGreaterThan(0);
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
