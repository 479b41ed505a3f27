/**
 * The state store: one batch of ops in, durable; balances, bonds, records, one root and proofs out.
 *
 * Owns: a folder with `log/` (the truth), `accounts/` and `bonds/` (derived). Records and the commitment's trees live in memory, made from
 * the log at open.
 *
 * Invariants
 * - What is read is exactly the acknowledged batches, in order: nothing shows before it is durable.
 * - Tables and records equal a replay of the log (state-tables.ts), the trees what they and the log say.
 * - `tip.commitment` is of the last durable batch. Commitments of batches under way build on it, and settle in the order of the log.
 * - A batch that does not decode, does not follow, repeats a key, or has no room in a table is refused before it is logged.
 */
import { type Height, hash, height as heightOf, type Kernels } from '../native/index.ts';
import type { Commitment } from './commitment/commitment.ts';
import type { RangeProof } from './commitment/range-proof.ts';
import type { StateProof } from './commitment/state-proof.ts';
import type { CommitmentTrees } from './commitment/trees.ts';
import { assertInvariant, StorageError } from './errors.ts';
import type { Files } from './files/files.ts';
import type { Appending, OpLog } from './oplog/op-log.ts';
import type { OpRange } from './oplog/positions.ts';
import { RecentStates } from './recent-states.ts';
import type { SegmentFrontiers } from './segment-frontiers.ts';
import { openState } from './state-opener.ts';
import type { BondReader, BondState, StateReader } from './state-reader.ts';
import type { StateTables } from './state-tables.ts';
import type { StateManifest } from './sync/manifest.ts';
import type { StateSource } from './sync/state-source.ts';

export interface StateStoreOptions {
  /** Made when it is not there. One process at a time. */
  readonly directory: string;
  readonly kernels: Kernels;
  /** 32 bytes; a directory of another chain is refused. */
  readonly chainId: Uint8Array;
  /** The real disk unless given. */
  readonly files?: Files;
  /** Where op log segments are cut, bytes; fixed when the store is made. */
  readonly segmentSizeBytes?: number;
  /** Heights behind the tip whose floor decides which segments go; fixed when the store is made. */
  readonly retainHeights?: number;
  /** Shards of a new account table, as a power of two, 0 .. 8; 4 unless given. */
  readonly shardCountLog2?: number;
  /** First size of a shard, slots as a power of two, 7 .. 25; 10 unless given. */
  readonly shardSlotCountLog2?: number;
  /** Throws the tables away and rebuilds them from the log, even when they are clean. */
  readonly rebuild?: boolean;
  /**
   * Threads beside this one that check the log's segments, and as many that build the account table when it must be rebuilt, 0 .. 16; only where other threads
   * can open the files. Unless given: as many as there are cores for a log larger than 128 MiB, and as other cores for one larger than 32 MiB, up to 8.
   */
  readonly rebuildThreads?: number;
  /** Told while opening how many bytes of batches have been read. */
  readonly onProgress?: (batchBytes: number) => void;
  /** Source of the tables' secrets; replaced in simulations. */
  readonly randomBytes?: (sizeBytes: number) => Uint8Array;
}

/** The last batch, and the commitment after it. */
export interface StateTip {
  readonly height: Height;
  readonly commitment: Commitment;
}

/** What opening found, for logs and for tests. */
export interface OpenReport {
  /** Batches read from the log. */
  readonly batchCount: number;
  /** Ops of the log by number, deleted ones counted. */
  readonly opCount: number;
  /** True when the tables were rebuilt rather than taken over. */
  readonly rebuilt: boolean;
  /** Other threads that rebuilt the account table; 0 when this one did. */
  readonly threads: number;
}

/** What an open store is made of. */
export interface StateParts {
  readonly kernels: Kernels;
  readonly log: OpLog;
  readonly tables: StateTables;
  readonly trees: CommitmentTrees;
  readonly frontiers: SegmentFrontiers;
  readonly openReport: OpenReport;
}

export class StateStore implements StateReader, BondReader, StateSource {
  readonly openReport: OpenReport;
  readonly #log: OpLog;
  readonly #tables: StateTables;
  readonly #trees: CommitmentTrees;
  readonly #frontiers: SegmentFrontiers;
  readonly #recent = new RecentStates();
  /** After the last queued batch. */
  #queued: Commitment;
  #lastAppend: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor({ log, tables, trees, frontiers, openReport }: StateParts) {
    this.#log = log;
    this.#tables = tables;
    this.#trees = trees;
    this.#frontiers = frontiers;
    this.#queued = trees.tip;
    this.openReport = openReport;
    if (this.isInitialized) this.#recent.add(this.tip);
  }

  /**
   * Opens or makes a store; recovers the log and, when needed, rebuilds the tables.
   * Throws `CorruptionError`, `FilesError` ('locked', 'io', ...), `StorageError` ('wrong-chain', 'wrong-format').
   */
  static async open(options: StateStoreOptions): Promise<StateStore> {
    return new StateStore(await openState(options));
  }

  /** True once genesis (batch 0) is in. */
  get isInitialized(): boolean {
    return this.#trees.tip.place.height > 0;
  }

  /** The last durable batch. Throws `StorageError` 'not-initialized' before genesis. */
  get tip(): StateTip {
    if (!this.isInitialized) throw new StorageError('not-initialized', 'the state store holds no genesis batch yet');
    const commitment = this.#trees.tip;
    return { height: heightOf(commitment.place.height - 1), commitment };
  }

  /** The commitment of the last durable batch; of nothing before genesis, which batch 0 builds on. */
  get commitment(): Commitment {
    return this.#trees.tip;
  }

  /** Accounts there are. */
  get accountCount(): number {
    return this.#tables.accounts.accountCount;
  }

  /** Why appends are refused, or undefined while they are not. */
  get failure(): StorageError | undefined {
    return this.#log.failure;
  }

  balance(address: Uint8Array): bigint {
    this.#checkOpen();
    return this.#tables.accounts.balance(address);
  }

  /** Every account's balance, once: to count the supply. Read it whole before the next append. */
  balances(): Iterable<bigint> {
    this.#checkOpen();
    return this.#tables.accounts.balances();
  }

  /** Balances of many accounts at once. @param addresses n * 20 bytes @param balances n * 8 bytes, written: u64 little-endian */
  lookup(addresses: Uint8Array, balances: Uint8Array): void {
    this.#checkOpen();
    this.#tables.accounts.lookup(addresses, balances);
  }

  bond(address: Uint8Array): BondState | undefined {
    this.#checkOpen();
    return this.#tables.bonds.get(address);
  }

  bonds(): Iterable<readonly [address: Uint8Array, bond: BondState]> {
    this.#checkOpen();
    return [...this.#tables.bonds.all()].sort(([a], [b]) => Buffer.compare(a, b));
  }

  record(key: Uint8Array): Uint8Array | undefined {
    return this.#tables.records.get(key);
  }

  records(prefix: Uint8Array): Iterable<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.#tables.records.withPrefix(prefix);
  }

  /** Appends genesis: the batch of height 0. Throws `StorageError` 'already-initialized' when there is one. */
  async initialize(batch: Uint8Array): Promise<void> {
    if (this.isInitialized)
      throw new StorageError('already-initialized', 'the state store has its genesis batch already');
    await this.append(batch);
  }

  /**
   * Appends the next batch; durable and readable when resolved. Appends that wait together share one sync; they resolve in order.
   * `batch` is borrowed until then.
   * Rejects with `BatchError` for malformed bytes, a head that does not follow ('place'), a key that stands twice ('repeated-key');
   * `StorageError` ('disk-full', 'failed', 'table-full', 'queue-full', 'closed'), when a table has no room and cannot grow (nothing is
   * logged then). After 'disk-full' or 'failed' reads go on, and nothing more is taken until the store is opened again.
   * @param after the commitment after this batch, when the caller has it already: a child of the batch before
   */
  append(batch: Uint8Array, after?: Commitment): Promise<void> {
    const done = this.#append(batch, after);
    this.#lastAppend = done.catch(() => {});
    return done;
  }

  async #append(batch: Uint8Array, known?: Commitment): Promise<void> {
    this.#checkOpen();
    const changes = this.#tables.takeApart(batch);
    const before = this.#queued;
    const after = known ?? before.next(batch);
    assertInvariant(after.branch.parent === before.branch, 'the commitment builds on the batch before');
    this.#tables.reserve(changes, after.activeCount - before.activeCount);
    let appending: Appending;
    try {
      // Of a commitment that was handed in, the log works the digest out once more: that is how it is known to be of this batch.
      appending = this.#log.append(
        batch,
        before.branch.frontier,
        known === undefined ? { digest: hash(after.digest) } : {},
      );
    } catch (error) {
      this.#tables.release(changes);
      throw error;
    }
    assertInvariant(Buffer.compare(after.digest, appending.digest) === 0, 'the commitment is of this batch');
    this.#frontiers.note(before.place, before.branch.frontier);
    this.#queued = after;
    await appending.durable;
    this.#tables.apply(changes, appending.firstOp, after.opCount);
    this.#trees.absorb(after);
    this.#recent.add(this.tip);
    this.#forgetDeleted();
    // Not awaited, so that appends resolve in order.
    void this.#tables.sweep();
  }

  /**
   * Segments that the log has deleted take their part of the trees along. That ends some time after an append, so it is done before each proof too: in a
   * twig that the log has cut, proofs are made from the frontier at the cut.
   */
  #forgetDeleted(): void {
    const start = this.#frontiers.at(this.#log.firstOp);
    if (start !== undefined) this.#trees.dropBefore(start);
  }

  /** The tables' memory is gone after `close`: never touch it then. */
  #checkOpen(): void {
    if (this.#closed) throw new StorageError('closed', 'the state store is closed');
  }

  /**
   * Proof of an account, bond or record at the tip; undefined when there is none. See `verifyStateProof`.
   * @param key address (20 bytes) or record key @param header where the state root is found; copied
   */
  prove(kind: 'account' | 'bond' | 'record', key: Uint8Array, header: Uint8Array): StateProof | undefined {
    this.#checkOpen();
    this.#forgetDeleted();
    const op = this.#tables.position(kind, key);
    return op < 0 ? undefined : this.#trees.stateProof(op, header);
  }

  /** Durable batches from a height on, in order, copied. Throws `StorageError` 'not-found' for one that is not kept any more. */
  readBatches(fromHeight: number): AsyncGenerator<Uint8Array> {
    return this.#log.read(fromHeight);
  }

  get firstOp(): number {
    return this.#log.firstOp;
  }

  get opCount(): number {
    return this.#trees.tip.opCount;
  }

  heights(): { readonly first: number; readonly last: number } | undefined {
    return this.#recent.heights(this.#log.firstOp);
  }

  manifest(height: number): StateManifest | undefined {
    const state = this.#recent.at(height, this.#log.firstOp);
    if (state === undefined) return undefined;
    const firstOp = this.#log.startOfSegment(Math.min(state.floor, this.#log.opCount - 1)).opCount;
    return { ...state, firstOp };
  }

  heightOf(op: number): number {
    return this.#log.heightOf(op);
  }

  readOps(from: number, to: number): Promise<OpRange> {
    return this.#log.readOps(from, to);
  }

  rangeProof(from: number, to: number, size: number): RangeProof {
    this.#forgetDeleted();
    return this.#trees.rangeProof(from, to, size);
  }

  pin(fromOp: number): () => void {
    return this.#log.pin(fromOp);
  }

  /** Finishes queued appends, marks the tables clean, lets go of the folder. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#lastAppend;
      if (this.#log.failure === undefined) await this.#tables.closeClean(this.#log.tip.digest);
      else this.#tables.close();
    } finally {
      await this.#log.close();
    }
  }
}
