/**
 * Chance from a seed: every random choice of a simulation comes from here, from a stream with a name, so that one more draw in one place moves
 * nothing elsewhere.
 */

/** Mulberry32: small, seeded, good enough for choosing faults; never for secrets. */
export class Chance {
  #state: number;

  /** @param seed any whole number @param stream what the draws are for */
  constructor(seed: number, stream: string) {
    let mixed = (seed ^ 0x9e3779b9) >>> 0;
    mixed = Math.imul(mixed ^ Math.floor(seed / 2 ** 32), 0x85ebca6b) >>> 0;
    for (let at = 0; at < stream.length; at += 1) mixed = Math.imul(mixed ^ stream.charCodeAt(at), 0x01000193) >>> 0;
    this.#state = mixed;
  }

  /** 0 <= x < 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** 0 .. count - 1 */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  hits(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  bytes(sizeBytes: number): Uint8Array {
    return Uint8Array.from({ length: sizeBytes }, () => this.below(256));
  }
}
