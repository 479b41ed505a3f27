/** A thousand kills in the middle of writing a vote or a slot. */
import { expect, it } from 'vitest';
import { runCampaign } from '../../tools/simulate/campaign.ts';
import { scenarioNamed } from '../../tools/simulate/scenarios.ts';

it('a thousand kills while leading or voting give no slashable vote', { timeout: 600_000 }, async () => {
  // Runs of one phase: a node that starts reads its whole op log, and a short one is read sooner.
  const scenarios = [scenarioNamed('kills-at-work')!];
  const { failure, killsAtWork } = await runCampaign({ seed: 41_000, scenarios, totalMs: 7 * 95_000, runMs: 95_000 });
  expect(failure?.command ?? null).toBeNull();
  expect(killsAtWork).toBeGreaterThanOrEqual(1000);
});
