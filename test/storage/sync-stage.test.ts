import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Hash, hash, height, slot } from '../../native/index.ts';
import { emptyCommitment } from '../../storage/commitment/commitment.ts';
import { diskFiles } from '../../storage/files/disk-files.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { HistoryStore } from '../../storage/history/history-store.ts';
import { StateStore } from '../../storage/state.ts';
import { SyncStage, type SyncStageOptions } from '../../storage/sync/sync-stage.ts';
import { kernels } from './kernels-fixture.ts';
import { randomOps, StateModel } from './state-model.ts';

const chainId = new Uint8Array(32).fill(5);
const COUNT = 12;

/** A chain of batches with the root after each, and the state they lead to. */
function makeChain(): { batches: Uint8Array[]; roots: Hash[]; model: StateModel } {
  const random = seededRandom(1);
  const model = new StateModel();
  const batches: Uint8Array[] = [];
  const roots: Hash[] = [];
  let commitment = emptyCommitment(kernels);
  for (let count = 0; count < COUNT; count++) {
    const ops = randomOps(random, 30, 200);
    const batch = model.encode(ops);
    model.commit(ops);
    commitment = commitment.next(batch);
    batches.push(batch);
    roots.push(commitment.root);
  }
  return { batches, roots, model };
}
const { batches, roots, model } = makeChain();
const target = { height: COUNT - 1, root: roots[COUNT - 1]! };
const lie = (batch: Uint8Array): Uint8Array => {
  const wrong = batch.slice();
  wrong[wrong.indexOf(20, 16) + 8]! ^= 1;
  return wrong;
};
const options = (files: SimulatedDisk): SyncStageOptions => ({
  directory: '/data/quarantine',
  kernels,
  chainId,
  target,
  sizeBytesMax: 1e6,
  segmentSizeBytes: 4096,
  files,
});
const live = (files: SimulatedDisk): Promise<StateStore> =>
  StateStore.open({ directory: '/data/live/state', kernels, chainId, segmentSizeBytes: 4096, files });

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-sync-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('SyncStage', () => {
  it('takes verified batches, resumes, and becomes the live directory with the same state', async () => {
    const disk = new SimulatedDisk(1);
    let stage = await SyncStage.open(options(disk));
    for (const index of [0, 1, 2, 3, 4]) await stage.receiveBatch(batches[index]!, roots[index]);
    await stage.close();
    stage = await SyncStage.open(options(disk));
    expect(stage.nextHeight).toBe(5);
    await expect(stage.adopt('/data/live')).rejects.toMatchObject({ code: 'incomplete' });
    await Promise.all(batches.slice(5).map((batch) => stage.receiveBatch(batch)));
    expect(stage.isComplete).toBe(true);
    expect(await disk.exists('/data/live')).toBe(false);
    await stage.adopt('/data/live');
    expect(await disk.exists('/data/quarantine')).toBe(false);
    const store = await live(disk);
    expect(store.tip).toMatchObject({ height: target.height, commitment: { root: target.root } });
    expect(model.difference(store)).toBeUndefined();
    await store.close();
  });

  it('keeps no lie, says which, and goes on with the truth', async () => {
    const disk = new SimulatedDisk(1);
    const stage = await SyncStage.open({ ...options(disk), sizeBytesMax: 20_000 });
    for (const [index, batch] of batches.entries()) {
      await expect(stage.receiveBatch(lie(batch), roots[index])).rejects.toMatchObject({
        code: expect.stringMatching(/^(wrong-root|height)$/),
      });
      await expect(stage.receiveBatch(batch.subarray(0, 10), roots[index])).rejects.toMatchObject({ code: 'length' });
      const other = batches[index + 1] ?? batches[0]!;
      await expect(stage.receiveBatch(other, roots[index])).rejects.toMatchObject({ code: 'wrong-height' });
      await expect(stage.receiveBatch(new Uint8Array(30_000))).rejects.toMatchObject({ code: 'too-large' });
      await stage.receiveBatch(batch, roots[index]);
    }
    await expect(stage.receiveBatch(batches[0]!)).rejects.toMatchObject({ code: 'wrong-height' });
    await stage.adopt('/data/live');
    const store = await live(disk);
    expect(model.difference(store)).toBeUndefined();
    await store.close();
  });

  it('finds out at the target when a batch on the way was a lie, also after a resumption, and starts anew', async () => {
    const disk = new SimulatedDisk(1);
    const stage = await SyncStage.open(options(disk));
    const sent = batches.map((batch, index) => (index === 3 ? lie(batch) : batch));
    for (const batch of sent.slice(0, -1)) await stage.receiveBatch(batch);
    await expect(stage.receiveBatch(sent.at(-1)!)).rejects.toMatchObject({ code: 'wrong-root' });
    expect(stage.isComplete).toBe(false);
    await stage.close();
    const shorter = { height: 5, root: roots[5]! };
    await expect(SyncStage.open({ ...options(disk), target: shorter })).rejects.toMatchObject({ code: 'wrong-root' });
    await SyncStage.discard('/data/quarantine', disk);
    const again = await SyncStage.open(options(disk));
    expect(again.nextHeight).toBe(0);
    await again.close();
  });

  it('never loses a received batch nor shows a half-adopted directory, wherever the power is cut', async () => {
    for (let seed = 0; seed < 120; seed++) {
      const disk = new SimulatedDisk(seed);
      const random = seededRandom(seed);
      let received = 0;
      for (let life = 0; !(await disk.exists('/data/live')); life++) {
        if (life < 6) disk.fault = { at: disk.operations + Math.floor(random() * 60), kind: 'cut' };
        try {
          const stage = await SyncStage.open(options(disk));
          expect(stage.nextHeight).toBeGreaterThanOrEqual(received);
          for (let next = stage.nextHeight; next < COUNT; next++) {
            await stage.receiveBatch(batches[next]!, roots[next]);
            received = next + 1;
          }
          await stage.adopt('/data/live');
        } catch (error) {
          expect(error).toHaveProperty(disk.powered ? 'never' : 'message');
        }
        disk.reboot();
      }
      const store = await live(disk);
      expect(model.difference(store)).toBeUndefined();
      await store.close();
    }
  });

  it('stages history too, on the real disk', async () => {
    const shape = { segmentSizeBytes: 1024, leafSizeBytes: 64 };
    const directory = join(folder, 'quarantine');
    const stage = await SyncStage.open({ directory, kernels, chainId, target, sizeBytesMax: 1e6 });
    for (const batch of batches) await stage.receiveBatch(batch);
    const start = {
      height: 7,
      segmentRoots: kernels.sha256(new Uint8Array(1)),
      unfinished: new Uint8Array(500).fill(3),
    };
    const history = await stage.openHistory(shape, start);
    const block = {
      height: height(7),
      slot: slot(9),
      hash: hash(new Uint8Array(32).fill(1)),
      bytes: new Uint8Array(700).fill(2),
      transactions: [],
    };
    await history.append(block);
    await stage.adopt(join(folder, 'live'));
    expect(await diskFiles().exists(directory)).toBe(false);
    const adopted = await HistoryStore.open({ ...shape, directory: join(folder, 'live/history'), kernels });
    expect(adopted.cursor.length).toBe(1024 + 500 + 704);
    expect(await adopted.readBlock(7)).toEqual(block.bytes);
    await adopted.close();
    const store = await StateStore.open({ directory: join(folder, 'live/state'), kernels, chainId });
    expect(store.tip.commitment.root).toEqual(target.root);
    await store.close();
  });
});
