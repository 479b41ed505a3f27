/** Bit rot and missing bytes in what was acknowledged: always an error that says where, never a shorter log. */
import { describe, expect, it } from 'vitest';
import { CorruptionError } from '../../storage/errors.ts';
import { framesOf } from '../storage/log-frames.ts';
import { LogTrace } from './log-trace.ts';

/** A log of several segments, closed cleanly (everything acknowledged and marked so) or left as a crash leaves it. */
async function makeLog(clean: boolean): Promise<LogTrace> {
  const trace = new LogTrace(5, 5, 1000);
  const log = await trace.open();
  await trace.append(log, 10);
  if (clean) await log.close();
  return trace;
}
const segments = (trace: LogTrace): [string, Uint8Array][] =>
  [...trace.disk.image()].filter(([path]) => path.includes('/log/segment-'));

describe('damage in the acknowledged log', () => {
  it('is found at every byte, with its place, and nothing is cut', { timeout: 60_000 }, async () => {
    const trace = await makeLog(true);
    const image = trace.image();
    const files = segments(trace);
    expect(files.length).toBeGreaterThan(2);
    let tried = 0;
    for (const [path, bytes] of files)
      for (let offset = 0; offset < bytes.length; offset += offset < 200 ? 1 : 29) {
        trace.disk.corrupt(path, offset, 1 << (offset % 8));
        const error = await trace.open().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error, `${path} ${offset}`).toBeInstanceOf(CorruptionError);
        expect(error).toMatchObject({ path });
        expect(Math.abs((error as CorruptionError).offset - offset)).toBeLessThan(bytes.length);
        trace.disk.corrupt(path, offset, 1 << (offset % 8));
        tried += 1;
      }
    expect(tried).toBeGreaterThan(500);
    expect(trace.image()).toBe(image);
    const log = await trace.open();
    await trace.check(log);
    await log.close();
  });

  it('is found when a file is gone or shorter, even by whole frames', async () => {
    const trace = await makeLog(true);
    for (const [path, bytes] of segments(trace))
      for (let size = 0; size < bytes.length; size += 8) {
        const file = await trace.disk.open(path, 'write');
        await file.truncate(size);
        const before = trace.image();
        await expect(trace.open(), `${path} ${size}`).rejects.toBeInstanceOf(CorruptionError);
        expect(trace.image()).toBe(before);
        await file.write(0, bytes);
      }
    for (const [path, bytes] of segments(trace)) {
      await trace.disk.remove(path);
      await expect(trace.open()).rejects.toBeInstanceOf(CorruptionError);
      await (await trace.disk.open(path, 'create')).write(0, bytes);
    }
    await trace.check(await trace.open());
  });

  it('is found after a crash too, in every group but the last', async () => {
    const trace = await makeLog(false);
    trace.disk.reboot();
    const [last] = segments(trace).slice(-1);
    for (const [path, bytes] of segments(trace)) {
      if (path === last![0]) continue;
      for (let offset = 0; offset < bytes.length; offset += 97) {
        trace.disk.corrupt(path, offset, 4);
        await expect(trace.open(), `${path} ${offset}`).rejects.toBeInstanceOf(CorruptionError);
        trace.disk.corrupt(path, offset, 4);
      }
    }
    await trace.check(await trace.open());
  });

  it('is found in the last group once a later one was begun', async () => {
    const trace = await makeLog(true);
    const log = await trace.open();
    await trace.append(log, 1);
    const [path, bytes] = segments(trace).at(-1)!;
    // The next group's superblock does not reach the disk, but its frames do: so the group before was acknowledged.
    trace.disk.fault = { at: trace.disk.operations, kind: 'io' };
    await expect(trace.append(log, 1)).rejects.toBeDefined();
    expect(segments(trace).at(-1)![1].length).toBeGreaterThan(bytes.length);
    trace.disk.restartProcess();
    trace.disk.corrupt(path, bytes.length - 9, 1);
    const image = trace.image();
    await expect(trace.open()).rejects.toBeInstanceOf(CorruptionError);
    expect(trace.image()).toBe(image);
    trace.disk.corrupt(path, bytes.length - 9, 1);
    await trace.check(await trace.open());
  });

  it('is found when the last group of a segment lost whole frames after the next segment was begun', async () => {
    for (let tries = 0, found = 0; found < 3; tries++) {
      expect(tries).toBeLessThan(200);
      const trace = new LogTrace(100 + tries, 100 + tries, 1000);
      const log = await trace.open();
      await trace.append(log, 3 + (tries % 4));
      const [path, bytes] = segments(trace).at(-1)!;
      // The next group's superblock does not reach the disk; its frames do, and in a new segment.
      trace.disk.fault = { at: trace.disk.operations, kind: 'io' };
      await expect(trace.append(log, 1)).rejects.toBeDefined();
      trace.disk.restartProcess();
      const frames = framesOf(bytes);
      if (segments(trace).at(-1)![0] === path || frames.length < 2) continue;
      found += 1;
      const file = await trace.disk.open(path, 'write');
      await file.truncate(frames.at(-1)!.start);
      const image = trace.image();
      await expect(trace.open()).rejects.toBeInstanceOf(CorruptionError);
      expect(trace.image()).toBe(image);
      await file.write(0, bytes);
      await trace.check(await trace.open());
    }
  });

  it('in one superblock loses nothing; in both it is an error', async () => {
    for (const offset of [3, 100, 4096 + 3, 4096 + 100]) {
      const trace = await makeLog(true);
      trace.disk.corrupt('/data/log/superblock', offset, 1);
      const log = await trace.open();
      expect(log.height).toBe(trace.acknowledged);
      await trace.check(log);
      await log.close();
    }
    const trace = await makeLog(true);
    trace.disk.corrupt('/data/log/superblock', 3, 1);
    trace.disk.corrupt('/data/log/superblock', 4096 + 3, 1);
    await expect(trace.open()).rejects.toBeInstanceOf(CorruptionError);
  });

  it('is found when read, and the rest can still be read', async () => {
    const trace = await makeLog(true);
    const log = await trace.open();
    trace.disk.corrupt(segments(trace)[0]![0], 300, 1);
    const read = async (from: number): Promise<number> => {
      let count = 0;
      for await (const _ of log.read(from)) count += 1;
      return count;
    };
    await expect(read(0)).rejects.toBeInstanceOf(CorruptionError);
    expect(await read(trace.acknowledged - 2)).toBe(2);
    await log.close();
  });
});
