/** A long run of small blocks, pruned as finality advances: the disk it takes stays flat, under a stated bound. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DiskSample, runHistory } from '../../tools/plots/history-disk.ts';
import { samplesChart, samplesCsv } from '../../tools/plots/history-plot.ts';
import { kernels } from './kernels-fixture.ts';

/** Syncs cost nothing in memory, and nothing here depends on them. */
const FAST = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const DEPTH = 512;
const SEGMENT_SIZE_BYTES = 65_536;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(FAST, 'cairn-flat-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (blocks: number, withArchive: boolean): Promise<DiskSample[]> =>
  runHistory({
    kernels,
    directory: folder,
    blocks,
    depthBlocks: DEPTH,
    everyBlocks: 64,
    segmentSizeBytes: SEGMENT_SIZE_BYTES,
    seed: 2,
    withArchive,
  });

describe('history on disk', () => {
  it('is flat over 20,000 blocks: kept bodies, two segments and a block; an index that stops growing', {
    timeout: 120_000,
  }, async () => {
    const samples = await run(20_000, false);
    for (const { height, keptBytes, keptBytesMax: most } of samples)
      if (keptBytes > most) expect.unreachable(`${keptBytes} bytes at height ${height}, at most ${most}`);
    const last = samples.at(-1)!;
    expect(last.streamBytes).toBeGreaterThan(20 * last.keptBytes);
    const warm = samples.find(({ height }) => height >= 4 * DEPTH)!;
    // lmdb reuses its pages; what goes on growing is 32 bytes a segment.
    expect(last.indexBytes).toBeLessThan(1.25 * warm.indexBytes);
  });

  it('draws the run: every column, every line, the same text for the same samples', async () => {
    const samples = await run(640, true);
    const csv = samplesCsv(samples).trimEnd().split('\n');
    expect(csv[0]).toBe('height,streamBytes,keptBytes,keptBytesMax,indexBytes,archiveBytes,archiveIndexBytes');
    expect(csv).toHaveLength(1 + 10);
    expect(csv.at(-1)!.split(',').map(Number).every(Number.isSafeInteger)).toBe(true);
    const svg = samplesChart(samples, 'a < b');
    expect(svg).toBe(samplesChart(samples, 'a < b'));
    expect(svg).toContain('a &lt; b');
    expect(svg.match(/<path d="M[^"]*L/g)).toHaveLength(5);
    expect(svg).not.toContain('NaN');
  });
});
