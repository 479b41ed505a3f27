/** Cuts the power, fails, or fills the disk at every single I/O of one trace, and again inside the recovery that follows. */
import { expect, it } from 'vitest';
import type { FaultKind } from '../../storage/files/simulated-disk.ts';
import { Trace } from './trace.ts';

const SEED = 77;
/** How many ways in which the disk may use a fault are tried at each operation. A failed sync loses pages in many ways. */
const DISK_SEEDS = { cut: 1, io: 3, 'no-space': 1 };

/** Open, append, close, open again, append. */
async function run(trace: Trace): Promise<void> {
  const first = await trace.open();
  await trace.append(first, 4);
  await first.close();
  const second = await trace.open();
  trace.check(second);
  await trace.append(second, 8);
  await second.close();
}

async function runWithFault(at: number, kind: FaultKind, again: number, diskSeed: number): Promise<boolean> {
  const trace = new Trace(SEED, diskSeed);
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
  const whole = new Trace(SEED);
  await run(whole);
  const operations = whole.disk.operations;
  expect(operations).toBeGreaterThan(100);
  let struck = 0;
  for (let at = 0; at < operations; at++) {
    for (let diskSeed = 0; diskSeed < DISK_SEEDS[kind]; diskSeed++)
      try {
        if (await runWithFault(at, kind, kind === 'cut' ? at % 23 : 0, diskSeed)) struck += 1;
      } catch (error) {
        throw new Error(`${kind} at operation ${at} of ${operations}, disk seed ${diskSeed}`, { cause: error });
      }
  }
  // A full disk does not hurt reads and syncs that need no space.
  expect(struck).toBeGreaterThan(operations * DISK_SEEDS[kind] * 0.4);
});
