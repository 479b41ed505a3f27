/**
 * A replicator's lives (replicator-life.ts), one after the other on one disk and one ledger, each killed at a file operation of an encoding, a proof or a rotation.
 *
 * What must hold, and throws when it does not:
 * - what lies under a replica's name decodes to the segment, after every death;
 * - no proof is wrong but the replicator's own fakes (replicator-ledger.ts), and those are revealed unless it was down;
 * - every period is proven that it was not down in.
 */
import { sameBytes } from '../../native/index.ts';
import { Replica } from '../../replicator/index.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { SimulatedKeyValues } from '../../storage/key-value/simulated-key-values.ts';
import { VirtualNet } from '../node/virtual-net.ts';
import { kernels, makeChain, rootOf } from '../node/world.ts';
import type { DeathKind } from './mortal-files.ts';
import { ReplicatorLedger } from './replicator-ledger.ts';
import {
  DEADLINE_SLOTS,
  key,
  Life,
  type LifeDeps,
  PERIODS_PER_ROTATION,
  SEED,
  SLOTS_PER_PERIOD,
  world,
} from './replicator-life.ts';

/** Segments kept at once; every third life one more is wanted and the oldest given up, so that there is always something to encode. */
const SEGMENTS_KEPT = 3;
const MOMENTS = ['encode', 'prove', 'rotate'] as const;
export type Moment = (typeof MOMENTS)[number];
const PASSES_PER_SLOT = 3;
/** Not reached within so many slots, a moment is given up for a proof. */
const PATIENCE_SLOTS = 3 * SLOTS_PER_PERIOD;
/** Slots after a start in which a replicator may still be behind: an encoding, a commit, finality. */
const CATCH_UP_SLOTS = 3;

/** Enough for the segments kept. */
const prefix = makeChain(world, rootOf(world), 20, 12);

export interface LivesFigures {
  readonly deaths: Record<Moment | 'other', number>;
  readonly power: number;
  readonly slots: number;
  readonly proofs: number;
  readonly fakes: number;
}

/** What a file operation is part of. @param firstRotation in which a segment was first encoded */
function momentOf(path: string, firstRotations: Map<string, string>): Moment | 'other' {
  const unfinished = /(segment-\d+)\.rotation-(\d+)\.replica\.(partial|progress|scratch|decode)/.exec(path);
  if (unfinished !== null) {
    const [, segment, rotation] = unfinished as unknown as [string, string, string];
    if (!firstRotations.has(segment)) firstRotations.set(segment, rotation);
    return firstRotations.get(segment) === rotation ? 'encode' : 'rotate';
  }
  return /openings|proofs|\.replica$/.test(path) ? 'prove' : 'other';
}

/** One run: a fresh disk and chain, so many deaths. */
export class ReplicatorLives {
  readonly #net: VirtualNet;
  readonly #disk: SimulatedDisk;
  readonly #keyValues: SimulatedKeyValues;
  readonly #ledger: ReplicatorLedger;
  readonly #random: () => number;
  readonly #deaths: LivesFigures['deaths'] = { encode: 0, prove: 0, rotate: 0, other: 0 };
  /** Slots in which it was down, or had just come back. */
  readonly #downSlots = new Set<number>();
  /** In which slots a segment was wanted. */
  readonly #wanted = new Map<number, { readonly from: number; to: number }>();
  readonly #firstRotations = new Map<string, string>();
  #life: Life | undefined;
  #lives = 0;
  #power = 0;

  private constructor(net: VirtualNet, ledger: ReplicatorLedger, disk: SimulatedDisk, random: () => number) {
    this.#net = net;
    this.#ledger = ledger;
    this.#disk = disk;
    this.#random = random;
    this.#keyValues = new SimulatedKeyValues({ random, placeOf: (path) => disk.environmentAt(path) });
  }

  static async run(deaths: number, seed: number): Promise<LivesFigures> {
    const net = new VirtualNet(Number.POSITIVE_INFINITY);
    const ledger = await ReplicatorLedger.start(world, SEED, key, prefix, net);
    const disk = new SimulatedDisk(seed);
    await disk.makeDirectory('/data');
    await disk.syncDirectory('/');
    return new ReplicatorLives(net, ledger, disk, randomOf(seed)).#run(deaths);
  }

  async #run(deaths: number): Promise<LivesFigures> {
    const from = this.#ledger.final.header.slot;
    for (let death = 0; death < deaths; death += 1) await this.#oneLife(death);
    await this.#lastLife(deaths);
    this.#expectProven();
    this.#expectRevealed();
    const { proven, fakes } = this.#ledger;
    const proofs = [...proven.values()].reduce((sum, periods) => sum + periods.size, 0);
    const slots = this.#ledger.final.header.slot - from;
    return {
      deaths: this.#deaths,
      power: this.#power,
      slots,
      proofs,
      fakes: [...fakes.values()].filter(Boolean).length,
    };
  }

  /** From a start to a death, and some slots of darkness. */
  async #oneLife(number: number): Promise<void> {
    const moment = MOMENTS[number % 3]!;
    const kind: DeathKind = this.#random() < 0.5 ? 'power' : 'process';
    const at = 1 + Math.floor(this.#random() * (moment === 'prove' ? 60 : 40));
    const born = this.#slot;
    const counts = (path: string): boolean =>
      momentOf(path, this.#firstRotations) === moment ||
      (this.#slot > born + PATIENCE_SLOTS && momentOf(path, this.#firstRotations) === 'prove');
    const life = this.#begin({ kind, counts, at }, Math.floor(number / 3));
    while (!life.isOver) await this.#aSlot();
    this.#deaths[momentOf(life.diedAt, this.#firstRotations)] += 1;
    if (kind === 'power') this.#power += 1;
    this.#life = undefined;
    await this.#net.settle(life.bury());
    if (kind === 'power') this.#disk.reboot();
    else this.#disk.restartProcess();
    this.#keyValues.powerCut();
    await this.#expectWholeReplicas();
    const dark = this.#random() < 0.6 ? 0 : 1 + Math.floor(this.#random() * SLOTS_PER_PERIOD);
    for (let slot = 0; slot < dark; slot += 1) await this.#aSlot();
  }

  /** A last life without an end, for three rotations: one that it may have begun in the middle of, one to be proven in throughout, and what verdicts take. */
  async #lastLife(deaths: number): Promise<void> {
    const doom = { kind: 'process', counts: () => false, at: Number.POSITIVE_INFINITY } as const;
    this.#begin(doom, Math.floor(deaths / 3));
    for (let slot = 0; slot < 3 * SLOTS_PER_PERIOD * PERIODS_PER_ROTATION; slot += 1) await this.#aSlot();
    await this.#expectWholeReplicas();
    const unfinished = [...this.#disk.image('/data/').keys()].filter((path) => /partial|progress|\.new$/.test(path));
    if (unfinished.length > 0) throw new RangeError(`left behind: ${unfinished.join(', ')}`);
    await this.#net.settle(this.#life!.bury());
  }

  get #slot(): number {
    return this.#ledger.final.header.slot;
  }

  /** @param first of the segments wanted */
  #begin(doom: LifeDeps['doom'], first: number): Life {
    this.#lives += 1;
    for (let slot = 0; slot <= CATCH_UP_SLOTS; slot += 1) this.#downSlots.add(this.#slot + slot);
    const segments = Array.from({ length: SEGMENTS_KEPT }, (_, index) => first + index);
    for (const segment of segments)
      if (!this.#wanted.has(segment)) this.#wanted.set(segment, { from: this.#slot, to: Number.POSITIVE_INFINITY });
    for (const [segment, wanted] of this.#wanted) if (segment < first) wanted.to = Math.min(wanted.to, this.#slot);
    const { disk, keyValues } = { disk: this.#disk, keyValues: this.#keyValues };
    this.#life = new Life(this.#lives, this.#net, { disk, keyValues, random: this.#random, doom, segments });
    return this.#life;
  }

  async #aSlot(): Promise<void> {
    const life = this.#life;
    if (life === undefined || life.isOver) this.#downSlots.add(this.#slot);
    for (let pass = 0; pass < PASSES_PER_SLOT && life?.isOver === false; pass += 1) await this.#net.settle(life.pass());
    if (life?.isOver === true) {
      this.#downSlots.add(this.#slot);
      return;
    }
    await this.#ledger.advance(life?.peer);
  }

  async #expectWholeReplicas(): Promise<void> {
    const segments = this.#ledger.node.segments();
    for (const path of this.#disk.image('/data/').keys()) {
      const name = /segment-(\d+)\.rotation-\d+\.replica$/.exec(path);
      if (name === null) continue;
      const replica = await Replica.open(kernels, await this.#disk.open(path, 'read'));
      await replica.verify();
      const bytes = await replica.read(0, world.genesis.history.segmentSizeBytes);
      await replica.close();
      if (!sameBytes(bytes, segments[Number(name[1])]!)) throw new RangeError(`${path} is not its segment`);
    }
  }

  /** Every period that a segment was wanted in throughout, but a rotation's first, which has no earlier commitment. */
  #expectProven(): void {
    const end = Math.floor(this.#slot / SLOTS_PER_PERIOD) - 4;
    for (const [segment, { from, to }] of this.#wanted) {
      const first = Math.ceil(from / SLOTS_PER_PERIOD) + 1;
      const last = Math.min(end, Math.floor(to / SLOTS_PER_PERIOD) - 2);
      const periods = this.#ledger.proven.get(segment) ?? new Set();
      for (let period = first; period <= last; period += 1)
        if (period % PERIODS_PER_ROTATION !== 0 && !periods.has(period) && !this.#isExcused(segment, period, first))
          throw new RangeError(
            `segment ${segment}, period ${period}: not proven, though it was not down; ${this.#facts}`,
          );
      if (to === Number.POSITIVE_INFINITY && !periods.has(end) && !periods.has(end - 1))
        throw new RangeError(`segment ${segment}: did not come back; ${this.#facts}`);
    }
  }

  /** Whether it was down in one of the slots in which the period's proof, or the commitment it needs, was due. */
  #isExcused(segment: number, period: number, first: number): boolean {
    const needsCommit = period === first || period % PERIODS_PER_ROTATION === 1;
    const hasFakeBefore = this.#ledger.fakes.has(`${segment}/${period - 1}`);
    // A fake is revealed before the next proof takes its place: that one is left the second half of its time.
    const [from, to] = [needsCommit ? period - 1 : period, hasFakeBefore ? period + 2 : period + 1];
    const slots = Array.from({ length: (to - from) * SLOTS_PER_PERIOD }, (_, index) => from * SLOTS_PER_PERIOD + index);
    return slots.some((slot) => this.#downSlots.has(slot));
  }

  /** For whoever looks for the reason. */
  get #facts(): string {
    const { fakes, refusals } = this.#ledger;
    return JSON.stringify({ fakes: [...fakes], refusals: [...refusals], downSlots: [...this.#downSlots] });
  }

  #expectRevealed(): void {
    for (const [name, isRevealed] of this.#ledger.fakes) {
      const [segment, period] = name.split('/').map(Number) as [number, number];
      if ((this.#wanted.get(segment)?.to ?? 0) <= (period + 3) * SLOTS_PER_PERIOD) continue;
      const opens = (period + 1) * SLOTS_PER_PERIOD - 1;
      const window = Array.from({ length: DEADLINE_SLOTS }, (_, index) => opens + index);
      const wasUp = window.filter((slot) => !this.#downSlots.has(slot)).length;
      if (!isRevealed && wasUp >= DEADLINE_SLOTS / 2 && opens + DEADLINE_SLOTS < this.#slot)
        throw new RangeError(`fake ${name} was not revealed`);
    }
  }
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
