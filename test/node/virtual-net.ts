/** A memory network in virtual time, advanced by `settle`: silence costs a test nothing. */
import { MemoryNetwork } from '../../src/net/memory-network.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import type { Timers } from '../../src/net/timers.ts';
import { VirtualTime } from '../consensus/virtual-time.ts';

export class VirtualNet {
  readonly #time = new VirtualTime();
  readonly network: MemoryNetwork;

  constructor() {
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

  /** Lets virtual time run until the work is done; real I/O may happen in between. Rejects as the work does. */
  async settle<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    done.catch(() => {});
    while (!isDone) {
      // Real work (disk, promises) first; then the next millisecond of virtual time.
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (!isDone) this.#time.runUntil(this.#time.nowMs + 1);
    }
    return done;
  }
}
