import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { open } from 'lmdb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Address, address, amount, height } from '../../native/index.ts';
import { type Eviction, evictionLeaf, evictionLeafHashes, mountainOf, peakFromPath } from '../../src/ledger/index.ts';
import { EvictionStore } from '../../src/node/evictions/eviction-store.ts';
import { CorruptionError, Frontier, leafHash } from '../../storage/index.ts';
import { kernels } from './world.ts';

let folder: string;
let folders = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cairn-evictions-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const fresh = (): string => join(folder, String(folders++));

const owner = (number: number): Address => address(new Uint8Array(20).fill(number + 1));
const eviction = (number: number): Eviction => ({
  address: owner(number % 5),
  balance: amount(BigInt(1000 + number)),
  height: height(7 * number),
});
const many = (first: number, count: number): Eviction[] =>
  Array.from({ length: count }, (_, at) => eviction(first + at));
const rangeOf = (count: number): Frontier =>
  count === 0 ? Frontier.empty : Frontier.empty.appendMany(kernels, evictionLeafHashes(kernels, many(0, count)));

/** Every kept eviction's path leads to the peak that the state would have. */
function checkPaths(store: EvictionStore, count: number): void {
  const { peaks } = rangeOf(count);
  for (let index = 0; index < count; index++) {
    const path = store.path(index, count);
    if (index < store.start) {
      expect(path).toBeUndefined();
      continue;
    }
    const place = mountainOf(index, count);
    expect(path?.length).toBe(32 * place.level);
    const leaf = leafHash(kernels, evictionLeaf(eviction(index)));
    expect(new Uint8Array(peakFromPath(kernels, leaf, place, path!))).toEqual(new Uint8Array(peaks[place.mountain]!));
  }
  expect(store.path(count, count)).toBeUndefined();
}

describe('EvictionStore', () => {
  it('gives every path at every count, through reopening, what a crash left behind, and a start in the middle', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(40),
        fc.array(fc.tuple(fc.nat(9), fc.constantFrom('go on', 'reopen', 'crash' as const)), { maxLength: 8 }),
        async (start, blocks) => {
          const path = fresh();
          let store = await EvictionStore.open(path, kernels, rangeOf(start));
          let count = start;
          for (const [added, then] of blocks) {
            await store.append(count, many(count, added));
            // A crash before the op log has the batch: the state knows nothing of these.
            if (then !== 'crash') count += added;
            if (then !== 'go on') {
              await store.close();
              store = await EvictionStore.open(path, kernels, rangeOf(count));
            }
            expect([store.start, store.count]).toEqual([start, count]);
          }
          for (const at of [count, Math.max(start, count - 3), start]) checkPaths(store, at);
          await store.close();
        },
      ),
      { numRuns: 25, seed: 8 },
    );
  });

  it('finds the evictions of an address, page by page, up to the count asked for', async () => {
    const store = await EvictionStore.open(fresh(), kernels, Frontier.empty);
    await store.append(0, many(0, 23));
    const numbers = (from: number, count: number, max: number): [number[], number | null] => {
      const { rows, next } = store.byAddress(owner(2), from, count, max);
      for (const { index, ...found } of rows) expect(found).toEqual(eviction(index));
      return [rows.map(({ index }) => index), next];
    };
    expect(numbers(0, 23, 10)).toEqual([[2, 7, 12, 17, 22], null]);
    expect(numbers(0, 22, 10)).toEqual([[2, 7, 12, 17], null]);
    expect(numbers(0, 23, 2)).toEqual([[2, 7], 12]);
    expect(numbers(12, 23, 2)).toEqual([[12, 17], 22]);
    expect(numbers(22, 23, 2)).toEqual([[22], null]);
    expect(store.byAddress(owner(9), 0, 23, 10)).toEqual({ rows: [], next: null });
    await expect(store.append(22, many(22, 1))).rejects.toThrowError(/go on with 23/);
    await store.close();
  });

  it('says that it is damaged when it lost evictions, holds others, or misses a hash', async () => {
    const damagedBy = async (change: (path: string) => Promise<void>, count: number): Promise<void> => {
      const path = fresh();
      const store = await EvictionStore.open(path, kernels, Frontier.empty);
      await store.append(0, many(0, 6));
      await store.close();
      await change(path);
      await expect(EvictionStore.open(path, kernels, rangeOf(count))).rejects.toThrowError(CorruptionError);
    };
    const unchanged = async (): Promise<void> => {};
    await damagedBy(unchanged, 7);
    await damagedBy(async (path) => {
      const root = open({ path, maxDbs: 4 });
      await root.openDB<Uint8Array, number[]>({ name: 'nodes', encoding: 'binary' }).remove([2, 0]);
      await root.close();
    }, 6);
    await damagedBy(async (path) => {
      const root = open({ path, maxDbs: 4 });
      const nodes = root.openDB<Uint8Array, number[]>({ name: 'nodes', encoding: 'binary' });
      await nodes.put([1, 2], Buffer.alloc(32, 9));
      await root.close();
    }, 6);
    const [path, other] = [fresh(), Frontier.empty.append(kernels, leafHash(kernels, Uint8Array.of(1)))];
    const store = await EvictionStore.open(path, kernels, Frontier.empty);
    await store.append(0, many(0, 1));
    await store.close();
    await expect(EvictionStore.open(path, kernels, other)).rejects.toThrowError(/the state's peaks/);
  });
});
