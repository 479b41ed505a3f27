/** Collects what a PoH service delivers, in the order of delivery, and judges it by the rules of blocks. */
import { type Hash, hash, type PohCount, pohCount, type Slot, slot } from '../../native/index.ts';
import type { PohPace, PohService, PohStart } from '../../src/node/threads/index.ts';
import { checkStructure, hashesPerSlot, type PohPoint, packPoh, verifyPohBatch } from '../../src/poh/index.ts';
import { hashOf, kernels, pattern } from '../codec/fixtures.ts';

/** 50 ms a tick, 5,000 steps a second: slow enough for any machine, however busy. */
export const pace: PohPace = { parameters: { hashesPerTick: 250, ticksPerSlot: 4 }, slotDurationMs: 200 };
export const perSlot: number = hashesPerSlot(pace.parameters);

export const digestOf = (seed: number): Hash => hash(pattern(32, seed));
/** The hash of a made-up block. */
export const blockHashOf = (slotNumber: number): Hash => hashOf(200 + slotNumber);
export const startAt = (parentSlot: number, first: number): PohStart => ({
  count: pohCount(parentSlot * perSlot),
  hash: hashOf(50),
  slot: slot(first),
  parentHash: blockHashOf(parentSlot),
});

type Kind = 'parent' | 'transactions' | 'tick';
interface Recorded {
  readonly kind: Kind;
  readonly count: PohCount;
  readonly hash: Hash;
  readonly mixin: Uint8Array;
}

export class Recorder {
  readonly entries: Recorded[] = [];
  readonly ended: Slot[] = [];
  readonly #service: PohService;
  readonly #waiters: { readonly slot: number; readonly resolve: () => void }[] = [];

  constructor(service: PohService) {
    this.#service = service;
    service.onTick((_, count, tickHash) => {
      this.entries.push({ kind: 'tick', count, hash: tickHash, mixin: new Uint8Array(32) });
    });
    service.onSlotEnd((ended) => {
      this.ended.push(ended);
      for (const waiter of this.#waiters) if (waiter.slot === ended) waiter.resolve();
    });
  }

  /** Resolves when that slot has ended. */
  slotEnd(slotNumber: number): Promise<void> {
    if (this.ended.includes(slot(slotNumber))) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ slot: slotNumber, resolve }));
  }

  async start(at: PohStart): Promise<void> {
    this.#add('parent', await this.#service.start(at), at.parentHash);
  }

  async openSlot(slotNumber: number): Promise<void> {
    const parentHash = blockHashOf(slotNumber - 1);
    this.#add('parent', await this.#service.openSlot(slot(slotNumber), parentHash), parentHash);
  }

  /** @returns whether the slot still took it */
  async mixin(slotNumber: number, digest: Uint8Array): Promise<boolean> {
    const point = await this.#through(this.#service.mixin(slot(slotNumber), digest));
    if (point !== null) this.#add('transactions', point, digest);
    return point !== null;
  }

  /** A few promises between the reply and whom it reaches, as real callers have them. */
  async #through<T>(reply: Promise<T>): Promise<T> {
    const nested = async () => await reply;
    return await nested();
  }

  #add(kind: Kind, { count, hash: pointHash }: PohPoint, mixin: Uint8Array): void {
    this.entries.push({ kind, count, hash: pointHash, mixin });
  }

  /** What is wrong with the entries delivered from `parentSlot`'s end to `endSlot`'s, as one block; undefined when nothing is. */
  fault(parentSlot: number, endSlot: number, startHash: Hash): string | undefined {
    const [from, to] = [parentSlot * perSlot, endSlot * perSlot];
    const entries = this.entries.filter(({ count }) => count > from && count <= to);
    const wrong = checkStructure(pace.parameters, from, to, entries);
    if (wrong !== undefined) return `${wrong.fault} at entry ${wrong.entryIndex}`;
    const mixins = Buffer.concat(entries.map(({ mixin }) => mixin));
    const index = verifyPohBatch(kernels, packPoh({ count: from, hash: startHash }, entries, mixins));
    return index < 0 ? undefined : `hash at entry ${index}`;
  }

  /** The hash recorded at a slot's end. */
  hashAt(slotNumber: number): Hash {
    return this.entries.find(({ count }) => count === slotNumber * perSlot)!.hash;
  }

  /** True when everything was delivered in the order of the sequence. */
  get isInOrder(): boolean {
    return this.entries.every(({ count }, index) => index === 0 || count > this.entries[index - 1]!.count);
  }
}
