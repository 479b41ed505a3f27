/**
 * A memory network in virtual time, advanced by `settle`: silence costs a test next to nothing. Time stands still while a served answer
 * waits for the real disk, and never runs faster than a hundred times the clock on the wall: a busy machine must not look like a silent peer.
 */
import { MemoryNetwork } from '../../src/net/memory-network.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import type { Timers } from '../../src/net/timers.ts';
import { VirtualTime } from '../consensus/virtual-time.ts';

const VIRTUAL_MS_PER_MS = 100;

export class VirtualNet {
  readonly #time = new VirtualTime();
  readonly network: MemoryNetwork;
  readonly #pace: number;
  #held = 0;

  /** @param pace virtual milliseconds that may pass in one of the wall's; no bound where no real disk has to keep up */
  constructor(pace: number = VIRTUAL_MS_PER_MS) {
    this.#pace = pace;
    const timers: Timers = {
      now: () => this.#time.nowMs,
      after: (delayMs, run) => {
        let isCancelled = false;
        this.#time.after(delayMs, () => isCancelled || run());
        return () => {
          isCancelled = true;
        };
      },
    };
    this.network = new MemoryNetwork({ timers });
  }

  get nowMs(): number {
    return this.#time.nowMs;
  }

  async peer(name: string): Promise<MemoryTransport> {
    const transport = this.network.transport(name);
    await transport.start();
    return transport;
  }

  /** Keeps virtual time where it is until real work is done. */
  async hold<T>(work: Promise<T>): Promise<T> {
    this.#held += 1;
    try {
      return await work;
    } finally {
      this.#held -= 1;
    }
  }

  /** Lets virtual time run until the work is done; real I/O may happen in between. Rejects as the work does. */
  async settle<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    done.catch(() => {});
    const origin = { realMs: performance.now(), virtualMs: this.#time.nowMs };
    while (!isDone) {
      // Real work (disk, promises) first; then the next millisecond of virtual time.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const next = this.#time.nowMs + 1;
      const isAhead = next - origin.virtualMs > 20 + this.#pace * (performance.now() - origin.realMs);
      if (!isDone && this.#held === 0) this.#time.runUntil(isAhead ? this.#time.nowMs : next);
    }
    return done;
  }
}
