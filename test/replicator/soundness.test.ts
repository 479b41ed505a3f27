import { describe, expect, it } from 'vitest';
import { replicaDecoder } from '../../replicator/decode.ts';
import { blockMatrix, type LayerCount, transposedIndex } from '../../replicator/layers.ts';
import { checkpointings, justInTime, regenerationMs } from '../../replicator/soundness/cheats.ts';
import type { SoundnessParameters } from '../../replicator/soundness/parameters.ts';
import { curves, curvesCsv, curvesSvg } from '../../replicator/soundness/plot.ts';
import {
  allPasses,
  expectedRegeneration,
  markedCount,
  regenerate,
  regenerationMarks,
  untransposedIndex,
} from '../../replicator/soundness/regenerate.ts';
import { deadlineBound, soundnessReport } from '../../replicator/soundness/report.ts';
import { soundnessLines } from '../../replicator/soundness/text.ts';
import { kernels, noise, seededRandom } from './fixtures.ts';

const MACHINE = { oneChain: 1.19e9, manyChains: 25e9, poh: 29.9e6 };
const SMALL: SoundnessParameters = {
  mode: 'open',
  segmentSizeBytes: 64 * 1024,
  leafSizeBytes: 256,
  layers: 1,
  sampleCount: 40,
  checkCount: 8,
  sampleBlockSizeBytes: 4096,
  periodMs: 30_000,
  deadlineMs: 1000,
  cores: 2,
  savingShare: 0.1,
};

describe('regeneration from checkpoints', () => {
  it('knows where every block of a pass came from', () => {
    for (const n of [1, 2, 63, 64, 65, 1000])
      for (const layers of [2, 4] as const) {
        const matrix = blockMatrix(n, layers);
        for (let block = 0; block < n; block += 1)
          expect(untransposedIndex(matrix, transposedIndex(matrix, block))).toBe(block);
      }
  });

  it('makes the wanted blocks again, whatever is kept, in every layer', () => {
    const cipher = { key: noise('cheat key', 32), iv: noise('cheat iv', 16) };
    const segment = noise('cheat', 21 * 1024);
    for (const [layers, ...spacings] of [
      [1, 7],
      [1, Number.POSITIVE_INFINITY],
      [2, 4, 3],
      [2, Number.POSITIVE_INFINITY, 16],
      [4, 2, 8, 5, 3],
    ] as const) {
      const decoder = replicaDecoder(kernels, cipher, segment.length, layers as LayerCount);
      const kept = allPasses(kernels, decoder, segment);
      const wanted = Float64Array.from([0, 1, 2, 500, 777, 778, 1343]);
      const marks = regenerationMarks(decoder.matrix, spacings, wanted);
      const bytes = regenerate(kernels, decoder, segment, kept, spacings, marks);
      for (const block of wanted)
        expect(bytes.subarray(block * 16, block * 16 + 16)).toEqual(
          kept.outputs.at(-1)!.subarray(block * 16, block * 16 + 16),
        );
    }
  });

  it('costs what is calculated, counted block by block', () => {
    const random = seededRandom(21);
    for (const [layers, runs, runBlocks, ...spacings] of [
      [1, 50, 4, 16],
      [1, 50, 1, 64],
      [2, 20, 4, 4, 8],
      [2, 20, 4, 16, 16],
      [4, 5, 4, 3, 4, 4, 6],
      [4, 5, 4, 8, 8, 8, 8],
      [4, 20, 4, 64, 64, 64, 64],
    ] as const) {
      const matrix = blockMatrix(2 ** 17 - 3, layers as LayerCount);
      let counted = 0;
      for (let round = 0; round < 24; round += 1) {
        const wanted: number[] = [];
        for (let run = 0; run < runs; run += 1) {
          const start = Math.floor(random() * (matrix.blockCount - runBlocks));
          for (let block = 0; block < runBlocks; block += 1) wanted.push(start + block);
        }
        counted += markedCount(regenerationMarks(matrix, spacings, Float64Array.from(wanted))) / 24;
      }
      const expected = expectedRegeneration(matrix.blockCount, spacings, runs, runBlocks);
      // The calculation lies at most a fifth above the count.
      expect(counted / expected).toBeGreaterThan(0.8);
      expect(counted / expected).toBeLessThan(1.1);
    }
  });

  it('costs more with every layer, and never more than all passes', () => {
    for (const segmentSizeBytes of [2 ** 20, 2 ** 26]) {
      const work = ([1, 2, 4] as const).map((layers) => {
        const parameters = { ...SMALL, segmentSizeBytes, layers };
        const ways = checkpointings(parameters);
        for (const way of ways) expect(way.workBytes).toBeLessThanOrEqual(justInTime(parameters).workBytes);
        for (const [index, way] of ways.entries())
          if (index > 0) expect(way.workBytes).toBeGreaterThan(ways[index - 1]!.workBytes);
        return ways.find(({ kept }) => kept <= 0.5)!.workBytes;
      });
      expect(work[0]!).toBeLessThan(work[1]!);
      expect(work[1]!).toBeLessThan(work[2]!);
    }
  });
});

describe('the deadline nobody who saves can meet', () => {
  it('is what one chain takes where nothing but encoding anew saves enough, and less where checkpoints do', () => {
    const parameters = { ...SMALL, segmentSizeBytes: 2 ** 30 };
    expect(regenerationMs(parameters, MACHINE, justInTime(parameters))).toBeCloseTo((2 ** 30 / 1.19e9) * 1000, 0);
    expect(deadlineBound(parameters, MACHINE)).toBeLessThan(1);
    expect(deadlineBound({ ...parameters, layers: 4 }, MACHINE)).toBeGreaterThan(deadlineBound(parameters, MACHINE));
  });
});

describe('the soundness report', () => {
  for (const [mode, layers] of [
    ['open', 1],
    ['open', 2],
    ['stream', 1],
  ] as const)
    it(`mode ${mode}, layers ${layers}: runs every attack, and is not fooled about any`, async () => {
      let time = 0;
      const report = await soundnessReport(kernels, { ...SMALL, mode, layers }, () => {
        time += 50;
        return time;
      });
      const of = (attack: string) => report.rows.filter((row) => row.attack === attack);
      expect(of('honest')[0]!.measured).toMatchObject({ passed: 1, tried: 1 });
      expect(of('just-in-time encoder')[0]).toMatchObject({ measured: { passed: 4, tried: 4 }, kept: 0 });
      const tried = of('checkpointing sibyl').filter(({ measured }) => measured !== null);
      expect(tried.length).toBeGreaterThan(1);
      for (const { measured } of tried) expect(measured).toMatchObject({ passed: 4, tried: 4 });
      for (const attack of ['copier', 'precomputer', 'replayer'])
        expect(of(attack)[0]).toMatchObject({ measured: { passed: 0 }, verdict: 'caught' });
      expect(of('precomputer')[0]!.measured!.note).not.toContain('FAILED');
      expect(of('grinder').at(-1)).toMatchObject({ measured: { passed: 0, tried: 20 }, verdict: 'caught' });
      const half = of('partial eraser').at(-1)!;
      expect(half).toMatchObject({ kept: 0.5, measured: { passed: 0 } });
      if (mode === 'open') {
        // 403 proofs: the calculated share passes, give or take five deviations.
        for (const { passLog2, measured } of of('partial eraser').slice(2, 5)) {
          const odds = 2 ** passLog2;
          const mean = 403 * odds;
          expect(Math.abs(measured!.passed - mean)).toBeLessThan(5 * Math.sqrt(mean) + 25);
        }
      }
      expect(report.sound).toBe(false);
      const lines = soundnessLines(report);
      expect(lines.at(-1)).toBe('NOT SOUND on this machine');
      expect(lines.length).toBeGreaterThan(20);
    });

  it('draws a curve for each number of layers', () => {
    const points = curves(SMALL, MACHINE);
    expect(new Set(points.map(({ layers }) => layers))).toEqual(new Set([1, 2, 4]));
    const csv = curvesCsv(points).trim().split('\n');
    expect(csv).toHaveLength(points.length + 1);
    expect(csv[0]).toBe('layers,kept,work_bytes,ms');
    const svg = curvesSvg(points, 'a title', 1000);
    expect(svg.match(/<polyline/g)).toHaveLength(3);
    expect(svg).not.toContain('NaN');
  });
});
