/**
 * Virtual time: events in order of time, then of age, each followed by everything it set off before the next one begins.
 *
 * How: an event runs in a turn of Node's tick queue, and the next turn is asked for from a microtask. Node empties the microtask queue between turns, so
 * every promise chain that needs no machine has come to rest by then. The microtask is a promise's: one of `queueMicrotask` makes an async resource besides.
 *
 * Most timers are cancelled (each wait of a request has one): once they are more than half of the line they are swept out.
 *
 * Invariant: nothing here looks at a clock. The same events give the same run.
 */

interface Item {
  readonly atMs: number;
  readonly age: number;
  /** undefined once cancelled. */
  run: (() => void) | undefined;
}

/** Events between two looks at the machine's own events (signals, a progress bar). */
const EVENTS_PER_ROUND = 4096;

/** Below this many items the line is not swept. */
const SWEEP_ITEMS_MIN = 256;

const RESOLVED = Promise.resolve();

const before = (a: Item, b: Item): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.age < b.age);

export class VirtualTime {
  #nowMs = 0;
  #age = 0;
  #events = 0;
  readonly #heap: Item[] = [];
  /** Items in the line that were cancelled. */
  #cancelled = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events run so far. */
  get events(): number {
    return this.#events;
  }

  /** Runs once at `atMs`, or now when that is past, but never inside this call; answers how to cancel. */
  at(atMs: number, run: () => void): () => void {
    const item: Item = { atMs: Math.max(atMs, this.#nowMs), age: this.#age++, run };
    this.#push(item);
    return () => {
      if (item.run === undefined) return;
      item.run = undefined;
      this.#cancelled += 1;
      if (this.#cancelled > SWEEP_ITEMS_MIN && 2 * this.#cancelled > this.#heap.length) this.#sweep();
    };
  }

  after(delayMs: number, run: () => void): () => void {
    return this.at(this.#nowMs + delayMs, run);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Runs everything due up to `untilMs`, or until `isOver` says so after an event. Rejects with what an event throws. */
  run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      const next = (): void => process.nextTick(turn);
      const turn = (): void => {
        try {
          if (isOver() || !this.#step(untilMs)) {
            resolve();
            return;
          }
        } catch (error) {
          reject(error);
          return;
        }
        if (this.#events % EVENTS_PER_ROUND === 0) setImmediate(turn);
        else RESOLVED.then(next);
      };
      next();
    });
  }

  /** @returns false when nothing is due any more */
  #step(untilMs: number): boolean {
    for (;;) {
      const item = this.#heap[0];
      if (item === undefined || item.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#pop();
      const { run } = item;
      if (run === undefined) {
        this.#cancelled -= 1;
        continue;
      }
      // Cancelling what has run changes nothing.
      item.run = undefined;
      this.#nowMs = item.atMs;
      this.#events += 1;
      run();
      return true;
    }
  }

  /** Takes the cancelled items out. Events have one order, by time and age, however the line is built. */
  #sweep(): void {
    const kept = this.#heap.filter(({ run }) => run !== undefined);
    this.#heap.length = 0;
    this.#cancelled = 0;
    for (const item of kept) this.#push(item);
  }

  #push(item: Item): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!before(item, heap[up]!)) break;
      heap[at] = heap[up]!;
      at = up;
    }
    heap[at] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const item = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, item)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = item;
  }
}
