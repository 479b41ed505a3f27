/** The op log against plain arrays: appends, reopens, deletion by floor, pins, and reads by height, by twig and by op. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Frontier } from '../../storage/commitment/frontier.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { encodeBatch } from '../../storage/oplog/batch.ts';
import { OpLog, type OpLogOptions } from '../../storage/oplog/op-log.ts';
import type { OpRange } from '../../storage/oplog/positions.ts';
import { readSegmentHeader, segmentName } from '../../storage/oplog/segment.ts';
import { kernels } from './kernels-fixture.ts';
import { LogModel, type ModelBatch, randomLogOps } from './log-model.ts';

const chainId = new Uint8Array(32).fill(5);
const SEGMENT_SIZE_BYTES = 4096;

const optionsOf = (files: SimulatedDisk, more: Partial<OpLogOptions> = {}): OpLogOptions => ({
  directory: '/log',
  files,
  kernels,
  chainId,
  segmentSizeBytes: SEGMENT_SIZE_BYTES,
  retainHeights: 3,
  ...more,
});
const append = (log: OpLog, { bytes, frontier }: ModelBatch): Promise<void> => log.append(bytes, frontier).durable;

/** Numbers of the segment files there are. */
const segmentFiles = (disk: SimulatedDisk): number[] =>
  [...disk.image().keys()].filter((path) => path.startsWith('/log/segment-')).map((path) => Number(path.slice(-8)));

/** Segment files by name and hash. */
const hashes = (disk: SimulatedDisk): Record<string, string> =>
  Object.fromEntries(
    [...disk.image()]
      .filter(([path]) => path.startsWith('/log/segment-'))
      .map(([path, bytes]) => [path, Buffer.from(kernels.sha256(bytes)).toString('hex')]),
  );

/** A range is just these leaves, packed. (Comparing arrays of arrays would take most of the time.) */
function expectLeaves({ bytes, offsets }: OpRange, leaves: readonly Uint8Array[]): void {
  expect(Buffer.concat(leaves).equals(bytes)).toBe(true);
  let at = 0;
  const starts = leaves.map(({ length }) => {
    at += length;
    return at - length;
  });
  expect([...offsets].join()).toBe([...starts, at].join());
}

/** Every read of a log gives what the model says, from the first kept op on. */
async function checkReads(log: OpLog, model: LogModel, firstOp: number): Promise<void> {
  const { opCount } = model;
  expect([log.firstOp, log.opCount, log.height]).toEqual([firstOp, opCount, model.batches.length]);
  for (let twig = Math.floor(firstOp / 256); twig * 256 < opCount; twig++) {
    const range = log.readTwig(twig);
    expect(range.firstOp).toBe(Math.max(firstOp, twig * 256));
    expectLeaves(range, model.leaves(range.firstOp, twig * 256 + 256));
  }
  for (const op of [firstOp, firstOp + 1, Math.floor((firstOp + opCount) / 2), opCount - 1])
    if (op >= firstOp && op < opCount) expect(log.heightOf(op)).toBe(model.heightOf(op));
  const from = model.batches.findIndex((batch) => batch.firstOp === firstOp);
  const read: Uint8Array[] = [];
  if (from >= 0) for await (const batch of log.read(from)) read.push(batch);
  const wanted = from < 0 ? [] : model.batches.slice(from).map(({ bytes }) => bytes);
  expect(read.length).toBe(wanted.length);
  expect(Buffer.concat(read).equals(Buffer.concat(wanted))).toBe(true);
}

/** The first op that a log of the model's batches keeps. */
const firstKept = (model: LogModel, pinned?: number): number => {
  const [first] = model.segments(model.batches.length, pinned);
  return first === undefined ? 0 : model.batches[model.firstHeight(first)]!.firstOp;
};

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
