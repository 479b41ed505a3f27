/** Makes a failure smaller: leaves faults out, in halves and then one by one, as long as it still fails in the same way. */
import { type SimulationOptions, type SimulationResult, simulate } from './simulation.ts';

/** Runs at most this often. */
const RUNS_MAX = 40;

export interface Minimized {
  /** Faults that can be left out. */
  readonly without: ReadonlySet<number>;
  readonly result: SimulationResult;
  readonly runs: number;
}

/** @param failed the options and result of a run that found a violation */
export async function minimize(options: SimulationOptions, failed: SimulationResult): Promise<Minimized> {
  const code = failed.violation?.code;
  let left: readonly number[] = failed.faults;
  let without = new Set(options.without);
  let result = failed;
  let runs = 0;
  for (let size = Math.ceil(left.length / 2); left.length > 0 && runs < RUNS_MAX; size = Math.ceil(size / 2)) {
    for (let from = 0; from < left.length && runs < RUNS_MAX; ) {
      const dropped = left.slice(from, from + size);
      const tried = new Set([...without, ...dropped]);
      const attempt = await simulate(quiet(options, tried));
      runs += 1;
      if (attempt.violation?.code !== code) {
        from += size;
        continue;
      }
      without = tried;
      result = attempt;
      left = left.filter((number) => !dropped.includes(number) && attempt.faults.includes(number));
    }
    if (size === 1) break;
  }
  return { without, result, runs };
}

function quiet({ onTrace: _, ...options }: SimulationOptions, without: ReadonlySet<number>): SimulationOptions {
  return { ...options, without };
}

/** The command line that replays a run. */
export function replayCommand(options: SimulationOptions, without: ReadonlySet<number>): string {
  const { seed, scenario, durationMs, validators, wideArea, slotDurationMs } = options;
  const hours = Math.max(1e-6, durationMs / 3_600_000);
  return [
    `cairn simulate --seed ${seed} --scenario ${scenario.name} --hours ${Number(hours.toFixed(6))}`,
    validators === undefined ? '' : ` --validators ${validators}`,
    slotDurationMs === undefined ? '' : ` --slot-ms ${slotDurationMs}`,
    wideArea === true ? ' --wide-area' : '',
    without.size === 0 ? '' : ` --without ${[...without].sort((a, b) => a - b).join(',')}`,
  ].join('');
}
