/** Simulated hours over every scenario: CAIRN_LONG_SIZE hours from seed CAIRN_LONG_SEED on. `cairn simulate --seed N --hours H` does the same. */
import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { runCampaign } from '../../tools/simulate/campaign.ts';
import { CAMPAIGN } from '../../tools/simulate/scenarios.ts';

const seed = Number(process.env.CAIRN_LONG_SEED ?? 1_000_000);
const hours = Number(process.env.CAIRN_LONG_SIZE ?? 100);
/** One phase of faults and the calm after it. */
const RUN_MS = 95_000;
/** In turn, one a round of scenarios: hours of long slots cost least, and short ones have the most in them. */
const SLOTS_MS = [500, 8_000, 8_000, 8_000, 8_000, 8_000, 8_000, 8_000];

it(`holds for ${hours} simulated hours from seed ${seed} on`, async () => {
  const startedMs = performance.now();
  const totalMs = hours * 3_600_000;
  const threads = availableParallelism();
  const campaign = { seed, scenarios: CAMPAIGN, totalMs, runMs: RUN_MS, slotDurationsMs: SLOTS_MS, threads };
  const result = await runCampaign(campaign);
  const { failure, runs, simulatedMs, slots, faults, finalBlocks } = result;
  const speed = simulatedMs / (performance.now() - startedMs);
  console.log(
    `${runs} runs, ${(simulatedMs / 3_600_000).toFixed(2)} simulated hours (${slots} slots) at ${speed.toFixed(0)} times real time, ${faults} faults, ${finalBlocks} blocks final`,
  );
  if (failure !== null) console.log(`replay: ${failure.command}`);
  expect(failure?.minimized.result.violation?.message ?? null).toBeNull();
});
