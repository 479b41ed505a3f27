/**
 * How far other threads may read a log's files while one thread opens it: one 64-bit word in memory that they share.
 *
 * Invariants
 * - One thread raises it, over bytes that it has checked; it never falls. Those who wait block, so they must be threads with nothing else to do.
 * - Every segment file before the one named may be read whole.
 */

/** Bytes that may be read: all segments before `segment`, and that one's up to `end`. */
export interface ReadableLog {
  readonly segment: number;
  readonly end: number;
  /** True when it will not grow any more. */
  readonly isWhole: boolean;
}

const STOPPED = -1n;
/** The word: (segment * 2^32 + end) * 2, and 1 when it is the log's end. */
const END_BITS = 32n;

export class ReadLimit {
  /** For another thread's `ReadLimit`. */
  readonly memory: SharedArrayBuffer;
  readonly #word: BigInt64Array;
  #seen = 0n;

  /** @param memory of the one who raises it; new memory unless given: nothing may be read yet */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    this.memory = memory;
    this.#word = new BigInt64Array(memory);
  }

  /** Nothing happens once it is stopped. @param end bytes of the segment's file, at most 2^32 - 1 */
  raise({ segment, end, isWhole }: ReadableLog): void {
    if (this.isStopped) return;
    this.#set((((BigInt(segment) << END_BITS) | BigInt(end)) << 1n) | (isWhole ? 1n : 0n));
  }

  /** Whoever waits is told to give up. */
  stop(): void {
    this.#set(STOPPED);
  }

  get isStopped(): boolean {
    return Atomics.load(this.#word, 0) === STOPPED;
  }

  #set(value: bigint): void {
    Atomics.store(this.#word, 0, value);
    Atomics.notify(this.#word, 0);
  }

  /** Blocks until the limit is another than at the last call. @returns undefined when stopped */
  next(): ReadableLog | undefined {
    Atomics.wait(this.#word, 0, this.#seen);
    const value = Atomics.load(this.#word, 0);
    this.#seen = value;
    if (value === STOPPED) return undefined;
    const [place, isWhole] = [value >> 1n, (value & 1n) === 1n];
    return { segment: Number(place >> END_BITS), end: Number(BigInt.asUintN(32, place)), isWhole };
  }
}
