/**
 * A set of addresses with a tag each, on the account table's kernels: open addressing, at most half full, slots chosen with a secret of
 * this process, so that nobody can aim collisions.
 */
import { randomBytes } from 'node:crypto';
import type { Kernels } from '../../native/index.ts';
import { ADDRESS_SIZE_BYTES } from '../oplog/batch.ts';
import { type AddressKeys, addressBytes, positionOf } from './batch-keys.ts';

const SLOT_WORDS = 8;
const SLOT_SIZE_BYTES = 32;
const ADDRESS_WORDS: number = ADDRESS_SIZE_BYTES / 4;
const TAG_WORD = 7;
/** Addresses that pass through the kernels at a time: their entries and slots stay in the cache. */
const SLICE = 1024;
const SECRET: Uint8Array = new Uint8Array(randomBytes(16));

export type TableKernels = Pick<Kernels, 'tableFind' | 'tablePut'>;

export class AddressTable {
  readonly #kernels: TableKernels;
  readonly #slotCountLog2: number;
  readonly #table: Uint8Array;
  readonly #words: Int32Array;
  #used = 0;

  /** @param capacity addresses it can hold */
  constructor(kernels: TableKernels, capacity: number) {
    this.#kernels = kernels;
    this.#slotCountLog2 = Math.max(4, Math.ceil(Math.log2(capacity)) + 1);
    this.#table = new Uint8Array(SLOT_SIZE_BYTES * 2 ** this.#slotCountLog2);
    this.#words = new Int32Array(this.#table.buffer);
  }

  /** Puts addresses with their tags (not 0), the later of two equal ones winning. @returns how many were new */
  put(keys: AddressKeys): number {
    const entries = new Int32Array(Math.min(keys.count, SLICE) * SLOT_WORDS);
    const bytes = new Uint8Array(entries.buffer);
    const before = this.#used;
    for (let from = 0; from < keys.count; from += SLICE) {
      const count = Math.min(SLICE, keys.count - from);
      for (let index = 0; index < count; index++) {
        const at = (from + index) * ADDRESS_WORDS;
        for (let word = 0; word < ADDRESS_WORDS; word++) entries[index * SLOT_WORDS + word] = keys.words[at + word]!;
        entries[index * SLOT_WORDS + TAG_WORD] = keys.tags[from + index]!;
      }
      const part = bytes.subarray(0, count * SLOT_SIZE_BYTES);
      this.#used += this.#kernels.tablePut(this.#table, this.#slotCountLog2, SECRET, this.#used, part);
    }
    return this.#used - before;
  }

  /**
   * Writes the positions of those addresses that are in the table, and leaves the others.
   * @param firstOp number over the log of the op that tags count from
   */
  locate(keys: AddressKeys, firstOp: number, positions: Float64Array): void {
    const slots = new Int32Array(Math.min(keys.count, SLICE));
    const addresses = addressBytes(keys);
    for (let from = 0; from < keys.count; from += SLICE) {
      const count = Math.min(SLICE, keys.count - from);
      const part = addresses.subarray(from * ADDRESS_SIZE_BYTES, (from + count) * ADDRESS_SIZE_BYTES);
      this.#kernels.tableFind(this.#table, this.#slotCountLog2, SECRET, part, slots.subarray(0, count));
      for (let index = 0; index < count; index++) {
        const slot = slots[index]!;
        if (slot >= 0) positions[from + index] = positionOf(this.#words[slot * SLOT_WORDS + TAG_WORD]!, firstOp);
      }
    }
  }
}
