/**
 * Opening a state: the log first, its batches flowing into records and trees, and into the tables when those are not clean; then the bits of the
 * activity tree, from where the tables and the records say that the latest ops stand.
 *
 * A large account table is built by other threads, which read the log as far as this one has checked it.
 * Only when a clean mark turns out to be of another point, or its files are not there, or such a thread failed, is the log read again.
 */

import { availableParallelism } from 'node:os';
import { Frontier } from './commitment/frontier.ts';
import { CommitmentReplay } from './commitment/replay.ts';
import type { CommitmentTrees } from './commitment/trees.ts';
import { CorruptionError } from './errors.ts';
import { diskFiles } from './files/disk-files.ts';
import type { Files } from './files/files.ts';
import { segmentFiles } from './inspect/log-folder.ts';
import { readBatchHead } from './oplog/batch.ts';
import { frameSize } from './oplog/frame.ts';
import type { RecoveredBatch, RecoveredSegment } from './oplog/log-scan.ts';
import { OpLog } from './oplog/op-log.ts';
import { headerSize, SEGMENT_SIZE_BYTES_DEFAULT } from './oplog/segment.ts';
import { SegmentFrontiers } from './segment-frontiers.ts';
import type { StateParts, StateStoreOptions } from './state.ts';
import { StateTables } from './state-tables.ts';

/** Opens or makes a state. Throws as `StateStore.open` does; everything is closed then. */
export function openState(options: StateStoreOptions): Promise<StateParts> {
  return new StateOpener(options).open();
}

/** Logs from this size on are worth the time that threads take to start. */
const LARGE_LOG_SIZE_BYTES: number = 32 * 1024 * 1024;
/** Other threads are told of that much at a time. */
const TELL_SIZE_BYTES: number = 1024 * 1024;
const THREADS_MAX = 8;

const otherCores = (): number => Math.min(THREADS_MAX, availableParallelism() - 1);

async function isLarge(files: Files, directory: string): Promise<boolean> {
  const segments = await segmentFiles({ files, directory });
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) >= LARGE_LOG_SIZE_BYTES;
}

class StateOpener {
  readonly #options: StateStoreOptions;
  readonly #tables: StateTables;
  readonly #frontiers: SegmentFrontiers;
  #log: OpLog | undefined;
  #replay: CommitmentReplay | undefined;
  #batchCount = 0;
  #batchBytes = 0;
  /** Where the log as read so far ends, and how much of it other threads know of. */
  #segment = -1;
  #end = 0;
  #toldBytes = 0;
  /** Other threads that build the account table; 0 again when one failed. */
  #threads = 0;

  constructor(options: StateStoreOptions) {
    this.#options = options;
    const files = options.files ?? diskFiles();
    this.#tables = new StateTables({ ...options, files });
    this.#frontiers = new SegmentFrontiers(options.segmentSizeBytes ?? SEGMENT_SIZE_BYTES_DEFAULT);
  }

  async open(): Promise<StateParts> {
    try {
      const log = await this.#openLog();
      this.#log = log;
      const rebuilt = await this.#openTables(log);
      const openReport = { batchCount: this.#batchCount, opCount: log.opCount, rebuilt, threads: this.#threads };
      const trees = this.#finishTrees(log);
      const { kernels } = this.#options;
      return { kernels, log, tables: this.#tables, trees, frontiers: this.#frontiers, openReport };
    } catch (error) {
      await this.#tables.stopThreads();
      this.#tables.close();
      await this.#log?.close();
      throw error;
    }
  }

  #openLog(): Promise<OpLog> {
    const { directory, kernels, chainId, files, segmentSizeBytes, retainHeights } = this.#options;
    return OpLog.open({
      directory: `${directory}/log`,
      files: files ?? diskFiles(),
      kernels,
      chainId,
      ...(segmentSizeBytes === undefined ? {} : { segmentSizeBytes }),
      ...(retainHeights === undefined ? {} : { retainHeights }),
      locked: () => this.#beginTables(),
      visitSegment: (segment) => this.#visitSegment(segment),
      visit: (batch) => this.#batch(batch),
      recovered: async () => {
        const built = await this.#tables.finishThreads({ segment: this.#segment, end: this.#end });
        if (built) return;
        this.#tables.close();
        this.#threads = 0;
      },
    });
  }

  async #beginTables(): Promise<void> {
    await this.#tables.begin(this.#options.rebuild === true);
    if (this.#tables.isBuilding) await this.#startThreads();
  }

  /** Has the account table, empty now, built by other threads where that pays. */
  async #startThreads(): Promise<void> {
    const { kernels, rebuildThreads } = this.#options;
    const files = this.#options.files ?? diskFiles();
    const directory = `${this.#options.directory}/log`;
    if (files.isSystem !== true || rebuildThreads === 0) return;
    const count = rebuildThreads ?? ((await isLarge(files, directory)) ? otherCores() : 0);
    if (count > 0) this.#threads = this.#tables.buildOnThreads({ directory, kernels: kernels.name, count });
  }

  /** Each segment's header says the frontier that the ops before it have led to. */
  #visitSegment({ index, first, frontier }: RecoveredSegment): Frontier | undefined {
    this.#segment = index;
    this.#end = headerSize(first.opCount);
    if (this.#replay === undefined) {
      this.#replay = this.#newReplay(frontier);
      return undefined;
    }
    return this.#replay.frontier;
  }

  #newReplay(start: Frontier): CommitmentReplay {
    const { kernels, chainId } = this.#options;
    const twigs = {
      // The log is open by the time that anybody asks for a twig.
      log: (): OpLog => this.#log!,
      get firstOp(): number {
        return this.log().firstOp;
      },
      readTwig(index: number): ReturnType<OpLog['readTwig']> {
        return this.log().readTwig(index);
      },
      heightOf(op: number): number {
        return this.log().heightOf(op);
      },
    };
    return new CommitmentReplay({ kernels, chainId, positions: this.#tables, twigs }, start);
  }

  #batch({ batch, digest, firstOp, offsets }: RecoveredBatch): void {
    const replay = this.#replay!;
    this.#frontiers.note(readBatchHead(batch), replay.frontier);
    replay.appendOps(batch, digest, offsets);
    this.#tables.replay(batch, firstOp);
    this.#batchCount += 1;
    this.#progress(batch);
    this.#end += frameSize(batch.length);
    if (this.#batchBytes - this.#toldBytes < TELL_SIZE_BYTES) return;
    this.#toldBytes = this.#batchBytes;
    this.#tables.readable({ segment: this.#segment, end: this.#end, isWhole: false });
  }

  #progress(batch: Uint8Array): void {
    this.#batchBytes += batch.length;
    this.#options.onProgress?.(this.#batchBytes);
  }

  /** @returns true when the tables were built from the log */
  async #openTables(log: OpLog): Promise<boolean> {
    if (await this.#tables.takeOver(log.tip.digest)) return false;
    if (this.#tables.isBuilding) return true;
    this.#batchBytes = 0;
    await this.#tables.create();
    let firstOp = log.firstOp;
    for await (const batch of log.read(log.first.height)) {
      this.#tables.rebuild(batch, firstOp);
      firstOp += 1 + readBatchHead(batch).opCount;
      this.#progress(batch);
    }
    return true;
  }

  #finishTrees(log: OpLog): CommitmentTrees {
    const replay = this.#replay ?? this.#newReplay(Frontier.empty);
    for (const positions of this.#tables.positions()) replay.activate(positions);
    try {
      return replay.finish();
    } catch (error) {
      throw new CorruptionError(
        this.#options.directory,
        log.opCount,
        'tables that equal the op log',
        (error as Error).message,
      );
    }
  }
}
