/** Verifying and inspecting the log of a stopped node, on the simulated disk: damage at every kind of place is found where it is. */
import { describe, expect, it } from 'vitest';
import { Frontier } from '../../storage/commitment/frontier.ts';
import { leafHash } from '../../storage/commitment/merkle.ts';
import { StorageError } from '../../storage/errors.ts';
import type { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { inspectLog } from '../../storage/inspect/log-summary.ts';
import { type LogFault, type LogFigures, verifyLog } from '../../storage/inspect/verify-log.ts';
import { checkBatch } from '../../storage/oplog/batch.ts';
import { LOG_DIRECTORY as LOG, LogTrace } from '../crash/log-trace.ts';
import { kernels } from './kernels-fixture.ts';
import { framesOf, headerSizeOf } from './log-frames.ts';

const SUPERBLOCK = `${LOG}/superblock`;
const verify = (files: SimulatedDisk): Promise<LogFigures | { readonly fault: LogFault }> =>
  verifyLog({ files, kernels, directory: LOG });

/** A log of several segments, closed cleanly. @param retainHeights few, and its first segments are gone */
async function closedLog(retainHeights = 1000): Promise<LogTrace> {
  const trace = new LogTrace(5, 5, retainHeights);
  const log = await trace.open();
  await trace.append(log, 10);
  await log.close();
  return trace;
}
const segments = (trace: LogTrace): [string, Uint8Array][] =>
  [...trace.disk.image()].filter(([path]) => path.includes('/log/segment-'));

/** Puts the right checksum back into a frame or a header that was changed. */
function resealFrame(frame: Uint8Array): void {
  new DataView(frame.buffer, frame.byteOffset).setUint32(0, kernels.crc32c(frame.subarray(4)), true);
}
function resealHeader(header: Uint8Array): void {
  const crc = kernels.crc32c(header.subarray(104), kernels.crc32c(header.subarray(0, 100)));
  new DataView(header.buffer, header.byteOffset).setUint32(100, crc, true);
}

function isBatch(bytes: Uint8Array): boolean {
  try {
    checkBatch(bytes);
    return true;
  } catch {
    return false;
  }
}

describe('verifyLog', () => {
  it('gives the figures of a whole log, and its ops root', async () => {
    for (const retainHeights of [1000, 1]) {
      const trace = await closedLog(retainHeights);
      const { model } = trace;
      const progress: number[] = [];
      const log = await verifyLog({
        files: trace.disk,
        kernels,
        directory: LOG,
        onProgress: (done, total) => progress.push(done / total),
      });
      const files = segments(trace);
      const first = model.firstHeight(model.segments()[0]!);
      expect(first > 0).toBe(retainHeights === 1);
      expect(log).toMatchObject({
        segments: files.length,
        firstHeight: first,
        height: trace.acknowledged - 1,
        firstOp: model.batches[first]!.firstOp,
        opCount: model.opCount,
        floor: model.floor,
        bytes: files.reduce((sum, [, bytes]) => sum + bytes.length, 0),
        digest: model.batches.at(-1)!.digest,
        clean: true,
      });
      // The tree of all ops ever, whatever was deleted: over plain leaf hashes.
      let frontier = Frontier.empty;
      for (const { leaves } of model.batches)
        for (const leaf of leaves) frontier = frontier.append(kernels, leafHash(kernels, leaf));
      expect(log).toHaveProperty('opsRoot', frontier.root(kernels));
      expect(Math.max(...progress)).toBeLessThanOrEqual(1);
      expect(Math.max(...progress)).toBeGreaterThan(0.5);
    }
  });

  it('finds a log empty that never had a batch', async () => {
    const trace = new LogTrace(1);
    await (await trace.open()).close();
    expect(await verify(trace.disk)).toMatchObject({ height: -1, opCount: 0, segments: 0, clean: true });
    expect(await inspectLog({ files: trace.disk, kernels, directory: LOG })).toMatchObject({ height: -1, opCount: 0 });
  });

  it('finds one flipped bit in any byte of any segment: header, frame head, batch, padding', {
    timeout: 60_000,
  }, async () => {
    const trace = await closedLog();
    const image = trace.image();
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
    expect(trace.image()).toBe(image);
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

  it('finds a digest, a place and an op that do not follow although the checksums are right', async () => {
    const trace = await closedLog();
    const [path, bytes] = segments(trace)[0]!;
    const { start, end } = framesOf(bytes)[1]!;
    const sealed = (frame: Uint8Array, digest: boolean): Uint8Array => {
      const size = new DataView(frame.buffer).getUint32(4, true);
      const tagged = Buffer.concat([Buffer.from('cairn/batch/1'), frame.subarray(40, 40 + size)]);
      if (digest) frame.set(kernels.sha256(tagged), 8);
      resealFrame(frame);
      return frame;
    };
    // A byte of the frame's digest; of the batch's height, op count, previous frame size, frame offset, floor, previous digest; of an op.
    const cases: [at: number, digest: boolean, where: number, expected: string][] = [
      [12, false, 8, 'digest'],
      [41, false, 8, 'digest'],
      [40, true, 40, 'height'],
      [48, true, 40, 'batch'],
      [52, true, 52, 'previous frame size'],
      [56, true, 56, 'frame offset'],
      [64, true, 64, 'floor'],
      [80, true, 72, 'previous digest'],
      [104, true, 40, 'batch'],
    ];
    const file = await trace.disk.open(path, 'write');
    for (const [at, digest, where, expected] of cases) {
      const frame = bytes.slice(start, end);
      frame[at]! ^= at === 64 ? 0xff : 7;
      await file.write(start, sealed(frame, digest));
      expect(await verify(trace.disk), `byte ${at}`).toMatchObject({
        fault: { path, offset: start + where, expected: expect.stringContaining(expected), acknowledged: true },
      });
      await file.write(start, bytes.subarray(start, end));
    }
    expect(await verify(trace.disk)).toMatchObject({ height: trace.acknowledged - 1 });
  });

  it('finds a last batch replaced by another one that is right in itself: the superblock knows its digest', async () => {
    const trace = await closedLog();
    const [path, bytes] = segments(trace).at(-1)!;
    const { start, end } = framesOf(bytes).at(-1)!;
    const file = await trace.disk.open(path, 'write');
    let replaced = 0;
    for (let at = 40 + 64; at < end - start && replaced < 5; at++) {
      const frame = bytes.slice(start, end);
      const batch = frame.subarray(40, 40 + new DataView(frame.buffer).getUint32(4, true));
      frame[at]! ^= 1;
      if (!isBatch(batch)) continue;
      replaced += 1;
      frame.set(kernels.sha256(Buffer.concat([Buffer.from('cairn/batch/1'), batch])), 8);
      resealFrame(frame);
      await file.write(start, frame);
      expect(await verify(trace.disk), `byte ${at}`).toMatchObject({
        fault: { path, expected: expect.stringContaining('digest'), acknowledged: true },
      });
    }
    expect(replaced).toBe(5);
  });

  it('finds a header whose checksum is right and whose fields are not: the frontier, too', async () => {
    const trace = await closedLog();
    for (const [path, bytes] of segments(trace).slice(1)) {
      const size = headerSizeOf(bytes);
      const file = await trace.disk.open(path, 'write');
      // Chain id, height, frame offset, digest before, frame size before, and each peak.
      const fields = [16, 48, 56, 64, 96, ...Array.from({ length: (size - 112) / 32 }, (_, index) => 112 + 32 * index)];
      for (const at of fields) {
        const header = bytes.slice(0, size);
        header[at]! ^= 1;
        resealHeader(header);
        await file.write(0, header);
        expect(await verify(trace.disk), `${path} ${at}`).toMatchObject({
          fault: { path, offset: at, acknowledged: true },
        });
      }
      await file.write(0, bytes.subarray(0, size));
    }
    expect(await verify(trace.disk)).toMatchObject({ height: trace.acknowledged - 1 });
  });

  it('finds a wrong op number in a header, and a file under a wrong number', async () => {
    const trace = await closedLog();
    const files = segments(trace);
    const [path, bytes] = files.at(-1)!;
    const header = bytes.slice(0, headerSizeOf(bytes));
    header[104]! ^= 1;
    resealHeader(header);
    await (await trace.disk.open(path, 'write')).write(0, header);
    expect(await verify(trace.disk)).toMatchObject({ fault: { path, offset: 12 } });
    await (await trace.disk.open(path, 'write')).write(0, bytes);
    await trace.disk.rename(path, `${path.slice(0, -2)}77`);
    expect(await verify(trace.disk)).toMatchObject({ fault: { path, expected: 'a segment file', found: 'none' } });
    await trace.disk.rename(`${path.slice(0, -2)}77`, path);
    await trace.disk.rename(files[0]![0], `${path.slice(0, -2)}77`);
    for (const [name] of files.slice(1)) await trace.disk.remove(name);
    expect(await verify(trace.disk)).toMatchObject({ fault: { path: `${path.slice(0, -2)}77`, offset: 56 } });
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
    const trace = new LogTrace(6, 6, 1000);
    const log = await trace.open();
    await trace.append(log, 6);
    const [path, bytes] = segments(trace).at(-1)!;
    const { start, end } = framesOf(bytes).at(-1)!;
    // As a SIGKILL in the middle of the last write leaves it.
    trace.disk.restartProcess();
    expect(await verify(trace.disk)).toMatchObject({ height: trace.acknowledged - 1, clean: false });
    await (await trace.disk.open(path, 'write')).truncate(end - 8);
    expect(await verify(trace.disk)).toMatchObject({ fault: { path, offset: start, acknowledged: false } });
    // Torn exactly between two frames: what is left looks whole, and only the superblock knows better.
    const file = await trace.disk.open(path, 'write');
    await file.truncate(start);
    expect(await verify(trace.disk)).toMatchObject({ fault: { path, offset: start, acknowledged: false } });
    await file.write(start, bytes.subarray(start, end - 8));
    expect(await inspectLog({ files: trace.disk, kernels, directory: LOG })).toMatchObject({
      height: trace.acknowledged - 2,
      tornTail: { offset: start },
    });
  });

  it('finds missing files, and says when there is nothing to read or a node runs on it', async () => {
    for (const retainHeights of [1000, 1]) {
      const trace = await closedLog(retainHeights);
      const first = trace.segmentFiles()[0]!;
      expect(first > 0).toBe(retainHeights === 1);
      // The files after the first, one by one; then those from the first on, until what is missing must be there.
      for (const [path, bytes] of segments(trace).slice(1)) {
        await trace.disk.remove(path);
        const missing = { fault: { path, offset: 0, expected: 'a segment file', found: 'none', acknowledged: true } };
        expect(await verify(trace.disk)).toMatchObject(missing);
        await (await trace.disk.open(path, 'create')).write(0, bytes);
      }
      for (const [path] of segments(trace).slice(0, -1)) {
        await trace.disk.remove(path);
        const missing = { fault: { path, offset: 0, expected: 'a segment file', found: 'none', acknowledged: true } };
        expect(await verify(trace.disk)).toMatchObject(missing);
        await expect(trace.open()).rejects.toMatchObject({ code: 'corrupt', path, offset: 0 });
      }
    }
    const trace = await closedLog();
    const log = await trace.open();
    await expect(verify(trace.disk)).rejects.toMatchObject({ code: 'locked' });
    await expect(inspectLog({ files: trace.disk, kernels, directory: LOG })).rejects.toMatchObject({ code: 'locked' });
    await log.close();
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
      op += frames.reduce((sum, { ops }) => sum + 1 + ops, 0);
    }
    expect(log).toMatchObject({ firstHeight: 0, height: height - 1, firstOp: 0, opCount: op, clean: true });
    expect(log).toMatchObject({ floor: trace.model.floor, retainHeights: 1000, tornTail: undefined });
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
