/**
 * A million simulated power cuts over the real engine: `npm run test:long -- crash`.
 *
 * `CAIRN_LONG_SEED` (default 1) and `CAIRN_LONG_SIZE` (cuts, default 1,000,000) choose the campaign; a failure prints the seed that replays it.
 */
import { it } from 'vitest';
import { describeCampaign, runCampaign } from '../crash/campaign.ts';

const SEED = Number(process.env.CAIRN_LONG_SEED ?? 1);
const SIZE = Number(process.env.CAIRN_LONG_SIZE ?? 1_000_000);
const REPORT_EVERY = 10_000;

it(`${SIZE} power cuts from seed ${SEED}: no acknowledged batch is lost`, { timeout: 0 }, async () => {
  console.log(`CAIRN_LONG_SEED=${SEED} CAIRN_LONG_SIZE=${SIZE}`);
  let reportAt = REPORT_EVERY;
  const figures = await runCampaign({
    firstSeed: SEED,
    cuts: SIZE,
    report: (soFar) => {
      if (soFar.cuts < reportAt) return;
      reportAt += REPORT_EVERY;
      console.log(describeCampaign(SEED, soFar));
    },
  });
  console.log(describeCampaign(SEED, figures));
});
