/** `cairn soundness`: what the cheats come to under given parameters, on this machine; exit 1 when they are not sound. */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { loadKernels } from '../../../native/index.ts';
import {
  curves,
  curvesCsv,
  curvesSvg,
  DEFAULT_CHECK_COUNT,
  DEFAULT_SAMPLE_COUNT,
  geometryProblem,
  layerCount,
  openParametersProblem,
  type SoundnessParameters,
  type SoundnessReport,
  sampleBlockProblem,
  sizeText,
  soundnessLines,
  soundnessReport,
} from '../../../replicator/index.ts';
import { byteSize, durationMs, wholeNumber } from '../arguments.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { failed, unusable } from '../failure.ts';

interface Options extends CommonOptions {
  readonly segment: number;
  readonly layers: number;
  readonly mode: 'open' | 'stream';
  readonly samples: number;
  readonly checks: number;
  readonly leaf: number;
  readonly block: number;
  readonly period: number;
  readonly deadline: number;
  readonly cores: number;
  readonly saving: number;
  readonly plot?: string;
}

const DRAWS_MAX = 65_536;
export function soundnessCommand(): Command {
  return newCommand('soundness', 'run the attacks on storage proofs, and say whether parameters are sound here', [
    ['cairn soundness', '64 MiB, one layer, a deadline of a second'],
    ['cairn soundness --segment 1G --layers 4 --deadline 200ms --cores 16', 'against a larger cheat'],
    ['cairn soundness --mode stream --period 30s', "the whitepaper's scheme"],
    ['cairn soundness --segment 64M --plot plots', 'storage kept against recompute time, as CSV and SVG'],
  ])
    .option('--segment <size>', 'size of a segment', byteSize, 64 * 2 ** 20)
    .option('--layers <count>', 'how often replicas are encrypted: 1, 2 or 4', wholeNumber(1, 4), 1)
    .addOption(new Option('--mode <mode>', 'kind of proof').choices(['open', 'stream']).default('open'))
    .option('--samples <count>', 'mode open: leaves drawn a proof', wholeNumber(1, DRAWS_MAX), DEFAULT_SAMPLE_COUNT)
    .option('--checks <count>', 'mode open: encodings shown a proof', wholeNumber(0, DRAWS_MAX), DEFAULT_CHECK_COUNT)
    .option('--leaf <size>', 'size of a leaf', byteSize, 1024)
    .option('--block <size>', 'mode stream: size of a sample block', byteSize, 2 ** 20)
    .option('--period <duration>', 'time between two proofs', durationMs, 30_000)
    .option('--deadline <duration>', "mode open: from a period's hash to its proof", durationMs, 1000)
    .option('--cores <count>', 'cores the cheat has', wholeNumber(1, 100_000), availableParallelism())
    .option('--saving <percent>', 'least saving that counts', wholeNumber(1, 99), 10)
    .option('--plot <folder>', 'write storage kept against recompute time: CSV and SVG')
    .action(run);
}

function parametersOf(options: Options): SoundnessParameters {
  const layers = layerCount(options.layers);
  if (layers === undefined) throw unusable(`--layers must be 1, 2 or 4, got ${options.layers}`);
  const geometry = { segmentSizeBytes: options.segment, leafSizeBytes: options.leaf };
  const draws = { sampleCount: options.samples, checkCount: options.checks };
  const block = Math.min(options.block, options.segment);
  const problem =
    geometryProblem(geometry) ?? openParametersProblem(draws) ?? sampleBlockProblem(block, options.segment);
  if (problem !== undefined) throw unusable(problem);
  return {
    ...geometry,
    ...draws,
    layers,
    mode: options.mode,
    sampleBlockSizeBytes: block,
    periodMs: options.period,
    deadlineMs: Math.min(options.deadline, options.period),
    cores: options.cores,
    savingShare: options.saving / 100,
  };
}

/** Processor time, not the wall's: other work on this machine must not make a cheat look slow. */
function processorTimeMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function run(options: Options): Promise<void> {
  const report = await soundnessReport(loadKernels(), parametersOf(options), processorTimeMs);
  if (options.plot !== undefined) await writePlots(options.plot, report);
  printResult(options, report, soundnessLines(report));
  if (!report.sound) throw failed('NOT SOUND: see the lines that say PASSES, and the least time a saving proof takes');
}

async function writePlots(folder: string, { parameters, machine }: SoundnessReport): Promise<void> {
  const points = curves(parameters, machine);
  const limitMs = parameters.mode === 'open' ? parameters.deadlineMs : parameters.periodMs;
  const size = sizeText(parameters.segmentSizeBytes);
  const name = `${parameters.mode}-${size.replace(' ', '')}`;
  const title = `mode ${parameters.mode}, segment ${size}, ${parameters.cores} cores: time to make a proof out of what is kept`;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.csv`), curvesCsv(points));
  await writeFile(join(folder, `${name}.svg`), curvesSvg(points, title, limitMs));
}
