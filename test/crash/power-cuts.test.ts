/** Seeded power cuts and I/O errors over the real engine on the simulated disk. CAIRN_CRASH_CUTS and CAIRN_CRASH_SEED set size and start. */
import { expect, it } from 'vitest';
import { describeCampaign, runCampaign } from './campaign.ts';

const cuts = Number(process.env.CAIRN_CRASH_CUTS ?? 5_000);
const firstSeed = Number(process.env.CAIRN_CRASH_SEED ?? 1);

it(`survives ${cuts} power cuts, nested in recovery too, without losing an acknowledged batch`, {
  timeout: 900_000,
}, async () => {
  const figures = await runCampaign({ firstSeed, cuts });
  expect(figures.cuts).toBeGreaterThanOrEqual(cuts);
  if (cuts > 100) {
    expect(figures.cutsInRecovery).toBeGreaterThan(cuts * 0.1);
    expect(figures.deletedSegments).toBeGreaterThan(cuts * 0.1);
  }
  console.log(describeCampaign(firstSeed, figures));
});
