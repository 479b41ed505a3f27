/** A campaign over scenarios in turn: with simulation.test.ts, what fits into `npm test`. Longer ones: test/long/simulate.long.ts. */
import { expect, it } from 'vitest';
import { runCampaign } from '../../tools/simulate/campaign.ts';
import { CAMPAIGN } from '../../tools/simulate/scenarios.ts';

const SEEDS = 20;
/** One phase of faults and the calm after it: at least this long. */
const RUN_MS = 95_000;

it(`holds for over half an hour of virtual time over ${SEEDS} seeds`, { timeout: 600_000 }, async () => {
  const options = { seed: 40_000, scenarios: CAMPAIGN, totalMs: SEEDS * RUN_MS, runMs: RUN_MS };
  const { failure, runs, simulatedMs, finalBlocks } = await runCampaign(options);
  expect(failure?.command ?? null).toBeNull();
  expect(runs).toBeGreaterThan(SEEDS / 2);
  expect(simulatedMs).toBeGreaterThanOrEqual(SEEDS * RUN_MS);
  expect(finalBlocks).toBeGreaterThan(SEEDS * 50);
});
