/**
 * Draws docs/figures/history-disk.{csv,svg}: node tools/plots/plot-history.mjs [BLOCKS [DIRECTORY]] (after `npm run build`).
 * 50,000 blocks take about three minutes, nearly all of it waiting for syncs; the histories are written under the system's temporary folder.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadKernels } from '../../dist/native/index.js';
import { runHistory } from '../../dist/tools/plots/history-disk.js';
import { samplesChart, samplesCsv } from '../../dist/tools/plots/history-plot.js';

const blocks = Number(process.argv[2] ?? 50_000);
const directory = process.argv[3] ?? fileURLToPath(new URL('../../docs/figures', import.meta.url));
const run = { blocks, depthBlocks: 512, everyBlocks: 100, segmentSizeBytes: 65_536, seed: 1, withArchive: true };
const startedMs = performance.now();
const samples = await runHistory({ ...run, kernels: loadKernels(), directory: tmpdir() });
mkdirSync(directory, { recursive: true });
writeFileSync(join(directory, 'history-disk.csv'), samplesCsv(samples));
const title = `History on disk over ${blocks.toLocaleString('en')} blocks, pruned below depth ${run.depthBlocks}`;
writeFileSync(join(directory, 'history-disk.svg'), samplesChart(samples, title));
const last = samples.at(-1);
const most = samples.reduce((sum, { keptBytes }) => Math.max(sum, keptBytes), 0);
console.log(
  JSON.stringify({ ...run, ms: Math.round(performance.now() - startedMs), mostKeptBytes: most, ...last }, null, 1),
);
