/**
 * Zipf-distributed account picks: P(k) is proportional to (v + k)^-s for k in 0 .. count - 1.
 *
 * Source: W. Hormann, G. Derflinger, "Rejection-inversion to generate variates from monotone discrete distributions" (1996): constant time
 * and memory whatever `count` is. The defaults s = 1.0001, v = 2.7 are those of the state benchmark this project is measured against.
 */
import type { SeededRandom } from './random.ts';

export const ZIPF_S = 1.0001;
export const ZIPF_V = 2.7;

export interface ZipfOptions {
  /** How many values there are, at least 1. */
  readonly count: number;
  /** Exponent, above 1. */
  readonly s?: number;
  /** Offset, at least 1. */
  readonly v?: number;
}

export class Zipf {
  readonly #random: SeededRandom;
  readonly #last: number;
  readonly #s: number;
  readonly #v: number;
  readonly #oneMinusS: number;
  /** Ends of the interval that is inverted, and the width below which a pick needs no second look. */
  readonly #areaEnd: number;
  readonly #areaWidth: number;
  readonly #certain: number;

  constructor(random: SeededRandom, { count, s = ZIPF_S, v = ZIPF_V }: ZipfOptions) {
    if (!(Number.isSafeInteger(count) && count >= 1))
      throw new RangeError(`Zipf count must be at least 1, got ${count}`);
    if (!(s > 1 && v >= 1)) throw new RangeError(`Zipf needs s > 1 and v >= 1, got s = ${s}, v = ${v}`);
    this.#random = random;
    this.#last = count - 1;
    this.#s = s;
    this.#v = v;
    this.#oneMinusS = 1 - s;
    this.#areaEnd = this.#area(this.#last + 0.5);
    this.#areaWidth = this.#area(0.5) - this.#weight(0) - this.#areaEnd;
    this.#certain = 1 - this.#inverse(this.#area(1.5) - this.#weight(1));
  }

  /** The next pick, 0 .. count - 1. */
  next(): number {
    for (;;) {
      const area = this.#areaEnd + this.#random.unit() * this.#areaWidth;
      const x = this.#inverse(area);
      const k = Math.min(Math.max(Math.floor(x + 0.5), 0), this.#last);
      if (k - x <= this.#certain || area >= this.#area(k + 0.5) - this.#weight(k)) return k;
    }
  }

  #weight(k: number): number {
    return Math.exp(-this.#s * Math.log(this.#v + k));
  }

  /** Integral of the weight. */
  #area(x: number): number {
    return Math.exp(this.#oneMinusS * Math.log(this.#v + x)) / this.#oneMinusS;
  }

  #inverse(area: number): number {
    return Math.exp(Math.log(this.#oneMinusS * area) / this.#oneMinusS) - this.#v;
  }
}
