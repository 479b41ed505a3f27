/** Inspecting and rebuilding the account table of a stopped node, on the simulated disk. Its log: verify-log.test.ts. */
import { describe, expect, it } from 'vitest';
import type { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { inspectTable, rebuildTable } from '../../storage/index.ts';
import { Trace } from '../crash/trace.ts';
import { kernels } from './kernels-fixture.ts';

const STATE = '/data/state';

/** A log of several segments, closed cleanly. */
async function closedLog(): Promise<Trace> {
  const trace = new Trace(5);
  const store = await trace.open();
  await trace.append(store, 10);
  await store.close();
  return trace;
}
describe('rebuildTable and inspectTable', () => {
  it('refuse while a node runs on it', async () => {
    const trace = await closedLog();
    const store = await trace.open();
    const options = { files: trace.disk, kernels, stateDirectory: STATE };
    await expect(rebuildTable(options)).rejects.toMatchObject({ code: 'locked' });
    await expect(inspectTable(options)).rejects.toMatchObject({ code: 'locked' });
    await store.close();
  });

  it('makes the table that was there: equal entries, positions included, from the log alone', async () => {
    const trace = await closedLog();
    const before = tableEntries(trace.disk);
    expect(before.length).toBeGreaterThan(100);
    const options = { files: trace.disk, kernels, stateDirectory: STATE };
    expect(await inspectTable(options)).toMatchObject({ state: 'clean', entries: before.length });
    const shard = (await trace.disk.list(`${STATE}/accounts`)).find((name) => name.startsWith('shard-'))!;
    const used = usedSlot(trace.disk.image().get(`${STATE}/accounts/${shard}`)!);
    trace.disk.corrupt(`${STATE}/accounts/${shard}`, used + 20, 255);
    expect(tableEntries(trace.disk)).not.toEqual(before);
    expect(await inspectTable(options)).toMatchObject({ state: 'shards differ from the mark' });
    const progress: number[] = [];
    const figures = await rebuildTable({ ...options, onProgress: (done, total) => progress.push(done / total) });
    expect(tableEntries(trace.disk)).toEqual(before);
    expect(figures).toMatchObject({ height: trace.acknowledged - 1, accounts: before.length });
    // One report a batch that is kept.
    expect(progress.length).toBe(figures.batches);
    expect(figures.batches).toBeGreaterThan(3);
    expect(await inspectTable(options)).toMatchObject({ state: 'clean', entries: before.length });
    const store = await trace.open();
    const bonds = [...store.bonds()].length;
    expect(store.openReport.rebuilt).toBe(false);
    trace.check(store);
    // While a node runs there is no clean mark; after a crash the next start rebuilds.
    trace.disk.restartProcess();
    expect(await inspectTable(options)).toMatchObject({ state: 'no clean mark' });
    expect(await inspectTable({ ...options, table: 'bonds' })).toMatchObject({ state: 'no clean mark' });
    expect(bonds).toBeGreaterThan(0);
    trace.disk.reboot();
    await (await trace.open()).close();
    expect(await inspectTable({ ...options, table: 'bonds' })).toMatchObject({ state: 'clean', entries: bonds });
  });

  it('rebuilds after a rebuild that was cut off anywhere', async () => {
    const wanted = tableEntries((await closedLog()).disk);
    let cuts = 0;
    for (let at = 0; ; at += 2) {
      const trace = await closedLog();
      trace.disk.fault = { at: trace.disk.operations + at, kind: 'cut' };
      const whole = await rebuildTable({ files: trace.disk, kernels, stateDirectory: STATE }).then(
        () => true,
        () => false,
      );
      if (whole) break;
      cuts += 1;
      trace.disk.reboot();
      const store = await trace.open();
      trace.check(store);
      await store.close();
      expect(tableEntries(trace.disk)).toEqual(wanted);
    }
    expect(cuts).toBeGreaterThan(5);
  });

  it('sees a shard that is not what the mark says', async () => {
    const trace = await closedLog();
    const shard = (await trace.disk.list(`${STATE}/accounts`)).find((name) => name.startsWith('shard-'))!;
    const path = `${STATE}/accounts/${shard}`;
    const at = usedSlot(trace.disk.image().get(path)!);
    await (await trace.disk.open(path, 'write')).write(at + 28, new Uint8Array(4));
    const table = await inspectTable({ files: trace.disk, kernels, stateDirectory: STATE });
    expect(table.state).toBe('shards differ from the mark');
    expect(table.shards[0]!.marked).toBe(table.shards[0]!.entries + 1);
  });
});

const usedSlot = (shard: Uint8Array): number => {
  for (let at = 0; at < shard.length; at += 32)
    if (shard.subarray(at + 28, at + 32).some((byte) => byte !== 0)) return at;
  throw new RangeError('an empty shard');
};

/** Every entry of every shard (address, balance, position), in order of address. */
/** Accounts in the images; deleted ones are not. */
function tableEntries(disk: SimulatedDisk): string[] {
  const entries: string[] = [];
  for (const [path, bytes] of disk.image()) {
    if (!path.startsWith(`${STATE}/accounts/shard-`)) continue;
    for (let at = 0; at < bytes.length; at += 32) {
      const entry = Buffer.from(bytes.subarray(at, at + 32));
      if (entry.readUInt32LE(28) !== 0 && entry.readUInt32LE(28) !== 2 ** 32 - 1) entries.push(entry.toString('hex'));
    }
  }
  return entries.sort();
}
