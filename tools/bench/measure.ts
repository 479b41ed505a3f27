/**
 * Rates of several contestants in one run: short samples in turn, so that whatever else the machine does falls on all alike; the median counts.
 */
import type { Work } from './model.ts';

/** What a sample is timed by: the wall's clock, or this process's own processor time, on which other processes of a busy machine do not count. */
export type Clock = 'wall' | 'cpu';

const NOW_MS: Readonly<Record<Clock, () => number>> = {
  wall: () => performance.now(),
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

export interface Effort {
  /** A sample goes on for at least this long, and makes at least one call. */
  readonly sampleMs: number;
  readonly rounds: number;
  readonly clock: Clock;
}

async function sample({ units, call }: Work, { sampleMs, clock }: Effort): Promise<number> {
  const nowMs = NOW_MS[clock];
  const startedMs = nowMs();
  let calls = 0;
  let elapsedMs = 0;
  do {
    const done = call();
    if (done !== undefined) await done;
    calls += 1;
    elapsedMs = nowMs() - startedMs;
    // A clock that has not moved yet cannot give a rate.
  } while (elapsedMs < sampleMs || elapsedMs === 0);
  return (calls * units * 1000) / elapsedMs;
}

/** The middle one of some numbers; at least one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Units a second of each contestant. The first sample of each only warms up, where there is more than one round. */
export async function measure(contestants: ReadonlyMap<string, Work>, effort: Effort): Promise<Map<string, number>> {
  const rates = new Map<string, number[]>([...contestants.keys()].map((name) => [name, []]));
  for (let round = effort.rounds > 1 ? -1 : 0; round < effort.rounds; round += 1)
    for (const [name, work] of contestants) {
      const rate = await sample(work, effort);
      if (round >= 0) rates.get(name)!.push(rate);
    }
  return new Map([...rates].map(([name, values]) => [name, median(values)]));
}
