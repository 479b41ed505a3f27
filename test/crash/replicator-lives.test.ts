/** Deaths of a simulated replicator; `CAIRN_SIMULATED_KILLS` says how many (test:long: 200), `CAIRN_KILL_SEED` which. */
import { expect, it } from 'vitest';
import { ReplicatorLives } from './replicator-lives.ts';

const KILLS = Number(process.env.CAIRN_SIMULATED_KILLS ?? 20);
const SEED = Number(process.env.CAIRN_KILL_SEED ?? 1);
const KILLS_PER_RUN = 20;

it(`${KILLS} deaths while it encodes, proves and rotates (seed ${SEED}): it comes back, nothing is wrong, only periods it was down for are missed`, async () => {
  const sums = { encode: 0, prove: 0, rotate: 0, other: 0, power: 0, slots: 0, proofs: 0, fakes: 0 };
  for (let done = 0, run = 0; done < KILLS; done += KILLS_PER_RUN, run += 1) {
    const seed = SEED + run;
    const kills = Math.min(KILLS_PER_RUN, KILLS - done);
    const { deaths, ...rest } = await ReplicatorLives.run(kills, seed).catch((error: Error) => {
      throw new RangeError(`CAIRN_KILL_SEED=${seed} CAIRN_SIMULATED_KILLS=${kills}: ${error.message}`, {
        cause: error,
      });
    });
    for (const [name, count] of Object.entries({ ...deaths, ...rest })) sums[name as keyof typeof sums] += count;
  }
  console.log(JSON.stringify(sums));
  expect(sums.encode + sums.prove + sums.rotate + sums.other).toBe(KILLS);
  for (const moment of ['encode', 'prove', 'rotate', 'power', 'fakes'] as const)
    expect(sums[moment]).toBeGreaterThan(KILLS / 20);
}, 600_000);
