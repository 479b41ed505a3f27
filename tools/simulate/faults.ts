/**
 * The plan of faults: made from the seed before the run, as a list, so that a failure can be tried again with some of them left out.
 */
import { Chance } from './chance.ts';
import type { LeaderFault } from './leader-faults.ts';
import { CALM, type WireQuality } from './links.ts';

export type FaultKind =
  | 'crash'
  /** One operation soon fails, or the power goes in the middle of it. */
  | 'disk'
  /** Each read, write and sync fails with some probability, for a while. */
  | 'diskErrors'
  /** A write lands elsewhere, or a synced byte changes: only nodes that the scenario names. */
  | 'ruin'
  /** Killed, or without power, while a vote or an own slot is being written. */
  | 'killAtWork'
  | 'pause'
  | 'cut'
  | 'cutOneWay'
  | 'clog'
  | 'wire'
  /** Aimed at whoever leads, or is to follow, when it strikes. */
  | LeaderFault;

/** One fault. `number` is its name in the plan: it stays the same when others are left out. */
export interface Fault {
  readonly number: number;
  readonly atMs: number;
  readonly durationMs: number;
  readonly kind: FaultKind;
  /** Names of the nodes it strikes; of a cut, one side. */
  readonly nodes: readonly string[];
  /** Crash: loses power, or is only killed. */
  readonly power?: boolean;
  /** Of a power cut: the share of pending writes that is lost or turns to garbage; by the disk's own chance unless given. */
  readonly lossRate?: number;
  /** Of `diskErrors`: shares of reads, and of writes and syncs, that fail. */
  readonly errorRates?: { readonly read: number; readonly write: number };
  readonly wire?: WireQuality;
}

export interface FaultMix {
  readonly kinds: readonly FaultKind[];
  /** Mean virtual time between two faults, ms. */
  readonly everyMs: number;
}

/** Packet loss up to 30 %, replay up to 50 %, delays up to most of a timeout (with slots of 500 ms; longer slots stretch them). */
const WIRES: readonly WireQuality[] = [
  CALM,
  { delayMs: [2, 900], lossRate: 0.25 },
  { delayMs: [2, 200], lossRate: 0.3, replayRate: 0.5 },
  { delayMs: [500, 1100], lossRate: 0 },
  { delayMs: [1, 40], lossRate: 0.1, replayRate: 0.2 },
];
/** Share of power cuts after which 80 to 100 % of pending writes are lost or garbage. */
const HARSH_RATE = 0.5;
/** Highest share of operations that fail. */
const ERROR_RATE_MAX = 0.1;

/** Milliseconds a fault of a kind lasts. */
const DURATION_MS: Readonly<Record<FaultKind, readonly [number, number]>> = {
  crash: [200, 9_000],
  disk: [300, 5_000],
  diskErrors: [500, 6_000],
  ruin: [0, 0],
  killAtWork: [50, 400],
  pause: [500, 6_000],
  cut: [1_000, 25_000],
  cutOneWay: [1_000, 15_000],
  clog: [500, 8_000],
  wire: [2_000, 20_000],
  killLeader: [2_500, 7_000],
  stopLeader: [2_500, 7_000],
  killSecondary: [2_500, 7_000],
};

export interface FaultRange {
  readonly fromMs: number;
  readonly toMs: number;
  /** How much longer slots are than 500 ms: faults last so much longer, and come so much further apart. */
  readonly stretch: number;
}

/** Faults for one phase, from `fromMs` to `toMs`; each is over by then. */
export function planFaults(
  seed: number,
  phase: number,
  mix: FaultMix,
  names: readonly string[],
  range: FaultRange,
): Fault[] {
  const chance = new Chance(seed, `faults ${phase}`);
  const faults: Fault[] = [];
  if (mix.kinds.length === 0) return faults;
  for (let atMs = range.fromMs; ; ) {
    atMs += chance.between(0, 2 * mix.everyMs * range.stretch);
    if (atMs >= range.toMs) return faults;
    const number = phase * 10_000 + faults.length;
    faults.push(planOne(chance, number, chance.pick(mix.kinds), names, atMs, range));
  }
}

function planOne(
  chance: Chance,
  number: number,
  kind: FaultKind,
  names: readonly string[],
  atMs: number,
  { toMs, stretch }: FaultRange,
): Fault {
  const [low, high] = DURATION_MS[kind];
  const durationMs = Math.min(chance.between(low, high) * stretch, toMs - atMs);
  const base = { number, atMs, durationMs, kind };
  switch (kind) {
    case 'crash': {
      // Now and then everybody at once.
      const all = chance.hits(0.08);
      return { ...base, nodes: all ? names : [chance.pick(names)], ...powerOf(chance, 0.8) };
    }
    case 'killAtWork':
      return { ...base, nodes: [chance.pick(names)], ...powerOf(chance, 0.3) };
    case 'diskErrors': {
      const errorRates = { read: chance.between(0, ERROR_RATE_MAX), write: chance.between(0, ERROR_RATE_MAX) };
      return { ...base, nodes: [chance.pick(names)], errorRates };
    }
    case 'cut':
    case 'cutOneWay':
      return { ...base, nodes: someOf(chance, names) };
    case 'clog':
      return { ...base, nodes: [chance.pick(names), chance.pick(names)] };
    case 'wire':
      return { ...base, nodes: [], wire: stretched(chance.pick(WIRES), stretch) };
    case 'killLeader':
    case 'stopLeader':
    case 'killSecondary':
      return { ...base, nodes: [] };
    default:
      return { ...base, nodes: [chance.pick(names)] };
  }
}

/** Whether the power goes or only the process, and what a cut does to pending writes. */
function powerOf(chance: Chance, powerRate: number): Pick<Fault, 'power' | 'lossRate'> {
  const power = chance.hits(powerRate);
  return power && chance.hits(HARSH_RATE) ? { power, lossRate: chance.between(0.8, 1) } : { power };
}

/** Long delays follow the slots; short ones are those of the wire. */
function stretched(wire: WireQuality, stretch: number): WireQuality {
  const [low, high] = wire.delayMs;
  return high <= CALM.delayMs[1] * 2 ? wire : { ...wire, delayMs: [low, high * stretch] };
}

/** At least one, never all. */
function someOf(chance: Chance, names: readonly string[]): string[] {
  const count = 1 + chance.below(Math.max(1, names.length - 1));
  const left = [...names];
  return Array.from({ length: count }, () => left.splice(chance.below(left.length), 1)[0]!);
}
