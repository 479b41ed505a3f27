/**
 * The power goes, or the disk fails, at every I/O of a prune on the segment files, and again inside the recovery that follows. The index is a real lmdb
 * on the real disk: what it acknowledged is there; the files are the simulated disk's.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type FaultKind, SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { HistoryStore } from '../../storage/history/history-store.ts';
import type { PruneOptions } from '../../storage/history/pruning.ts';
import { checkFiles, checkIndex, checkSame } from '../storage/history-checks.ts';
import { HistoryModel, sampleIds } from '../storage/history-model.ts';
import { kernels } from '../storage/kernels-fixture.ts';

const shape = { segmentSizeBytes: 2048, leafSizeBytes: 64 };
const BLOCKS = 24;
const PRUNE: PruneOptions = {
  keepFromHeight: 20,
  mayDrop: (segment) => segment < 7,
  transactionIds: sampleIds,
  rowsPerStep: 30,
};

let folder = '';
let image = new Map<string, Uint8Array>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-prune-crash-'));
  const disk = new SimulatedDisk(1);
  const store = await open(join(folder, 'base'), disk);
  for (const block of newModel().blocks) await store.append(block);
  await store.close();
  image = disk.image();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const open = (directory: string, files: SimulatedDisk): Promise<HistoryStore> =>
  HistoryStore.open({ directory, kernels, files, ...shape });

function newModel(): HistoryModel {
  const model = new HistoryModel(shape);
  for (let number = 1; number <= BLOCKS; number++) model.append(model.next(400 + ((number * 397) % 900), 8));
  return model;
}

/** The history as it was before the prune, in a folder of its own. */
async function restore(directory: string, seed: number): Promise<SimulatedDisk> {
  await cp(join(folder, 'base', 'index'), join(directory, 'index'), { recursive: true });
  const disk = new SimulatedDisk(seed);
  for (const [path, bytes] of image) {
    const name = path.replace(join(folder, 'base'), directory);
    const parent = name.slice(0, name.lastIndexOf('/'));
    await disk.makeDirectory(parent);
    const file = await disk.open(name, 'create');
    await file.write(0, bytes);
    await file.sync();
    for (let at = parent; at.length > 1; at = at.slice(0, at.lastIndexOf('/'))) await disk.syncDirectory(at);
  }
  await disk.syncDirectory('/');
  return disk;
}

/** Prunes while a block is appended; a block that was acknowledged is in the model. */
async function pruneAndAppend(store: HistoryStore, model: HistoryModel): Promise<void> {
  const block = model.next(500, 3);
  const appending = store.append(block).then(() => model.append(block));
  const results = await Promise.allSettled([store.prune(PRUNE), appending]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function runWithFault(at: number | undefined, kind: FaultKind, again: number): Promise<number> {
  const directory = join(folder, `run-${kind}-${at ?? 'none'}`);
  const disk = await restore(directory, 1000 + (at ?? 0));
  const model = newModel();
  let store = await open(directory, disk);
  const before = disk.operations;
  if (at !== undefined) disk.fault = { at: before + at, kind };
  const failed = await pruneAndAppend(store, model).then(
    () => false,
    () => true,
  );
  const operations = disk.operations - before;
  // A store that failed reads on, and what it says is held is held.
  if (failed && disk.powered) {
    disk.fault = undefined;
    await store.readBlock(BLOCKS);
    for (let number = store.startHeight; number <= model.tip; number++)
      expect(await store.readBlock(number)).toEqual(model.block(number).bytes);
  }
  await store.close();
  disk.reboot();
  if (!failed) {
    // Nothing is left for the next opening to do: the names are durably gone.
    model.prune(PRUNE);
    await checkFiles(disk, directory, model);
  }
  if (again > 0) {
    disk.fault = { at: disk.operations + again, kind: 'cut' };
    await open(directory, disk).then(
      (reopened) => reopened.close(),
      () => {},
    );
    disk.reboot();
  }
  store = await open(directory, disk);
  const planned = newModel();
  planned.prune(PRUNE);
  expect(store.startHeight).toBeLessThanOrEqual(planned.startHeight);
  if (!failed) expect(store.startHeight).toBe(planned.startHeight);
  // The block in flight may have come to be.
  if (store.tip!.height > model.tip) model.append(model.next(500, 3));
  model.startHeight = store.startHeight;
  await checkSame(store, model);
  await checkFiles(disk, directory, model);
  await pruneAndAppend(store, model);
  model.prune(PRUNE);
  await checkSame(store, model);
  await store.close();
  await checkFiles(disk, directory, model);
  await checkIndex(directory, model);
  await rm(directory, { recursive: true });
  return failed ? operations : -operations;
}

it.each(['cut', 'io'] as const)('%s at every operation of a prune', { timeout: 120_000 }, async (kind) => {
  const operations = -(await runWithFault(undefined, kind, 0));
  expect(operations).toBeGreaterThan(60);
  let struck = 0;
  for (let at = 0; at < operations; at++)
    try {
      if ((await runWithFault(at, kind, kind === 'cut' ? at % 11 : 0)) > 0) struck += 1;
    } catch (error) {
      throw new Error(`${kind} at operation ${at} of ${operations}`, { cause: error });
    }
  expect(struck).toBeGreaterThan(operations * 0.8);
});
