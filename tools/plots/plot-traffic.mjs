/**
 * Draws docs/figures/simulator-traffic.{csv,svg}: node tools/plots/plot-traffic.mjs [DIRECTORY] (after `npm run build`).
 * Calm networks of 4, 25 and 100 real nodes over five regions in virtual time; the last takes minutes.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { trafficChart, trafficCsv } from '../../dist/tools/plots/traffic-plot.js';
import { measureTraffic } from '../../dist/tools/simulate/traffic.js';

const directory = process.argv[2] ?? fileURLToPath(new URL('../../docs/figures', import.meta.url));
const measured = [];
for (const [validators, ms] of [
  [4, 30_000],
  [25, 20_000],
  [100, 5_000],
]) {
  measured.push(await measureTraffic(validators, ms));
  console.log(JSON.stringify(measured.at(-1)));
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'simulator-traffic.csv'), trafficCsv(measured));
  writeFileSync(join(directory, 'simulator-traffic.svg'), trafficChart(measured));
}
