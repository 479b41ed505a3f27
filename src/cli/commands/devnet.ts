/** `cairn devnet` (and `npm start`): runs a whole network in separate processes, loads it, breaks it, checks it, reports. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { MischiefKind } from '../../../tools/devnet/mischief.ts';
import { type PartitionSpec, parsePartition } from '../../../tools/devnet/partition-spec.ts';
import type { DevnetOptions, DevnetResult } from '../../../tools/devnet/run-devnet.ts';
import type { View } from '../../../tools/devnet/view.ts';
import { TransferFileError } from '../../../tools/workload/ethereum-file.ts';
import { durationMs, wholeNumber } from '../arguments.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { unusable } from '../failure.ts';

interface Options extends CommonOptions {
  readonly for?: number;
  readonly report?: string;
  readonly transfers?: string;
  readonly balances?: string;
  readonly data?: string;
  readonly rate?: number;
  readonly validators: number;
  readonly seed: number;
  readonly quiet?: boolean;
  readonly byzantine?: MischiefKind;
  readonly partition?: PartitionSpec;
  readonly cheats?: boolean;
}

export function devnetCommand(): Command {
  return newCommand('devnet', 'run a network on this machine under load, break parts of it, and check everything', [
    ['cairn devnet', 'until q or Ctrl-C, with a live view'],
    ['cairn devnet --for 60s --report report.json', 'unattended; exit code 0 only if every check held'],
    ['cairn devnet --for 60s --byzantine twin', 'a copied key: slashed with evidence, the network goes on'],
    ["cairn devnet --for 60s --partition '2|2@20s+10s'", 'nobody finalizes until the wires are mended'],
    ['cairn devnet --transfers transfers.csv.gz --for 90s --report r.json', 'replays Ethereum transfers'],
    ['cairn devnet --cheats', 'the replication market: cheats are refused, history is restored from replicas'],
  ])
    .option('--for <duration>', 'end the load after this long (default: until stopped)', durationMs)
    .option('--report <file>', 'write the report as JSON')
    .option('--transfers <file>', 'replay transfers from a CSV file in ethereum-etl columns, plain or gzip')
    .option('--balances <file>', 'write all final balances as CSV')
    .option('--data <directory>', "keep the nodes' folders here (default: a temporary place)")
    .option('--rate <tps>', 'transfers a second (default: what suits the workload)', wholeNumber(1, 1_000_000))
    .option('--validators <count>', 'how many validators, 4 or more to survive a loss', wholeNumber(4, 32), 4)
    .option('--seed <number>', 'seed of the built-in workload', wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .addOption(
      new Option(
        '--byzantine <kind>',
        'one validator misbehaves; what leaves proof behind must get it slashed',
      ).choices([
        'double-vote',
        'double-propose',
        'twin',
        'lazy',
        'lazy-verifier',
        'copying-verifier',
        'silent',
        'censor',
      ]),
    )
    .option(
      '--partition <spec>',
      "cut wires: '3|1@20s+15s' splits off the fourth validator at 20 s for 15 s",
      partition,
    )
    .option('--cheats', 'instead: four replicators of which three cheat, then a restore from replicas alone')
    .option('--quiet', 'no live view')
    .action(run);
}

function partition(text: string): PartitionSpec {
  const spec = parsePartition(text);
  if (spec === null)
    throw new InvalidArgumentError("It must look like '3|1@20s+15s': validators on each side, when, for how long.");
  return spec;
}

async function run(options: Options): Promise<void> {
  if (options.cheats === true) return runMarket(options);
  const { runDevnet } = await import('../../../tools/devnet/run-devnet.ts');
  const { writeReport } = await import('../../../tools/devnet/report.ts');
  const stop = new AbortController();
  const onStop = stopper(stop);
  process.on('SIGINT', onStop).on('SIGTERM', onStop);
  const result = await runDevnet(await devnetOptions(options, stop.signal, onStop)).catch(explainFile);
  if (options.report !== undefined) await writeReport(options.report, result.report);
  print(options, result);
  process.exitCode = result.report.ok ? 0 : 1;
}

async function runMarket(options: Options): Promise<void> {
  const { runCheats } = await import('../../../tools/devnet/cheats/run-cheats.ts');
  const stop = new AbortController();
  const onStop = stopper(stop);
  process.on('SIGINT', onStop).on('SIGTERM', onStop);
  const say = (line: string): void => void (options.quiet === true || process.stderr.write(`${line}\n`));
  const { seed, data } = options;
  const result = await runCheats({ dataDirectory: data ?? null, seed, say, stop: stop.signal });
  if (options.report !== undefined) await writeFile(options.report, `${JSON.stringify(result.report, null, 1)}\n`);
  const place = result.directory === null ? [] : [`nodes' folders and logs: ${result.directory}`];
  printResult(options, result.report, [...result.summary, ...place]);
  process.exitCode = result.report.ok ? 0 : 1;
}

async function devnetOptions(options: Options, stop: AbortSignal, onStop: () => void): Promise<DevnetOptions> {
  return {
    durationMs: options.for ?? Number.POSITIVE_INFINITY,
    validators: options.validators,
    transfersFile: options.transfers === undefined ? null : resolve(options.transfers),
    balancesFile: options.balances === undefined ? null : resolve(options.balances),
    dataDirectory: options.data ?? null,
    ratePerSecond: options.rate ?? null,
    seed: options.seed,
    byzantine: options.byzantine ?? null,
    partition: options.partition ?? null,
    view: await chooseView(options, onStop),
    stop,
  };
}

async function chooseView(options: Options, onStop: () => void): Promise<View> {
  const { LiveView, PlainView, QUIET_VIEW } = await import('../../../tools/devnet/view.ts');
  if (options.quiet === true) return QUIET_VIEW;
  // With --json standard output belongs to the result.
  const output = options.json === true ? process.stderr : process.stdout;
  if (!output.isTTY) return new PlainView(output);
  return new LiveView(output, process.stdin.isTTY ? process.stdin : null, onStop);
}

/** First call: a clean stop with a report. Second: now; the children are killed as this process exits. */
function stopper(stop: AbortController): () => void {
  return () => {
    if (stop.signal.aborted) process.exit(1);
    stop.abort();
  };
}

function explainFile(error: unknown): never {
  if (error instanceof TransferFileError) throw unusable(error.message);
  throw error;
}

function print(options: Options, { report, summary, directory }: DevnetResult): void {
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const place = directory === null ? [] : [`nodes' folders and logs: ${directory}`];
  process.stdout.write(`${[...summary, ...place].join('\n')}\n`);
}
