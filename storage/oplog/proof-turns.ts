/**
 * Whose turn it is: threads that take segments one after another, and never get far ahead of the one who uses what they find. Two words in memory that
 * they share.
 *
 * Invariant: every number is taken once. Those who wait block, so they must be threads with nothing else to do.
 */

/** Words: the next number to take; the first that may not be taken yet, `STOPPED` when none may be any more. */
const [NEXT, LIMIT] = [0, 1];
const STOPPED = -1;

export class ProofTurns {
  /** For another thread's `ProofTurns`. */
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** @param from how many may be taken before the first `advance`; or the memory of the one who says so */
  constructor(from: number | SharedArrayBuffer) {
    this.memory = typeof from === 'number' ? new SharedArrayBuffer(8) : from;
    this.#words = new Int32Array(this.memory);
    if (typeof from === 'number') this.#words[LIMIT] = from;
  }

  /** One more may be taken. One thread calls it. */
  advance(): void {
    const limit = Atomics.load(this.#words, LIMIT);
    if (limit === STOPPED) return;
    Atomics.store(this.#words, LIMIT, limit + 1);
    Atomics.notify(this.#words, LIMIT);
  }

  /** Whoever waits is told to give up. The same thread as for `advance`. */
  stop(): void {
    Atomics.store(this.#words, LIMIT, STOPPED);
    Atomics.notify(this.#words, LIMIT);
  }

  get isStopped(): boolean {
    return Atomics.load(this.#words, LIMIT) === STOPPED;
  }

  /** Takes the next number below `end`, blocking until it may. @returns undefined when there is none, or stopped */
  take(end: number): number | undefined {
    const turn = Atomics.add(this.#words, NEXT, 1);
    if (turn >= end) return undefined;
    for (;;) {
      const limit = Atomics.load(this.#words, LIMIT);
      if (limit === STOPPED) return undefined;
      if (turn < limit) return turn;
      Atomics.wait(this.#words, LIMIT, limit);
    }
  }
}
