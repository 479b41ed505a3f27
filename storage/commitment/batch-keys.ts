/**
 * A batch as the commitment sees it: where its ops begin, which of them are puts, and the keys it writes.
 *
 * Invariants: keys are grouped by what they name (accounts, bonds, records), in the batch's order; ops are counted within the batch,
 * the head being 0. Nothing is made for a single account or bond: their addresses are copied side by side, ready for the kernels.
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
/** In a tag: the op deletes its key. The other bits are the op's number within the batch. */
const DELETE_TAG = 0x8000_0000;
const OP_MASK = 0x7fff_ffff;

/** Where a tag's key stands in the log after its op; -1 when that deleted it. @param firstOp number of the batch's head */
export const positionOf = (tag: number, firstOp: number): number =>
  (tag & DELETE_TAG) === 0 ? firstOp + (tag & OP_MASK) : -1;

/** Addresses that a batch writes, accounts or bonds. */
export interface AddressKeys {
  readonly count: number;
  /** Packed, 20 bytes each, as words. */
  readonly words: Int32Array;
  /** For each: its op's tag, see `positionOf`. */
  readonly tags: Uint32Array;
}

/** Record keys that a batch writes: views of it. */
export interface RecordKeys {
  readonly keys: readonly Uint8Array[];
  readonly tags: readonly number[];
}

export interface BatchKeys {
  /** Where each leaf of the ops tree begins in the batch: its head, each op, and the end. New memory: keep it. */
  readonly offsets: Uint32Array;
  readonly accounts: AddressKeys;
  readonly bonds: AddressKeys;
  readonly records: RecordKeys;
  /** The puts as runs of ops within the batch: from, to (exclusive), from, to ... */
  readonly puts: readonly number[];
}

/** An address list being filled. */
class AddressList implements AddressKeys {
  count = 0;
  words: Int32Array = new Int32Array(0);
  tags: Uint32Array = new Uint32Array(0);

  /** Adds `count` addresses, the first at word `from` of `source`, the next `stride` words further. @returns the op after */
  add(source: Int32Array, from: number, count: number, stride: number, tag: number): void {
    this.#makeRoom(count);
    const { words, tags } = this;
    const first = this.count;
    for (let index = 0, at = from, to = first * ADDRESS_WORDS; index < count; index++, at += stride) {
      // Written out: twice as fast as a loop over five words.
      words[to++] = source[at]!;
      words[to++] = source[at + 1]!;
      words[to++] = source[at + 2]!;
      words[to++] = source[at + 3]!;
      words[to++] = source[at + 4]!;
      tags[first + index] = tag + index;
    }
    this.count += count;
  }

  #makeRoom(count: number): void {
    const wanted = this.count + count;
    if (wanted <= this.tags.length) return;
    const capacity = Math.max(wanted, this.tags.length * 2);
    const words = new Int32Array(capacity * ADDRESS_WORDS);
    const tags = new Uint32Array(capacity);
    words.set(this.words);
    tags.set(this.tags);
    this.words = words;
    this.tags = tags;
  }
}

/** Takes batches apart in memory that it uses again: what `read` gave is gone with the next `read`. */
export class BatchReader {
  readonly #accounts = new AddressList();
  readonly #bonds = new AddressList();

  /** @param batch borrowed, may be hostile. Throws `BatchError` */
  read(batch: Uint8Array): BatchKeys {
    const bytes = batch.byteOffset % 4 === 0 ? batch : batch.slice();
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    const records: { keys: Uint8Array[]; tags: number[] } = { keys: [], tags: [] };
    const puts: number[] = [];
    const [accounts, bonds] = [this.#accounts, this.#bonds];
    accounts.count = 0;
    bonds.count = 0;
    const offsets = new Uint32Array(Math.min(readBatchHead(batch).opCount, batch.length / OP_SIZE_BYTES_MIN) + 2);
    let op = 1;
    const put = (offset: number): void => {
      offsets[op] = offset;
      addRun(puts, op, 1);
      op += 1;
    };
    const remove = (offset: number): number => {
      offsets[op] = offset;
      return (op++ | DELETE_TAG) >>> 0;
    };
    const keyWord = (offset: number): number => (offset + OP_HEAD_SIZE_BYTES) >>> 2;
    readOps(batch, {
      accounts(offset, count) {
        accounts.add(words, keyWord(offset), count, ACCOUNT_OP_WORDS, op);
        addRun(puts, op, count);
        for (let at = offset, end = op + count; op < end; op++, at += ACCOUNT_OP_SIZE_BYTES) offsets[op] = at;
      },
      deleteAccount: (offset) => accounts.add(words, keyWord(offset), 1, 0, remove(offset)),
      putBond(offset) {
        bonds.add(words, keyWord(offset), 1, 0, op);
        put(offset);
      },
      deleteBond: (offset) => bonds.add(words, keyWord(offset), 1, 0, remove(offset)),
      putRecord(key, _value, offset) {
        records.keys.push(key);
        records.tags.push(op);
        put(offset);
      },
      deleteRecord(key, offset) {
        records.keys.push(key);
        records.tags.push(remove(offset));
      },
    });
    offsets[op] = batch.length;
    return { offsets, accounts, bonds, records, puts };
  }
}

/** Adds ops to runs, to the last one where they follow it. */
function addRun(runs: number[], from: number, count: number): void {
  if (runs[runs.length - 1] === from) runs[runs.length - 1] = from + count;
  else runs.push(from, from + count);
}

/** The addresses of a list as the kernels want them: n * 20 bytes, borrowed. */
export function addressBytes(keys: AddressKeys): Uint8Array {
  return new Uint8Array(keys.words.buffer, keys.words.byteOffset, keys.count * ADDRESS_SIZE_BYTES);
}
