/**
 * One node's clock during one life: it drifts, it can be stopped for a while (a suspended machine: its time goes on, its timers do not), and it ends
 * with the life.
 */
import type { Clock } from '../../src/node/clock.ts';
import type { VirtualTime } from './virtual-time.ts';

/** A microsecond's thousandth. */
const RESOLUTION_MS = 1e-6;

export class NodeClock implements Clock {
  readonly #time: VirtualTime;
  readonly #originMs: number;
  readonly #rate: number;
  #pausedUntilMs = 0;
  #isOver = false;

  /** @param originMs what it shows at the beginning of virtual time @param rate its milliseconds a millisecond of virtual time */
  constructor(time: VirtualTime, originMs: number, rate: number) {
    this.#time = time;
    this.#originMs = originMs;
    this.#rate = rate;
  }

  nowMs(): number {
    return this.#originMs + this.#time.nowMs * this.#rate;
  }

  at(ms: number, callback: () => void): () => void {
    if (this.#isOver) return () => {};
    let cancel = (): void => {};
    const fire = (): void => {
      if (this.#isOver) return;
      if (this.#time.nowMs < this.#pausedUntilMs) cancel = this.#time.at(this.#pausedUntilMs, fire);
      else callback();
    };
    cancel = this.#time.at(this.#virtualMs(ms), fire);
    return () => cancel();
  }

  /** When this clock shows `ms`: never a rounding error earlier, or whoever waits for that moment would ask again and again within it. */
  #virtualMs(ms: number): number {
    let atMs = (ms - this.#originMs) / this.#rate;
    while (this.#originMs + atMs * this.#rate < ms) atMs += RESOLUTION_MS;
    return atMs;
  }

  /** No timer fires before `untilMs` of virtual time. */
  pause(untilMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
  }

  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  /** No timer fires any more. */
  end(): void {
    this.#isOver = true;
  }
}
