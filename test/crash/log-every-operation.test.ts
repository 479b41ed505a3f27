/**
 * Cuts the power, fails, or fills the disk at every single I/O of one trace of the op log, deletions of segments included, and cuts again
 * inside the recovery that follows.
 */
import { expect, it } from 'vitest';
import type { FaultKind } from '../../storage/files/simulated-disk.ts';
import type { OpLog } from '../../storage/oplog/op-log.ts';
import { LogTrace } from './log-trace.ts';

const SEED = 77;
/** How many ways in which the disk may use a fault are tried at each operation. A failed sync loses pages in many ways. */
const DISK_SEEDS = { cut: 1, io: 2, 'no-space': 1 };

/** Open, append, close, open again, append; a batch that opens a segment and lets several go at once among them. */
async function run(trace: LogTrace, note: (log: OpLog) => void): Promise<void> {
  const first = await trace.open();
  note(first);
  await trace.append(first, 14);
  await first.close();
  const second = await trace.open();
  note(second);
  await trace.check(second);
  const release = second.pin(second.firstOp);
  await trace.append(second, 14);
  // Several segments wait: they go one behind the other.
  release();
  await trace.append(second, 2);
  await second.close();
}

async function runWithFault(at: number, kind: FaultKind, again: number, diskSeed: number): Promise<boolean> {
  const trace = new LogTrace(SEED, diskSeed);
  trace.disk.fault = { at, kind };
  let last: OpLog | undefined;
  const struck = await run(trace, (log) => {
    last = log;
  }).then(
    () => false,
    () => true,
  );
  // After a failure the log goes on reading; then the process is restarted alone, with the page cache as the failure left it; then
  // the power goes too.
  if (trace.disk.powered) {
    if (last?.failure !== undefined) await trace.checkStopped(last).catch(rethrowUnlessClosed);
    trace.disk.restartProcess();
    const log = await trace.open();
    await trace.check(log);
    await trace.append(log, 1);
  }
  trace.disk.reboot();
  if (again > 0) {
    trace.disk.fault = { at: trace.disk.operations + again, kind: 'cut' };
    await trace.open().catch(() => {});
    trace.disk.reboot();
  }
  await trace.recoverTwice();
  const log = await trace.open();
  await trace.check(log);
  await trace.append(log, 1);
  await log.close();
  return struck;
}

/** A fault while closing leaves a log that can be read no more. */
function rethrowUnlessClosed(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'closed')) throw error;
}

it.each(['cut', 'io', 'no-space'] as const)(
  '%s at every operation of the op log',
  { timeout: 300_000 },
  async (kind) => {
    const whole = new LogTrace(SEED);
    await run(whole, () => {});
    const operations = whole.disk.operations;
    expect(operations).toBeGreaterThan(300);
    expect(whole.segmentFiles()[0]).toBeGreaterThan(6);
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
    expect(struck).toBeGreaterThan(operations * DISK_SEEDS[kind] * (kind === 'no-space' ? 0.2 : 0.4));
  },
);
