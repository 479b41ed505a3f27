/**
 * The PoH thread's mind, without the thread: takes requests, keeps the pace, hashes in slices, emits points, ticks and slot ends.
 *
 * Driven by `turn`: each makes at most one slice of hashing and says how long nothing is due. The clock is a port, so tests and the
 * simulator drive it with virtual time.
 *
 * Invariants
 * - Events come in the order of the sequence; a mixin never lands in a slot that has ended, nor after a later tick.
 * - No tick before its time (except while hashing through skipped slots): mixins that would force one wait for it.
 * - After a slot's end the sequence stops short of the next tick until `openSlot`, so that the parent entry always comes first.
 * - A slice takes about `SLICE_MS`, whatever the machine's speed.
 */
import { type Hash, type Kernels, type Slot, slot as toSlot } from '../../../native/index.ts';
import { hashesPerSlot, nextTickCount, PohGenerator, type PohPoint, slotEndCount } from '../../poh/index.ts';
import type { PohEvent, PohPace, PohRequest } from './poh-messages.ts';
import { PohMeter } from './poh-meter.ts';
import { PohSchedule } from './poh-schedule.ts';
import type { PohRate, PohStart } from './poh-service.ts';
import type { ThreadErrorCode } from './thread-error.ts';

/** Most mixins served in one turn, to bound its time. */
const MIXINS_PER_TURN_MAX = 64;

type MixinRequest = Extract<PohRequest, { kind: 'mixin' }>;

/** The sequence being led. */
interface Lead {
  /** Names the run in its events: the start's id. */
  readonly run: number;
  readonly generator: PohGenerator;
  /** The slot open, or the last one that was. */
  slot: Slot;
  isOpen: boolean;
  /** Undefined while hashing through skipped slots at full speed. */
  schedule: PohSchedule | undefined;
}

export class PohEngine {
  readonly #kernels: Kernels;
  readonly #pace: PohPace;
  readonly #clock: () => number;
  readonly #emit: (event: PohEvent) => void;
  readonly #meter: PohMeter;
  readonly #mixins: MixinRequest[] = [];
  #lead: Lead | undefined;

  /** @param clock monotonic milliseconds @param emit called in order, from within `request` and `turn` */
  constructor(kernels: Kernels, pace: PohPace, clock: () => number, emit: (event: PohEvent) => void) {
    this.#kernels = kernels;
    this.#pace = pace;
    this.#clock = clock;
    this.#emit = emit;
    this.#meter = new PohMeter(kernels, clock);
  }

  rate(): PohRate {
    return this.#meter.rate(this.#lead?.schedule?.slippedMs ?? 0);
  }

  /** Takes a request; mixins are answered by the next turns, in order. */
  request(request: PohRequest): void {
    switch (request.kind) {
      case 'start':
        this.#start(request.id, request.at);
        break;
      case 'openSlot':
        this.#openSlot(request.id, request.slot, request.parentHash);
        break;
      case 'mixin':
        this.#mixins.push(request);
    }
  }

  /**
   * Hashes up to one slice, then serves mixins.
   * @returns milliseconds until something is due: 0 to go on at once, Infinity when only a request can bring something
   */
  turn(): number {
    const lead = this.#lead;
    if (lead === undefined) {
      for (const { id } of this.#mixins.splice(0)) this.#refuseNotStarted(id);
      return Number.POSITIVE_INFINITY;
    }
    const nowMs = this.#clock();
    lead.schedule?.boundLag(lead.generator.count, nowMs);
    this.#hash(lead, Math.min(this.#dueCount(lead, nowMs), this.#countMax(lead)));
    return this.#serveMixins(lead) ? 0 : this.#idleMs(lead);
  }

  #start(id: number, at: PohStart): void {
    const perSlot = hashesPerSlot(this.#pace.parameters);
    if (at.count % perSlot !== 0 || at.count >= at.slot * perSlot) {
      this.#refuse(id, 'start-invalid', `count ${at.count} is not the end of a slot before slot ${at.slot}`);
      return;
    }
    this.#closeMixins();
    const generator = new PohGenerator(this.#kernels, this.#pace.parameters, at);
    this.#lead = { run: id, generator, slot: at.slot, isOpen: true, schedule: undefined };
    this.#meter.restart(at.count);
    this.#emit({ kind: 'point', id, ...generator.mixin(at.parentHash) });
    this.#anchorWhenCaughtUp(this.#lead);
  }

  #openSlot(id: number, slot: Slot, parentHash: Hash): void {
    const lead = this.#lead;
    if (lead === undefined) this.#refuseNotStarted(id);
    else if (lead.isOpen) this.#refuse(id, 'slot-order', `slot ${slot} cannot open: slot ${lead.slot} still is`);
    else if (slot !== lead.slot + 1)
      this.#refuse(id, 'slot-order', `slot ${slot} cannot open: slot ${lead.slot} was the last to end`);
    else {
      this.#meter.release();
      this.#emit({ kind: 'point', id, ...lead.generator.mixin(parentHash) });
      lead.slot = slot;
      lead.isOpen = true;
    }
  }

  /** The count the pace asks for; while hashing through skipped slots, the beginning of the first slot to lead. */
  #dueCount(lead: Lead, nowMs: number): number {
    return lead.schedule?.due(nowMs) ?? this.#beginCount(lead);
  }

  #beginCount(lead: Lead): number {
    return slotEndCount(this.#pace.parameters, lead.slot) - hashesPerSlot(this.#pace.parameters);
  }

  /** How far the sequence may go now: to the slot's end, or when closed to where a parent entry still fits before the next tick. */
  #countMax(lead: Lead): number {
    const end = slotEndCount(this.#pace.parameters, lead.slot);
    return lead.isOpen ? end : end + this.#pace.parameters.hashesPerTick - 2;
  }

  #hash(lead: Lead, goal: number): void {
    const { generator } = lead;
    const startedMs = this.#clock();
    const start = generator.count;
    const end = Math.min(goal, start + this.#meter.sliceSteps);
    while (generator.count < end) {
      const tick = generator.advance(end - generator.count);
      if (tick !== undefined) this.#tick(lead, tick);
    }
    if (generator.count > start) this.#meter.hashed(generator.count - start, generator.count, startedMs);
  }

  #tick(lead: Lead, point: PohPoint): void {
    const { parameters } = this.#pace;
    const isBehind = this.#dueCount(lead, this.#clock()) - point.count > parameters.hashesPerTick;
    if (lead.schedule !== undefined) this.#meter.ticked(isBehind);
    const slot = toSlot(Math.ceil(point.count / hashesPerSlot(parameters)));
    this.#emit({ kind: 'tick', run: lead.run, slot, ...point });
    this.#anchorWhenCaughtUp(lead);
    if (point.count !== slotEndCount(parameters, lead.slot)) return;
    lead.isOpen = false;
    this.#emit({ kind: 'slotEnd', run: lead.run, slot, ...point });
  }

  /** The pace starts when the first slot to lead begins. */
  #anchorWhenCaughtUp(lead: Lead): void {
    const begin = this.#beginCount(lead);
    if (lead.schedule !== undefined || lead.generator.count < begin) return;
    lead.schedule = new PohSchedule(
      hashesPerSlot(this.#pace.parameters),
      this.#pace.slotDurationMs,
      begin,
      this.#clock(),
    );
  }

  /** @returns true when more mixins could be served at once */
  #serveMixins(lead: Lead): boolean {
    for (let served = 0; served < MIXINS_PER_TURN_MAX; served += 1) {
      const request = this.#mixins[0];
      if (request === undefined || !this.#serveMixin(lead, request)) return false;
      this.#mixins.shift();
    }
    return true;
  }

  /** @returns false when the mixin must wait for a tick that is not due yet */
  #serveMixin(lead: Lead, request: MixinRequest): boolean {
    const { generator } = lead;
    if (request.slot === lead.slot && lead.isOpen && generator.stepsBeforeTick === 0) {
      if (this.#dueCount(lead, this.#clock()) <= generator.count) return false;
      this.#tick(lead, generator.advance(1)!);
    }
    if (request.slot > lead.slot) this.#refuse(request.id, 'slot-not-open', `slot ${request.slot} is not open yet`);
    else if (request.slot < lead.slot || !lead.isOpen) this.#emit({ kind: 'closed', id: request.id });
    else this.#emit({ kind: 'point', id: request.id, ...generator.mixin(request.digest) });
    return true;
  }

  #idleMs(lead: Lead): number {
    const { count } = lead.generator;
    if (!lead.isOpen && count >= this.#countMax(lead)) {
      this.#meter.hold();
      return Number.POSITIVE_INFINITY;
    }
    if (lead.schedule === undefined) return 0;
    // Sleep until a slice's worth of steps is due or a tick is, whichever comes first; a request wakes the thread at once.
    const next = Math.min(
      count + this.#meter.sliceSteps,
      nextTickCount(this.#pace.parameters, count),
      this.#countMax(lead),
    );
    return Math.max(0, lead.schedule.msUntil(next, this.#clock()));
  }

  #closeMixins(): void {
    for (const request of this.#mixins.splice(0)) this.#emit({ kind: 'closed', id: request.id });
  }

  #refuseNotStarted(id: number): void {
    this.#refuse(id, 'not-started', 'the PoH generator is not running: call start first');
  }

  #refuse(id: number, code: ThreadErrorCode, message: string): void {
    this.#emit({ kind: 'refused', id, code, message });
  }
}
