/**
 * Named runs of the simulator. Each has a phase with faults, in which only safety is asked for, and then a phase without (Byzantine
 * validators go on), in which every honest node must finalize new blocks within `LIVENESS_BOUND_MS` of virtual time.
 */
import { OracleError } from './oracles.ts';
import type { Behaviour } from './sim-disk.ts';
import type { NetworkFaults, SimulationOptions } from './simulator.ts';
import { CALM, Simulation } from './simulator.ts';

/** Eight turns of four validators' timeouts would be 16 s; resending takes 4 s a round; the rest is head room. */
export const LIVENESS_BOUND_MS = 60_000;
/** Blocks that must become final in it. */
export const LIVENESS_BLOCKS = 6;

export const ROUGH: NetworkFaults = { lossRate: 0.25, duplicateRate: 0.3, delayMs: [2, 900] };
const LOSSY: NetworkFaults = { lossRate: 0.3, duplicateRate: 0.5, delayMs: [2, 200] };
const SLOW: NetworkFaults = { lossRate: 0, duplicateRate: 0, delayMs: [500, 1100] };

export interface Scenario {
  readonly name: string;
  readonly options: Omit<SimulationOptions, 'seed'>;
  /** The phase with faults; ends with everybody started again and the network as the liveness phase wants it. */
  readonly faults: (sim: Simulation) => void;
  /** What must have come of it, looked at after the liveness phase. */
  readonly after?: (sim: Simulation) => void;
  /** Instead of `LIVENESS_BOUND_MS`; 0: no progress is asked for. */
  readonly boundMs?: number;
}

function calmDown(sim: Simulation): void {
  sim.network = CALM;
  sim.groups = null;
  sim.crashInVoteRate = 0;
  for (const node of sim.nodes) node.restart();
}

/** Faults of every kind at random moments for `durationMs`. */
export function chaos(
  sim: Simulation,
  durationMs: number,
  kinds: readonly ('crash' | 'partition' | 'network')[],
): void {
  const until = sim.time.nowMs + durationMs;
  while (sim.time.nowMs < until) {
    sim.run(sim.chance.between(500, 6000));
    const kind = kinds[sim.chance.below(kinds.length)];
    if (kind === 'partition') {
      const cut = sim.chance.hits(0.6);
      sim.groups = cut ? sim.nodes.map(() => sim.chance.below(2)) : null;
    } else if (kind === 'network') sim.network = [CALM, ROUGH, LOSSY, SLOW][sim.chance.below(4)]!;
    else {
      const node = sim.nodes[sim.chance.below(sim.nodes.length)]!;
      if (node.alive) sim.crashFor(node, sim.chance.between(200, 8000));
    }
  }
}

export const under =
  (network: NetworkFaults, durationMs: number) =>
  (sim: Simulation): void => {
    sim.network = network;
    sim.run(durationMs);
  };

export const split =
  (groups: readonly number[], durationMs: number) =>
  (sim: Simulation): void => {
    sim.run(5000 + sim.chance.between(0, 2000));
    sim.groups = sim.nodes.map((node) => groups[node.index] ?? 0);
    sim.run(durationMs);
  };

export const with4 = (last: Behaviour, place: number): Behaviour[] =>
  [0, 1, 2, 3].map((index) => (index === place ? last : 'honest'));

export const SCENARIOS: readonly Scenario[] = [
  { name: 'loss, delay, reorder, duplication', options: { observers: 1 }, faults: under(ROUGH, 30_000) },
  { name: 'loss 30 %, duplication 50 %', options: {}, faults: under(LOSSY, 30_000) },
  { name: 'partition 3|1 and heal', options: { observers: 1 }, faults: split([0, 0, 0, 1], 20_000) },
  { name: 'leader cut off and heal', options: {}, faults: split([1, 0, 0, 0], 20_000) },
  { name: 'partition 2|2 and heal', options: {}, faults: split([0, 0, 1, 1], 15_000) },
  {
    name: 'partition 2|2 into the stall and heal',
    options: { unfinalizedBlocksMax: 16 },
    faults: split([0, 1, 0, 1], 30_000),
  },
  {
    name: 'partition 2|2 for long, and one does not come back: the other branch is followed to its tip at once',
    options: { unfinalizedBlocksMax: 64, epochs: { slotsPerEpoch: 8 } },
    faults: (sim) => {
      split([0, 0, 1, 1], 90_000)(sim);
      sim.groups = null;
      sim.nodes[sim.chance.below(4)]!.crash();
      const before = sim.oracles.finalHeight;
      sim.run(60_000, () => sim.oracles.finalHeight > before);
      if (sim.oracles.finalHeight === before) throw new OracleError('three of four do not go on');
    },
  },
  {
    name: 'everyone alone into the stall and heal',
    options: { unfinalizedBlocksMax: 12 },
    faults: split([0, 1, 2, 3], 25_000),
  },
  { name: 'silent leader', options: { behaviours: with4('silentLeader', 0) }, faults: under(CALM, 15_000) },
  { name: 'dead leader', options: { behaviours: with4('dead', 0) }, faults: under(ROUGH, 15_000) },
  {
    name: 'two silent leaders',
    options: { behaviours: ['silentLeader', 'silentLeader', 'honest', 'honest'] },
    faults: under(CALM, 15_000),
  },
  {
    name: 'equivocating leader',
    options: { behaviours: with4('equivocatingLeader', 0) },
    faults: under(ROUGH, 20_000),
  },
  { name: 'eager leader', options: { behaviours: with4('eagerLeader', 2) }, faults: under(CALM, 20_000) },
  {
    name: 'leader that leaves votes out',
    options: { behaviours: with4('omittingLeader', 0), observers: 1 },
    faults: under(CALM, 20_000),
  },
  {
    name: 'equivocating voter',
    options: { behaviours: with4('equivocatingVoter', 1) },
    faults: (sim) => chaos(sim, 30_000, ['network', 'partition']),
  },
  {
    name: 'equivocating voter and leader among seven',
    options: {
      bonds: [3n, 2n, 2n, 2n, 2n, 2n, 2n],
      behaviours: ['honest', 'equivocatingVoter', 'honest', 'equivocatingLeader', 'honest', 'honest', 'honest'],
    },
    faults: (sim) => chaos(sim, 20_000, ['network', 'partition', 'crash']),
  },
  {
    name: 'crashes and restarts',
    options: { observers: 1 },
    faults: (sim) => {
      sim.crashInVoteRate = 0.02;
      chaos(sim, 30_000, ['crash']);
    },
  },
  {
    name: 'power cut of everybody at once',
    options: {},
    faults: (sim) => {
      for (let i = 0; i < 4; i++) {
        sim.run(sim.chance.between(2000, 6000));
        for (const node of sim.nodes) if (node.alive) sim.crashFor(node, sim.chance.between(100, 3000));
      }
      sim.run(3000);
    },
  },
  {
    name: 'everything at once',
    options: { observers: 1, unfinalizedBlocksMax: 24 },
    faults: (sim) => {
      sim.crashInVoteRate = 0.01;
      chaos(sim, 45_000, ['crash', 'partition', 'network']);
    },
  },
  {
    name: 'everything at once, unequal bonds, clocks 3 % off',
    options: { bonds: [5n, 4n, 3n, 3n, 2n], unfinalizedBlocksMax: 24, clockDrift: 0.03 },
    faults: (sim) => chaos(sim, 45_000, ['crash', 'partition', 'network']),
  },
];

/** Runs one scenario with one seed; throws `OracleError` when anything does not hold. */
export function play(scenario: Scenario, seed: number): Simulation {
  const sim = new Simulation({ ...scenario.options, seed });
  scenario.faults(sim);
  calmDown(sim);
  const goal = sim.oracles.finalHeight + LIVENESS_BLOCKS;
  sim.run(scenario.boundMs ?? LIVENESS_BOUND_MS, () => sim.lowestFinalHeight >= goal);
  if (scenario.boundMs !== 0 && sim.lowestFinalHeight < goal) {
    const heights = sim.nodes.map((node) => node.finalHeight).join(' ');
    throw new OracleError(`no progress after the faults: final heights ${heights}, expected ${goal}`);
  }
  scenario.after?.(sim);
  return sim;
}
