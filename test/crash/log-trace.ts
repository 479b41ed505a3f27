/**
 * One life after another of an op log on a simulated disk, with segments deleted on the way, and what must hold between them.
 *
 * Checked after every crash: no acknowledged batch lost; the log is that of some attempted height, exactly; the segments that must be
 * kept are there, and no other once it is open; every kind of read agrees; a second recovery changes nothing; a log that failed
 * acknowledges nothing more, deletes nothing more, and still reads.
 */
import { expect } from 'vitest';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { OpLog, type OpLogOptions } from '../../storage/oplog/op-log.ts';
import { kernels } from '../storage/kernels-fixture.ts';
import { LogModel, randomLogOps } from '../storage/log-model.ts';

const chainId = new Uint8Array(32).fill(5);
export const LOG_DIRECTORY = '/data/log';

export class LogTrace {
  readonly disk: SimulatedDisk;
  readonly random: () => number;
  readonly model: LogModel;
  /** How many batches are acknowledged. */
  acknowledged = 0;
  /** Segment files that were deleted, seen so far. */
  deleted = 0;

  /** @param seed decides the batches @param diskSeed decides what a fault does; equal to `seed` unless given */
  constructor(seed: number, diskSeed: number = seed, retainHeights = 2) {
    this.disk = new SimulatedDisk(diskSeed);
    this.random = seededRandom(seed ^ 0x5eed);
    this.model = new LogModel(chainId, 4096, retainHeights);
  }

  options(): OpLogOptions {
    const { segmentSizeBytes, retainHeights } = this.model;
    return { directory: LOG_DIRECTORY, files: this.disk, kernels, chainId, segmentSizeBytes, retainHeights };
  }

  open(): Promise<OpLog> {
    return OpLog.open(this.options());
  }

  /** Appends `groups` groups of 1 .. 4 batches, each group queued at once, counting what is acknowledged. */
  async append(log: OpLog, groups: number): Promise<void> {
    for (let group = 0; group < groups; group++) {
      const waiting: Promise<void>[] = [];
      const size = 1 + Math.floor(this.random() * 4);
      for (let count = 0; count < size; count++) waiting.push(this.#appendOne(log));
      const results = await Promise.allSettled(waiting);
      const failed = results.findIndex((result) => result.status === 'rejected');
      // Acknowledgement is in order: nothing behind a failed batch.
      if (failed >= 0) expect(results.slice(failed).every((result) => result.status === 'rejected')).toBe(true);
      const rejected = results[failed];
      if (rejected?.status === 'rejected') throw rejected.reason;
    }
  }

  async #appendOne(log: OpLog): Promise<void> {
    const { model } = this;
    const rise = this.random() < 0.3 ? 0 : this.random();
    const floor = model.floor + Math.floor(rise * (model.opCount - model.floor));
    const batch = model.add(randomLogOps(this.random, 60), floor);
    const height = model.batches.length;
    await log.append(batch.bytes, batch.frontier).durable;
    this.acknowledged = height;
  }

  /** Numbers of the segment files there are. */
  segmentFiles(): number[] {
    const paths = [...this.disk.image().keys()].filter((path) => path.startsWith(`${LOG_DIRECTORY}/segment-`));
    return paths.map((path) => Number(path.slice(-8)));
  }

  /** Checks a freshly opened log, and takes what it recovered as the truth from now on. */
  async check(log: OpLog): Promise<void> {
    const { model } = this;
    expect(log.height).toBeGreaterThanOrEqual(this.acknowledged);
    expect(log.height).toBeLessThanOrEqual(model.batches.length);
    model.batches.length = log.height;
    this.acknowledged = log.height;
    expect(this.segmentFiles()).toEqual(model.segments());
    this.deleted = Math.max(this.deleted, model.segments()[0] ?? 0);
    await this.#checkReads(log);
  }

  async #checkReads(log: OpLog): Promise<void> {
    const { model } = this;
    const [segment] = model.segments();
    const from = segment === undefined ? 0 : model.firstHeight(segment);
    const firstOp = model.batches[from]?.firstOp ?? 0;
    expect([log.firstOp, log.opCount]).toEqual([firstOp, model.opCount]);
    await this.#checkBatches(log, from);
    const leaves = Buffer.concat(model.leaves(firstOp, model.opCount));
    const twigs: Uint8Array[] = [];
    for (let twig = Math.floor(firstOp / 256); twig * 256 < model.opCount; twig++) twigs.push(log.readTwig(twig).bytes);
    expect(leaves.equals(Buffer.concat(twigs))).toBe(true);
    expect(leaves.equals((await log.readOps(firstOp, model.opCount)).bytes)).toBe(true);
  }

  async #checkBatches(log: OpLog, from: number): Promise<void> {
    let height = from;
    for await (const batch of log.read(from))
      expect(Buffer.compare(batch, this.model.batches[height++]!.bytes), `height ${height - 1}`).toBe(0);
    expect(height).toBe(this.acknowledged);
  }

  /** A log that stopped: reads give what is acknowledged, nothing is acknowledged or deleted any more. */
  async checkStopped(log: OpLog): Promise<void> {
    const files = this.segmentFiles();
    // What was attempted may be found after a restart: it stays in the model.
    const attempted = this.model.batches.slice();
    await this.#checkBatches(log, log.first.height);
    await expect(this.append(log, 1)).rejects.toMatchObject({ code: expect.stringMatching(/failed|disk-full/) });
    this.model.batches.length = 0;
    this.model.batches.push(...attempted);
    for (let turn = 0; turn < 30; turn++) await Promise.resolve();
    expect(this.segmentFiles()).toEqual(files);
  }

  /** Recovers the log twice: the second time must leave every byte as it is. */
  async recoverTwice(): Promise<void> {
    const recover = async (): Promise<string> => {
      await (await this.open()).close();
      return this.image();
    };
    expect(await recover()).toBe(await recover());
  }

  /** Names and contents of the log's files, as text to compare. */
  image(): string {
    const files = [...this.disk.image()].filter(([path]) => path.startsWith(`${LOG_DIRECTORY}/`));
    return files.map(([path, bytes]) => `${path} ${Buffer.from(kernels.sha256(bytes)).toString('hex')}`).join('\n');
  }
}
