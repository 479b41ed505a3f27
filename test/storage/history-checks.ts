/** What must hold of a history, compared with the model. */
import { expect } from 'vitest';
import type { Files } from '../../storage/files/files.ts';
import { HistoryIndex } from '../../storage/history/history-index.ts';
import type { HistoryStore } from '../../storage/history/history-store.ts';
import type { HistoryModel } from './history-model.ts';

/** Every answer of an open history, kept and pruned heights alike. */
export async function checkSame(store: HistoryStore, model: HistoryModel): Promise<void> {
  expect(store.startHeight).toBe(model.startHeight);
  expect(store.tip?.height ?? 0).toBe(model.tip);
  expect(store.cursor.segmentsRoot).toEqual(model.cursorBefore(model.tip + 1).segmentsRoot);
  for (const { height, hash, bytes, transactions } of model.blocks) {
    const isHeld = height >= model.startHeight;
    if (isHeld) expect(await store.readBlock(height)).toEqual(bytes);
    else
      await expect(store.readBlock(height)).rejects.toMatchObject({
        code: 'pruned',
        keptFromHeight: model.startHeight,
      });
    expect(store.heightOf(hash)).toBe(isHeld ? height : undefined);
    for (const { id, index } of transactions)
      expect(store.transaction(id)).toEqual(isHeld ? { height, entry: 3, index } : undefined);
  }
}

/** The rows of a closed history: exactly those of the blocks held. */
export async function checkIndex(directory: string, model: HistoryModel): Promise<void> {
  const index = await HistoryIndex.open(`${directory}/index`);
  const kept = model.blocks.slice(model.startHeight - 1);
  const transactions = kept.reduce((sum, block) => sum + block.transactions.length, 0);
  expect(index.counts).toEqual({ blocks: kept.length, transactions });
  await index.close();
}

/** The segment files: from the one the first block held begins in to the last, no other. */
export async function checkFiles(files: Files, directory: string, model: HistoryModel): Promise<void> {
  const names = await files.list(`${directory}/stream`);
  const segments = names.map((name) => Number(name.slice(8))).sort((a, b) => a - b);
  if (model.tip === 0) return;
  const first = model.segmentOf(model.startHeight);
  const last = Math.ceil(model.length / model.shape.segmentSizeBytes);
  expect(segments).toEqual(Array.from({ length: last - first }, (_, at) => first + at));
}
