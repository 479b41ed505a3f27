/**
 * The account table: balances by address. All that tables have in common is slot-table.ts's.
 */
import { assertInvariant } from '../errors.ts';
import type { CleanMark } from './clean-mark.ts';
import type { SlotKernels } from './slot-memory.ts';
import {
  ADDRESS_SIZE_BYTES,
  loadTable,
  makeTable,
  partialTable,
  readTableMark,
  SlotTable,
  scratchTable,
  type TableOptions,
} from './slot-table.ts';

/** Address 20, balance u64, log position u32. */
const SLOT_SIZE_BYTES = 32;
const BALANCE_SIZE_BYTES = 8;
const BALANCE_WORD = 5;
const SLOT_WORDS: number = SLOT_SIZE_BYTES / 4;

export type AccountTableOptions = TableOptions;

export class AccountTable extends SlotTable {
  readonly #one = new Uint8Array(BALANCE_SIZE_BYTES);
  readonly #oneView = new DataView(this.#one.buffer);

  /** What the folder says about the table in it: the mark it was closed with, or undefined when it must be rebuilt. */
  static readMark(options: AccountTableOptions): Promise<CleanMark | undefined> {
    return readTableMark(options, SLOT_SIZE_BYTES);
  }

  /**
   * Opens the table as `mark` describes it, and takes the mark away. Throws `FilesError` when an image is missing, short or damaged, or the
   * secret is gone: then `create` and rebuild.
   */
  static async open(options: AccountTableOptions, mark: CleanMark): Promise<AccountTable> {
    return new AccountTable(await loadTable(options, SLOT_SIZE_BYTES, mark));
  }

  /** Makes an empty table, removing whatever was there. */
  static async create(options: AccountTableOptions): Promise<AccountTable> {
    return new AccountTable(await makeTable(options, SLOT_SIZE_BYTES));
  }

  /** An empty table in memory only. */
  static scratch(kernels: SlotKernels): AccountTable {
    return new AccountTable(scratchTable(kernels, SLOT_SIZE_BYTES));
  }

  /** Some shards of a table that another thread has, empty; undefined for those that are not built here. */
  static part(kernels: SlotKernels, secret: Uint8Array, slotCountLog2s: readonly (number | undefined)[]): AccountTable {
    return new AccountTable(partialTable(kernels, SLOT_SIZE_BYTES, secret, slotCountLog2s));
  }

  /** Accounts in the table. */
  get accountCount(): number {
    return this.count;
  }

  /** Balance of a 20-byte address; 0n when there is no such account. */
  balance(address: Uint8Array): bigint {
    this.kernels.tableRead(
      this.memory.shards,
      address,
      ADDRESS_SIZE_BYTES,
      ADDRESS_SIZE_BYTES,
      BALANCE_SIZE_BYTES,
      this.#one,
    );
    return this.#oneView.getBigUint64(0, true);
  }

  /**
   * Balances of many accounts at once: the memory's latency is paid side by side, not one after another.
   * @param addresses the first 20 bytes of every `strideBytes` (a multiple of 4); n * 20 bytes unless that is given
   * @param balances n * 8 bytes, written: u64 little-endian, 0 for those without account
   */
  lookup(addresses: Uint8Array, balances: Uint8Array, strideBytes: number = ADDRESS_SIZE_BYTES): void {
    const count = balances.length / BALANCE_SIZE_BYTES;
    assertInvariant(
      Number.isInteger(count) && Math.ceil(addresses.length / strideBytes) === count,
      '20 bytes of address, 8 of balance each',
    );
    this.kernels.tableRead(
      this.memory.shards,
      addresses,
      strideBytes,
      ADDRESS_SIZE_BYTES,
      BALANCE_SIZE_BYTES,
      balances,
    );
  }

  /** Every account's balance, once: to count the supply. Takes time proportional to the table. Do not write while reading. */
  *balances(): Generator<bigint> {
    const { tables, olds } = this.memory.shards;
    for (const { buffer, byteOffset, length } of [...tables, ...olds]) {
      const words = new Uint32Array(buffer, byteOffset, length >>> 2);
      const view = new DataView(buffer, byteOffset, length);
      // A deleted account's balance is 0.
      for (let slot = 0; slot < words.length; slot += SLOT_WORDS)
        if ((words[slot + BALANCE_WORD]! | words[slot + BALANCE_WORD + 1]!) !== 0)
          yield view.getBigUint64(4 * (slot + BALANCE_WORD), true);
    }
  }
}
