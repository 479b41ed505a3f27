/**
 * Cuts the power, fails, or fills the disk at every single I/O of one trace of more than 500, and again inside the recovery that follows. The
 * trace has all that a store does to its disk: it is made, grows its tables, deletes segments, several at once too, closes cleanly, is killed, rebuilds.
 */
import { expect, it } from 'vitest';
import type { FaultKind } from '../../storage/files/simulated-disk.ts';
import { Trace } from './trace.ts';

const SEED = 77;
/** Small batches one by one: what is tried is the order of I/Os, not what lies in them. */
const SIZES = { ops: 14, batches: 1 };

async function run(trace: Trace): Promise<void> {
  const first = await trace.open();
  await trace.append(first, 12);
  await first.close();
  const second = await trace.open();
  trace.check(second);
  const release = second.pin(second.firstOp);
  await trace.append(second, 40);
  // Several segments wait: they go one behind the other.
  release();
  await trace.append(second, 4);
  await second.close();
  const third = await trace.open();
  trace.check(third);
  await trace.append(third, 2);
  trace.kill();
  const fourth = await trace.open();
  trace.check(fourth);
  await trace.append(fourth, 6);
  await fourth.close();
}

async function runWithFault(at: number, kind: FaultKind, again: number, diskSeed: number): Promise<boolean> {
  const trace = new Trace(SEED, diskSeed, SIZES);
  trace.disk.fault = { at, kind };
  const struck = await run(trace).then(
    () => false,
    () => true,
  );
  // After a failure the process is first restarted alone, with the page cache as the failure left it; then the power goes too.
  if (trace.disk.powered) {
    trace.disk.restartProcess();
    const store = await trace.open();
    trace.check(store);
    await trace.append(store, 1);
  }
  trace.disk.reboot();
  if (again > 0) {
    trace.disk.fault = { at: trace.disk.operations + again, kind: 'cut' };
    await trace.open().catch(() => {});
    trace.disk.reboot();
  }
  await trace.recoverTwice();
  const store = await trace.open();
  trace.check(store);
  await trace.append(store, 1);
  await store.close();
  return struck;
}

it.each(['cut', 'io', 'no-space'] as const)('%s at every operation', { timeout: 300_000 }, async (kind) => {
  const whole = new Trace(SEED, SEED, SIZES);
  await run(whole);
  const operations = whole.disk.operations;
  expect(operations).toBeGreaterThan(500);
  expect(whole.firstSegment()).toBeGreaterThan(2);
  let struck = 0;
  for (let at = 0; at < operations; at++) {
    try {
      // The disk's seed, and so what a fault keeps and loses, is another one at every operation.
      if (await runWithFault(at, kind, kind === 'cut' ? at % 23 : 0, at)) struck += 1;
    } catch (error) {
      throw new Error(`${kind} at operation ${at} of ${operations}`, { cause: error });
    }
  }
  // A full disk does not hurt reads and syncs that need no space.
  expect(struck).toBeGreaterThan(operations * 0.4);
});
