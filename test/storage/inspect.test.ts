/** Verifying, inspecting and rebuilding what a stopped node keeps, on the simulated disk: damage at every kind of place is found where it is. */
import { describe, expect, it } from 'vitest';
import { StorageError } from '../../storage/errors.ts';
import type { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import {
  inspectLog,
  inspectTable,
  type LogFault,
  type LogFigures,
  rebuildTable,
  verifyLog,
} from '../../storage/index.ts';
import { Trace } from '../crash/trace.ts';
import { kernels } from './kernels-fixture.ts';

const STATE = '/data/state';
const LOG = `${STATE}/log`;
const SUPERBLOCK = `${LOG}/superblock`;
const verify = (files: SimulatedDisk): Promise<LogFigures | { readonly fault: LogFault }> =>
  verifyLog({ files, kernels, directory: LOG });

/** A log of several segments, closed cleanly. */
async function closedLog(): Promise<Trace> {
  const trace = new Trace(5);
  const store = await trace.open();
  await trace.append(store, 10);
  await store.close();
  return trace;
}
const segments = (trace: Trace): [string, Uint8Array][] =>
  [...trace.disk.image()].filter(([path]) => path.includes('/log/segment-'));

describe('verifyLog', () => {
  it('gives the figures of a whole log, and the root that the store had', async () => {
    const trace = await closedLog();
    const roots: Uint8Array[] = [];
    const progress: number[] = [];
    const log = await verifyLog({
      files: trace.disk,
      kernels,
      directory: LOG,
      onRoot: (_, root) => roots.push(root),
      onProgress: (done, total) => progress.push(done / total),
    });
    const files = segments(trace);
    expect(log).toMatchObject({
      segments: files.length,
      height: trace.acknowledged - 1,
      bytes: files.reduce((sum, [, bytes]) => sum + bytes.length, 0),
      clean: true,
    });
    expect(roots).toEqual(trace.roots.map(({ root }) => root));
    expect(Math.max(...progress)).toBeLessThanOrEqual(1);
    expect(Math.max(...progress)).toBeGreaterThan(0.5);
  });

  it('finds one flipped bit in any byte of any segment: header, frame head, batch, padding', {
    timeout: 60_000,
  }, async () => {
    const trace = await closedLog();
    const image = trace.logImage();
    for (const [path, bytes] of segments(trace)) {
      const frames = framesOf(bytes);
      for (let offset = 0; offset < bytes.length; offset += offset < 300 ? 1 : 17) {
        trace.disk.corrupt(path, offset, 1 << (offset % 8));
        const found = await verify(trace.disk);
        expect(found, `${path} ${offset}`).toHaveProperty('fault.acknowledged', true);
        const { fault } = found as { fault: LogFault };
        expect(fault.path).toBe(path);
        expect(fault.expected).not.toBe(fault.found);
        // The place: within the header, or within the frame that the byte belongs to.
        const frame = frames.find(({ start, end }) => offset >= start && offset < end);
        expect(fault.offset).toBeGreaterThanOrEqual(frame?.start ?? 0);
        expect(fault.offset).toBeLessThanOrEqual(offset);
        trace.disk.corrupt(path, offset, 1 << (offset % 8));
      }
    }
    expect(trace.logImage()).toBe(image);
    expect(await verify(trace.disk)).toMatchObject({ height: trace.acknowledged - 1 });
  });

  it('finds padding that is not zero although its frame has the right checksum', async () => {
    const trace = await closedLog();
    for (const [path, bytes] of segments(trace)) {
      const padded = framesOf(bytes).find(({ padding }) => padding > 0);
      if (padded === undefined) continue;
      const frame = bytes.slice(padded.start, padded.end);
      frame[frame.length - 1] = 7;
      new DataView(frame.buffer).setUint32(0, kernels.crc32c(frame.subarray(4)), true);
      const file = await trace.disk.open(path, 'write');
      await file.write(padded.start, frame);
      expect(await verify(trace.disk)).toMatchObject({
        fault: { path, offset: padded.end - 1, expected: 'zero padding', found: '7', acknowledged: true },
      });
      return;
    }
    expect.unreachable('no frame with padding in this log');
  });

  it('finds a chain, a height and an op that do not follow although the checksum is right', async () => {
    const trace = await closedLog();
    const [path, bytes] = segments(trace)[0]!;
    const { start, end } = framesOf(bytes)[1]!;
    // A byte of the chain, of the batch's height, and of its op count: each makes the chain wrong, or does not follow from the batches.
    for (const [at, where] of [
      [12, 8],
      [41, 8],
      [48, 8],
    ] as const) {
      const frame = bytes.slice(start, end);
      frame[at]! ^= 1;
      new DataView(frame.buffer).setUint32(0, kernels.crc32c(frame.subarray(4)), true);
      const file = await trace.disk.open(path, 'write');
      await file.write(start, frame);
      const found = await verify(trace.disk);
      expect(found).toMatchObject({
        fault: { path, offset: start + where, expected: expect.stringContaining('chain'), acknowledged: true },
      });
      await file.write(start, bytes.subarray(start, end));
    }
  });

  it('finds any flipped bit of the superblock file, though the other superblock is enough to open', async () => {
    const trace = await closedLog();
    for (let offset = 0; offset < 4608; offset += offset < 512 || offset >= 4096 ? 3 : 97) {
      trace.disk.corrupt(SUPERBLOCK, offset, 1 << (offset % 8));
      const found = await verify(trace.disk).catch((error: unknown) => error);
      expect(found, `${offset}`).toHaveProperty('fault.path', SUPERBLOCK);
      const { fault } = found as { fault: LogFault };
      expect(fault.offset).toBe(offset < 512 ? 0 : Math.min(offset, 4096));
      trace.disk.corrupt(SUPERBLOCK, offset, 1 << (offset % 8));
    }
  });

  it('tells a torn tail from damage', async () => {
    const trace = new Trace(6);
    const store = await trace.open();
    await trace.append(store, 6);
    const [path, bytes] = segments(trace).at(-1)!;
    const { start, end } = framesOf(bytes).at(-1)!;
    // As a SIGKILL in the middle of the last write leaves it.
    trace.disk.restartProcess();
    expect(await verify(trace.disk)).toMatchObject({ height: trace.acknowledged - 1, clean: false });
    await (await trace.disk.open(path, 'write')).truncate(end - 8);
    expect(await verify(trace.disk)).toMatchObject({ fault: { path, offset: start, acknowledged: false } });
    expect(await inspectLog({ files: trace.disk, kernels, directory: LOG })).toMatchObject({
      height: trace.acknowledged - 2,
      tornTail: { offset: start },
    });
  });

  it('finds missing files, and says when there is nothing to read or a node runs on it', async () => {
    const trace = await closedLog();
    for (const [path, bytes] of segments(trace)) {
      await trace.disk.remove(path);
      expect(await verify(trace.disk)).toMatchObject({ fault: { path, expected: 'a segment file', found: 'none' } });
      await (await trace.disk.open(path, 'create')).write(0, bytes);
    }
    const store = await trace.open();
    await expect(verify(trace.disk)).rejects.toMatchObject({ code: 'locked' });
    await expect(inspectLog({ files: trace.disk, kernels, directory: LOG })).rejects.toMatchObject({ code: 'locked' });
    await expect(rebuildTable({ files: trace.disk, kernels, stateDirectory: STATE })).rejects.toMatchObject({
      code: 'locked',
    });
    await store.close();
    await expect(verifyLog({ files: trace.disk, kernels, directory: '/none' })).rejects.toMatchObject({
      code: 'not-found',
    });
    trace.disk.fault = { at: trace.disk.operations + 5, kind: 'io' };
    await expect(verify(trace.disk)).rejects.toMatchObject({ code: 'io' });
  });

  it('names the version of a log from the future', async () => {
    const trace = await closedLog();
    const file = await trace.disk.open(SUPERBLOCK, 'write');
    for (const at of [0, 4096]) {
      const slot = new Uint8Array(512);
      await file.read(at, slot);
      slot[8] = 2;
      new DataView(slot.buffer).setUint32(508, kernels.crc32c(slot.subarray(0, 508)), true);
      await file.write(at, slot);
    }
    const error = await verify(trace.disk).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StorageError);
    expect(error).toMatchObject({ code: 'wrong-format', message: expect.stringContaining('version 2') });
  });
});

describe('inspectLog', () => {
  it('counts what every segment holds without reading the frames of any but the last', async () => {
    const trace = await closedLog();
    const log = await inspectLog({ files: trace.disk, kernels, directory: LOG });
    expect(log.segments.length).toBe(segments(trace).length);
    let [height, op] = [0, 0];
    for (const [index, segment] of log.segments.entries()) {
      const [path, bytes] = segments(trace)[index]!;
      expect(segment).toMatchObject({ index, firstHeight: height, firstOp: op, sizeBytes: bytes.length });
      const frames = framesOf(bytes);
      expect(segment.batches, path).toBe(frames.length);
      height += frames.length;
      op += frames.reduce((sum, { ops }) => sum + ops, 0);
    }
    expect(log).toMatchObject({ firstHeight: 0, height: height - 1, ops: op, clean: true, tornTail: undefined });
    expect(log.superblocks.map(({ fault }) => fault)).toEqual([undefined, undefined]);
    trace.disk.corrupt(SUPERBLOCK, 4200, 1);
    const damaged = await inspectLog({ files: trace.disk, kernels, directory: LOG });
    expect(damaged.superblocks[1]).toMatchObject({ contents: undefined, fault: { offset: 4096 } });
    const [first] = segments(trace)[0]!;
    trace.disk.corrupt(first, 50, 1);
    await expect(inspectLog({ files: trace.disk, kernels, directory: LOG })).rejects.toMatchObject({
      code: 'corrupt',
      path: first,
    });
  });
});

describe('rebuildTable and inspectTable', () => {
  it('makes the table that was there: equal entries, positions included, from the log alone', async () => {
    const trace = await closedLog();
    const before = tableEntries(trace.disk);
    expect(before.length).toBeGreaterThan(100);
    const options = { files: trace.disk, kernels, stateDirectory: STATE };
    expect(await inspectTable(options)).toMatchObject({ state: 'clean', accounts: before.length });
    // Damage that no mark tells of: only a rebuild puts it right.
    const shard = (await trace.disk.list(`${STATE}/accounts`)).find((name) => name.startsWith('shard-'))!;
    const used = usedSlot(trace.disk.image().get(`${STATE}/accounts/${shard}`)!);
    trace.disk.corrupt(`${STATE}/accounts/${shard}`, used + 20, 255);
    expect(tableEntries(trace.disk)).not.toEqual(before);
    const progress: number[] = [];
    const figures = await rebuildTable({ ...options, onProgress: (done, total) => progress.push(done / total) });
    expect(tableEntries(trace.disk)).toEqual(before);
    expect(figures).toMatchObject({ height: trace.acknowledged - 1, accounts: before.length });
    expect(progress.length).toBe(trace.acknowledged);
    expect(await inspectTable(options)).toMatchObject({ state: 'clean', accounts: before.length });
    const store = await trace.open();
    expect(store.openReport.rebuilt).toBe(false);
    trace.check(store);
    // While a node runs there is no clean mark; after a crash the next start rebuilds.
    trace.disk.restartProcess();
    expect(await inspectTable(options)).toMatchObject({ state: 'no clean mark' });
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
    expect(table.shards[0]!.marked).toBe(table.shards[0]!.accounts + 1);
  });
});

interface Frame {
  readonly start: number;
  readonly end: number;
  readonly padding: number;
  readonly ops: number;
}

/** Frames of a segment's bytes, taken apart by hand after docs/format/storage.md. */
function framesOf(bytes: Uint8Array): Frame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const frames: Frame[] = [];
  for (let start = 128; start < bytes.length; ) {
    const size = view.getUint32(start + 4, true);
    const end = start + Math.ceil((40 + size) / 8) * 8;
    frames.push({ start, end, padding: end - start - 40 - size, ops: view.getUint32(start + 48, true) });
    start = end;
  }
  return frames;
}

const usedSlot = (shard: Uint8Array): number => {
  for (let at = 0; at < shard.length; at += 32)
    if (shard.subarray(at + 28, at + 32).some((byte) => byte !== 0)) return at;
  throw new RangeError('an empty shard');
};

/** Every entry of every shard (address, balance, position), in order of address. */
function tableEntries(disk: SimulatedDisk): string[] {
  const entries: string[] = [];
  for (const [path, bytes] of disk.image()) {
    if (!path.startsWith(`${STATE}/accounts/shard-`)) continue;
    for (let at = 0; at < bytes.length; at += 32) {
      const entry = Buffer.from(bytes.subarray(at, at + 32));
      if (entry.readUInt32LE(28) !== 0) entries.push(entry.toString('hex'));
    }
  }
  return entries.sort();
}
