/**
 * One life after another of a state store on a simulated disk, and what must hold between them.
 *
 * Checked after every crash: no acknowledged batch lost; the state is that of some attempted height, exactly; a second recovery of
 * the log writes nothing new; a store that failed acknowledges nothing more but still reads.
 */
import { expect } from 'vitest';
import type { Commitment } from '../../storage/commitment/commitment.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { OpLog } from '../../storage/oplog/op-log.ts';
import { StateStore, type StateStoreOptions } from '../../storage/state.ts';
import { kernels } from '../storage/kernels-fixture.ts';
import { randomOps, StateModel } from '../storage/state-model.ts';

const chainId = new Uint8Array(32).fill(5);
const SEGMENT_SIZE_BYTES = 4096;
const RETAIN_HEIGHTS = 3;

/** A random number source. */
export type Random = () => number;

/** How much one batch and one group of batches hold at most. */
export interface TraceSizes {
  readonly ops: number;
  readonly batches: number;
}

export class Trace {
  readonly disk: SimulatedDisk;
  readonly random: Random;
  /** The state after each attempted height, genesis first. */
  readonly states: StateModel[] = [];
  readonly roots: Uint8Array[] = [];
  /** After the last batch queued in this life. */
  #queued: Commitment | undefined;
  /** How many batches are acknowledged. */
  acknowledged = 0;

  readonly #sizes: TraceSizes;

  /** @param seed decides the batches @param diskSeed decides what a fault does; equal to `seed` unless given */
  constructor(seed: number, diskSeed: number = seed, sizes: TraceSizes = { ops: 30, batches: 4 }) {
    this.#sizes = sizes;
    this.disk = new SimulatedDisk(diskSeed);
    this.random = seededRandom(seed ^ 0x5eed);
  }

  options(): StateStoreOptions {
    return {
      directory: '/data/state',
      kernels,
      chainId,
      files: this.disk,
      segmentSizeBytes: SEGMENT_SIZE_BYTES,
      retainHeights: RETAIN_HEIGHTS,
      shardCountLog2: 1,
      shardSlotCountLog2: 7,
      randomBytes: (size) => new Uint8Array(size).fill(3),
    };
  }

  open(): Promise<StateStore> {
    return StateStore.open(this.options());
  }

  /** Appends `groups` groups of batches, each group queued at once, counting what is acknowledged. */
  async append(store: StateStore, groups: number): Promise<void> {
    for (let group = 0; group < groups; group++) {
      const waiting: Promise<void>[] = [];
      const size = 1 + Math.floor(this.random() * this.#sizes.batches);
      for (let count = 0; count < size; count++) waiting.push(this.#appendOne(store));
      const results = await Promise.allSettled(waiting);
      const failed = results.findIndex((result) => result.status === 'rejected');
      // Acknowledgement is in order: nothing behind a failed batch.
      if (failed >= 0) expect(results.slice(failed).every((result) => result.status === 'rejected')).toBe(true);
      const rejected = results[failed];
      if (rejected?.status === 'rejected') throw rejected.reason;
    }
  }

  /** Async, so that what compaction cannot read fails this batch alone, after those queued before it. */
  async #appendOne(store: StateStore): Promise<void> {
    const state = this.states.at(-1)?.clone() ?? new StateModel();
    const before = this.#queued ?? store.commitment;
    const ops = state.compacted(before, randomOps(this.random, this.#sizes.ops, 300));
    const batch = state.encode(before, ops);
    const after = before.next(batch);
    this.#queued = after;
    state.commit(ops);
    this.states.push(state);
    this.roots.push(after.root);
    return store.append(batch, after).then(() => {
      this.acknowledged = state.height + 1;
    });
  }

  /** Checks a freshly opened store, and takes what it recovered as the truth from now on. */
  check(store: StateStore): void {
    const height = store.isInitialized ? store.tip.height : -1;
    this.#queued = undefined;
    expect(height + 1).toBeGreaterThanOrEqual(this.acknowledged);
    expect(height + 1).toBeLessThanOrEqual(this.states.length);
    this.states.length = height + 1;
    this.roots.length = height + 1;
    this.acknowledged = height + 1;
    expect((this.states.at(-1) ?? new StateModel()).difference(store)).toBeUndefined();
    if (height >= 0) expect(store.commitment.root).toEqual(this.roots.at(-1));
  }

  /** A store that stopped: reads give the acknowledged state, and nothing is acknowledged any more. */
  async checkStopped(store: StateStore): Promise<void> {
    expect((this.states[this.acknowledged - 1] ?? new StateModel()).difference(store)).toBeUndefined();
    const before = this.acknowledged;
    // Not `rejects`: vitest keeps what that has seen until the test ends, which is a whole disk for each of a million cuts.
    const isRefused = await this.append(store, 1).then(
      () => false,
      () => true,
    );
    expect(isRefused).toBe(true);
    expect(this.acknowledged).toBe(before);
    const first = before === 0 ? 0 : store.heightOf(store.firstOp);
    let read = 0;
    for await (const _ of store.readBatches(first)) read += 1;
    expect(read).toBe(before - first);
  }

  /** Recovers the log alone, twice: the second time must leave every byte as it is. */
  async recoverTwice(): Promise<void> {
    const recover = async (): Promise<string> => {
      const log = await OpLog.open({
        directory: '/data/state/log',
        files: this.disk,
        kernels,
        chainId,
        segmentSizeBytes: SEGMENT_SIZE_BYTES,
        retainHeights: RETAIN_HEIGHTS,
      });
      await log.close();
      return this.logImage();
    };
    expect(await recover()).toBe(await recover());
  }

  /** The process dies, the power stays on, and the fault that is planned still comes. */
  kill(): void {
    const { fault } = this.disk;
    this.disk.restartProcess();
    this.disk.fault = fault;
  }

  /** Number of the oldest segment file, 0 when there is none. */
  firstSegment(): number {
    const [oldest] = [...this.disk.image().keys()].filter((path) => path.includes('/log/segment-')).sort();
    return Number(oldest?.slice(-8) ?? 0);
  }

  /** Names and contents of the log's files, as text to compare. */
  logImage(): string {
    const files = [...this.disk.image()].filter(([path]) => path.startsWith('/data/state/log/'));
    return files.map(([path, bytes]) => `${path} ${Buffer.from(kernels.sha256(bytes)).toString('hex')}`).join('\n');
  }
}
