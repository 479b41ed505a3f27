/** Virtual time: a queue of things to do, ordered by time and then by age; and the one source of chance, a seeded generator. */

interface Item {
  readonly atMs: number;
  readonly age: number;
  readonly run: () => void;
}

const before = (a: Item, b: Item): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.age < b.age);

export class VirtualTime {
  nowMs = 0;
  #age = 0;
  readonly #heap: Item[] = [];

  after(delayMs: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ atMs: this.nowMs + Math.max(0, delayMs), age: this.#age++, run });
    let i = heap.length - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!before(heap[i]!, heap[up]!)) break;
      [heap[i], heap[up]] = [heap[up]!, heap[i]!];
      i = up;
    }
  }

  /** Runs everything due up to `untilMs`, or until `done` says so (asked after every 64 items). */
  runUntil(untilMs: number, done: () => boolean = () => false): void {
    for (let n = 1; this.#heap.length > 0 && this.#heap[0]!.atMs <= untilMs; n++) {
      const item = this.#pop();
      this.nowMs = item.atMs;
      item.run();
      if (n % 64 === 0 && done()) return;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  #pop(): Item {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    heap[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < heap.length && before(heap[child]!, heap[least]!)) least = child;
      if (least === i) return top;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }
}

/** Mulberry32: small, seeded, good enough for choosing faults. */
export class Chance {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** 0 <= x < 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }
  below(count: number): number {
    return Math.floor(this.next() * count);
  }
  hits(probability: number): boolean {
    return this.next() < probability;
  }
}
