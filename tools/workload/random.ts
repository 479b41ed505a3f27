/**
 * A small seeded generator (sfc32, by Chris Doty-Humphrey, public domain): the same seed gives the same workload on every machine.
 * For workloads and test data only; nothing secret may come from it.
 */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any safe integer >= 0 */
  constructor(seed: number) {
    this.#a = 0x9e3779b9;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = seed | 0;
    // The author's advice: 12 rounds before the first use, so that close seeds part.
    for (let round = 0; round < 12; round += 1) this.#word();
  }

  /** Uniform in [0, 1), with 53 random bits. */
  unit(): number {
    const high = this.#word() >>> 5;
    const low = this.#word() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** Uniform whole number in 0 .. bound - 1. @param bound 1 .. 2^32 */
  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  #word(): number {
    const out = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + out) | 0;
    return out;
  }
}
