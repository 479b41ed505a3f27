/** The op log against plain arrays: appends, reopens, deletion by floor, pins, and reads by height, by twig and by op. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Frontier } from '../../storage/commitment/frontier.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { encodeBatch } from '../../storage/oplog/batch.ts';
import { OpLog } from '../../storage/oplog/op-log.ts';
import { segmentName } from '../../storage/oplog/segment.ts';
import { LogModel, randomLogOps } from './log-model.ts';
import {
  append,
  chainId,
  checkReads,
  expectLeaves,
  firstKept,
  optionsOf,
  SEGMENT_SIZE_BYTES,
  segmentFiles,
} from './op-log-rig.ts';

type Step =
  | { readonly kind: 'append'; readonly batches: number; readonly ops: number; readonly rise: number }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'pin'; readonly at: number }
  | { readonly kind: 'release' }
  | { readonly kind: 'readOps'; readonly from: number; readonly count: number };

const fraction = fc.double({ min: 0, max: 1, noNaN: true });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      batches: fc.integer({ min: 1, max: 5 }),
      ops: fc.constantFrom(0, 3, 40, 40, 300),
      rise: fc.constantFrom(0, 0.5, 0.9, 1),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pin' as const), at: fraction }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'release' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('readOps' as const), from: fraction, count: fc.nat(700) }),
  },
);

describe('OpLog', () => {
  it('equals plain arrays through appends, reopens, deletions, pins and reads', { timeout: 60_000 }, async () => {
    let deleted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.nat(), async (steps, seed) => {
        const random = seededRandom(seed);
        const disk = new SimulatedDisk(seed);
        const model = new LogModel(chainId, SEGMENT_SIZE_BYTES, 3);
        let log = await OpLog.open(optionsOf(disk));
        const pins: { op: number; release: () => void }[] = [];
        let first = 0;
        const settle = async (): Promise<void> => {
          // Removals run in the background; a few turns of the event loop finish them.
          for (let turn = 0; turn < 50; turn++) await Promise.resolve();
          first = Math.max(first, firstKept(model, Math.min(...pins.map(({ op }) => op))));
        };
        for (const action of steps) {
          const { opCount } = model;
          if (action.kind === 'append') {
            const waiting: Promise<void>[] = [];
            for (let count = 0; count < action.batches; count++) {
              const floor = model.floor + Math.floor(action.rise * (model.opCount - model.floor));
              waiting.push(append(log, model.add(randomLogOps(random, action.ops), floor)));
            }
            await Promise.all(waiting);
          } else if (action.kind === 'reopen') {
            pins.length = 0;
            await log.close();
            log = await OpLog.open(optionsOf(disk));
          } else if (action.kind === 'pin') {
            const op = first + Math.floor(action.at * (opCount - first));
            pins.push({ op, release: log.pin(op) });
          } else if (action.kind === 'release') pins.pop()?.release();
          else {
            const from = first + Math.floor(action.from * (opCount - first));
            const to = Math.min(opCount, from + action.count);
            const range = await log.readOps(from, to);
            expect(range.firstOp).toBe(from);
            expectLeaves(range, model.leaves(from, to));
          }
          await settle();
          await checkReads(log, model, first);
        }
        await log.close();
        log = await OpLog.open(optionsOf(disk));
        first = Math.max(first, firstKept(model));
        await checkReads(log, model, first);
        expect(segmentFiles(disk)).toEqual(model.segments());
        deleted += first > 0 ? 1 : 0;
        await log.close();
      }),
      { seed: 21, numRuns: 250 },
    );
    expect(deleted).toBeGreaterThan(60);
  });

  it('refuses a batch that does not follow, naming the field, and takes the right one after', async () => {
    const model = new LogModel(chainId, SEGMENT_SIZE_BYTES, 3);
    const log = await OpLog.open(optionsOf(new SimulatedDisk(1)));
    await append(log, model.add(randomLogOps(seededRandom(1), 30), 0));
    await append(log, model.add([], 9));
    const { frameOffset, frameSizeBytes, digest } = model.batches[1]!;
    const good = {
      height: 2,
      previousFrameSizeBytes: frameSizeBytes,
      frameOffset: frameOffset + frameSizeBytes,
      floor: 9,
      previousDigest: digest,
    };
    const { frontier, opCount } = model;
    const wrong: [string, object][] = [
      ['height', { height: 3 }],
      ['height', { height: 1 }],
      ['previous frame size', { previousFrameSizeBytes: frameSizeBytes + 8 }],
      ['frame offset', { frameOffset: frameOffset + frameSizeBytes + 8 }],
      ['floor', { floor: 8 }],
      ['floor', { floor: opCount + 1 }],
      ['previous digest', { previousDigest: chainId }],
    ];
    for (const [field, change] of wrong)
      expect(() => log.append(encodeBatch({ ...good, ...change }, []), frontier), field).toThrow(
        expect.objectContaining({ code: 'wrong-place', message: expect.stringContaining(field) }),
      );
    expect(() => log.append(encodeBatch(good, []), Frontier.empty)).toThrow(/wrong-place|frontier/);
    const malformed = encodeBatch(good, []);
    malformed[8] = 1;
    expect(() => log.append(malformed, frontier)).toThrow(expect.objectContaining({ name: 'BatchError' }));
    await log.append(encodeBatch({ ...good, floor: opCount }, []), frontier).durable;
    await log.close();
  });

  it('says which ops and heights it has not', async () => {
    const model = new LogModel(chainId, SEGMENT_SIZE_BYTES, 0);
    const disk = new SimulatedDisk(1);
    const log = await OpLog.open(optionsOf(disk, { retainHeights: 0 }));
    expect(() => log.readTwig(0)).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect(() => log.heightOf(0)).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect((await log.readOps(0, 0)).bytes.length).toBe(0);
    const random = seededRandom(3);
    const old = log.pin(0);
    for (let height = 0; height < 20; height++) await append(log, model.add(randomLogOps(random, 60), model.opCount));
    expect(log.firstOp).toBe(0);
    old();
    old();
    await log.readOps(0, 0);
    for (let turn = 0; turn < 200; turn++) await Promise.resolve();
    const { firstOp, opCount } = log;
    expect(firstOp).toBeGreaterThan(256);
    for (const bad of [-1, 0.5, firstOp - 1, opCount]) {
      expect(() => log.heightOf(bad)).toThrow(expect.objectContaining({ code: 'not-found' }));
      await expect(log.readOps(bad, opCount + 1)).rejects.toMatchObject({ code: 'not-found' });
    }
    expect(() => log.pin(firstOp - 1)).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect(() => log.readTwig(Math.floor(firstOp / 256) - 1)).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect(() => log.readTwig(Math.ceil(opCount / 256))).toThrow(expect.objectContaining({ code: 'not-found' }));
    await expect(log.read(0).next()).rejects.toMatchObject({ code: 'not-found' });
    await expect(log.read(21).next()).rejects.toMatchObject({ code: 'not-found' });
    expect(log.startOfSegment(firstOp).opCount).toBe(firstOp);
    expect(log.startOfSegment(opCount).opCount).toBeLessThanOrEqual(opCount);
    await log.close();
  });

  it('reads what is being deleted to the end, and what is pinned as long as it is', async () => {
    const model = new LogModel(chainId, SEGMENT_SIZE_BYTES, 0);
    const disk = new SimulatedDisk(1);
    const log = await OpLog.open(optionsOf(disk, { retainHeights: 0 }));
    const random = seededRandom(3);
    for (let height = 0; height < 8; height++) await append(log, model.add(randomLogOps(random, 60), 0));
    const before = model.opCount;
    const reading = log.read(0);
    expect((await reading.next()).value).toEqual(model.batches[0]!.bytes);
    const ops = log.readOps(0, before);
    for (let height = 8; height < 20; height++) await append(log, model.add(randomLogOps(random, 60), before));
    expectLeaves(await ops, model.leaves(0, before));
    for (let turn = 0; turn < 200; turn++) await Promise.resolve();
    expect(log.firstOp).toBeGreaterThan(0);
    // The segment being read stays readable to its end; the next one is gone.
    const second = model.firstHeight(1);
    for (let height = 1; height < second; height++)
      expect((await reading.next()).value).toEqual(model.batches[height]!.bytes);
    await expect(reading.next()).rejects.toMatchObject({ code: 'not-found' });
    await log.close();
  });

  it('names the place of ops that rot while the log is open', async () => {
    const model = new LogModel(chainId, SEGMENT_SIZE_BYTES, 3);
    const disk = new SimulatedDisk(1);
    const random = seededRandom(5);
    let log = await OpLog.open(optionsOf(disk));
    for (let height = 0; height < 20; height++) await append(log, model.add(randomLogOps(random, 40), 0));
    await log.close();
    log = await OpLog.open(optionsOf(disk));
    const path = `/log/${segmentName(0)}`;
    let found = 0;
    // Kinds and lengths of ops: what a walk of them meets.
    for (let op = 0; op < model.batches[0]!.leaves.length - 1; op++) {
      const at = 112 + 40 + model.leaves(0, op + 1).reduce((sum, leaf) => sum + leaf.length, 0);
      disk.corrupt(path, at, 0x40);
      const fresh = await log.readOps(0, 64).then(
        () => undefined,
        (error: unknown) => error,
      );
      disk.corrupt(path, at, 0x40);
      if (fresh === undefined) continue;
      found += 1;
      expect(fresh).toMatchObject({ code: 'corrupt', path });
    }
    expect(found).toBeGreaterThan(5);
    await log.close();
  });
});
