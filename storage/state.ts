/**
 * The state store: one batch of ops in, durable; balances, records and one root out.
 *
 * Owns: a folder with `log/` (the truth) and `accounts/` (derived). Records live in memory, rebuilt from the log at open.
 *
 * Invariants
 * - What is read is exactly the acknowledged batches, in order: nothing shows before it is durable.
 * - The account table equals a replay of the log: it is taken over at open only with a clean mark of the log's very end, and is
 *   rebuilt otherwise.
 * - The commitment at the tip is `emptyCommitment` advanced by every batch.
 * - A batch that does not decode, or that the table has no room for, is refused before it is logged.
 */
import { type Height, height as heightOf, type Kernels } from '../native/index.ts';
import { EntryBuffer } from './accounts/account-changes.ts';
import { AccountTable, type AccountTableOptions } from './accounts/account-table.ts';
import type { CleanMark } from './accounts/clean-mark.ts';
import { type Commitment, emptyCommitment } from './commitment/commitment.ts';
import { StorageError } from './errors.ts';
import { diskFiles } from './files/disk-files.ts';
import { type Files, FilesError } from './files/files.ts';
import { readBatchHead } from './oplog/batch.ts';
import { OpLog } from './oplog/op-log.ts';
import { RecordMap } from './record-map.ts';
import { applyChanges, applyRecords, readRecords, rebuildFrom, takeApart } from './state-changes.ts';
import type { StateReader } from './state-reader.ts';

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
  /** Shards of a new account table, as a power of two, 0 .. 8; 4 unless given. */
  readonly shardCountLog2?: number;
  /** First size of a shard, slots as a power of two, 7 .. 25; 10 unless given. */
  readonly shardSlotCountLog2?: number;
  /** Throws the account table away and rebuilds it from the log, even when it is clean. */
  readonly rebuild?: boolean;
  /** Told while opening how many bytes of batches have been read. */
  readonly onProgress?: (batchBytes: number) => void;
  /** Source of the table's secret; replaced in simulations. */
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
  /** Ops in them. */
  readonly opCount: number;
  /** True when the account table was rebuilt rather than taken over. */
  readonly rebuilt: boolean;
}

export class StateStore implements StateReader {
  readonly openReport: OpenReport;
  readonly #log: OpLog;
  readonly #table: AccountTable;
  readonly #records: RecordMap;
  #commitment: Commitment;
  #queuedCommitment: Commitment;
  #height: number;
  #lastAppend: Promise<void> = Promise.resolve();
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(
    log: OpLog,
    table: AccountTable,
    records: RecordMap,
    commitment: Commitment,
    openReport: OpenReport,
  ) {
    this.#log = log;
    this.#table = table;
    this.#records = records;
    this.#commitment = commitment;
    this.#queuedCommitment = commitment;
    this.#height = log.height - 1;
    this.openReport = openReport;
  }

  /**
   * Opens or makes a store; recovers the log and, when needed, rebuilds the table.
   * Throws `CorruptionError`, `FilesError` ('locked', 'io', ...), `StorageError` ('wrong-chain', 'wrong-format').
   */
  static async open(options: StateStoreOptions): Promise<StateStore> {
    return new StateOpener(options).open((...parts) => new StateStore(...parts));
  }

  /** True once genesis (batch 0) is in. */
  get isInitialized(): boolean {
    return this.#height >= 0;
  }

  /** The last durable batch. Throws `StorageError` 'not-initialized' before genesis. */
  get tip(): StateTip {
    if (!this.isInitialized) throw new StorageError('not-initialized', 'the state store holds no genesis batch yet');
    return { height: heightOf(this.#height), commitment: this.#commitment };
  }

  /** Accounts ever set. */
  get accountCount(): number {
    return this.#table.accountCount;
  }

  /** Why appends are refused, or undefined while they are not. */
  get failure(): StorageError | undefined {
    return this.#log.failure;
  }

  balance(address: Uint8Array): bigint {
    this.#checkOpen();
    return this.#table.balance(address);
  }

  /** Every account's balance, once: to count the supply. Read it whole before the next append. */
  balances(): Iterable<bigint> {
    this.#checkOpen();
    return this.#table.balances();
  }

  /** Balances of many accounts at once. @param addresses n * 20 bytes @param balances n * 8 bytes, written: u64 little-endian */
  lookup(addresses: Uint8Array, balances: Uint8Array): void {
    this.#checkOpen();
    this.#table.lookup(addresses, balances);
  }

  record(key: Uint8Array): Uint8Array | undefined {
    return this.#records.get(key);
  }

  records(prefix: Uint8Array): Iterable<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.#records.withPrefix(prefix);
  }

  /** Appends genesis: the batch of height 0. Throws `StorageError` 'already-initialized' when there is one. */
  async initialize(batch: Uint8Array): Promise<void> {
    if (this.isInitialized)
      throw new StorageError('already-initialized', 'the state store has its genesis batch already');
    await this.append(batch, 0);
  }

  /**
   * Appends the batch of the next height; durable and readable when resolved. Appends that wait together share one sync; they
   * resolve in order. `batch` is borrowed until then.
   * Rejects with `BatchError` for malformed bytes, `StorageError` ('wrong-height', 'disk-full', 'failed', 'table-full',
   * 'queue-full', 'closed'), `FilesError` when the table has no room and cannot grow (nothing is logged then). After 'disk-full' or 'failed' reads go on, and nothing more is taken until the store is opened again.
   */
  append(batch: Uint8Array, height: number): Promise<void> {
    const done = this.#append(batch, height);
    this.#lastAppend = done.catch(() => {});
    return done;
  }

  async #append(batch: Uint8Array, height: number): Promise<void> {
    this.#checkOpen();
    const changes = takeApart(batch, this.#table);
    if (changes.height !== height)
      throw new StorageError('wrong-height', `batch says height ${changes.height}, its block has ${height}`);
    this.#table.reserve(changes.accounts);
    let appending: ReturnType<OpLog['append']>;
    try {
      appending = this.#log.append(batch);
    } catch (error) {
      this.#table.release(changes.accounts);
      throw error;
    }
    const commitment = this.#queuedCommitment.next(batch, appending.digest);
    this.#queuedCommitment = commitment;
    await appending.durable;
    applyChanges(changes, this.#table, this.#records, appending.firstOp);
    this.#commitment = commitment;
    this.#height = height;
    // Not awaited, so that appends resolve in order. A file that cannot be removed now is removed at the next open.
    this.#sweeping = this.#sweeping.then(() => this.#table.sweep()).catch(() => {});
  }

  /** The table's memory is gone after `close`: never touch it then. */
  #checkOpen(): void {
    if (this.#closed) throw new StorageError('closed', 'the state store is closed');
  }

  /** Durable batches from a height on, in order, copied: what a syncing node is served. */
  readBatches(fromHeight: number): AsyncGenerator<Uint8Array> {
    return this.#log.read(fromHeight);
  }

  /** Finishes queued appends, marks the table clean, lets go of the folder. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#lastAppend;
      await this.#sweeping;
      if (this.#log.failure === undefined) await this.#table.closeClean(this.#log.chain);
      else this.#table.close();
    } finally {
      await this.#log.close();
    }
  }
}

type StateParts = [OpLog, AccountTable, RecordMap, Commitment, OpenReport];

/**
 * Opens a store: the log first, its batches flowing into records and commitment, and into the table when that is not clean. Only when a
 * clean mark turns out to be of another point, or its files are not there, is the log read again.
 */
class StateOpener {
  readonly #options: StateStoreOptions;
  readonly #files: Files;
  readonly #tableOptions: AccountTableOptions;
  readonly #records = new RecordMap();
  readonly #buffer = new EntryBuffer();
  #mark: CleanMark | undefined;
  #table: AccountTable | undefined;
  #commitment: Commitment;
  #batchCount = 0;
  #batchBytes = 0;

  constructor(options: StateStoreOptions) {
    this.#options = options;
    this.#files = options.files ?? diskFiles(options.kernels);
    this.#tableOptions = { ...options, files: this.#files, directory: `${options.directory}/accounts` };
    this.#commitment = emptyCommitment(options.kernels);
  }

  async open(build: (...parts: StateParts) => StateStore): Promise<StateStore> {
    let log: OpLog | undefined;
    try {
      log = await this.#openLog();
      const { table, rebuilt } = await this.#openTable(log);
      return build(log, table, this.#records, this.#commitment, {
        batchCount: this.#batchCount,
        opCount: log.opCount,
        rebuilt,
      });
    } catch (error) {
      this.#table?.close();
      await log?.close();
      throw error;
    }
  }

  /** Opens the log; every batch goes into the records and the commitment, and into the table when one is being built. */
  #openLog(): Promise<OpLog> {
    const { directory, kernels, chainId, segmentSizeBytes } = this.#options;
    return OpLog.open({
      directory: `${directory}/log`,
      files: this.#files,
      kernels,
      chainId,
      ...(segmentSizeBytes === undefined ? {} : { segmentSizeBytes }),
      locked: async () => {
        const mark = await AccountTable.readMark(this.#tableOptions);
        if (mark === undefined || this.#options.rebuild === true)
          this.#table = await AccountTable.create(this.#tableOptions);
        else this.#mark = mark;
      },
      visit: ({ batch, digest, firstOp }) => {
        this.#commitment = this.#commitment.next(batch, digest);
        if (this.#table === undefined) readRecords(batch, this.#records);
        else applyRecords(rebuildFrom(batch, this.#table, firstOp, this.#buffer), this.#records);
        this.#batchCount += 1;
        this.#progress(batch);
      },
    });
  }

  #progress(batch: Uint8Array): void {
    this.#batchBytes += batch.length;
    this.#options.onProgress?.(this.#batchBytes);
  }

  async #openTable(log: OpLog): Promise<{ table: AccountTable; rebuilt: boolean }> {
    if (this.#mark !== undefined && Buffer.compare(this.#mark.chain, log.chain) === 0) {
      const table = await this.#takeOver(this.#mark);
      if (table !== undefined) return { table, rebuilt: false };
    }
    this.#table ??= await this.#rebuild(log);
    await this.#table.sweep();
    return { table: this.#table, rebuilt: true };
  }

  async #takeOver(mark: CleanMark): Promise<AccountTable | undefined> {
    try {
      return await AccountTable.open(this.#tableOptions, mark);
    } catch (error) {
      // A shard file that is missing or short: the log has everything.
      if (error instanceof FilesError && error.code !== 'power-cut') return undefined;
      throw error;
    }
  }

  /** Builds the table by reading the log once more. */
  async #rebuild(log: OpLog): Promise<AccountTable> {
    const table = await AccountTable.create(this.#tableOptions);
    this.#table = table;
    this.#batchBytes = 0;
    let firstOp = 0;
    for await (const batch of log.read(0)) {
      rebuildFrom(batch, table, firstOp, this.#buffer);
      await table.sweep();
      firstOp += readBatchHead(batch).opCount;
      this.#progress(batch);
    }
    return table;
  }
}
