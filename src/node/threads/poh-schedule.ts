/**
 * The pace of PoH: which count is due at which moment of a monotonic clock.
 *
 * Invariants
 * - Local only: it is anchored when leading starts, and nothing of it enters the sequence.
 * - Never owes more than `LAG_SLOTS_MAX` slots: what is beyond is given up (`slippedMs`), so that a suspended machine does not wake up
 *   and hash for hours at full speed.
 */

/** Most slots' worth of steps a generator may owe and still try to catch up. */
export const LAG_SLOTS_MAX = 4;

export class PohSchedule {
  readonly #countsPerMs: number;
  readonly #lagCountMax: number;
  readonly #anchorCount: number;
  #anchorMs: number;
  #slippedMs = 0;

  /** @param hashesPerSlot steps a slot @param slotDurationMs its time, > 0 @param count due at `nowMs` */
  constructor(hashesPerSlot: number, slotDurationMs: number, count: number, nowMs: number) {
    this.#countsPerMs = hashesPerSlot / slotDurationMs;
    this.#lagCountMax = LAG_SLOTS_MAX * hashesPerSlot;
    this.#anchorCount = count;
    this.#anchorMs = nowMs;
  }

  /** Milliseconds of schedule given up so far. */
  get slippedMs(): number {
    return this.#slippedMs;
  }

  /** The count due now. */
  due(nowMs: number): number {
    return this.#anchorCount + Math.floor((nowMs - this.#anchorMs) * this.#countsPerMs);
  }

  /** Milliseconds from now until `count` is due; 0 or less when it is. */
  msUntil(count: number, nowMs: number): number {
    return this.#anchorMs + (count - this.#anchorCount) / this.#countsPerMs - nowMs;
  }

  /** Gives up whatever lag exceeds the maximum. @param count where the generator stands */
  boundLag(count: number, nowMs: number): void {
    const excess = this.due(nowMs) - count - this.#lagCountMax;
    if (excess <= 0) return;
    const slippedMs = excess / this.#countsPerMs;
    this.#anchorMs += slippedMs;
    this.#slippedMs += slippedMs;
  }
}
