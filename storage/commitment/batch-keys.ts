/**
 * A batch as the commitment sees it: where its ops begin, which of them are puts, and the keys it writes.
 *
 * Invariants: keys are grouped by what they name (accounts, bonds, records), in the batch's order; ops are counted within the batch,
 * the head being 0. Nothing is made for a single account or bond: their addresses are copied side by side, ready for the kernels.
 */
import { ADDRESS_SIZE_BYTES, OP_HEAD_SIZE_BYTES, readOps } from '../oplog/batch.ts';

const ADDRESS_WORDS: number = ADDRESS_SIZE_BYTES / 4;
const ACCOUNT_OP_WORDS = 8;
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
      for (let word = 0; word < ADDRESS_WORDS; word++) words[to++] = source[at + word]!;
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

  /** @param batch checked before (`opOffsets`) */
  read(batch: Uint8Array): BatchKeys {
    const bytes = batch.byteOffset % 4 === 0 ? batch : batch.slice();
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    const records: { keys: Uint8Array[]; tags: number[] } = { keys: [], tags: [] };
    const puts: number[] = [];
    const [accounts, bonds] = [this.#accounts, this.#bonds];
    accounts.count = 0;
    bonds.count = 0;
    let op = 1;
    const put = (count: number): void => {
      if (puts[puts.length - 1] === op) puts[puts.length - 1] = op + count;
      else puts.push(op, op + count);
      op += count;
    };
    const keyWord = (offset: number): number => (offset + OP_HEAD_SIZE_BYTES) >>> 2;
    readOps(batch, {
      accounts(offset, count) {
        accounts.add(words, keyWord(offset), count, ACCOUNT_OP_WORDS, op);
        put(count);
      },
      deleteAccount: (offset) => accounts.add(words, keyWord(offset), 1, 0, op++ | DELETE_TAG),
      putBond(offset) {
        bonds.add(words, keyWord(offset), 1, 0, op);
        put(1);
      },
      deleteBond: (offset) => bonds.add(words, keyWord(offset), 1, 0, op++ | DELETE_TAG),
      putRecord(key) {
        records.keys.push(key);
        records.tags.push(op);
        put(1);
      },
      deleteRecord(key) {
        records.keys.push(key);
        records.tags.push((op++ | DELETE_TAG) >>> 0);
      },
    });
    return { accounts, bonds, records, puts };
  }
}

/** The addresses of a list as the kernels want them: n * 20 bytes, borrowed. */
export function addressBytes(keys: AddressKeys): Uint8Array {
  return new Uint8Array(keys.words.buffer, keys.words.byteOffset, keys.count * ADDRESS_SIZE_BYTES);
}
