/**
 * Keeps the calls made to a PoH generator until their replies come, and passes its events on: the same for the thread and the inline one.
 *
 * Invariants
 * - At most `PENDING_CALLS_MAX` calls wait at any time.
 * - Once a run is over (a new start, stop, failure) none of its replies or events is heard.
 */
import type { PohPoint } from '../../poh/index.ts';
import type { PohEvent, PohNotice } from './poh-messages.ts';
import type { PohListener } from './poh-service.ts';
import { ThreadError } from './thread-error.ts';

/** Most calls that may wait for the generator. */
export const PENDING_CALLS_MAX = 4096;

interface PendingCall {
  readonly isMixin: boolean;
  readonly resolve: (point: PohPoint | null) => void;
  readonly reject: (error: ThreadError) => void;
}

export class PohCalls {
  readonly #pending = new Map<number, PendingCall>();
  readonly #tickListeners = new Set<PohListener>();
  readonly #slotEndListeners = new Set<PohListener>();
  #lastId = 0;
  /** Id of the present run's start; 0 when there is none. */
  #run = 0;
  #failure: ThreadError | undefined;

  get pendingCount(): number {
    return this.#pending.size;
  }

  onTick(listener: PohListener): () => void {
    this.#tickListeners.add(listener);
    return () => this.#tickListeners.delete(listener);
  }

  onSlotEnd(listener: PohListener): () => void {
    this.#slotEndListeners.add(listener);
    return () => this.#slotEndListeners.delete(listener);
  }

  /** Registers a call that ends with a point. @param send sends the request under the id given */
  point(isStart: boolean, send: (id: number) => void): Promise<PohPoint> {
    return this.#call(false, (id) => {
      if (isStart) this.#run = id;
      send(id);
    }).then((point) => point!);
  }

  /** Registers a mixin. */
  mixin(send: (id: number) => void): Promise<PohPoint | null> {
    return this.#call(true, send);
  }

  /** Takes one reply or event. */
  receive(event: PohEvent): void {
    if ('run' in event) {
      if (event.run === this.#run) this.#tell(event);
      return;
    }
    const call = this.#pending.get(event.id);
    this.#pending.delete(event.id);
    if (event.kind === 'point') call?.resolve({ count: event.count, hash: event.hash });
    else if (event.kind === 'closed') call?.resolve(null);
    else call?.reject(new ThreadError(event.code, event.message));
  }

  /** The run is over: pending mixins give null, other calls are rejected with `stopped`. */
  endRun(): void {
    this.#run = 0;
    const stopped = new ThreadError('stopped', 'the PoH sequence was left by a new start');
    this.#settle((call) => (call.isMixin ? call.resolve(null) : call.reject(stopped)));
  }

  /** Nothing will answer any more: every pending and later call is rejected. */
  fail(failure: ThreadError): void {
    this.#failure ??= failure;
    this.#run = 0;
    this.#settle((call) => call.reject(failure));
  }

  #call(isMixin: boolean, send: (id: number) => void): Promise<PohPoint | null> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#pending.size >= PENDING_CALLS_MAX)
      return Promise.reject(
        new ThreadError('queue-full', `${PENDING_CALLS_MAX} calls already wait for the PoH thread`),
      );
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { isMixin, resolve, reject });
      send(id);
    });
  }

  #settle(settle: (call: PendingCall) => void): void {
    const calls = [...this.#pending.values()];
    this.#pending.clear();
    calls.forEach(settle);
  }

  #tell(event: PohNotice): void {
    const listeners = event.kind === 'tick' ? this.#tickListeners : this.#slotEndListeners;
    for (const listener of listeners) listener(event.slot, event.count, event.hash);
  }
}
