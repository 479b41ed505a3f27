/**
 * Seeded power cuts, I/O errors and full disks over the op log alone, with segments being deleted: several lives a seed, faults also
 * while it recovers. CAIRN_CRASH_LOG_CUTS and CAIRN_CRASH_SEED set size and start.
 */
import { expect, it } from 'vitest';
import type { OpLog } from '../../storage/oplog/op-log.ts';
import { LogTrace } from './log-trace.ts';

const cuts = Number(process.env.CAIRN_CRASH_LOG_CUTS ?? 2_000);
const firstSeed = Number(process.env.CAIRN_CRASH_SEED ?? 1);
const LIVES_A_SEED = 4;

/** One life: open, append, perhaps close, with a fault somewhere. @returns true when the power was cut */
async function live(trace: LogTrace): Promise<boolean> {
  const draw = trace.random();
  const kind = draw < 0.75 ? 'cut' : draw < 0.9 ? 'io' : 'no-space';
  const reach = trace.random() < 0.3 ? 25 : 160;
  trace.disk.fault = { at: trace.disk.operations + Math.floor(trace.random() * reach), kind };
  let log: OpLog | undefined;
  try {
    log = await trace.open();
    await trace.check(log);
    await trace.append(log, 7);
    if (trace.random() < 0.5) await log.close();
  } catch (error) {
    const struck = trace.disk.operations > trace.disk.fault.at;
    if (!struck && trace.disk.powered) throw error;
    if (trace.disk.powered && log?.failure !== undefined && log.failure.code !== 'closed')
      await trace.checkStopped(log).catch((reason: { code?: string }) => {
        // A fault while closing leaves a log that can be read no more.
        if (reason.code !== 'closed') throw reason;
      });
  }
  return !trace.disk.powered;
}

it(`the op log survives ${cuts} power cuts while it deletes segments`, { timeout: 300_000 + cuts * 100 }, async () => {
  let [struck, deleted, batches] = [0, 0, 0];
  let seed = firstSeed;
  for (; struck < cuts; seed++) {
    const trace = new LogTrace(seed, seed, seed % 4);
    try {
      for (let life = 0; life < LIVES_A_SEED; life++) {
        if (await live(trace)) struck += 1;
        if (trace.disk.powered && trace.random() < 0.5) trace.disk.restartProcess();
        else trace.disk.reboot();
      }
      const log = await trace.open();
      await trace.check(log);
      await log.close();
      await trace.recoverTwice();
    } catch (error) {
      throw new Error(`seed ${seed} (CAIRN_CRASH_SEED=${seed} CAIRN_CRASH_LOG_CUTS=1)`, { cause: error });
    }
    deleted += trace.deleted;
    batches += trace.acknowledged;
  }
  expect(deleted).toBeGreaterThan(cuts / 10);
  console.log(
    `seeds ${firstSeed} to ${seed - 1}: ${struck} power cuts, ${deleted} segments deleted, ${batches} batches all there`,
  );
});
