/**
 * The account table: balances by address, in shards chosen by the address's first bits.
 *
 * Owns: its folder: `secret` (16 random bytes of this node and their CRC-32C), `clean` (clean-mark.ts) and the shard files.
 *
 * Invariants
 * - Derived: equal to replaying the op log, or rebuilt from it. Nothing here decides what is true.
 * - Every change of a batch has room before the batch is logged (`reserve`), so applying it cannot fail half-way.
 * - An account's log position is its op's number over the whole log, mod 2^32 - 1, plus 1: never 0.
 */
import { randomBytes } from 'node:crypto';
import type { Kernels } from '../../native/index.ts';
import { assertInvariant } from '../errors.ts';
import { type Files, FilesError, makeDurableDirectory, readWhole, writeWhole } from '../files/files.ts';
import { type AccountChanges, type AccountRun, type EntryBuffer, partition, sortByShard } from './account-changes.ts';
import { type CleanMark, readMark, removeMark, SHARDS_MAX, writeMark } from './clean-mark.ts';
import {
  Shard,
  type ShardContext,
  SLOT_COUNT_LOG2_MAX,
  SLOT_COUNT_LOG2_MIN,
  SLOT_SIZE_BYTES,
  shardName,
} from './shard.ts';

const ADDRESS_SIZE_BYTES = 20;
const SECRET_SIZE_BYTES = 16;
/** 16 shards hold up to 268 million accounts. */
const SHARD_COUNT_LOG2_DEFAULT = 4;
const SLOT_COUNT_LOG2_DEFAULT = 10;

export interface AccountTableOptions {
  readonly directory: string;
  readonly files: Files;
  readonly kernels: Pick<Kernels, 'tableFind' | 'tablePut' | 'crc32c'>;
  /** Shards in a new table, as a power of two, 0 .. 8. */
  readonly shardCountLog2?: number;
  /** Slots in each shard of a new table, as a power of two, 7 .. 25. */
  readonly shardSlotCountLog2?: number;
  /** Source of the secret; replaced in simulations. */
  readonly randomBytes?: (sizeBytes: number) => Uint8Array;
}

export class AccountTable {
  readonly #options: AccountTableOptions;
  readonly #shards: Shard[] = [];
  readonly #reserved: number[] = [];
  readonly #obsolete: string[] = [];

  private constructor(options: AccountTableOptions) {
    this.#options = options;
  }

  /** What the folder says about the table in it: the mark it was closed with, or undefined when it must be rebuilt. */
  static async readMark(options: AccountTableOptions): Promise<CleanMark | undefined> {
    await makeDurableDirectory(options.files, options.directory);
    return readMark(options.files, options.kernels, markPath(options));
  }

  /**
   * Opens the table as `mark` describes it, and takes the mark away. Throws `FilesError` when a shard file is missing or short, or the
   * secret is gone: then `create` and rebuild.
   */
  static async open(options: AccountTableOptions, mark: CleanMark): Promise<AccountTable> {
    const secret = await readSecret(options);
    if (secret === undefined) throw new FilesError('not-found', secretPath(options), 'no secret');
    const context: ShardContext = { ...options, secret };
    const table = new AccountTable(options);
    try {
      for (const [index, { slotCountLog2, used }] of mark.shards.entries())
        table.#add(Shard.open(context, index, slotCountLog2, used));
      await removeMark(options.files, markPath(options));
      await table.#removeStrays();
      return table;
    } catch (error) {
      table.close();
      throw error;
    }
  }

  /** Makes an empty table, removing whatever was there. */
  static async create(options: AccountTableOptions): Promise<AccountTable> {
    const { files, directory } = options;
    const shardCountLog2 = options.shardCountLog2 ?? SHARD_COUNT_LOG2_DEFAULT;
    const slotCountLog2 = options.shardSlotCountLog2 ?? SLOT_COUNT_LOG2_DEFAULT;
    assertInvariant(shardCountLog2 >= 0 && 2 ** shardCountLog2 <= SHARDS_MAX, 'shardCountLog2 within 0 .. 8');
    assertInvariant(
      slotCountLog2 >= SLOT_COUNT_LOG2_MIN && slotCountLog2 <= SLOT_COUNT_LOG2_MAX,
      'shardSlotCountLog2 within 7 .. 25',
    );
    await makeDurableDirectory(files, directory);
    await removeMark(files, markPath(options));
    for (const name of await files.list(directory))
      if (name.startsWith('shard-')) await files.remove(`${directory}/${name}`);
    const context: ShardContext = { ...options, secret: (await readSecret(options)) ?? (await makeSecret(options)) };
    const table = new AccountTable(options);
    try {
      for (let index = 0; index < 2 ** shardCountLog2; index++) table.#add(Shard.create(context, index, slotCountLog2));
      return table;
    } catch (error) {
      table.close();
      throw error;
    }
  }

  #add(shard: Shard): void {
    this.#shards.push(shard);
    this.#reserved.push(0);
  }

  /** Removes shard files that belong to no shard: growth was cut off before it could. */
  async #removeStrays(): Promise<void> {
    const { files, directory } = this.#options;
    const known = new Set(this.#shards.map((shard) => shardName(shard.index, shard.slotCountLog2)));
    for (const name of await files.list(directory))
      if (name.startsWith('shard-') && !known.has(name)) await files.remove(`${directory}/${name}`);
  }

  /** Accounts in the table. */
  get accountCount(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.used, 0);
  }

  /** Bytes of all shard files. */
  get sizeBytes(): number {
    return this.#shards.reduce((sum, shard) => sum + SLOT_SIZE_BYTES * 2 ** shard.slotCountLog2, 0);
  }

  /** Balance of a 20-byte address; 0n when there is no such account. */
  balance(address: Uint8Array): bigint {
    return this.#shardOf(address[0]!).balance(address) ?? 0n;
  }

  /**
   * Balances of many accounts at once: the memory's latency is paid side by side, not one after another.
   * @param addresses n * 20 bytes @param balances n * 8 bytes, written: u64 little-endian, 0 for those without account
   */
  lookup(addresses: Uint8Array, balances: Uint8Array): void {
    const count = addresses.length / ADDRESS_SIZE_BYTES;
    assertInvariant(Number.isInteger(count) && balances.length === 8 * count, '20 bytes of address, 8 of balance each');
    const { sorted, targets, starts } = sortByShard(addresses, this.#shards.length);
    for (const shard of this.#shards) {
      const [from, to] = [starts[shard.index]!, starts[shard.index + 1]!];
      if (from < to)
        shard.lookup(
          sorted.subarray(from * ADDRESS_SIZE_BYTES, to * ADDRESS_SIZE_BYTES),
          targets.subarray(from, to),
          balances,
        );
    }
  }

  /** Every account's balance, once: to count the supply. Takes time proportional to the table. Do not write while reading. */
  *balances(): Generator<bigint> {
    for (const shard of this.#shards) yield* shard.balances();
  }

  /** The shard an address belongs to: its first bits. */
  #shardOf(firstByte: number): Shard {
    return this.#shards[Math.floor((firstByte * this.#shards.length) / 256)]!;
  }

  /**
   * Sorts a batch's account ops by shard (copied). @param runs where they stand in `batch`
   * @param buffer where to, when the changes before are done with; new memory unless given
   */
  prepare(batch: Uint8Array, runs: readonly AccountRun[], buffer?: EntryBuffer): AccountChanges {
    return partition(batch, runs, this.#shards.length, buffer);
  }

  /**
   * Makes room for the changes beside all others reserved and not yet applied, growing shards where needed.
   * Throws `StorageError` 'table-full' or `FilesError`; nothing is reserved then.
   */
  reserve(changes: AccountChanges): void {
    const counts = this.#shards.map((shard, index) => this.#roomFor(shard, changes.ofShard(index)));
    for (const [index, count] of counts.entries()) this.#reserved[index]! += count;
    changes.reserved = counts;
  }

  /** Grows a shard when it must. @returns how many slots to reserve */
  #roomFor(shard: Shard, entries: Uint8Array): number {
    const count = entries.length / SLOT_SIZE_BYTES;
    const reserved = this.#reserved[shard.index]!;
    if (count === 0 || shard.hasRoom(reserved + count)) return count;
    const missing = shard.countMissing(entries);
    if (!shard.hasRoom(reserved + missing)) this.#obsolete.push(shard.grow(reserved + missing));
    return missing;
  }

  /** Takes a reservation back: the changes will not be applied. */
  release(changes: AccountChanges): void {
    for (const [index, count] of changes.reserved.entries()) this.#reserved[index]! -= count;
    changes.reserved = [];
  }

  /** Applies reserved changes. @param firstOp number of the batch's first op over the whole log */
  apply(changes: AccountChanges, firstOp: number): void {
    changes.setLogPositions(firstOp);
    for (const shard of this.#shards) {
      const entries = changes.ofShard(shard.index);
      if (entries.length > 0) shard.put(entries);
    }
    this.release(changes);
  }

  /** Removes shard files that growth has replaced. */
  async sweep(): Promise<void> {
    for (const path of this.#obsolete.splice(0)) await this.#options.files.remove(path);
  }

  /** Syncs every shard and leaves the mark that says which point of the log the table equals; then closes. */
  async closeClean(chain: Uint8Array): Promise<void> {
    const { files, kernels, directory } = this.#options;
    await this.sweep();
    for (const shard of this.#shards) shard.sync();
    await files.syncDirectory(directory);
    const shards = this.#shards.map(({ slotCountLog2, used }) => ({ slotCountLog2, used }));
    await writeMark(files, kernels, markPath(this.#options), { chain, shards });
    this.close();
  }

  /** Lets go of the files without a mark: the next open rebuilds the table. */
  close(): void {
    for (const shard of this.#shards) shard.close();
  }
}

const markPath = (options: AccountTableOptions): string => `${options.directory}/clean`;

const secretPath = (options: AccountTableOptions): string => `${options.directory}/secret`;

/** The stored secret; undefined when there is none that is whole. */
async function readSecret(options: AccountTableOptions): Promise<Uint8Array | undefined> {
  const { files, kernels } = options;
  const path = secretPath(options);
  if (!(await files.exists(path))) return undefined;
  const stored = await readWhole(files, path, 64);
  if (stored.length !== SECRET_SIZE_BYTES + 4) return undefined;
  const secret = stored.slice(0, SECRET_SIZE_BYTES);
  const crc = new DataView(stored.buffer, stored.byteOffset).getUint32(SECRET_SIZE_BYTES, true);
  return crc === kernels.crc32c(secret) ? secret : undefined;
}

/** Makes and stores a secret. */
async function makeSecret(options: AccountTableOptions): Promise<Uint8Array> {
  const secret = new Uint8Array((options.randomBytes ?? randomBytes)(SECRET_SIZE_BYTES));
  const bytes = new Uint8Array(SECRET_SIZE_BYTES + 4);
  bytes.set(secret, 0);
  new DataView(bytes.buffer).setUint32(SECRET_SIZE_BYTES, options.kernels.crc32c(secret), true);
  await writeWhole(options.files, secretPath(options), bytes);
  return secret;
}
