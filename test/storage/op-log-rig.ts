/** A log on a simulated disk, and what the model of it says that it must answer and leave on disk. */
import { expect } from 'vitest';
import type { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import type { OpLog, OpLogOptions } from '../../storage/oplog/op-log.ts';
import type { OpRange } from '../../storage/oplog/positions.ts';
import { kernels } from './kernels-fixture.ts';
import type { LogModel, ModelBatch } from './log-model.ts';

export const chainId: Uint8Array = new Uint8Array(32).fill(5);
export const SEGMENT_SIZE_BYTES = 4096;

/** Of a log in `/log` that keeps three heights. */
export const optionsOf = (files: SimulatedDisk, more: Partial<OpLogOptions> = {}): OpLogOptions => ({
  directory: '/log',
  files,
  kernels,
  chainId,
  segmentSizeBytes: SEGMENT_SIZE_BYTES,
  retainHeights: 3,
  ...more,
});
/** Settles once the batch is durable. */
export const append = (log: OpLog, { bytes, frontier }: ModelBatch): Promise<void> =>
  log.append(bytes, frontier).durable;

/** Numbers of the segment files there are. */
export const segmentFiles = (disk: SimulatedDisk): number[] =>
  [...disk.image().keys()].filter((path) => path.startsWith('/log/segment-')).map((path) => Number(path.slice(-8)));

/** Segment files by name and hash. */
export const hashes = (disk: SimulatedDisk): Record<string, string> =>
  Object.fromEntries(
    [...disk.image()]
      .filter(([path]) => path.startsWith('/log/segment-'))
      .map(([path, bytes]) => [path, Buffer.from(kernels.sha256(bytes)).toString('hex')]),
  );

/** A range is just these leaves, packed. (Comparing arrays of arrays would take most of the time.) */
export function expectLeaves({ bytes, offsets }: OpRange, leaves: readonly Uint8Array[]): void {
  expect(Buffer.concat(leaves).equals(bytes)).toBe(true);
  let at = 0;
  const starts = leaves.map(({ length }) => {
    at += length;
    return at - length;
  });
  expect([...offsets].join()).toBe([...starts, at].join());
}

/** Every read of a log gives what the model says, from the first kept op on. */
export async function checkReads(log: OpLog, model: LogModel, firstOp: number): Promise<void> {
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
export const firstKept = (model: LogModel, pinned?: number): number => {
  const [first] = model.segments(model.batches.length, pinned);
  return first === undefined ? 0 : model.batches[model.firstHeight(first)]!.firstOp;
};
