/**
 * Draws docs/figures/compaction-{disk,cost}.svg and compaction.csv: node tools/plots/plot-compaction.mjs [BLOCKS [DIRECTORY]] (after `npm run build`).
 * 10,000 blocks take about two minutes; the log is written under the system's temporary folder.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadKernels } from '../../dist/native/index.js';
import { runCompaction } from '../../dist/tools/plots/compaction-disk.js';
import { compactionCsv, compactionFigures, costChart, diskChart } from '../../dist/tools/plots/compaction-plot.js';

const blocks = Number(process.argv[2] ?? 10_000);
const directory = process.argv[3] ?? fileURLToPath(new URL('../../docs/figures', import.meta.url));
const run = {
  blocks,
  accounts: 1_000_000,
  transfersPerBlock: 400,
  segmentSizeBytes: 2 ** 20,
  retainHeights: 32,
  seed: 1,
};
const startedMs = performance.now();
const samples = await runCompaction({
  ...run,
  microunitsPerByteBlock: 1000n,
  kernels: loadKernels(),
  directory: tmpdir(),
});
mkdirSync(directory, { recursive: true });
writeFileSync(join(directory, 'compaction.csv'), compactionCsv(samples, 10));
const title = `${run.accounts.toLocaleString('en')} accounts, ${run.transfersPerBlock} Zipf transfers a block`;
writeFileSync(join(directory, 'compaction-disk.svg'), diskChart(samples, `Op log on disk: ${title}`));
writeFileSync(join(directory, 'compaction-cost.svg'), costChart(samples, `Ops written by each block: ${title}`));
console.log(
  JSON.stringify({ ...run, ms: Math.round(performance.now() - startedMs), ...compactionFigures(samples) }, null, 1),
);
