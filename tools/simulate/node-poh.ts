/** The PoH service of a simulated node: the inline one, turned by the node's clock. The hash chain is real, at the small rate of the simulated genesis. */
import type { Hash, Kernels, Slot } from '../../native/index.ts';
import type { Clock } from '../../src/node/clock.ts';
import {
  InlinePoh,
  type PohListener,
  type PohPace,
  type PohRate,
  type PohService,
  type PohStart,
} from '../../src/node/threads/index.ts';
import type { PohPoint } from '../../src/poh/index.ts';

/** What a turn costs: when it takes no time at all, a rounding error in the schedule would keep the generator asking for ever. */
const TURN_MS = 0.001;

export class NodePoh implements PohService {
  readonly #inline: InlinePoh;
  readonly #clock: Clock;
  #cancel: () => void = () => {};
  #isStopped = false;

  constructor(kernels: Kernels, pace: PohPace, clock: Clock) {
    this.#inline = new InlinePoh(kernels, pace, () => clock.nowMs());
    this.#clock = clock;
  }

  start(at: PohStart): Promise<PohPoint> {
    return this.#then(this.#inline.start(at));
  }

  openSlot(slot: Slot, parentHash: Hash): Promise<PohPoint> {
    return this.#then(this.#inline.openSlot(slot, parentHash));
  }

  mixin(slot: Slot, digest: Uint8Array): Promise<PohPoint | null> {
    return this.#then(this.#inline.mixin(slot, digest));
  }

  onTick(listener: PohListener): () => void {
    return this.#inline.onTick(listener);
  }

  onSlotEnd(listener: PohListener): () => void {
    return this.#inline.onSlotEnd(listener);
  }

  rate(): PohRate {
    return this.#inline.rate();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    return this.#inline.stop();
  }

  /** A request wakes the generator at once. */
  #then<T>(answer: Promise<T>): Promise<T> {
    this.#turnIn(0);
    return answer;
  }

  #turnIn(delayMs: number): void {
    this.#cancel();
    this.#cancel = this.#clock.at(this.#clock.nowMs() + delayMs, () => this.#turn());
  }

  /** One turn an event: what awaits a reply runs before the next. */
  #turn(): void {
    if (this.#isStopped) return;
    const idleMs = this.#inline.turn();
    if (Number.isFinite(idleMs)) this.#turnIn(Math.max(idleMs, TURN_MS));
  }
}
