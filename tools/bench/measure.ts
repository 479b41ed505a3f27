/**
 * Rates of several contestants in one run: short samples in turn, so that whatever else the machine does falls on all alike; the median counts.
 */
import type { Work } from './model.ts';

export interface Effort {
  /** A sample goes on for at least this long, and makes at least one call. */
  readonly sampleMs: number;
  readonly rounds: number;
}

async function sample({ units, call }: Work, sampleMs: number): Promise<number> {
  const startedMs = performance.now();
  let calls = 0;
  let elapsedMs = 0;
  do {
    const done = call();
    if (done !== undefined) await done;
    calls += 1;
    elapsedMs = performance.now() - startedMs;
  } while (elapsedMs < sampleMs);
  return (calls * units * 1000) / elapsedMs;
}

/** The middle one of some numbers; at least one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Units a second of each contestant. The first sample of each only warms up, where there is more than one round. */
export async function measure(
  contestants: ReadonlyMap<string, Work>,
  { sampleMs, rounds }: Effort,
): Promise<Map<string, number>> {
  const rates = new Map<string, number[]>([...contestants.keys()].map((name) => [name, []]));
  for (let round = rounds > 1 ? -1 : 0; round < rounds; round += 1)
    for (const [name, work] of contestants) {
      const rate = await sample(work, sampleMs);
      if (round >= 0) rates.get(name)!.push(rate);
    }
  return new Map([...rates].map(([name, values]) => [name, median(values)]));
}
