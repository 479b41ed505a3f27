/** Pruning of history against a plain model, and its edges. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diskFiles } from '../../storage/files/disk-files.ts';
import type { Files } from '../../storage/files/files.ts';
import type { HistoryOptions } from '../../storage/history/history-model.ts';
import { HistoryStore } from '../../storage/history/history-store.ts';
import type { PruneOptions } from '../../storage/history/pruning.ts';
import { inspectHistory } from '../../storage/inspect/history-summary.ts';
import { checkFiles, checkIndex, checkSame } from './history-checks.ts';
import { HistoryModel, sampleIds } from './history-model.ts';
import { kernels } from './kernels-fixture.ts';

const shape = { segmentSizeBytes: 1024, leafSizeBytes: 64 };
let folder = '';
let made = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-prune-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const fresh = (): HistoryOptions => ({ directory: join(folder, `${made++}`), kernels, ...shape });
const pruneTo = (keepFromHeight: number, mayDrop: (segment: number) => boolean = () => true): PruneOptions => ({
  keepFromHeight,
  mayDrop,
  transactionIds: sampleIds,
});

async function fill(store: HistoryStore, model: HistoryModel, sizes: readonly (readonly [number, number])[]) {
  for (const [sizeBytes, transactions] of sizes) {
    const block = model.next(sizeBytes, transactions);
    await store.append(block);
    model.append(block);
  }
}
async function checkFolder({ directory }: HistoryOptions, model: HistoryModel): Promise<void> {
  await checkIndex(directory, model);
  await checkFiles(diskFiles(), directory, model);
}
const evenSizes = (count: number, sizeBytes = 300): [number, number][] =>
  Array.from({ length: count }, () => [sizeBytes, 2]);

type Op =
  | { readonly kind: 'append'; readonly sizeBytes: number; readonly transactions: number }
  | { readonly kind: 'prune'; readonly keep: number; readonly allowed: number }
  | { readonly kind: 'reopen' };
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      // Now and then one that fills several segments.
      sizeBytes: fc.oneof(
        { weight: 5, arbitrary: fc.integer({ min: 8, max: 700 }) },
        fc.integer({ min: 8, max: 4000 }),
      ),
      transactions: fc.nat(3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('prune' as const), keep: fc.nat(8), allowed: fc.nat(20) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
);

describe('HistoryStore.prune', () => {
  it('leaves what the definition says, over appends, prunes and reopens', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(op, { minLength: 5, maxLength: 40 }), async (ops) => {
        const options = fresh();
        const model = new HistoryModel(shape);
        let store = await HistoryStore.open(options);
        for (const each of ops) {
          if (each.kind === 'append') await fill(store, model, [[each.sizeBytes, each.transactions]]);
          else if (each.kind === 'reopen') {
            await store.close();
            await checkFolder(options, model);
            store = await HistoryStore.open(options);
          } else {
            const prune = pruneTo(model.tip - each.keep, (segment) => segment < each.allowed);
            const before = [store.prunedBytes, model.startHeight] as const;
            const result = await store.prune(prune);
            model.prune(prune);
            expect(result.droppedBlocks).toBe(model.startHeight - before[1]);
            expect(store.prunedBytes - before[0]).toBe(result.droppedSegments * shape.segmentSizeBytes);
            expect(result.damagedBlocks).toBe(0);
          }
        }
        await checkSame(store, model);
        for (let number = model.startHeight; number <= model.tip; number++)
          expect(await store.cursorBefore(number)).toMatchObject(cursorFields(model, number));
        await store.close();
        await checkFolder(options, model);
      }),
      { seed: 51, numRuns: 40 },
    );
  });

  it('keeps roots and goes on: appended behind, closed and opened, it equals one that was never pruned', async () => {
    const [options, whole] = [fresh(), await HistoryStore.open(fresh())];
    const model = new HistoryModel(shape);
    let store = await HistoryStore.open(options);
    await fill(store, model, evenSizes(20));
    await store.prune(pruneTo(15));
    model.prune(pruneTo(15));
    expect(store.startHeight).toBeGreaterThan(8);
    await fill(store, model, evenSizes(10));
    await store.close();
    store = await HistoryStore.open(options);
    for (const block of model.blocks) await whole.append(block);
    expect(store.cursor).toEqual(whole.cursor);
    expect(store.segmentRoots()).toEqual(whole.segmentRoots());
    const held = store.startOffset / shape.segmentSizeBytes;
    expect(store.segment(held - 1)).toBeUndefined();
    expect(store.segmentRoot(held - 1)).toEqual(whole.segmentRoot(held - 1));
    expect(await store.segment(held)!.read(0, 1024)).toEqual(await whole.segment(held)!.read(0, 1024));
    await checkSame(store, model);
    await whole.close();
    await store.close();
  });

  it('stops at the oldest segment that may not go, and says how many wait behind it', async () => {
    const model = new HistoryModel(shape);
    const store = await HistoryStore.open(fresh());
    await fill(store, model, evenSizes(40));
    const asked: number[] = [];
    const missing = 4;
    const mayDrop = (segment: number): boolean => {
      asked.push(segment);
      return segment !== missing;
    };
    const result = await store.prune(pruneTo(35, mayDrop));
    expect(asked).toEqual([0, 1, 2, 3, 4]);
    expect(result.droppedSegments).toBe(4);
    expect(result.waitingSegments).toBe(model.deepEnd(35) - 4);
    expect(result.waitingSegments).toBeGreaterThan(2);
    expect(await store.prune(pruneTo(35, () => false))).toMatchObject({ droppedBlocks: 0, waitingSegments: 5 });
    await store.close();
  });

  it('never takes the last block, nor a body that must be kept, whatever is asked', async () => {
    const model = new HistoryModel(shape);
    const store = await HistoryStore.open(fresh());
    expect(await store.prune(pruneTo(9))).toMatchObject({ droppedBlocks: 0 });
    await fill(store, model, evenSizes(12));
    for (const keep of [-5, 0, 1, 3]) {
      await store.prune(pruneTo(keep));
      expect(store.startHeight).toBe(1);
    }
    await store.prune(pruneTo(1_000_000));
    expect(await store.readBlock(12)).toEqual(model.block(12).bytes);
    expect(store.startHeight).toBeGreaterThan(6);
    await store.close();
  });

  it('reads and appends go on while it prunes; what is pruned under a reader is refused as pruned', async () => {
    const model = new HistoryModel(shape);
    const store = await HistoryStore.open(fresh());
    await fill(store, model, evenSizes(60));
    const old = store.segment(0)!;
    const pruning = store.prune(pruneTo(55));
    const reads = Promise.allSettled(model.blocks.map(({ height }) => store.readBlock(height)));
    const appended = fill(store, model, evenSizes(5));
    const [, results] = await Promise.all([pruning, reads, appended]);
    model.prune(pruneTo(55));
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') expect(result.value).toEqual(model.block(index + 1).bytes);
      else expect(result.reason).toMatchObject({ code: 'pruned' });
    }
    await expect(old.read(0, 10)).rejects.toMatchObject({ code: 'pruned', keptFromHeight: model.startHeight });
    await checkSame(store, model);
    await store.close();
  });

  it('tells a reader that a prune has overtaken that the block is pruned, not that a file is missing', async () => {
    const real = diskFiles();
    let held: Promise<void> | undefined;
    const open: Files['open'] = async (path, mode) => {
      const wait = held;
      held = undefined;
      await wait;
      return real.open(path, mode);
    };
    const model = new HistoryModel(shape);
    const store = await HistoryStore.open({ ...fresh(), files: { ...bound(real), open } });
    await fill(store, model, evenSizes(20));
    const segment = store.segment(1)!;
    for (const read of [() => store.readBlock(6), () => segment.read(0, 9)]) {
      let release = (): void => {};
      held = new Promise((resolve) => {
        release = resolve;
      });
      const reading = read();
      await store.prune(pruneTo(15));
      release();
      await expect(reading).rejects.toMatchObject({ code: 'pruned', keptFromHeight: store.startHeight });
    }
    await store.close();
  });

  it('works in steps of bounded size, and a close between two leaves a sound history', async () => {
    const options = fresh();
    const model = new HistoryModel(shape);
    let store = await HistoryStore.open(options);
    await fill(store, model, evenSizes(30));
    const rowsPerStep = 10;
    const steps: number[] = [];
    const pruning = store.prune({
      ...pruneTo(30),
      rowsPerStep,
      onDrop: async (hashes) => {
        steps.push(hashes.length);
        if (steps.length === 2) void store.close();
      },
    });
    const { droppedBlocks } = await pruning;
    // Two rows a block and two transactions in each: the third block fills a step.
    expect(steps).toEqual([3, 3]);
    expect(droppedBlocks).toBe(6);
    await store.close();
    store = await HistoryStore.open(options);
    expect(store.startHeight).toBe(7);
    model.startHeight = store.startHeight;
    await checkSame(store, model);
    await store.prune(pruneTo(30));
    model.prune(pruneTo(30));
    await checkSame(store, model);
    await store.close();
    await checkFolder(options, model);
  });

  it('drops damaged blocks too, leaving only rows that lead nowhere', async () => {
    const options = fresh();
    const model = new HistoryModel(shape);
    const store = await HistoryStore.open(options);
    await fill(store, model, evenSizes(20));
    await writeFile(`${options.directory}/stream/segment-00000000`, new Uint8Array(1024).fill(7));
    expect(await store.prune(pruneTo(15))).toMatchObject({ damagedBlocks: 4 });
    model.prune(pruneTo(15));
    await checkSame(store, model);
    await store.close();
  });

  it('stops for good when a write of it fails, and still reads', async () => {
    const options = fresh();
    const real = diskFiles();
    let failing = false;
    const removed: string[] = [];
    const remove = (path: string): Promise<void> => {
      removed.push(path.slice(-8));
      return failing && removed.length > 2 ? Promise.reject(new Error('EIO')) : real.remove(path);
    };
    const files: Files = { ...bound(real), remove };
    const model = new HistoryModel(shape);
    let store = await HistoryStore.open({ ...options, files });
    await fill(store, model, evenSizes(20));
    failing = true;
    removed.length = 0;
    await expect(store.prune(pruneTo(15))).rejects.toMatchObject({ code: 'failed' });
    await expect(store.append(model.next(300, 1))).rejects.toMatchObject({ code: 'failed' });
    await expect(store.prune(pruneTo(15))).rejects.toMatchObject({ code: 'failed' });
    model.prune(pruneTo(15));
    await checkSame(store, model);
    await store.close();
    // The oldest went first. The others that were to go stand there still: an inspection counts them, the next opening takes them away.
    expect(removed).toEqual(['00000000', '00000001', '00000002']);
    const summary = await inspectHistory({ files: real, kernels, directory: options.directory, recompute: true });
    expect(summary).toMatchObject({
      leftoverBytes: store.prunedBytes - 2 * shape.segmentSizeBytes,
      unindexedBytes: 0,
      prunedBytes: store.prunedBytes,
    });
    expect(summary.facts.startHeight).toBe(model.startHeight);
    store = await HistoryStore.open(options);
    await checkSame(store, model);
    await store.close();
    await checkFolder(options, model);
  });
});

function cursorFields(model: HistoryModel, number: number): object {
  const { length, segmentCount, segmentsRoot } = model.cursorBefore(number);
  return { length, segmentCount, segmentsRoot };
}

/** An adapter's methods as a plain object. */
function bound(files: Files): Files {
  return {
    open: (path, mode) => files.open(path, mode),
    exists: (path) => files.exists(path),
    list: (directory) => files.list(directory),
    makeDirectory: (path) => files.makeDirectory(path),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    syncDirectory: (path) => files.syncDirectory(path),
    lock: (path) => files.lock(path),
  };
}
