/** A campaign comes to one end on any number of threads: the same runs in the same order, and the first failure by seed. */
import { expect, it } from 'vitest';
import { type CampaignOptions, type CampaignResult, runCampaign } from '../../tools/simulate/campaign.ts';
import { RunThreads } from '../../tools/simulate/run-threads.ts';
import { scenarioNamed } from '../../tools/simulate/scenarios.ts';
import type { SimulationResult } from '../../tools/simulate/simulation.ts';

const RUN_MS = 95_000;

async function played(options: Partial<CampaignOptions>): Promise<[CampaignResult, SimulationResult[]]> {
  const runs: SimulationResult[] = [];
  // Cheap to play, and one of them with a liar and faults.
  const scenarios = [scenarioNamed('calm')!, scenarioNamed('invalid-poh')!];
  const usual = { seed: 50, scenarios, totalMs: 2 * RUN_MS, runMs: RUN_MS };
  const result = await runCampaign({ ...usual, ...options, onRun: (run) => runs.push(run) });
  return [result, runs];
}

it('gives the same runs in the same order', { timeout: 300_000 }, async () => {
  const [alone, runs] = await played({});
  const [together, same] = await played({ threads: 2 });
  expect(runs.length).toBe(2);
  expect(same).toEqual(runs);
  expect(together).toEqual(alone);
});

it('tells of the first failure by seed, whatever was found before', { timeout: 300_000 }, async () => {
  const scenarios = ['invalid-poh', 'canary', 'canary'].map((name) => scenarioNamed(name)!);
  const [{ failure, seeds, runs }] = await played({ scenarios, threads: 2, totalMs: 3 * RUN_MS });
  expect(failure!.result).toMatchObject({ seed: 51, scenario: 'canary', violation: { code: 'conflicting-finality' } });
  expect([runs, seeds]).toEqual([2, [50, 51]]);
});

it('fails, and does not wait, for a run that no thread plays', async () => {
  const threads = new RunThreads(1, (number) => ({ number, seed: 1, scenario: 'no such one', durationMs: 1 }), 1);
  try {
    await expect(threads.take(0)).rejects.toThrow('no scenario is called no such one');
    await expect(threads.take(1)).rejects.toThrow('run 1 is not there');
  } finally {
    await threads.close();
  }
});
