/**
 * A batch's account ops, sorted by shard and laid out as table entries, so that each shard takes its part in one kernel call.
 *
 * Invariant: within a shard the ops keep the batch's order, so a later one wins.
 */
const ENTRY_SIZE_BYTES = 32;
const ENTRY_WORDS = 8;
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
    const view = new DataView(this.#words.buffer, this.#words.byteOffset, this.#words.byteLength);
    for (let at = LOG_POSITION_WORD * 4; at < view.byteLength; at += ENTRY_SIZE_BYTES)
      view.setUint32(at, ((firstOp + view.getUint32(at, true)) % LOG_POSITION_MODULUS) + 1, true);
  }
}

/** Copies a batch's account ops, sorted by shard. @param shardCount a power of two, 1 .. 256 */
export function partition(batch: Uint8Array, runs: readonly AccountRun[], shardCount: number): AccountChanges {
  const { words, count } = copyEntries(batch, runs);
  const bytes = new Uint8Array(words.buffer);
  const shardOf = (entry: number): number => Math.floor((bytes[entry * ENTRY_SIZE_BYTES]! * shardCount) / 256);
  const starts = new Uint32Array(shardCount + 1);
  for (let entry = 0; entry < count; entry++) starts[shardOf(entry) + 1]! += 1;
  for (let shard = 0; shard < shardCount; shard++) starts[shard + 1]! += starts[shard]!;
  const next = starts.slice();
  const sorted = new Uint32Array(words.length);
  for (let entry = 0; entry < count; entry++) {
    const from = entry * ENTRY_WORDS;
    const to = next[shardOf(entry)]!++ * ENTRY_WORDS;
    for (let word = 0; word < ENTRY_WORDS; word++) sorted[to + word] = words[from + word]!;
  }
  return new AccountChanges(sorted, starts);
}

/** Entries in the batch's order: address, balance, and the op's number within the batch where the log position will stand. */
function copyEntries(batch: Uint8Array, runs: readonly AccountRun[]): { words: Uint32Array; count: number } {
  const count = runs.reduce((sum, run) => sum + run.count, 0);
  const words = new Uint32Array(count * ENTRY_WORDS);
  const bytes = new Uint8Array(words.buffer);
  const view = new DataView(words.buffer);
  let entry = 0;
  for (const run of runs) {
    // An op is head, address, balance: shifted by the head's 4 bytes it is an entry without its log position.
    const from = run.offset + OP_HEAD_SIZE_BYTES;
    bytes.set(batch.subarray(from, run.offset + run.count * ENTRY_SIZE_BYTES), entry * ENTRY_SIZE_BYTES);
    for (let index = 0; index < run.count; index++, entry++)
      view.setUint32(entry * ENTRY_SIZE_BYTES + LOG_POSITION_WORD * 4, run.firstOp + index, true);
  }
  return { words, count };
}
