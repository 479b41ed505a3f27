/**
 * A real process under load, killed with SIGKILL again and again on one directory: while it opens, appends, grows its table, closes.
 * CAIRN_KILLS (default 10) and CAIRN_KILL_SEED (default 1) choose how often and when.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { StateStore } from '../../storage/state.ts';
import { checkLeft, optionsOf, requireBuild, startStore } from './store-process.ts';

const kills = Number(process.env.CAIRN_KILLS ?? 10);
const seed = Number(process.env.CAIRN_KILL_SEED ?? 1);
/** Kills that one directory sees before a new one is begun: a log that grows for ever would only make it slower. */
const KILLS_A_DIRECTORY = 40;

let folder = '';
beforeAll(async () => {
  requireBuild();
  folder = await mkdtemp(join(tmpdir(), 'cairn-kill-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it(`loses no acknowledged batch over ${kills} SIGKILLs of a loaded process (seed ${seed})`, {
  timeout: 60_000 + kills * 30_000,
}, async () => {
  const random = seededRandom(seed);
  let directory = '';
  let floor = -1;
  let total = 0;
  for (let round = 0; round < kills; round++) {
    if (round % KILLS_A_DIRECTORY === 0) {
      directory = join(folder, `killed-${round}`);
      floor = -1;
    }
    // The first never lets go of its lock, so that it can be asked for.
    const child = startStore(directory, round === 0 || random() < 0.5 ? 0 : 1 + Math.floor(random() * 60));
    // After some batches, or some time after its start, whatever it does then.
    if (round === 0 || random() < 0.7) await child.reached(20 + Math.floor(random() * 300));
    else await delay(50 + random() * 400);
    if (round === 0) await expect(StateStore.open(optionsOf(directory))).rejects.toMatchObject({ code: 'locked' });
    child.process.kill('SIGKILL');
    await child.ended;
    total += Math.max(0, child.acknowledged() - floor);
    floor = Math.max(floor, child.acknowledged());
    // Every other time the next process itself meets what the killed one left.
    if (round % 2 === 1) floor = await checkLeft(directory, floor);
  }
  await checkLeft(directory, floor);
  expect(total).toBeGreaterThan(kills);
  console.log(`${kills} kills, seed ${seed}: ${total} batches acknowledged, none lost`);
});
