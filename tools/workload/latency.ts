/** Durations, kept whole so that percentiles are exact: 4 bytes each. */

/** A percentile by the nearest-rank method. @param sorted ascending, not empty @param share 0 .. 1 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] as number;
}

/** Median and 99th percentile, in ms. */
export interface LatencySummary {
  readonly p50: number;
  readonly p99: number;
}

export class LatencyLog {
  #values = new Float32Array(1024);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(durationMs: number): void {
    if (this.#count === this.#values.length) {
      const grown = new Float32Array(this.#count * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#count] = durationMs;
    this.#count += 1;
  }

  /** Over all values, or only the latest `last` of them; null when there are none. */
  summary(last: number = this.#count): LatencySummary | null {
    if (this.#count === 0) return null;
    const sorted = this.#values.slice(Math.max(0, this.#count - last), this.#count).sort();
    return { p50: Math.round(percentile(sorted, 0.5)), p99: Math.round(percentile(sorted, 0.99)) };
  }
}
