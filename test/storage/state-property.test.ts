/** The state store against plain Maps under any mix of batches, growth, compaction, restarts, kills, rebuilds and fast syncs. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { STEPS, StateWorld, type Step } from './state-world.ts';

it('equals a plain Map, and a twin it was synced from, byte for byte, whatever happens to it', async () => {
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
        }
        if (world.store.firstOp > 0) count('segments deleted');
        if (steps.includes('grow')) count('shards grown');
        await world.close();
      },
    ),
    { seed: 31, numRuns: 20 },
  );
  // What the property is about did happen.
  for (const what of [...STEPS, 'segments deleted', 'shards grown']) expect(seen.get(what), what).toBeGreaterThan(5);
});
