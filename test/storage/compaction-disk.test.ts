/** The op log on the real disk under Zipf transfers: bounded by twice what lives in it, and no block that costs many times another. */
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { runCompaction } from '../../tools/plots/compaction-disk.ts';
import { compactionCsv, compactionFigures, costChart, diskChart } from '../../tools/plots/compaction-plot.ts';
import { kernels } from './kernels-fixture.ts';

it('stays below twice the live ops once the log has turned over, and moves a little in every block', {
  timeout: 60_000,
}, async () => {
  const samples = await runCompaction({
    kernels,
    directory: tmpdir(),
    accounts: 20_000,
    transfersPerBlock: 40,
    blocks: 900,
    microunitsPerByteBlock: 1000n,
    segmentSizeBytes: 16_384,
    retainHeights: 4,
    seed: 1,
  });
  const figures = compactionFigures(samples);
  expect(figures.windowPerLiveLastHalf).toBeGreaterThan(1.4);
  expect(figures.windowPerLiveLastHalf).toBeLessThan(2);
  expect(figures.diskPerLiveLastHalf).toBeLessThan(2);
  // While the dense log of genesis turns over for the first time (ADR 7).
  expect(figures.windowPerLiveMax).toBeLessThan(2.5);
  expect(figures.opsMaxPerMedian).toBeLessThan(3);
  // The whole log was written anew more than twice, all in all.
  expect(samples.reduce((sum, { ops }) => sum + ops, 0)).toBeGreaterThan(2 * 20_000);
  expect(compactionCsv(samples, 100).split('\n')).toHaveLength(11);
  for (const chart of [diskChart(samples, 'disk'), costChart(samples, 'cost')])
    expect(chart).toMatch(/^<svg .*<\/svg>\n$/s);
});
