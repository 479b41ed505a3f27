/**
 * The PoH service on the caller's thread, driven by the caller: for tests and the simulator. `turn` makes progress; nothing happens
 * between turns.
 *
 * Invariant: a turn delivers one reply or event at most, so what awaits a reply runs before the next one, provided the caller lets
 * promises settle between turns.
 */
import type { Hash, Kernels, Slot } from '../../../native/index.ts';
import type { PohPoint } from '../../poh/index.ts';
import { PohCalls } from './poh-calls.ts';
import { PohEngine } from './poh-engine.ts';
import type { PohEvent, PohPace } from './poh-messages.ts';
import type { PohListener, PohRate, PohService, PohStart } from './poh-service.ts';
import { ThreadError } from './thread-error.ts';

export class InlinePoh implements PohService {
  readonly #calls = new PohCalls();
  readonly #engine: PohEngine;
  readonly #outbox: PohEvent[] = [];

  /** @param clock monotonic milliseconds, virtual or real */
  constructor(kernels: Kernels, pace: PohPace, clock: () => number) {
    this.#engine = new PohEngine(kernels, pace, clock, (event) => this.#outbox.push(event));
  }

  /**
   * Delivers one event, or when none waits does at most one slice of work.
   * @returns ms until something is due: 0 at once, Infinity when only a request can bring something
   */
  turn(): number {
    const event = this.#outbox.shift();
    if (event !== undefined) {
      this.#calls.receive(event);
      return 0;
    }
    const idleMs = this.#engine.turn();
    return this.#outbox.length > 0 ? 0 : idleMs;
  }

  start(at: PohStart): Promise<PohPoint> {
    this.#calls.endRun();
    return this.#calls.point(true, (id) => this.#engine.request({ kind: 'start', id, at }));
  }

  openSlot(slot: Slot, parentHash: Hash): Promise<PohPoint> {
    return this.#calls.point(false, (id) => this.#engine.request({ kind: 'openSlot', id, slot, parentHash }));
  }

  mixin(slot: Slot, digest: Uint8Array): Promise<PohPoint | null> {
    const copied = digest.slice();
    return this.#calls.mixin((id) => this.#engine.request({ kind: 'mixin', id, slot, digest: copied }));
  }

  onTick(listener: PohListener): () => void {
    return this.#calls.onTick(listener);
  }

  onSlotEnd(listener: PohListener): () => void {
    return this.#calls.onSlotEnd(listener);
  }

  rate(): PohRate {
    return this.#engine.rate();
  }

  async stop(): Promise<void> {
    this.#calls.fail(new ThreadError('stopped', 'the PoH service was stopped'));
  }
}
