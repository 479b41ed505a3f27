/**
 * The pace of a peer's long answer: below the floor rate a peer is of no use, however politely it trickles.
 *
 * Invariant: only the time spent waiting for the peer counts, not what is done with what came.
 */
import type { Timers } from '../../net/timers.ts';
import { TransportError } from '../../net/transport.ts';

/** About the rate that a piece must come at, too (fetch-state.ts). */
const FLOOR_BYTES_PER_SECOND: number = 50 * 1024;
/** Waiting that is everybody's right, for one answer. */
const GRACE_MS = 5_000;

export class Pace {
  readonly #timers: Timers;
  #waitedMs = 0;
  #bytes = 0;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** The same items; throws `TransportError` 'timeout' once they have come too slowly, also at their end. */
  async *watch<T>(items: AsyncIterable<T>, sizeOf: (item: T) => number): AsyncGenerator<T> {
    let sinceMs = this.#timers.now();
    for await (const item of items) {
      this.#waited(sinceMs, sizeOf(item));
      yield item;
      sinceMs = this.#timers.now();
    }
    this.#waited(sinceMs, 0);
  }

  #waited(sinceMs: number, bytes: number): void {
    this.#waitedMs += this.#timers.now() - sinceMs;
    this.#bytes += bytes;
    if (this.#waitedMs > GRACE_MS && this.#bytes < (FLOOR_BYTES_PER_SECOND * this.#waitedMs) / 1000)
      throw new TransportError('timeout', `${this.#bytes} bytes in ${Math.round(this.#waitedMs)} ms of waiting`);
  }
}
