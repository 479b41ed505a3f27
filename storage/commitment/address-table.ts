/**
 * The addresses that a batch writes, found by address: which of its ops?
 *
 * Open addressing over four bytes an op, at most half full; the addresses stay where they are, in the batch. The hash is multilinear
 * (Lemire and Kaser, "Strongly universal string hashing is fast", 2013: 16-bit characters in 32-bit arithmetic give 17 strongly
 * universal bits; here twice, for 32) under secrets of this process, so that nobody can aim collisions.
 *
 * Why not the account table's kernels: their slots have 32 bytes, so that a block's keys fall out of the cache.
 */
import { randomBytes } from 'node:crypto';
import { ADDRESS_SIZE_BYTES, OP_HEAD_SIZE_BYTES } from '../oplog/op-layout.ts';
import type { BatchWords } from './batch-keys.ts';

const ADDRESS_WORDS: number = ADDRESS_SIZE_BYTES / 4;
/** Two sums of ten products each, and what each begins with. */
const SECRETS: Int32Array = new Int32Array(new Uint8Array(randomBytes(4 * (4 * ADDRESS_WORDS + 2))).buffer);
/** The bits of a sum that are strongly universal: the upper 17. */
const UPPER_BITS: number = -(2 ** 15);

/** Hash of the address whose words begin at `at`: 32 bits, the upper ones to be used first. */
export function addressHash(words: Int32Array, at: number): number {
  let first = SECRETS[4 * ADDRESS_WORDS]!;
  let second = SECRETS[4 * ADDRESS_WORDS + 1]!;
  for (let word = 0, secret = 0; word < ADDRESS_WORDS; word++, secret += 4) {
    const value = words[at + word]!;
    const [low, high] = [value & 0xffff, value >>> 16];
    first = (first + Math.imul(SECRETS[secret]!, low) + Math.imul(SECRETS[secret + 1]!, high)) | 0;
    second = (second + Math.imul(SECRETS[secret + 2]!, low) + Math.imul(SECRETS[secret + 3]!, high)) | 0;
  }
  return (first & UPPER_BITS) | (second >>> 17);
}

/** First word of the address of an op that has one. */
const addressWord = (offsets: Uint32Array, op: number): number => (offsets[op]! + OP_HEAD_SIZE_BYTES) >>> 2;

/** Bits of the filter for each slot of the table. */
const FILTER_BITS_LOG2 = 2;

export class AddressTable {
  readonly #batch: BatchWords;
  /** 0 for an empty slot; else an op's number within the batch, in the lower `#bits`, and above it those bits of the hash that chose no slot. */
  readonly #slots: Int32Array;
  readonly #bits: number;
  /** A bit for each value of the upper bits of the hash: 0 where no address has them. Small enough for the cache. */
  readonly #filter: Int32Array;

  /** @param batch borrowed while the table lives @param capacity how many ops will be added */
  constructor(batch: BatchWords, capacity: number) {
    this.#batch = batch;
    // Room for twice as many slots; and for every op's number in the lower bits.
    const slots = capacity === 0 ? 1 : Math.max(2 * capacity, batch.offsets.length);
    this.#bits = Math.max(FILTER_BITS_LOG2 + 1, Math.ceil(Math.log2(slots)));
    this.#slots = new Int32Array(2 ** this.#bits);
    this.#filter = new Int32Array(2 ** (this.#bits + FILTER_BITS_LOG2 - 5));
  }

  /** Adds an op with an address. @returns false when one with an equal address is in already */
  add(op: number): boolean {
    const { words, offsets } = this.#batch;
    const at = addressWord(offsets, op);
    const hash = addressHash(words, at);
    const slot = this.#probe(words, at, hash);
    if (this.#slots[slot] !== 0) return false;
    this.#slots[slot] = (hash << this.#bits) | op;
    const bit = hash >>> (32 - this.#bits - FILTER_BITS_LOG2);
    this.#filter[bit >>> 5]! |= 1 << bit;
    return true;
  }

  /**
   * Which of some addresses may be in; of those that are not, one in ten. Without a branch, so that the memory behind one is not waited
   * for before the next is looked at.
   * @param hashes their `addressHash` @param found where their indexes go: as long as `hashes` @returns how many
   */
  sift(hashes: Int32Array, found: Int32Array): number {
    const filter = this.#filter;
    const shift = 32 - this.#bits - FILTER_BITS_LOG2;
    let count = 0;
    for (let index = 0; index < hashes.length; index++) {
      const bit = hashes[index]! >>> shift;
      found[count] = index;
      count += (filter[bit >>> 5]! >>> bit) & 1;
    }
    return count;
  }

  /** The op with the address that begins at word `at` of some words; 0 when there is none. @param hash its `addressHash` */
  find(words: Int32Array, at: number, hash: number): number {
    return this.#slots[this.#probe(words, at, hash)]! & (this.#slots.length - 1);
  }

  /** The slot of an address, or the empty one where it would go. */
  #probe(words: Int32Array, at: number, hash: number): number {
    const slots = this.#slots;
    const bits = this.#bits;
    const mask = slots.length - 1;
    const rest = hash << bits;
    for (let slot = hash >>> (32 - bits); ; slot = (slot + 1) & mask) {
      const held = slots[slot]!;
      if (held === 0) return slot;
      // The batch is out of the cache: it is looked at only when the rest of the hash fits.
      if ((held ^ rest) >>> bits === 0 && this.#isOf(held & mask, words, at)) return slot;
    }
  }

  #isOf(op: number, words: Int32Array, at: number): boolean {
    const own = this.#batch.words;
    const from = addressWord(this.#batch.offsets, op);
    for (let word = 0; word < ADDRESS_WORDS; word++) if (own[from + word] !== words[at + word]) return false;
    return true;
  }
}
