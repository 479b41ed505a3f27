/** Many simulations: scenarios in turn over seeds, until the hours are up or one fails. */
import { type Minimized, minimize, replayCommand } from './minimize.ts';
import { type RunOrder, RunThreads } from './run-threads.ts';
import type { Scenario } from './scenario.ts';
import { scenarioNamed } from './scenarios.ts';
import { type SimulationOptions, type SimulationResult, simulate, USUAL_SLOT_MS } from './simulation.ts';

export interface CampaignOptions {
  readonly seed: number;
  /** In turn, each with the next seed. */
  readonly scenarios: readonly Scenario[];
  /** Virtual time over all runs at least, ms. */
  readonly totalMs: number;
  /** Virtual time of one run at least, ms: all of it when there is one scenario only. */
  readonly runMs: number;
  readonly validators?: number;
  readonly wideArea?: boolean;
  /** Slot durations in turn, one a round of scenarios; 500 ms unless given. */
  readonly slotDurationsMs?: readonly number[];
  readonly without?: ReadonlySet<number>;
  /** Threads to run on, each a run of its own at a time; 1 unless given. The result is the same. */
  readonly threads?: number;
  readonly onTrace?: (line: string) => void;
  /** Told after each run, and now and then in between. */
  readonly onProgress?: (doneMs: number) => void;
  readonly onRun?: (result: SimulationResult) => void;
}

export interface Failure {
  readonly result: SimulationResult;
  readonly minimized: Minimized;
  /** Replays it with the faults that matter. */
  readonly command: string;
}

export interface CampaignResult {
  readonly runs: number;
  readonly seeds: readonly [first: number, last: number];
  readonly simulatedMs: number;
  /** Slots simulated. */
  readonly slots: number;
  readonly finalBlocks: number;
  readonly finalTransactions: number;
  readonly faults: number;
  readonly boots: number;
  readonly killsAtWork: number;
  readonly failure: Failure | null;
  readonly last: SimulationResult;
}

/** Runs until the time is up or a violation is found, which is then made smaller. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { threads = 1, scenarios, onTrace, totalMs, runMs } = options;
  const isNamed = scenarios.every((scenario) => scenarioNamed(scenario.name) === scenario);
  const useful = Math.min(threads, Math.ceil(totalMs / runMs));
  if (useful < 2 || !isNamed || onTrace !== undefined) return inOrder(options, (_, run) => simulate(run));
  const lanes = new RunThreads(useful, (number) => orderOf(options, number), totalMs);
  try {
    return await inOrder(options, async (number, run) => {
      const { isViolated, ...report } = await lanes.take(number);
      // A thread cannot hand over what was found: the same seed finds it here again.
      return isViolated ? simulate(run) : { ...report, violation: null };
    });
  } finally {
    await lanes.close();
  }
}

function orderOf(campaign: CampaignOptions, number: number): RunOrder {
  const { scenario, onTrace: _, onProgress: __, plant: ___, ...options } = optionsOf(campaign, number, 0);
  return { ...options, number, scenario: scenario.name };
}

async function inOrder(
  options: CampaignOptions,
  play: (number: number, run: SimulationOptions) => Promise<SimulationResult>,
): Promise<CampaignResult> {
  const { seed, totalMs, onRun } = options;
  const sums = { simulatedMs: 0, slots: 0, finalBlocks: 0, finalTransactions: 0, faults: 0, boots: 0, killsAtWork: 0 };
  for (let runs = 0; ; runs += 1) {
    const run = optionsOf(options, runs, sums.simulatedMs);
    const result = await play(runs, run);
    onRun?.(result);
    sums.simulatedMs += result.simulatedMs;
    sums.slots += Math.round(result.simulatedMs / (run.slotDurationMs ?? USUAL_SLOT_MS));
    sums.finalBlocks += result.finalHeight;
    sums.finalTransactions += result.finalTransactions;
    sums.faults += result.faults.length;
    sums.boots += result.boots;
    sums.killsAtWork += result.killsAtWork;
    options.onProgress?.(sums.simulatedMs);
    const failure = result.violation === null ? null : await explain(run, result);
    if (failure !== null || sums.simulatedMs >= totalMs)
      return { runs: runs + 1, seeds: [seed, seed + runs], ...sums, failure, last: result };
  }
}

async function explain(run: SimulationOptions, result: SimulationResult): Promise<Failure> {
  const minimized = await minimize(run, result);
  return { result, minimized, command: replayCommand(run, minimized.without) };
}

function optionsOf(campaign: CampaignOptions, number: number, doneMs: number): SimulationOptions {
  const { seed, scenarios, slotDurationsMs, runMs, validators, wideArea, without, onTrace, onProgress } = campaign;
  const slotDurationMs = slotDurationsMs?.[Math.floor(number / scenarios.length) % slotDurationsMs.length];
  return {
    seed: seed + number,
    scenario: scenarios[number % scenarios.length]!,
    durationMs: runMs,
    ...(slotDurationMs === undefined ? {} : { slotDurationMs }),
    ...(validators === undefined ? {} : { validators }),
    ...(wideArea === undefined ? {} : { wideArea }),
    ...(without === undefined ? {} : { without }),
    ...(onTrace === undefined ? {} : { onTrace }),
    ...(onProgress === undefined ? {} : { onProgress: (nowMs: number) => onProgress(doneMs + nowMs) }),
  };
}
