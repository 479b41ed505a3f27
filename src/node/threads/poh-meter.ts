/**
 * Measures the PoH thread: how fast this machine hashes (which sizes the slices), how many steps a second it makes, how often it is late.
 */
import type { Kernels } from '../../../native/index.ts';
import type { PohRate } from './poh-service.ts';

/** Time one slice of hashing should take: half of what a mixin may wait. */
const SLICE_MS = 0.25;
const SLICE_STEPS_MIN = 16;
const SLICE_STEPS_MAX = 1_000_000;
/** Steps hashed once at the start to know the machine's speed. */
const CALIBRATION_STEPS = 2_000;
/** Weight of a new measurement in the smoothed speed. */
const SMOOTHING = 0.05;
/** Shorter measurements than this say more about the clock than about the machine. */
const MEASURED_MS_MIN = 0.02;
const WINDOW_MS = 1_000;

export class PohMeter {
  readonly #clock: () => number;
  #stepsPerMs: number;
  #hashesPerSecond = 0;
  #ticksBehind = 0;
  #heldMs = 0;
  #heldSinceMs: number | undefined;
  #isRecovering = false;
  #windowMs: number;
  #windowCount = 0;

  /** @param clock monotonic milliseconds; under a virtual clock that stands still the speed is taken as 10 million a second */
  constructor(kernels: Pick<Kernels, 'sha256Chain'>, clock: () => number) {
    this.#clock = clock;
    const startedMs = clock();
    kernels.sha256Chain(new Uint8Array(32), CALIBRATION_STEPS);
    const elapsedMs = clock() - startedMs;
    this.#stepsPerMs = elapsedMs > 0 ? CALIBRATION_STEPS / elapsedMs : 10_000;
    this.#windowMs = clock();
  }

  /** Steps in one slice, by the speed measured. */
  get sliceSteps(): number {
    return Math.min(SLICE_STEPS_MAX, Math.max(SLICE_STEPS_MIN, Math.floor(this.#stepsPerMs * SLICE_MS)));
  }

  rate(slippedMs: number): PohRate {
    return {
      hashesPerSecond: this.#hashesPerSecond,
      capacityPerSecond: this.#stepsPerMs * 1_000,
      ticksBehind: this.#ticksBehind,
      heldMs: this.#heldMs,
      slippedMs,
    };
  }

  /** A new sequence begins at `count`. */
  restart(count: number): void {
    this.#windowMs = this.#clock();
    this.#windowCount = count;
    this.#heldSinceMs = undefined;
    this.#isRecovering = false;
  }

  /** A slice of `steps` was hashed since `startedMs`, up to `count`. */
  hashed(steps: number, count: number, startedMs: number): void {
    const nowMs = this.#clock();
    const elapsedMs = nowMs - startedMs;
    if (elapsedMs >= MEASURED_MS_MIN) this.#stepsPerMs += (steps / elapsedMs - this.#stepsPerMs) * SMOOTHING;
    const windowMs = nowMs - this.#windowMs;
    if (windowMs < WINDOW_MS) return;
    this.#hashesPerSecond = ((count - this.#windowCount) * 1_000) / windowMs;
    this.#windowMs = nowMs;
    this.#windowCount = count;
  }

  /** A tick was made; lateness that follows from waiting for `openSlot` is not the machine's. */
  ticked(isLate: boolean): void {
    if (!isLate) this.#isRecovering = false;
    else if (!this.#isRecovering) this.#ticksBehind += 1;
  }

  /** The sequence waits for `openSlot`. */
  hold(): void {
    this.#heldSinceMs ??= this.#clock();
  }

  /** `openSlot` has come. */
  release(): void {
    if (this.#heldSinceMs === undefined) return;
    this.#heldMs += this.#clock() - this.#heldSinceMs;
    this.#heldSinceMs = undefined;
    this.#isRecovering = true;
  }
}
