import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hash, height, slot } from '../../native/index.ts';
import { leafHash, merkleRoot } from '../../storage/commitment/merkle.ts';
import { diskFiles } from '../../storage/files/disk-files.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { frameBlock, HistoryCursor, segmentRootOf } from '../../storage/history/cursor.ts';
import type { HistoryBlock, HistoryOptions } from '../../storage/history/history-model.ts';
import { HistoryStore } from '../../storage/history/history-store.ts';
import { PendingBlocks } from '../../storage/history/pending-blocks.ts';
import { kernels } from './kernels-fixture.ts';

const shape = { segmentSizeBytes: 1024, leafSizeBytes: 64 };
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
let folder = '';
let made = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-history-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const fresh = (): HistoryOptions => ({ directory: join(folder, `${made++}`), kernels, ...shape });
const bytesOf = (seed: number, size: number): Uint8Array => {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: size }, () => Math.floor(random() * 256));
};
const blockOf = (number: number, size = 100 + ((number * 397) % 700)): HistoryBlock => {
  const bytes = bytesOf(number, size);
  return {
    height: height(number),
    slot: slot(number * 2),
    hash: hash(kernels.sha256(bytes)),
    bytes,
    transactions: [0, 1].map((index) => ({ id: kernels.sha256(Uint8Array.of(number, index)), entry: 3, index })),
  };
};
const filled = async (options: HistoryOptions, count: number): Promise<HistoryStore> => {
  const store = await HistoryStore.open(options);
  for (let number = 1; number <= count; number++) await store.append(blockOf(number));
  return store;
};
const streamOf = (count: number): Uint8Array =>
  Buffer.concat(Array.from({ length: count }, (_, index) => frameBlock(blockOf(index + 1).bytes)));
/** Roots by the definition, leaf by leaf. */
const rootsOf = (stream: Uint8Array): Uint8Array[] => {
  const roots: Uint8Array[] = [];
  for (let at = 0; at + shape.segmentSizeBytes <= stream.length; at += shape.segmentSizeBytes) {
    const leaves: Uint8Array[] = [];
    for (let leaf = at; leaf < at + shape.segmentSizeBytes; leaf += shape.leafSizeBytes)
      leaves.push(leafHash(kernels, stream.subarray(leaf, leaf + shape.leafSizeBytes)));
    roots.push(merkleRoot(kernels, Buffer.concat(leaves)));
  }
  return roots;
};

describe('HistoryCursor', () => {
  it('equals the definition, in whatever pieces the bytes come, and rebuilds from roots and rest', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.array(fc.nat(1500), { maxLength: 8 }), (seed, sizes) => {
        const stream = bytesOf(
          seed,
          sizes.reduce((sum, size) => sum + size, 0),
        );
        let cursor = HistoryCursor.start(kernels, shape);
        const completed: Uint8Array[] = [];
        let at = 0;
        for (const size of sizes) {
          cursor = cursor.append(kernels, stream.subarray(at, at + size));
          completed.push(...cursor.completed);
          at += size;
        }
        const roots = rootsOf(stream);
        expect(completed.map(hex)).toEqual(roots.map(hex));
        expect(cursor.length).toBe(stream.length);
        expect(cursor.segmentCount).toBe(roots.length);
        const leaves = Buffer.concat(roots.map((root) => leafHash(kernels, root)));
        expect(hex(cursor.segmentsRoot)).toBe(hex(merkleRoot(kernels, leaves)));
        const rest = stream.subarray(roots.length * shape.segmentSizeBytes);
        const again = HistoryCursor.rebuild(kernels, shape, Buffer.concat(roots), rest);
        const more = bytesOf(seed + 1, 2500);
        expect(again.append(kernels, more)).toEqual(cursor.append(kernels, more));
      }),
      { seed: 30, numRuns: 60 },
    );
    expect(() => HistoryCursor.start(kernels, { segmentSizeBytes: 1000, leafSizeBytes: 64 })).toThrow(/multiple/);
  });
});

describe('HistoryStore', () => {
  it('keeps blocks, lookups, segments and the cursor over a reopen', async () => {
    const options = fresh();
    const stream = streamOf(12);
    const roots = rootsOf(stream);
    let store = await filled(options, 12);
    for (const reopened of [false, true]) {
      if (reopened) {
        await store.close();
        store = await HistoryStore.open(options);
      }
      expect(store.tip).toMatchObject({ height: 12, slot: 24 });
      expect(store.cursor.length).toBe(stream.length);
      expect(store.cursor.segmentCount).toBe(roots.length);
      for (let number = 1; number <= 12; number++) {
        const block = blockOf(number);
        expect(await store.readBlock(number)).toEqual(block.bytes);
        expect(store.heightOf(block.hash)).toBe(number);
        expect(store.transaction(block.transactions[1]!.id)).toEqual({ height: number, entry: 3, index: 1 });
      }
      expect(await store.readBlock(13)).toBeUndefined();
      expect(store.heightOf(new Uint8Array(32))).toBeUndefined();
      expect(store.transaction(new Uint8Array(32))).toBeUndefined();
      expect(hex(store.segmentRoots())).toBe(roots.map(hex).join(''));
      const second = store.segment(1)!;
      const bytes = await second.read(0, 5000);
      expect(bytes).toEqual(new Uint8Array(stream.subarray(1024, 2048)));
      expect(hex(segmentRootOf(kernels, shape, bytes))).toBe(hex(second.root));
      expect(await second.read(1000, 100)).toEqual(new Uint8Array(stream.subarray(2024, 2048)));
      expect(store.segment(roots.length)).toBeUndefined();
      expect(await store.unfinishedBytes()).toEqual(new Uint8Array(stream.subarray(roots.length * 1024)));
    }
    await expect(store.append(blockOf(14))).rejects.toMatchObject({ code: 'wrong-height' });
    await Promise.all([store.append(blockOf(13)), store.append(blockOf(14))]);
    expect(store.tip?.height).toBe(14);
    await expect(HistoryStore.open(options)).rejects.toMatchObject({ code: 'locked' });
    await store.close();
    const other = { ...options, leafSizeBytes: 128 };
    await expect(HistoryStore.open(other)).rejects.toMatchObject({ code: 'wrong-format' });
  });

  it('starts at a later block, from segment roots and the unfinished segment', async () => {
    const whole = await filled(fresh(), 9);
    const options = fresh();
    const start = { height: 10, segmentRoots: whole.segmentRoots(), unfinished: await whole.unfinishedBytes() };
    let store = await HistoryStore.open({ ...options, start });
    expect(store.tip).toBeUndefined();
    expect(store.cursor).toEqual(whole.cursor);
    await store.close();
    store = await HistoryStore.open(options);
    for (let number = 10; number <= 14; number++) {
      await whole.append(blockOf(number));
      await store.append(blockOf(number));
      expect(store.cursor).toEqual(whole.cursor);
    }
    await store.close();
    store = await HistoryStore.open(options);
    expect(store.cursor.segmentsRoot).toEqual(whole.cursor.segmentsRoot);
    expect(store.startHeight).toBe(10);
    await expect(store.readBlock(9)).rejects.toMatchObject({ code: 'pruned', keptFromHeight: 10 });
    expect(await store.readBlock(10)).toEqual(blockOf(10).bytes);
    expect(store.segment(0)).toBeUndefined();
    expect(store.segmentRoot(0)).toEqual(whole.segmentRoot(0));
    const held = Math.floor(store.startOffset / 1024);
    expect(await store.segment(held)!.read(0, 1024)).toEqual(await whole.segment(held)!.read(0, 1024));
    await whole.close();
    await store.close();
  });

  it('cuts bytes that were never indexed, and takes the block again', async () => {
    const options = fresh();
    await (await filled(options, 5)).close();
    const end = streamOf(5).length;
    const last = Math.floor(end / 1024);
    const files = diskFiles();
    const file = await files.open(`${options.directory}/stream/segment-0000000${last}`, 'write');
    await file.write(end % 1024, new Uint8Array(1024 - (end % 1024)).fill(1));
    await file.close();
    await writeFile(`${options.directory}/stream/segment-0000000${last + 1}`, 'half a block');
    const store = await HistoryStore.open(options);
    expect(store.cursor.length).toBe(end);
    await store.append(blockOf(6));
    expect(await store.readBlock(6)).toEqual(blockOf(6).bytes);
    const clean = await filled(fresh(), 6);
    expect(store.cursor).toEqual(clean.cursor);
    await store.close();
    await clean.close();
  });

  it('refuses damage: a short file, a flipped byte in the unfinished segment or in a block that is read', async () => {
    const options = fresh();
    await (await filled(options, 12)).close();
    const stream = `${options.directory}/stream`;
    const flip = async (path: string, offset: number): Promise<void> => {
      const file = await diskFiles().open(path, 'write');
      const byte = new Uint8Array(1);
      await file.read(offset, byte);
      byte[0]! ^= 4;
      await file.write(offset, byte);
      await file.close();
    };
    await flip(`${stream}/segment-00000000`, 50);
    let store = await HistoryStore.open(options);
    await expect(store.readBlock(1)).rejects.toMatchObject({ code: 'corrupt', offset: 0 });
    expect(await store.readBlock(12)).toEqual(blockOf(12).bytes);
    await store.close();
    const last = `${stream}/segment-0000000${Math.floor(streamOf(12).length / 1024)}`;
    const within = streamOf(12).length % 1024;
    await flip(last, within - 1);
    await expect(HistoryStore.open(options)).rejects.toMatchObject({ code: 'corrupt' });
    await flip(last, within - 1);
    store = await HistoryStore.open(options);
    await store.close();
    await truncate(last, within - 1);
    await expect(HistoryStore.open(options)).rejects.toMatchObject({ code: 'corrupt', offset: within - 1 });
    await rm(`${stream}/segment-00000001`);
    await expect(HistoryStore.open(options)).rejects.toMatchObject({ code: 'corrupt' });
  });
});

describe('PendingBlocks', () => {
  it('keeps blocks until they are deleted, over a reopen', async () => {
    const options = { directory: join(folder, `${made++}`) };
    let pending = await PendingBlocks.open(options);
    await expect(PendingBlocks.open(options)).rejects.toMatchObject({ code: 'locked' });
    const blocks = [3, 1, 2].map((number) => blockOf(number));
    for (const block of blocks) await pending.put(block);
    await pending.close();
    pending = await PendingBlocks.open(options);
    expect(pending.all().map((block) => block.height)).toEqual([1, 2, 3]);
    expect(pending.all()[0]).toEqual({ hash: blockOf(1).hash, height: 1, slot: 2, bytes: blockOf(1).bytes });
    await pending.delete(blockOf(2).hash, blockOf(9).hash);
    expect(pending.all().map((block) => block.height)).toEqual([1, 3]);
    await pending.close();
    await pending.close();
  });
});
