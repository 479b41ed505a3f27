import { describe, expect, it } from 'vitest';
import { drawOffset, drawSlice, sampleBlock, sampleCount, sliceRuns } from '../../replicator/sample.ts';
import { hashOf, kernels } from './fixtures.ts';

function slicedBytes(seed: Uint8Array, layout: { replicaSizeBytes: number; sampleBlockSizeBytes: number }): number[] {
  const positions: number[] = [];
  for (let block = 0; block < sampleCount(layout); block += 1)
    for (const run of drawSlice(kernels, seed, layout, block))
      for (let index = 0; index < run.sizeBytes; index += 1) positions.push(run.replicaOffset + index);
  return positions;
}

/** Chi-squared over equally likely cells; for d cells it is around d, with deviation sqrt(2 d). */
function chiSquared(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('the slice of a block', () => {
  it('is 32 bytes, wraps inside its block, and repeats a block that is shorter', () => {
    expect(sliceRuns({ start: 100, length: 64 }, 0)).toEqual([{ replicaOffset: 100, sliceOffset: 0, sizeBytes: 32 }]);
    expect(sliceRuns({ start: 100, length: 64 }, 32)).toEqual([{ replicaOffset: 132, sliceOffset: 0, sizeBytes: 32 }]);
    expect(sliceRuns({ start: 100, length: 64 }, 60)).toEqual([
      { replicaOffset: 160, sliceOffset: 0, sizeBytes: 4 },
      { replicaOffset: 100, sliceOffset: 4, sizeBytes: 28 },
    ]);
    expect(sliceRuns({ start: 0, length: 20 }, 15).map((run) => run.sizeBytes)).toEqual([5, 20, 7]);
    expect(sliceRuns({ start: 7, length: 1 }, 0)).toHaveLength(32);
  });

  it('lies in its block, one for each, the last one short', () => {
    const layout = { replicaSizeBytes: 10 * 1024, sampleBlockSizeBytes: 1000 };
    expect(sampleCount(layout)).toBe(11);
    expect(sampleBlock(layout, 10)).toEqual({ start: 10_000, length: 240 });
    for (let block = 0; block < 11; block += 1) {
      const { start, length } = sampleBlock(layout, block);
      for (const run of drawSlice(kernels, hashOf('seed'), layout, block)) {
        expect(run.replicaOffset).toBeGreaterThanOrEqual(start);
        expect(run.replicaOffset + run.sizeBytes).toBeLessThanOrEqual(start + length);
      }
    }
  });

  it('refuses sizes that are none', () => {
    for (const sampleBlockSizeBytes of [0, -1, 1.5, 2 ** 30 + 1, Number.NaN])
      expect(() => sampleCount({ replicaSizeBytes: 1024, sampleBlockSizeBytes })).toThrow(/sampleBlockSizeBytes/);
    expect(() => sampleCount({ replicaSizeBytes: 2 ** 24 + 1024, sampleBlockSizeBytes: 1 })).toThrow(/2\^24 blocks/);
    expect(sampleCount({ replicaSizeBytes: 2 ** 24, sampleBlockSizeBytes: 1 })).toBe(2 ** 24);
  });
});

describe('coverage', () => {
  // 2,048 bytes: two blocks of 1,000 and a last one of 48, then a last one of 28 (shorter than a slice).
  for (const sampleBlockSizeBytes of [1000, 1010])
    it(`every byte of a replica is sampled, the first and last of a block as often as others (block ${sampleBlockSizeBytes})`, () => {
      const layout = { replicaSizeBytes: 2048, sampleBlockSizeBytes };
      const counts = new Array<number>(2048).fill(0);
      const draws = 4000;
      for (let draw = 0; draw < draws; draw += 1)
        for (const position of new Set(slicedBytes(hashOf(`coverage ${draw}`), layout))) counts[position]! += 1;
      expect(Math.min(...counts)).toBeGreaterThan(0);
      for (let block = 0; block < 3; block += 1) {
        const { start, length } = sampleBlock(layout, block);
        const expected = draws * Math.min(1, 32 / length);
        for (let at = start; at < start + length; at += 1)
          expect(Math.abs(counts[at]! - expected)).toBeLessThanOrEqual(5 * Math.sqrt(expected));
      }
    });
});

describe('drawn offsets', () => {
  it('are uniform, also for ranges that do not divide 2^32', () => {
    for (const range of [3, 7, 100, 1000]) {
      const counts = new Array<number>(range).fill(0);
      for (let block = 0; block < range * 50; block += 1)
        counts[drawOffset(kernels, hashOf('uniform'), block, range)]! += 1;
      expect(chiSquared(counts)).toBeLessThan(range + 5 * Math.sqrt(2 * range));
    }
  });

  it('reject words above the greatest multiple of the range', () => {
    // A range just above 2^31 refuses nearly half of all words: without rejection, its low half would come up twice as often.
    const range = 2 ** 31 + 1;
    let low = 0;
    for (let block = 0; block < 4000; block += 1)
      if (drawOffset(kernels, hashOf('reject'), block, range) < range / 2) low += 1;
    expect(Math.abs(low - 2000)).toBeLessThan(5 * Math.sqrt(1000));
  });

  it('cover 0 and the largest', () => {
    expect(drawOffset(kernels, hashOf('one'), 0, 1)).toBe(0);
    expect(drawOffset(kernels, hashOf('all'), 0, 2 ** 32)).toBeLessThan(2 ** 32);
  });
});
