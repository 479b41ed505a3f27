/** The op log's segment files: the same bytes through any grouping, crash and restart, and from any of their beginnings. */
import { describe, expect, it } from 'vitest';
import type { Frontier } from '../../storage/commitment/frontier.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { OpLog } from '../../storage/oplog/op-log.ts';
import { readSegmentHeader, segmentName } from '../../storage/oplog/segment.ts';
import { kernels } from './kernels-fixture.ts';
import { LogModel, randomLogOps } from './log-model.ts';
import { append, chainId, checkReads, hashes, optionsOf, SEGMENT_SIZE_BYTES, segmentFiles } from './op-log-rig.ts';

describe('OpLog', () => {
  it('writes the same files through any grouping, crash and restart', async () => {
    const make = async (seed: number, life: 'at once' | 'one by one' | 'crashes'): Promise<Record<string, string>> => {
      const random = seededRandom(99);
      const model = new LogModel(chainId, SEGMENT_SIZE_BYTES, 3);
      for (let height = 0; height < 60; height++) model.add(randomLogOps(random, 40), Math.floor(model.opCount * 0.7));
      const disk = new SimulatedDisk(seed);
      let log = await OpLog.open(optionsOf(disk));
      if (life === 'at once') await Promise.all(model.batches.map((batch) => append(log, batch)));
      else if (life === 'one by one') for (const batch of model.batches) await append(log, batch);
      while (log.height < model.batches.length) {
        // As many as fall due before the power goes, or the process dies.
        disk.fault = { at: disk.operations + Math.floor(random() * 40), kind: random() < 0.7 ? 'cut' : 'io' };
        const group = 1 + Math.floor(random() * 4);
        try {
          for (let height = log.height; height < model.batches.length; height += group)
            await Promise.all(model.batches.slice(height, height + group).map((batch) => append(log, batch)));
        } catch {}
        if (disk.powered && random() < 0.5) disk.restartProcess();
        else disk.reboot();
        log = await OpLog.open(optionsOf(disk));
      }
      await log.close();
      expect(segmentFiles(disk)).toEqual(model.segments());
      return hashes(disk);
    };
    const wanted = await make(0, 'at once');
    expect(Object.keys(wanted).length).toBeGreaterThan(3);
    expect(Object.keys(wanted)[0]).not.toBe(`/log/${segmentName(0)}`);
    expect(await make(1, 'one by one')).toEqual(wanted);
    for (let seed = 2; seed < 30; seed++) expect(await make(seed, 'crashes'), `seed ${seed}`).toEqual(wanted);
  });

  it('writes headers from which the log can begin, and begins at any of them with the same files', async () => {
    const random = seededRandom(4);
    const model = new LogModel(chainId, SEGMENT_SIZE_BYTES, 1000);
    const disk = new SimulatedDisk(1);
    const log = await OpLog.open(optionsOf(disk, { retainHeights: 1000 }));
    for (let height = 0; height < 30; height++) await append(log, model.add(randomLogOps(random, 60), 0));
    await log.close();
    const whole = hashes(disk);
    for (const segment of model.segments()) {
      const from = model.firstHeight(segment);
      const first = model.batches[from]!;
      const bytes = disk.image().get(`/log/${segmentName(segment)}`)!;
      const header = readSegmentHeader(kernels, bytes);
      if ('fault' in header) throw new Error(header.fault.expected);
      expect(header.frontier).toEqual(first.frontier);
      expect(header.first.opCount).toBe(first.firstOp);
      const copy = new SimulatedDisk(1);
      const options = optionsOf(copy, { retainHeights: 1000, start: header.first });
      let later = await OpLog.open(options);
      expect(later.tip).toEqual(header.first);
      for (let reopen = 0; reopen < 2; reopen++) {
        await later.close();
        later = await OpLog.open(options);
      }
      const heads = new Map<number, Frontier>();
      for (const batch of model.batches.slice(from)) await append(later, batch);
      await later.close();
      // The start is only for the making: what is there says by itself where it begins.
      later = await OpLog.open({
        ...optionsOf(copy, { retainHeights: 1000 }),
        visitSegment: ({ first: { height }, frontier }) => {
          heads.set(height, frontier);
          return model.batches[height]!.frontier;
        },
      });
      await checkReads(later, model, first.firstOp);
      expect(heads.size).toBe(segmentFiles(copy).length);
      await later.close();
      const rest = Object.entries(whole).filter(([path]) => Number(path.slice(-8)) >= segment);
      expect(hashes(copy)).toEqual(Object.fromEntries(rest));
    }
  });

  it('numbers segments by frame offset: a batch larger than a segment skips numbers', async () => {
    const model = new LogModel(chainId, SEGMENT_SIZE_BYTES, 3);
    const disk = new SimulatedDisk(1);
    const random = seededRandom(1);
    let log = await OpLog.open(optionsOf(disk));
    await append(log, model.add(randomLogOps(random, 2000), 0));
    for (let height = 1; height < 8; height++) await append(log, model.add(randomLogOps(random, 30), 0));
    await checkReads(log, model, 0);
    await log.close();
    const numbers = segmentFiles(disk);
    expect(numbers).toEqual(model.segments());
    expect(numbers[1]).toBeGreaterThan(3);
    log = await OpLog.open(optionsOf(disk));
    await checkReads(log, model, 0);
    // The large one goes, too, once it lies below the floor.
    for (let height = 0; height < 8; height++) await append(log, model.add([], model.batches[1]!.firstOp));
    await log.close();
    expect(segmentFiles(disk)).toEqual(numbers.slice(1));
  });

  it('does not begin inside a segment', async () => {
    const model = new LogModel(chainId, SEGMENT_SIZE_BYTES, 3);
    const random = seededRandom(1);
    for (let height = 0; height < 12; height++) model.add(randomLogOps(random, 40), 0);
    for (const [height, { firstOp, frameOffset, digest }] of model.batches.slice(0, -1).entries()) {
      const next = model.batches[height + 1]!;
      const start = {
        height: height + 1,
        opCount: next.firstOp,
        frameOffset: next.frameOffset,
        previousFrameSizeBytes: next.frameOffset - frameOffset,
        digest,
      };
      const opens = Math.floor(next.frameOffset / SEGMENT_SIZE_BYTES) > Math.floor(frameOffset / SEGMENT_SIZE_BYTES);
      const log = await OpLog.open(optionsOf(new SimulatedDisk(1), { start })).catch((error: unknown) => error);
      if (opens) expect(log).toHaveProperty('firstOp', firstOp + model.batches[height]!.leaves.length);
      else expect(log).toMatchObject({ code: 'wrong-place' });
      if (log instanceof OpLog) await log.close();
    }
  });

  it('keeps retained heights and the segment size as it was made', async () => {
    const disk = new SimulatedDisk(1);
    await (await OpLog.open(optionsOf(disk))).close();
    for (const change of [{ retainHeights: 4 }, { segmentSizeBytes: 8192 }])
      await expect(OpLog.open(optionsOf(disk, change))).rejects.toMatchObject({ code: 'wrong-format' });
    await expect(OpLog.open({ ...optionsOf(disk), chainId: new Uint8Array(32).fill(6) })).rejects.toMatchObject({
      code: 'wrong-chain',
    });
    await (await OpLog.open(optionsOf(disk))).close();
  });
});
