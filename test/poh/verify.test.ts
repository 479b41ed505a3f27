import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hash, pohCount } from '../../native/index.ts';
import { type Block, type Entry, entryMixins } from '../../src/codec/index.ts';
import {
  batchSteps,
  joinSliceResults,
  type PohBatch,
  packPoh,
  type StretchResult,
  splitPoh,
  verifyPohBatch,
  verifyStretch,
} from '../../src/poh/index.ts';
import { kernels, pattern, payloads, thrownBy } from '../codec/fixtures.ts';
import { endOf, genesis, makeBlock, naiveSteps, parameters, sampleChain, sealBlock } from './chain.ts';

const chain = sampleChain(payloads);
const verify = (blocks: readonly Block[]): StretchResult => verifyStretch(kernels, parameters, genesis, blocks);

/** The chain's hashes from the definition alone. */
function naiveHash(start: Uint8Array, startCount: number, entry: Entry, mixin: Uint8Array): Uint8Array {
  return naiveSteps(start, entry.count - startCount, entry.kind === 'tick' ? undefined : mixin);
}

function batchOf(block: Block, start: { readonly count: number; readonly hash: Uint8Array }): PohBatch {
  return packPoh(start, block.entries, entryMixins(kernels, block.entries, block.header.parentHash));
}

const last = chain[4]!;
const lastStart = { count: 6 * 64, hash: chain[3]!.header.pohHash };

describe('a stretch of blocks', () => {
  it('holds against the naive twin, hash by hash', () => {
    let [count, state]: [number, Uint8Array] = [0, genesis.pohHash];
    for (const block of chain) {
      const mixins = entryMixins(kernels, block.entries, block.header.parentHash);
      for (const [index, entry] of block.entries.entries()) {
        expect(entry.hash).toEqual(naiveHash(state, count, entry, mixins.subarray(index * 32, index * 32 + 32)));
        [count, state] = [entry.count, entry.hash];
      }
    }
  });

  it('verifies, with its figures', () => {
    expect(verify(chain)).toEqual({
      ok: true,
      figures: { blocks: 5, entries: 40, ticks: 28, mixins: 12, hashes: 448 },
    });
    expect(verify([])).toMatchObject({ ok: true, figures: { blocks: 0 } });
  });

  it('finds a wrong hash at its entry, even when the header is signed over it', () => {
    const parent = endOf(chain[3]!);
    for (let index = 0; index < last.entries.length; index++) {
      const entries = last.entries.map((entry, at) =>
        at === index
          ? { ...entry, hash: hash(entry.hash.map((byte, place) => (place === 5 ? byte ^ 1 : byte))) }
          : entry,
      );
      const result = verify([...chain.slice(0, 4), sealBlock(parent, 7, entries)]);
      expect(result).toMatchObject({ ok: false, blockIndex: 4, entryIndex: index, fault: 'hash' });
    }
  });

  it('finds an item exchanged under its mixin', () => {
    const entries = last.entries.map((entry) =>
      entry.kind === 'transactions' ? { ...entry, transactions: [...entry.transactions].reverse() } : entry,
    );
    const wrong = last.entries.findIndex((entry) => entry.kind === 'transactions' && entry.transactions.length > 1);
    const result = verify([...chain.slice(0, 4), sealBlock(endOf(chain[3]!), 7, entries)]);
    expect(result).toMatchObject({ ok: false, blockIndex: 4, entryIndex: wrong, fault: 'hash' });
  });

  it('finds a skipped count', () => {
    const moved = last.entries.map((entry, index) =>
      index === 1 ? { ...entry, count: pohCount(entry.count - 1) } : entry,
    );
    const result = verify([...chain.slice(0, 4), sealBlock(endOf(chain[3]!), 7, moved)]);
    expect(result).toMatchObject({ ok: false, entryIndex: 1, fault: 'hash' });
  });

  it('finds broken links, ends and roots', () => {
    expect(verify([chain[0]!, chain[2]!])).toMatchObject({ ok: false, blockIndex: 1, fault: 'parent-hash' });
    expect(verify([chain[0]!, chain[0]!])).toMatchObject({ ok: false, blockIndex: 1, fault: 'slot-order' });
    const header = (change: object): Block => ({ ...chain[0]!, header: { ...chain[0]!.header, ...change } });
    expect(verify([header({ pohHash: hash(pattern(32, 1)) })])).toMatchObject({
      fault: 'poh-end',
      entryIndex: undefined,
    });
    expect(verify([header({ pohCount: 63 })])).toMatchObject({ fault: 'poh-end' });
    expect(verify([header({ transactionCount: 1 })])).toMatchObject({ fault: 'transaction-count' });
    expect(verify([header({ entriesRoot: hash(pattern(32, 1)) })])).toMatchObject({ fault: 'entries-root' });
    expect(verify([header({ slot: 2 })])).toMatchObject({ fault: 'end-wrong', entryIndex: 4 });
    const wrongStart = verifyStretch(kernels, parameters, { ...genesis, pohHash: hash(pattern(32, 3)) }, chain);
    expect(wrongStart).toMatchObject({
      ok: false,
      blockIndex: 0,
      entryIndex: 0,
      fault: 'hash',
      figures: { blocks: 0 },
    });
  });
});

describe('slices for several threads', () => {
  it('cover the batch in order, balanced, and give the same first error', () => {
    const batch = batchOf(last, lastStart);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: -1, max: last.entries.length - 1 }),
        (parts, wrong) => {
          const copy = { ...batch, hashes: batch.hashes.slice() };
          if (wrong >= 0) copy.hashes[(wrong + 1) * 32]! ^= 4;
          const slices = splitPoh(copy, parts);
          expect(slices.length).toBeLessThanOrEqual(parts);
          expect(slices.reduce((sum, slice) => sum + slice.steps.length, 0)).toBe(batch.steps.length);
          expect(slices.reduce((sum, slice) => sum + batchSteps(slice), 0)).toBe(64);
          const results = slices.map((slice) => verifyPohBatch(kernels, slice));
          expect(joinSliceResults(slices, results)).toBe(verifyPohBatch(kernels, copy));
          expect(joinSliceResults(slices, results)).toBe(wrong);
        },
      ),
      { seed: 3, numRuns: 120 },
    );
    const two = splitPoh(batchOf(makeBlock(genesis, 1), { count: 0, hash: genesis.pohHash }), 2);
    expect(two.map(batchSteps)).toEqual([32, 32]);
  });

  it('an empty batch has no slices', () => {
    expect(splitPoh(packPoh(lastStart, [], new Uint8Array(0)), 4)).toEqual([]);
  });

  it('counts that do not ascend cannot be packed', () => {
    const entries = [...last.entries].reverse();
    expect(thrownBy(() => packPoh(lastStart, entries, new Uint8Array(entries.length * 32)))).toMatchObject({
      code: 'steps',
    });
  });
});
