/**
 * The plan of faults: made from the seed before the run, as a list, so that a failure can be tried again with some of them left out.
 */
import { Chance } from './chance.ts';
import { CALM, type WireQuality } from './links.ts';

export type FaultKind = 'crash' | 'disk' | 'pause' | 'cut' | 'cutOneWay' | 'clog' | 'wire';

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
  readonly wire?: WireQuality;
}

export interface FaultMix {
  readonly kinds: readonly FaultKind[];
  /** Mean virtual time between two faults, ms. */
  readonly everyMs: number;
}

/** Packet loss up to 30 %, delays up to most of a timeout. */
const WIRES: readonly WireQuality[] = [
  CALM,
  { delayMs: [2, 900], lossRate: 0.25 },
  { delayMs: [2, 200], lossRate: 0.3 },
  { delayMs: [500, 1100], lossRate: 0 },
  { delayMs: [1, 40], lossRate: 0.1 },
];

/** Milliseconds a fault of a kind lasts. */
const DURATION_MS: Readonly<Record<FaultKind, readonly [number, number]>> = {
  crash: [200, 9_000],
  disk: [300, 5_000],
  pause: [500, 6_000],
  cut: [1_000, 25_000],
  cutOneWay: [1_000, 15_000],
  clog: [500, 8_000],
  wire: [2_000, 20_000],
};

/** Faults for one phase, from `fromMs` to `toMs`; each is over by then. */
export function planFaults(
  seed: number,
  phase: number,
  mix: FaultMix,
  names: readonly string[],
  range: { readonly fromMs: number; readonly toMs: number },
): Fault[] {
  const chance = new Chance(seed, `faults ${phase}`);
  const faults: Fault[] = [];
  if (mix.kinds.length === 0) return faults;
  for (let atMs = range.fromMs; ; ) {
    atMs += chance.between(0, 2 * mix.everyMs);
    if (atMs >= range.toMs) return faults;
    const number = phase * 10_000 + faults.length;
    faults.push(planOne(chance, number, chance.pick(mix.kinds), names, atMs, range.toMs));
  }
}

function planOne(
  chance: Chance,
  number: number,
  kind: FaultKind,
  names: readonly string[],
  atMs: number,
  toMs: number,
): Fault {
  const [low, high] = DURATION_MS[kind];
  const durationMs = Math.min(chance.between(low, high), toMs - atMs);
  const base = { number, atMs, durationMs, kind };
  switch (kind) {
    case 'crash': {
      // Now and then everybody at once.
      const all = chance.hits(0.08);
      return { ...base, nodes: all ? names : [chance.pick(names)], power: chance.hits(0.8) };
    }
    case 'cut':
    case 'cutOneWay':
      return { ...base, nodes: someOf(chance, names) };
    case 'clog':
      return { ...base, nodes: [chance.pick(names), chance.pick(names)] };
    case 'wire':
      return { ...base, nodes: [], wire: chance.pick(WIRES) };
    default:
      return { ...base, nodes: [chance.pick(names)] };
  }
}

/** At least one, never all. */
function someOf(chance: Chance, names: readonly string[]): string[] {
  const count = 1 + chance.below(Math.max(1, names.length - 1));
  const left = [...names];
  return Array.from({ length: count }, () => left.splice(chance.below(left.length), 1)[0]!);
}
