/**
 * A batch as the commitment sees it: where its ops begin, which of them are puts, and the keys it writes.
 *
 * Invariants: keys are grouped by what they name (accounts, bonds, records), in the batch's order; ops are counted within the batch,
 * the head being 0. Nothing is made for a single account or bond: their addresses are copied side by side, as tables want them.
 */
import { readBatchHead, readOps } from '../oplog/batch.ts';
import {
  ACCOUNT_OP_SIZE_BYTES,
  ADDRESS_SIZE_BYTES,
  OP_HEAD_SIZE_BYTES,
  OP_SIZE_BYTES_MIN,
} from '../oplog/op-layout.ts';

const ADDRESS_WORDS: number = ADDRESS_SIZE_BYTES / 4;
const ACCOUNT_OP_WORDS: number = ACCOUNT_OP_SIZE_BYTES / 4;

/** A batch's bytes as words, and where its ops begin. */
export interface BatchWords {
  /** The batch itself, or a copy where it is not aligned. */
  readonly words: Int32Array;
  /** Byte offset of each leaf of the ops tree: the head, each op, and the end. */
  readonly offsets: Uint32Array;
}

/** Addresses that a batch writes, accounts or bonds. */
export interface AddressKeys {
  readonly count: number;
  /** Packed, 20 bytes each, as words. */
  readonly words: Int32Array;
  /** The op of each. */
  readonly ops: Uint32Array;
}

export interface BatchKeys extends BatchWords {
  readonly accounts: AddressKeys;
  readonly bonds: AddressKeys;
  /** Keys of records: views of the batch. */
  readonly records: readonly Uint8Array[];
  /** The puts as runs of ops: from, to (exclusive), from, to ... */
  readonly puts: readonly number[];
}

/** An address list being filled. */
class AddressList implements AddressKeys {
  count = 0;
  words: Int32Array = new Int32Array(0);
  ops: Uint32Array = new Uint32Array(0);

  /** Adds the addresses of `count` ops in a row, the first at word `from` of `source`, the next `stride` words further. */
  add(source: Int32Array, from: number, count: number, stride: number, firstOp: number): void {
    this.#makeRoom(count);
    const { words, ops } = this;
    const first = this.count;
    for (let index = 0, at = from, to = first * ADDRESS_WORDS; index < count; index++, at += stride) {
      // Written out: measured twice as fast as a loop over five words.
      words[to++] = source[at]!;
      words[to++] = source[at + 1]!;
      words[to++] = source[at + 2]!;
      words[to++] = source[at + 3]!;
      words[to++] = source[at + 4]!;
      ops[first + index] = firstOp + index;
    }
    this.count += count;
  }

  #makeRoom(count: number): void {
    const wanted = this.count + count;
    if (wanted <= this.ops.length) return;
    const capacity = Math.max(wanted, this.ops.length * 2);
    const words = new Int32Array(capacity * ADDRESS_WORDS);
    const ops = new Uint32Array(capacity);
    words.set(this.words);
    ops.set(this.ops);
    this.words = words;
    this.ops = ops;
  }
}

/** Takes batches apart. Address lists are in memory that it uses again: they are gone with the next `read`. */
export class BatchReader {
  readonly #accounts = new AddressList();
  readonly #bonds = new AddressList();

  /** @param batch may be hostile. Throws `BatchError`. @returns offsets in new memory, words and records as views of the batch */
  read(batch: Uint8Array): BatchKeys {
    const words = wordsOf(batch);
    // The count is checked while walking; until then it may say anything.
    const offsets = new Uint32Array(Math.min(readBatchHead(batch).opCount, batch.length / OP_SIZE_BYTES_MIN) + 2);
    const [accounts, bonds] = [this.#accounts, this.#bonds];
    const records: Uint8Array[] = [];
    const puts: number[] = [];
    accounts.count = 0;
    bonds.count = 0;
    let op = 1;
    const begin = (offset: number): void => {
      offsets[op++] = offset;
    };
    const put = (offset: number): void => {
      addRun(puts, op, 1);
      begin(offset);
    };
    const write = (list: AddressList, offset: number): void =>
      list.add(words, (offset + OP_HEAD_SIZE_BYTES) >>> 2, 1, 0, op);
    readOps(batch, {
      accounts(offset, count) {
        accounts.add(words, (offset + OP_HEAD_SIZE_BYTES) >>> 2, count, ACCOUNT_OP_WORDS, op);
        addRun(puts, op, count);
        for (let at = offset, end = op + count; op < end; op++, at += ACCOUNT_OP_SIZE_BYTES) offsets[op] = at;
      },
      deleteAccount(offset) {
        write(accounts, offset);
        begin(offset);
      },
      putBond(offset) {
        write(bonds, offset);
        put(offset);
      },
      deleteBond(offset) {
        write(bonds, offset);
        begin(offset);
      },
      putRecord(key, _value, offset) {
        records.push(key);
        put(offset);
      },
      deleteRecord(key, offset) {
        records.push(key);
        begin(offset);
      },
    });
    offsets[op] = batch.length;
    return { words, offsets, accounts, bonds, records, puts };
  }
}

/** The bytes as words; a copy when they are not aligned. */
export function wordsOf(batch: Uint8Array): Int32Array {
  const bytes = batch.byteOffset % 4 === 0 ? batch : new Uint8Array(batch);
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
}

/** Adds ops to runs, to the last one where they follow it. */
function addRun(runs: number[], from: number, count: number): void {
  if (runs[runs.length - 1] === from) runs[runs.length - 1] = from + count;
  else runs.push(from, from + count);
}

/** The addresses of a list as tables want them: n * 20 bytes, borrowed. */
export function addressBytes(keys: AddressKeys): Uint8Array {
  return new Uint8Array(keys.words.buffer, keys.words.byteOffset, keys.count * ADDRESS_SIZE_BYTES);
}
