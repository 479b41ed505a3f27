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
import type { AccountChanges, AccountRun } from './accounts/account-changes.ts';
import { AccountTable, type AccountTableOptions } from './accounts/account-table.ts';
import type { CleanMark } from './accounts/clean-mark.ts';
import { type Commitment, emptyCommitment } from './commitment/commitment.ts';
import { StorageError } from './errors.ts';
import { diskFiles } from './files/disk-files.ts';
import { type Files, FilesError } from './files/files.ts';
import { readOps } from './oplog/batch.ts';
import { OpLog } from './oplog/op-log.ts';
import { RecordMap } from './record-map.ts';
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
  /** Source of the table's secret; replaced in simulations. */
  readonly randomBytes?: (sizeBytes: number) => Uint8Array;
}

/** The last batch, and the commitment after it. */
export interface StateTip {
  readonly height: Height;
  readonly commitment: Commitment;
}

/** A batch's changes, taken apart but not yet applied. */
interface Changes {
  readonly accounts: AccountChanges;
  readonly records: readonly (readonly [key: Uint8Array, value: Uint8Array | undefined])[];
}

/** What opening found, for logs and for tests. */
export interface OpenReport {
  /** Batches read from the log. */
  readonly batchCount: number;
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

/** Takes a batch apart, checking every byte of its structure. Throws `BatchError`. */
function takeApart(batch: Uint8Array, table: AccountTable): Changes & { height: number } {
  const runs: AccountRun[] = [];
  const records: [Uint8Array, Uint8Array | undefined][] = [];
  let op = 0;
  const { height } = readOps(batch, {
    accounts(offset, count) {
      runs.push({ offset, count, firstOp: op });
      op += count;
    },
    putRecord(key, value) {
      records.push([key, value]);
      op += 1;
    },
    deleteRecord(key) {
      records.push([key, undefined]);
      op += 1;
    },
  });
  return { height, accounts: table.prepare(batch, runs), records };
}

function applyChanges(changes: Changes, table: AccountTable, records: RecordMap, firstOp: number): void {
  table.apply(changes.accounts, firstOp);
  applyRecords(changes, records);
}

function applyRecords(changes: Pick<Changes, 'records'>, records: RecordMap): void {
  for (const [key, value] of changes.records) {
    if (value === undefined) records.delete(key);
    else records.put(key, value);
  }
}

type StateParts = [OpLog, AccountTable, RecordMap, Commitment, OpenReport];

/** Opens a store: the log first, its batches flowing into records, commitment and (unless it is clean) the table. */
class StateOpener {
  readonly #options: StateStoreOptions;
  readonly #files: Files;
  readonly #tableOptions: AccountTableOptions;
  readonly #records = new RecordMap();
  #commitment: Commitment;
  #batchCount = 0;

  constructor(options: StateStoreOptions) {
    this.#options = options;
    this.#files = options.files ?? diskFiles(options.kernels);
    this.#tableOptions = { ...options, files: this.#files, directory: `${options.directory}/accounts` };
    this.#commitment = emptyCommitment(options.kernels);
  }

  async open(build: (...parts: StateParts) => StateStore): Promise<StateStore> {
    const log = await this.#openLog();
    try {
      const { table, rebuilt } = await this.#openTable(log);
      return build(log, table, this.#records, this.#commitment, { batchCount: this.#batchCount, rebuilt });
    } catch (error) {
      await log.close();
      throw error;
    }
  }

  /** Opens the log; every batch goes into the records and the commitment. */
  #openLog(): Promise<OpLog> {
    const { directory, kernels, chainId, segmentSizeBytes } = this.#options;
    return OpLog.open({
      directory: `${directory}/log`,
      files: this.#files,
      kernels,
      chainId,
      ...(segmentSizeBytes === undefined ? {} : { segmentSizeBytes }),
      visit: ({ batch, digest }) => {
        this.#batchCount += 1;
        this.#commitment = this.#commitment.next(batch, digest);
        readOps(batch, {
          accounts() {},
          putRecord: (key, value) => this.#records.put(key, value),
          deleteRecord: (key) => this.#records.delete(key),
        });
      },
    });
  }

  async #openTable(log: OpLog): Promise<{ table: AccountTable; rebuilt: boolean }> {
    const mark = await AccountTable.readMark(this.#tableOptions);
    if (mark !== undefined && Buffer.compare(mark.chain, log.chain) === 0) {
      const table = await this.#takeOver(mark);
      if (table !== undefined) return { table, rebuilt: false };
    }
    return { table: await this.#rebuild(log), rebuilt: true };
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

  async #rebuild(log: OpLog): Promise<AccountTable> {
    const table = await AccountTable.create(this.#tableOptions);
    try {
      let firstOp = 0;
      for await (const batch of log.read(0)) {
        const changes = takeApart(batch, table);
        table.reserve(changes.accounts);
        table.apply(changes.accounts, firstOp);
        await table.sweep();
        firstOp += new DataView(batch.buffer, batch.byteOffset).getUint32(8, true);
      }
      return table;
    } catch (error) {
      table.close();
      throw error;
    }
  }
}
