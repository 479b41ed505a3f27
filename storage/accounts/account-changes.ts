/**
 * A batch's account ops, sorted by shard and laid out as table entries, so that each shard takes its part in one kernel call.
 *
 * Invariant: within a shard the ops keep the batch's order, so a later one wins.
 */
const ENTRY_SIZE_BYTES = 32;
const ENTRY_WORDS = 8;
const ADDRESS_SIZE_BYTES = 20;
const ADDRESS_WORDS = 5;
const OP_HEAD_SIZE_BYTES = 4;
const LOG_POSITION_WORD = 7;
const LOG_POSITION_MODULUS: number = 2 ** 32 - 1;

/** putAccount ops standing in a row in a batch. */
export interface AccountRun {
  /** Byte of the batch where the first begins. */
  readonly offset: number;
  readonly count: number;
  /** Number of the first within the batch. */
  readonly firstOp: number;
}

/** Account changes of one batch; the table fills in `reserved`. */
export class AccountChanges {
  /** Slots reserved in each shard; empty when nothing is reserved. */
  reserved: number[] = [];
  readonly #entries: Uint8Array;
  readonly #words: Uint32Array;
  /** Entry where each shard's part begins; one more for the end. */
  readonly #starts: Uint32Array;

  constructor(words: Uint32Array, starts: Uint32Array) {
    this.#words = words;
    this.#entries = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    this.#starts = starts;
  }

  /** Entries of one shard, packed, 32 bytes each (borrowed). */
  ofShard(index: number): Uint8Array {
    return this.#entries.subarray(this.#starts[index]! * ENTRY_SIZE_BYTES, this.#starts[index + 1]! * ENTRY_SIZE_BYTES);
  }

  /** Turns op numbers within the batch into log positions. Call it once. */
  setLogPositions(firstOp: number): void {
    const words = this.#words;
    const view = new DataView(words.buffer, words.byteOffset, words.byteLength);
    const base = firstOp % LOG_POSITION_MODULUS;
    for (let word = LOG_POSITION_WORD; word < words.length; word += ENTRY_WORDS) {
      const position = base + words[word]!;
      const wrapped = position < LOG_POSITION_MODULUS ? position : position - LOG_POSITION_MODULUS;
      view.setUint32(word * 4, wrapped + 1, true);
    }
  }
}

/** Memory for the entries of one batch after another, each done with before the next. */
export class EntryBuffer {
  #words = new Uint32Array(0);

  /** Words for `entries` entries; what they held before is still in them. */
  take(entries: number): Uint32Array {
    const size = entries * ENTRY_WORDS;
    if (this.#words.length < size) this.#words = new Uint32Array(Math.max(size, this.#words.length * 2));
    return this.#words.subarray(0, size);
  }
}

/**
 * Copies a batch's account ops, sorted by shard. @param shardCount a power of two, 1 .. 256
 * @param buffer where to; new memory unless given
 */
export function partition(
  batch: Uint8Array,
  runs: readonly AccountRun[],
  shardCount: number,
  buffer?: EntryBuffer,
): AccountChanges {
  // An op is head, address, balance, all of whole words: shifted by its head it is an entry without its log position.
  const bytes = batch.byteOffset % 4 === 0 ? batch : batch.slice();
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  const shift = 8 - Math.log2(shardCount);
  const starts = countByShard(bytes, runs, shardCount, shift);
  const next = starts.slice();
  const entries = starts[shardCount]!;
  const sorted = buffer?.take(entries) ?? new Uint32Array(entries * ENTRY_WORDS);
  for (const run of runs) {
    let from = (run.offset + OP_HEAD_SIZE_BYTES) >>> 2;
    for (let index = 0; index < run.count; index++, from += ENTRY_WORDS) {
      const to = next[bytes[from * 4]! >>> shift]!++ * ENTRY_WORDS;
      for (let word = 0; word < LOG_POSITION_WORD; word++) sorted[to + word] = words[from + word]!;
      sorted[to + LOG_POSITION_WORD] = run.firstOp + index;
    }
  }
  return new AccountChanges(sorted, starts);
}

/** Entry where each shard's part begins, and the end. */
function countByShard(bytes: Uint8Array, runs: readonly AccountRun[], shardCount: number, shift: number): Uint32Array {
  const starts = new Uint32Array(shardCount + 1);
  for (const run of runs) {
    const end = run.offset + run.count * ENTRY_SIZE_BYTES;
    for (let at = run.offset + OP_HEAD_SIZE_BYTES; at < end; at += ENTRY_SIZE_BYTES)
      starts[(bytes[at]! >>> shift) + 1]! += 1;
  }
  for (let shard = 0; shard < shardCount; shard++) starts[shard + 1]! += starts[shard]!;
  return starts;
}

/** Addresses sorted by shard: `sorted` packed, `targets` where each stood, `starts` where each shard's part begins, and the end. */
export interface SortedAddresses {
  readonly sorted: Uint8Array;
  readonly targets: Uint32Array;
  readonly starts: Uint32Array;
}

/** Sorts n addresses (n * 20 bytes, copied) by shard. @param shardCount a power of two, 1 .. 256 */
export function sortByShard(addresses: Uint8Array, shardCount: number): SortedAddresses {
  const bytes = addresses.byteOffset % 4 === 0 ? addresses : addresses.slice();
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  const shift = 8 - Math.log2(shardCount);
  const starts = new Uint32Array(shardCount + 1);
  for (let at = 0; at < bytes.length; at += ADDRESS_SIZE_BYTES) starts[(bytes[at]! >>> shift) + 1]! += 1;
  for (let shard = 0; shard < shardCount; shard++) starts[shard + 1]! += starts[shard]!;
  const next = starts.slice();
  const sorted = new Uint32Array(words.length);
  const targets = new Uint32Array(words.length / ADDRESS_WORDS);
  for (let index = 0; index < targets.length; index++) {
    const place = next[bytes[index * ADDRESS_SIZE_BYTES]! >>> shift]!++;
    for (let word = 0; word < ADDRESS_WORDS; word++)
      sorted[place * ADDRESS_WORDS + word] = words[index * ADDRESS_WORDS + word]!;
    targets[place] = index;
  }
  return { sorted: new Uint8Array(sorted.buffer), targets, starts };
}
