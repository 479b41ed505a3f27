/**
 * Opening a state: the log first, its batches flowing into records and trees, and into the tables when those are not clean; then the bits of the
 * activity tree, from where the tables and the records say that the latest ops stand.
 *
 * A large log is checked and hashed by other threads, segment by segment, and a large account table is built by yet others, which read the log as far as
 * it has been checked.
 * Only when a clean mark turns out to be of another point, or its files are not there, or such a thread failed, is the log read again.
 */

import { Frontier } from './commitment/frontier.ts';
import { CommitmentReplay } from './commitment/replay.ts';
import type { CommitmentTrees } from './commitment/trees.ts';
import { CorruptionError } from './errors.ts';
import { diskFiles } from './files/disk-files.ts';
import { readBatchHead } from './oplog/batch.ts';
import { logThreads } from './oplog/log-threads.ts';
import type { RecoveredBatch, RecoveredSegment, SegmentProof } from './oplog/log-visitor.ts';
import { OpLog } from './oplog/op-log.ts';
import { ProofThreads } from './oplog/proof-threads.ts';
import { SEGMENT_SIZE_BYTES_DEFAULT } from './oplog/segment.ts';
import { SegmentFrontiers } from './segment-frontiers.ts';
import type { StateParts, StateStoreOptions } from './state.ts';
import { StateTables } from './state-tables.ts';

/** Opens or makes a state. Throws as `StateStore.open` does; everything is closed then. */
export function openState(options: StateStoreOptions): Promise<StateParts> {
  return new StateOpener(options).open();
}

class StateOpener {
  readonly #options: StateStoreOptions;
  readonly #tables: StateTables;
  readonly #frontiers: SegmentFrontiers;
  #log: OpLog | undefined;
  #replay: CommitmentReplay | undefined;
  #batchCount = 0;
  #batchBytes = 0;
  /** Other threads that build the account table; 0 again when one failed. */
  #threads = 0;
  /** Other threads that check segments. */
  #provers = 0;

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
      startProofs: (log) =>
        this.#provers === 0 ? undefined : new ProofThreads(log, { kernels: kernels.name, count: this.#provers }),
      visitProven: (proof) => this.#proven(proof),
      visitAgain: (batch, firstOp) => this.#replayed(batch, firstOp),
      recovered: async () => {
        const built = await this.#tables.finishThreads();
        if (built) return;
        this.#tables.close();
        this.#threads = 0;
      },
    });
  }

  async #beginTables(): Promise<void> {
    await this.#tables.begin(this.#options.rebuild === true);
    const { kernels, rebuildThreads, files = diskFiles() } = this.#options;
    const directory = `${this.#options.directory}/log`;
    const { table: count, proofs } = await logThreads(files, directory, rebuildThreads);
    this.#provers = proofs;
    if (this.#tables.isBuilding && count > 0)
      this.#threads = this.#tables.buildOnThreads({ directory, kernels: kernels.name, count });
  }

  /** Each segment's header says the frontier that the ops before it have led to. */
  #visitSegment(segment: RecoveredSegment): Frontier | undefined {
    this.#tables.beginSegment(segment);
    if (this.#replay === undefined) {
      this.#replay = this.#newReplay(segment.frontier);
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
    this.#replayed(batch, firstOp);
  }

  /** A segment that another thread has checked and hashed. */
  #proven(proof: SegmentProof): void {
    const replay = this.#replay!;
    this.#frontiers.note({ frameOffset: proof.positions.frameOffsets[0]! }, replay.frontier);
    replay.adopt(proof);
  }

  #replayed(batch: Uint8Array, firstOp: number): void {
    this.#tables.replay(batch, firstOp);
    this.#batchCount += 1;
    this.#progress(batch);
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
