/**
 * The state store against plain Maps under any mix of batches, growth, compaction, restarts, kills, rebuilds and fast syncs.
 * CAIRN_STATE_SEED and CAIRN_STATE_RUNS choose another campaign: `npm run test:long -- state`.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { STEPS, StateWorld, type Step } from './state-world.ts';

const FIRST_SEED = Number(process.env.CAIRN_STATE_SEED ?? 31);
const RUNS = Number(process.env.CAIRN_STATE_RUNS ?? 20);
/** Accounts that fill half of the slots that small tables begin with. */
const FULL_AT = 128;

it('equals a plain Map, and a twin it was synced from, byte for byte, whatever happens to it', {
  timeout: 60_000 + RUNS * 2_000,
}, async () => {
  const seen = new Map<string, number>();
  const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(2 ** 31),
      fc.array(fc.constantFrom<Step>(...STEPS, 'append', 'queue'), { minLength: 6, maxLength: 30, size: 'max' }),
      async (seed, steps) => {
        const world = await StateWorld.open(seed);
        for (const [at, step] of steps.entries()) {
          await world.step(step);
          expect(await world.difference(), `${step}, step ${at} of ${steps.join(' ')}`).toBeUndefined();
          count(step);
          if (world.store.accountCount > FULL_AT) count('shards grown');
        }
        if (world.store.firstOp > 0) count('segments deleted');
        await world.close();
      },
    ),
    { seed: FIRST_SEED, numRuns: RUNS },
  );
  // What the property is about did happen.
  if (RUNS < 20) return;
  for (const what of [...STEPS, 'segments deleted', 'shards grown']) expect(seen.get(what), what).toBeGreaterThan(5);
});
