/**
 * What an op log adds up to, worked out in memory from the log alone: for checking it against a block's state root.
 *
 * Invariant: nothing of the node's tables is looked at. Memory: the tables' (64 to 128 bytes an account) and the trees'.
 */
import { type Hash, hash, type Kernels } from '../../native/index.ts';
import type { TableThreadsOptions } from '../accounts/table-threads.ts';
import type { Commitment } from '../commitment/commitment.ts';
import { CommitmentError } from '../commitment/commitment-error.ts';
import { Frontier } from '../commitment/frontier.ts';
import { CommitmentReplay } from '../commitment/replay.ts';
import { NO_POSITIONS, NO_TWIGS } from '../commitment/sources.ts';
import type { RecoveredBatch, RecoveredSegment, SegmentProof } from '../oplog/log-visitor.ts';
import { StateTables } from '../state-tables.ts';

/** The state after a log's last batch. */
export interface LogState {
  /** What the header of the last block must say. */
  readonly root: Hash;
  /** The oldest op that is still its key's latest. */
  readonly floor: number;
  /** Accounts, bonds and records there are. */
  readonly activeCount: number;
}

export class LogSum {
  readonly #kernels: Kernels;
  readonly #chainId: Uint8Array;
  readonly #tables: StateTables | undefined;
  #replay: CommitmentReplay | undefined;

  /** Close it. @param chainId 32 bytes @param withState false: the ops tree alone, which takes no memory */
  constructor(kernels: Kernels, chainId: Uint8Array, withState: boolean) {
    this.#kernels = kernels;
    this.#chainId = chainId;
    this.#tables = withState ? StateTables.scratch(kernels) : undefined;
  }

  /** Lets other threads build the account table, from the files of the log that is added. `end` waits for them. */
  useThreads(options: TableThreadsOptions): void {
    this.#tables?.buildOnThreads(options);
  }

  /** A segment, before its batches. @returns the frontier that its header must have; undefined for the first one, which says it */
  segment(segment: RecoveredSegment): Frontier | undefined {
    this.#tables?.beginSegment(segment);
    if (this.#replay !== undefined) return this.#replay.frontier;
    this.#begin(segment.frontier);
    return undefined;
  }

  #begin(start: Frontier): CommitmentReplay {
    const [kernels, chainId] = [this.#kernels, this.#chainId];
    // Keys and ops are looked up of a tip that is built upon, which this one never is.
    this.#replay = new CommitmentReplay({ kernels, chainId, positions: NO_POSITIONS, twigs: NO_TWIGS }, start);
    return this.#replay;
  }

  /** The next batch (borrowed). */
  add({ batch, digest, offsets, firstOp }: RecoveredBatch): void {
    const replay = this.#replay ?? this.#begin(Frontier.empty);
    replay.appendOps(batch, digest, offsets);
    this.#tables?.replay(batch, firstOp);
  }

  /** All batches of the next segment, checked elsewhere; with a state, `addAgain` each of them. */
  addProven(proof: SegmentProof): void {
    this.#replay!.adopt(proof);
  }

  addAgain(batch: Uint8Array, firstOp: number): void {
    this.#tables?.replay(batch, firstOp);
  }

  /** All batches were added. @returns false when a thread failed, so that there is no state */
  async end(): Promise<boolean> {
    return (await this.#tables?.finishThreads()) ?? true;
  }

  /** Root of the ops tree over all batches. */
  get opsRoot(): Hash {
    return hash((this.#replay?.frontier ?? Frontier.empty).root(this.#kernels).slice());
  }

  /** The state after all batches, undefined when it was not asked for; a sentence when no state can have led to such a log (floors that do not fit). */
  finish(): LogState | string | undefined {
    if (this.#tables === undefined) return undefined;
    const replay = this.#replay ?? this.#begin(Frontier.empty);
    let tip: Commitment;
    try {
      for (const positions of this.#tables.positions()) replay.activate(positions);
      tip = replay.finish().tip;
    } catch (error) {
      if (error instanceof CommitmentError) return error.message;
      throw error;
    }
    const { root, floor, activeCount } = tip;
    return { root: hash(root.slice()), floor, activeCount };
  }

  /** Ends what still runs, and gives the memory back. Idempotent. */
  async close(): Promise<void> {
    await this.#tables?.stopThreads();
    this.#tables?.close();
  }
}
