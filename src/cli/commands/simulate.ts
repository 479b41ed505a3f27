/** `cairn simulate`: real nodes on simulated machines and wires, in virtual time, from a seed; oracles watch for anything that must not happen. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CampaignOptions, CampaignResult } from '../../../tools/simulate/campaign.ts';
import { CAMPAIGN, SCENARIOS, scenarioNamed } from '../../../tools/simulate/scenarios.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { unusable } from '../failure.ts';
import { withProgress } from '../progress.ts';

const HOUR_MS = 3_600_000;
/** Virtual time of one run of a campaign over all scenarios: one phase of faults. */
const RUN_MS = 95_000;

interface Options extends CommonOptions {
  readonly seed: number;
  readonly hours: number;
  readonly validators?: number;
  readonly scenario?: string;
  readonly wideArea?: boolean;
  readonly slotMs?: readonly number[];
  readonly without?: ReadonlySet<number>;
  readonly threads: number;
  readonly trace?: string;
  readonly view?: string;
}

export function simulateCommand(): Command {
  const scenario = new Option('--scenario <name>', 'one scenario (default: all in turn, each with the next seed)');
  const names = SCENARIOS.map(({ name }) => name);
  return newCommand('simulate', 'try to break the protocol: real nodes, simulated machines and wires, virtual time', [
    ['cairn simulate', 'every scenario in turn for a fifth of a simulated hour'],
    ['cairn simulate --seed 7 --scenario twins --hours 1', 'one scenario, one long run'],
    ['cairn simulate --scenario mixed --view run.html', 'who led, voted, was cut off, finalized: one page'],
    ['cairn simulate --scenario calm --validators 25 --wide-area', 'finality over five regions'],
  ])
    .option('--seed <number>', 'every choice follows from it: the same seed, the same run', wholeNumber(0, 2 ** 48), 1)
    .option('--hours <hours>', 'virtual time to run at least', hoursOf, 0.2)
    .option('--validators <count>', 'in place of the scenario’s number', wholeNumber(4, 1000))
    .addOption(scenario.choices(names))
    .option(
      '--slot-ms <durations>',
      'slots of 500 ms or longer, which stretch faults and bounds too; several with commas: in turn, one a round of scenarios',
      slotsOf,
    )
    .option('--wide-area', 'distances of five regions between the nodes')
    .option('--without <numbers>', 'leave out these faults of the plan, as a failure’s replay line says', numbersOf)
    .option(
      '--threads <count>',
      'runs at a time; what is found does not depend on it',
      wholeNumber(1, 256),
      availableParallelism(),
    )
    .option('--trace <file>', 'write the timeline, one JSON object a line (with --scenario)')
    .option('--view <file>', 'write the timeline as one HTML page (with --scenario)')
    .addHelpText('after', `\n${scenarioHelp()}`)
    .action(run);
}

/** Told under the examples: what each scenario is. */
function scenarioHelp(): string {
  const width = Math.max(...SCENARIOS.map(({ name }) => name.length));
  const lines = SCENARIOS.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`);
  return `Scenarios:\n${lines.join('\n')}\n\nExit code 1 when an oracle found a violation; seed, minimized faults and the command that replays it are printed.`;
}

function hoursOf(text: string): number {
  const hours = Number(text);
  if (!(hours > 0 && hours <= 10_000)) throw new InvalidArgumentError('It must be a number above 0, at most 10000.');
  return hours;
}

function slotsOf(text: string): readonly number[] {
  const durations = text.split(',').map(Number);
  if (durations.length > 100 || durations.some((ms) => !Number.isInteger(ms) || ms < 500 || ms > 60_000))
    throw new InvalidArgumentError('It must be milliseconds within 500 .. 60000, such as 500 or 500,2000.');
  return durations;
}

function numbersOf(text: string): ReadonlySet<number> {
  const numbers = text.split(',').map(Number);
  if (numbers.length > 10_000 || numbers.some((number) => !Number.isSafeInteger(number) || number < 0))
    throw new InvalidArgumentError('It must be fault numbers with commas between them, such as 3,17.');
  return new Set(numbers);
}

async function run(options: Options): Promise<void> {
  if (options.scenario === undefined && (options.trace !== undefined || options.view !== undefined))
    throw unusable('--trace and --view draw one run: name it with --scenario');
  const { runCampaign } = await import('../../../tools/simulate/campaign.ts');
  const lines: string[] = [];
  const totalMs = options.hours * HOUR_MS;
  const startedMs = performance.now();
  const result = await withProgress('simulated seconds', (progress) =>
    runCampaign({
      ...campaignOf(options, totalMs),
      ...(options.trace === undefined && options.view === undefined ? {} : { onTrace: (line) => lines.push(line) }),
      onProgress: (doneMs) => progress.update(Math.round(doneMs / 1000), Math.round(totalMs / 1000)),
    }),
  );
  await writeTimeline(options, lines);
  const realSeconds = (performance.now() - startedMs) / 1000;
  printResult(options, summaryOf(result, realSeconds), linesOf(result, realSeconds));
  process.exitCode = result.failure === null ? 0 : 1;
}

function campaignOf(options: Options, totalMs: number): CampaignOptions {
  const { seed, validators, wideArea, slotMs, without, threads, scenario: name } = options;
  const named = name === undefined ? undefined : scenarioNamed(name);
  return {
    seed,
    scenarios: named === undefined ? CAMPAIGN : [named],
    totalMs,
    threads,
    runMs: named === undefined ? Math.min(RUN_MS, totalMs) : totalMs,
    ...(validators === undefined ? {} : { validators }),
    ...(wideArea === undefined ? {} : { wideArea }),
    ...(slotMs === undefined ? {} : { slotDurationsMs: slotMs }),
    ...(without === undefined ? {} : { without }),
  };
}

async function writeTimeline(options: Options, lines: readonly string[]): Promise<void> {
  if (options.trace !== undefined) await writeFile(options.trace, lines.map((line) => `${line}\n`).join(''));
  if (options.view === undefined) return;
  const { renderView } = await import('../../../tools/simulate/view.ts');
  await writeFile(options.view, renderView(lines, `${options.scenario}, seed ${options.seed}`));
}

function summaryOf(result: CampaignResult, realSeconds: number): object {
  const { failure, last, ...sums } = result;
  const { violation: _, ...run } = last;
  return {
    ok: failure === null,
    ...sums,
    speed: Math.round(result.simulatedMs / 1000 / realSeconds),
    last: run,
    failure:
      failure === null
        ? null
        : {
            seed: failure.result.seed,
            scenario: failure.result.scenario,
            code: failure.minimized.result.violation?.code,
            height: failure.minimized.result.violation?.height,
            message: failure.minimized.result.violation?.message,
            faults: failure.minimized.result.faults,
            command: failure.command,
          },
  };
}

function linesOf(result: CampaignResult, realSeconds: number): string[] {
  const { runs, simulatedMs, slots, finalBlocks, finalTransactions, faults, boots, failure, last, seeds } = result;
  const speed = Math.round(simulatedMs / 1000 / realSeconds);
  const lines = [
    `${runs} runs, seeds ${seeds[0]} to ${seeds[1]}: ${(simulatedMs / HOUR_MS).toFixed(3)} simulated hours (${slots} slots) at ${speed} times real time`,
    `${finalBlocks} blocks and ${finalTransactions} transactions final, ${faults} faults, ${boots} starts of nodes`,
  ];
  if (last.finality !== null)
    lines.push(
      `last run: finality p50 ${last.finality.p50Ms} ms, p99 ${last.finality.p99Ms} ms; ${last.bytesPerSecond} bytes a second sent by each node; trace ${last.traceDigest.slice(0, 16)}`,
    );
  if (failure === null) return [...lines, 'no violation'];
  const { result: found, minimized, command } = failure;
  return [
    ...lines,
    `VIOLATION, seed ${found.seed}, scenario ${found.scenario}: ${minimized.result.violation?.message}`,
    `${minimized.result.faults.length} of ${found.faults.length} faults suffice: ${minimized.result.faults.join(', ') || 'none'}`,
    `replay: ${command}`,
  ];
}
