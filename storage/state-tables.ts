/**
 * What the op log adds up to: balances, bonds and records, each with the number of the op that set it.
 *
 * Owns: `accounts/` and `bonds/` of the state's folder (tables, derived) and the records, which live in memory.
 *
 * Invariants
 * - Equal to a replay of the acknowledged batches, in order. A batch is taken apart and has its room before it is logged, and is applied
 *   when it is durable: applying cannot fail half-way.
 * - Both tables are taken over at open, with clean marks of the log's very end, or both are built from the log. The marks go before
 *   the first change.
 */
import type { Kernels } from '../native/index.ts';
import { AccountTable } from './accounts/account-table.ts';
import { BondTable } from './accounts/bond-table.ts';
import type { CleanMark } from './accounts/clean-mark.ts';
import type { SlotTable, TableOptions } from './accounts/slot-table.ts';
import type { TableChanges, TableRun } from './accounts/table-changes.ts';
import { TableThreads, type TableThreadsOptions } from './accounts/table-threads.ts';
import { type BatchChanges, type RecordChange, takeApart } from './batch-changes.ts';
import type { PositionSource } from './commitment/sources.ts';
import { assertInvariant } from './errors.ts';
import { type Files, FilesError } from './files/files.ts';
import { frameSize } from './oplog/frame.ts';
import type { RecoveredSegment } from './oplog/log-visitor.ts';
import { headerSize } from './oplog/segment.ts';
import { RecordMap } from './record-map.ts';

/** Bonds are few: one shard, which grows. */
const BOND_SHARDS = { shardCountLog2: 0, shardSlotCountLog2: 6 } as const;

/** Threads are told of that much of the log at a time. */
const TELL_SIZE_BYTES: number = 1024 * 1024;

export interface StateTablesOptions {
  readonly directory: string;
  readonly files: Files;
  readonly kernels: Kernels;
  readonly shardCountLog2?: number;
  readonly shardSlotCountLog2?: number;
  readonly randomBytes?: (sizeBytes: number) => Uint8Array;
}

/** A batch's changes, taken apart but not yet applied; the batch is borrowed until then. */
export interface StateChanges {
  readonly accounts: TableChanges;
  readonly bonds: TableChanges;
  readonly records: readonly RecordChange[];
}

/** Applies a batch's runs to a table being built. */
function applyRuns(table: SlotTable, batch: Uint8Array, runs: readonly TableRun[], firstOp: number): void {
  if (runs.length === 0) return;
  const changes = table.prepare(batch, runs);
  table.reserve(changes);
  table.apply(changes, firstOp);
}

export class StateTables implements PositionSource {
  readonly records: RecordMap = new RecordMap();
  /** Undefined for tables in memory only. */
  readonly #homes: { readonly accounts: TableOptions; readonly bonds: TableOptions } | undefined;
  #marks: { readonly accounts: CleanMark; readonly bonds: CleanMark } | undefined;
  #accounts: AccountTable | undefined;
  #bonds: BondTable | undefined;
  /** While they build the account table. */
  #threads: TableThreads | undefined;
  /** Where the log as replayed so far ends, and how much of it they were not told of. */
  #end = { segment: 0, end: 0 };
  #untoldBytes = 0;
  #opCount = 0;

  /** Nothing is read before `begin`. @param options none: tables in memory only (`scratch`) */
  constructor(options?: StateTablesOptions) {
    if (options === undefined) return;
    const { directory, files, kernels, randomBytes } = options;
    const source = randomBytes === undefined ? {} : { randomBytes };
    this.#homes = {
      accounts: { ...options, directory: `${directory}/accounts` },
      bonds: { files, kernels, ...source, ...BOND_SHARDS, directory: `${directory}/bonds` },
    };
  }

  /** Empty ones in memory only, to `replay` a log into. */
  static scratch(kernels: Kernels): StateTables {
    const tables = new StateTables();
    tables.#accounts = AccountTable.scratch(kernels);
    tables.#bonds = BondTable.scratch(kernels);
    return tables;
  }

  get #options(): { readonly accounts: TableOptions; readonly bonds: TableOptions } {
    assertInvariant(this.#homes !== undefined, 'the tables have a folder');
    return this.#homes;
  }

  get accounts(): AccountTable {
    assertInvariant(this.#accounts !== undefined, 'the account table is open');
    return this.#accounts;
  }

  get bonds(): BondTable {
    assertInvariant(this.#bonds !== undefined, 'the bond table is open');
    return this.#bonds;
  }

  /** Looks for clean marks, before the log is read; makes empty tables at once when there are none. @param anew as if there were none */
  async begin(anew: boolean): Promise<void> {
    const accounts = await AccountTable.readMark(this.#options.accounts);
    const bonds = await BondTable.readMark(this.#options.bonds);
    if (anew || accounts === undefined || bonds === undefined) await this.create();
    else this.#marks = { accounts, bonds };
  }

  /**
   * Lets other threads fill the account table, which was just made, from the log's files as far as `replay` has seen them: it builds only bonds and
   * records itself then. `finishThreads` waits for them. @returns how many there are
   */
  buildOnThreads(options: TableThreadsOptions): number {
    this.#threads = new TableThreads(this.accounts, options);
    return this.#threads.count;
  }

  /** The batches that `replay` gets next are those of this segment. */
  beginSegment({ index, first }: RecoveredSegment): void {
    this.#end = { segment: index, end: headerSize(first.opCount) };
  }

  /** Tells the threads how far the log has been checked, in steps. */
  #told(batch: Uint8Array): void {
    const { segment, end } = this.#end;
    this.#end = { segment, end: end + frameSize(batch.length) };
    this.#untoldBytes += batch.length;
    if (this.#untoldBytes < TELL_SIZE_BYTES) return;
    this.#untoldBytes = 0;
    this.#threads?.raise({ ...this.#end, isWhole: false });
  }

  /** All batches were replayed. @returns false when a thread failed: `create` and `rebuild` then */
  async finishThreads(): Promise<boolean> {
    const built = (await this.#threads?.finish(this.#end)) ?? true;
    this.#threads = undefined;
    return built;
  }

  /** Makes empty tables, to be built with `rebuild`. */
  async create(): Promise<void> {
    this.#marks = undefined;
    this.close();
    this.#accounts = await AccountTable.create(this.#options.accounts);
    this.#bonds = await BondTable.create(this.#options.bonds);
  }

  /** True while the tables are built from the log as it is read. */
  get isBuilding(): boolean {
    return this.#accounts !== undefined;
  }

  /** The log has been read. @returns whether the tables are taken over as those of its end: else they were built, or are to be */
  async takeOver(chain: Uint8Array): Promise<boolean> {
    const marks = this.#marks;
    if (marks === undefined) return false;
    if ([marks.accounts, marks.bonds].some((mark) => Buffer.compare(mark.chain, chain) !== 0)) return false;
    try {
      this.#accounts = await AccountTable.open(this.#options.accounts, marks.accounts);
      this.#bonds = await BondTable.open(this.#options.bonds, marks.bonds);
      return true;
    } catch (error) {
      this.close();
      // An image that is missing, short or damaged: the log has everything.
      if (error instanceof FilesError && error.code !== 'power-cut') return false;
      throw error;
    }
  }

  /** A batch of the log while it is opened: into the records, and into tables being built. @param firstOp number of its head */
  replay(batch: Uint8Array, firstOp: number): void {
    const changes = takeApart(batch);
    this.#applyRecords(changes, firstOp);
    if (this.isBuilding) this.#applyTables(batch, changes, firstOp);
    this.#told(batch);
    this.#opCount = firstOp + 1 + changes.opCount;
  }

  /** A batch of the log that is read once more, for the tables alone. */
  rebuild(batch: Uint8Array, firstOp: number): void {
    this.#applyTables(batch, takeApart(batch), firstOp);
  }

  #applyTables(batch: Uint8Array, { accounts, bonds }: BatchChanges, firstOp: number): void {
    if (this.#threads === undefined) applyRuns(this.accounts, batch, accounts, firstOp);
    applyRuns(this.bonds, batch, bonds, firstOp);
  }

  /** Takes a batch apart, checking every byte of its structure. Throws `BatchError`. */
  takeApart(batch: Uint8Array): StateChanges {
    const { accounts, bonds, records } = takeApart(batch);
    return {
      accounts: this.accounts.prepare(batch, accounts),
      bonds: this.bonds.prepare(batch, bonds),
      records,
    };
  }

  /**
   * Makes room. Throws `StorageError` 'table-full'; nothing is reserved then.
   * @param grown by how much the accounts, bonds and records get more with these changes; negative when they get fewer
   */
  reserve({ accounts, bonds, records }: StateChanges, grown: number): void {
    const deletes = records.filter(({ value }) => value === undefined).length;
    // What is new makes up for what these changes delete. So no key need be looked for in a table that is nearly full.
    const newCount = grown + accounts.deleteCount + bonds.deleteCount + deletes;
    this.accounts.reserve(accounts, Math.min(newCount, accounts.putCount));
    try {
      this.bonds.reserve(bonds, Math.min(newCount, bonds.putCount));
    } catch (error) {
      this.accounts.release(accounts);
      throw error;
    }
  }

  /** Takes a reservation back. */
  release({ accounts, bonds }: StateChanges): void {
    this.accounts.release(accounts);
    this.bonds.release(bonds);
  }

  /** Applies reserved changes. @param firstOp number of the batch's head @param opCount ops after the batch */
  apply(changes: StateChanges, firstOp: number, opCount: number): void {
    this.accounts.apply(changes.accounts, firstOp);
    this.bonds.apply(changes.bonds, firstOp);
    this.#applyRecords(changes, firstOp);
    this.#opCount = opCount;
  }

  #applyRecords({ records }: Pick<StateChanges, 'records'>, firstOp: number): void {
    for (const { key, value, op } of records) {
      if (value === undefined) this.records.delete(key);
      else this.records.put(key, value, firstOp + op);
    }
  }

  accountPositions(addresses: Uint8Array, positions: Float64Array): void {
    this.accounts.positions(addresses, this.#opCount, positions);
  }

  bondPositions(addresses: Uint8Array, positions: Float64Array): void {
    this.bonds.positions(addresses, this.#opCount, positions);
  }

  recordPosition(key: Uint8Array): number {
    return this.records.position(key);
  }

  /** Number of the op that set a key; -1 when there is none. @param key 20 bytes for an account or bond */
  position(kind: 'account' | 'bond' | 'record', key: Uint8Array): number {
    if (kind === 'record') return this.recordPosition(key);
    const position = new Float64Array(1);
    if (kind === 'account') this.accountPositions(key, position);
    else this.bondPositions(key, position);
    return position[0]!;
  }

  /** The ops that set all there is, in slices, in no order; each slice is borrowed until the next step. */
  *positions(): Generator<Float64Array> {
    yield* this.accounts.eachPosition(this.#opCount);
    yield* this.bonds.eachPosition(this.#opCount);
    yield this.records.positions();
  }

  /** Goes on moving what has grown, in the background. */
  async sweep(): Promise<void> {
    await this.#accounts?.sweep();
    await this.#bonds?.sweep();
  }

  /** Leaves both tables with marks of the log's end. Throws `FilesError`; the next open rebuilds then. */
  async closeClean(chain: Uint8Array): Promise<void> {
    try {
      await this.#accounts?.closeClean(chain);
      await this.#bonds?.closeClean(chain);
    } finally {
      this.close();
    }
  }

  /** Ends threads that still build. `close` comes after it. */
  async stopThreads(): Promise<void> {
    await this.#threads?.stop();
    this.#threads = undefined;
  }

  /** Lets go of the tables without marks. Idempotent. */
  close(): void {
    this.#accounts?.close();
    this.#bonds?.close();
    this.#accounts = undefined;
    this.#bonds = undefined;
  }
}
