/**
 * A list of addresses, looked up by address, on the account table's kernels: open addressing, at most half full, places chosen with a secret
 * of this process, so that nobody can aim collisions.
 */
import { randomBytes } from 'node:crypto';
import type { Kernels, TableShards } from '../../native/index.ts';
import { ADDRESS_SIZE_BYTES } from '../oplog/batch.ts';
import { type AddressKeys, addressBytes } from './batch-keys.ts';

const SLOT_SIZE_BYTES = 32;
/** Where a slot has its log position: here, an address's place in the list, from 1 on. */
const POSITION_AT = 28;
const TABLE_SIZE_BYTES_MIN = 128;
const ADDRESS_WORDS: number = ADDRESS_SIZE_BYTES / 4;
const RECORD_WORDS: number = POSITION_AT / 4;
/** Addresses looked up at a time. */
const SLICE = 8192;
const SECRET: Uint8Array = new Uint8Array(randomBytes(16));

export type TableKernels = Pick<Kernels, 'tableRead' | 'tablePut'>;

export class AddressTable {
  readonly #kernels: TableKernels;
  readonly #shards: TableShards;

  /** @param keys copied; at most 2^24 of them */
  constructor(kernels: TableKernels, keys: AddressKeys) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(2 * keys.count, 1)));
    this.#kernels = kernels;
    this.#shards = {
      slotSizeBytes: SLOT_SIZE_BYTES,
      secret: SECRET,
      tables: [new Uint8Array(Math.max(slots * SLOT_SIZE_BYTES, TABLE_SIZE_BYTES_MIN))],
      olds: [new Uint8Array(0)],
      state: new Uint32Array(4),
    };
    this.#fill(keys);
  }

  /** Different addresses in the list. */
  get size(): number {
    return this.#shards.state[0]!;
  }

  /** Puts the addresses in as the kernel wants them: with room for a value behind each. */
  #fill(keys: AddressKeys): void {
    const records = new Int32Array(Math.min(keys.count, SLICE) * RECORD_WORDS);
    const bytes = new Uint8Array(records.buffer);
    for (let from = 0; from < keys.count; from += SLICE) {
      const count = Math.min(SLICE, keys.count - from);
      for (let index = 0; index < count; index++)
        for (let word = 0; word < ADDRESS_WORDS; word++)
          records[index * RECORD_WORDS + word] = keys.words[(from + index) * ADDRESS_WORDS + word]!;
      this.#kernels.tablePut(this.#shards, bytes, RECORD_WORDS * 4, count, from + 1);
    }
  }

  /** Calls `found` for each of `keys` that is in the list, with its index among `keys` and in the list (the last one of equal ones). */
  locate(keys: AddressKeys, found: (index: number, listed: number) => void): void {
    const places = new Uint32Array(Math.min(keys.count, SLICE));
    const bytes = new Uint8Array(places.buffer);
    const addresses = addressBytes(keys);
    for (let from = 0; from < keys.count; from += SLICE) {
      const count = Math.min(SLICE, keys.count - from);
      const part = addresses.subarray(from * ADDRESS_SIZE_BYTES, (from + count) * ADDRESS_SIZE_BYTES);
      this.#kernels.tableRead(this.#shards, part, ADDRESS_SIZE_BYTES, POSITION_AT, 4, bytes.subarray(0, count * 4));
      for (let index = 0; index < count; index++) if (places[index] !== 0) found(from + index, places[index]! - 1);
    }
  }
}
