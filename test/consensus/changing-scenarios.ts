/**
 * Named runs in which electorates change: short epochs, bonds entering and leaving, absent members, leads that end, decoys, lost vote files.
 */
import { byteKey } from '../../native/index.ts';
import { keyAt } from './fixture.ts';
import { OracleError } from './oracles.ts';
import type { Scenario } from './scenarios.ts';
import { chaos, ROUGH, split, under, with4 } from './scenarios.ts';
import type { Simulation } from './simulator.ts';
import { CALM } from './simulator.ts';

/** Eight slots of half a second each. */
const SHORT = { slotsPerEpoch: 8, staleFast: 2, staleSlow: 3 } as const;

function expectThat(condition: boolean, message: string): void {
  if (!condition) throw new OracleError(message);
}

/** It is slashed; its bond may be gone since. */
function isSlashed({ finalState: { bonds } }: Simulation, index: number): boolean {
  return bonds.find((bond) => bond.index === index)?.isSlashed ?? true;
}

/** Numbers of the members of the newest final electorate's current set. */
function currentSet(sim: Simulation): number[] {
  const { members } = sim.finalState.electorate;
  return members.flatMap(({ seat, inCurrent }) => (inCurrent ? [seat] : [])).sort((a, b) => a - b);
}

function expectSeen(sim: Simulation, ...kinds: readonly string[]): void {
  for (const kind of kinds) expectThat((sim.seen.get(kind) ?? 0) > 0, `no ${kind} was seen`);
}

/** Bonds come and go while the network is rough. */
function comeAndGo(sim: Simulation): void {
  sim.requests.push(
    { kind: 'bond', index: 4, weight: 1n },
    { kind: 'bond', index: 5, weight: 2n },
    { kind: 'unbond', index: 0 },
  );
  sim.network = ROUGH;
  sim.run(70_000);
}

export const CHANGING_SCENARIOS: readonly Scenario[] = [
  {
    name: 'bonds enter and leave',
    options: { candidates: 2, observers: 1, epochs: SHORT },
    faults: comeAndGo,
    boundMs: 120_000,
    after: (sim) => {
      sim.run(40_000);
      expectThat(sim.finalState.era >= 3, `era ${sim.finalState.era} after two minutes`);
      expectThat(currentSet(sim).join() === '1,2,3,4,5', `the set is ${currentSet(sim).join()}`);
    },
  },
  {
    name: 'bonds enter and leave, crashes and partitions',
    options: { candidates: 2, epochs: { ...SHORT, staleFast: 6, staleSlow: 8 } },
    faults: (sim) => {
      sim.requests.push({ kind: 'bond', index: 4, weight: 1n }, { kind: 'unbond', index: 1 });
      chaos(sim, 30_000, ['crash', 'partition', 'network']);
      sim.requests.push({ kind: 'bond', index: 5, weight: 1n }, { kind: 'unbond', index: 2 });
      chaos(sim, 30_000, ['crash', 'partition', 'network']);
    },
  },
  {
    name: 'everything at once, sets changing by absence',
    options: { bonds: [2n, 2n, 2n, 1n, 1n], observers: 1, epochs: SHORT },
    faults: (sim) => {
      sim.crashInVoteRate = 0.01;
      chaos(sim, 60_000, ['crash', 'partition', 'network']);
    },
  },
  {
    name: 'one dead member leaves the set',
    options: { behaviours: with4('dead', 3), epochs: SHORT },
    faults: (sim) => sim.run(60_000),
    after: (sim) => expectThat(currentSet(sim).join() === '0,1,2', `the set is ${currentSet(sim).join()}`),
  },
  {
    name: 'partition 3|1: the one leaves and may come back',
    options: { epochs: SHORT },
    faults: split([0, 0, 0, 1], 40_000),
  },
  {
    name: 'partition 3|2: the three exclude the two and go on',
    options: { bonds: [1n, 1n, 1n, 1n, 1n], epochs: SHORT },
    faults: (sim) => {
      split([0, 0, 0, 1, 1], 40_000)(sim);
      const before = sim.oracles.finalHeight;
      sim.run(20_000);
      expectThat(sim.oracles.finalHeight > before + 10, 'the larger side does not go on');
      const { electorate, bonds } = sim.finalState;
      const isOut = electorate.majorityFloor || bonds.some(({ isExcluded }) => isExcluded);
      expectThat(isOut, 'nobody is excluded');
      expectThat(sim.nodes[4]!.finalHeight < before, 'the smaller side finalizes');
    },
    after: (sim) => {
      sim.run(60_000);
      expectThat(!sim.finalState.electorate.majorityFloor, 'the floor stays after everybody is back');
    },
  },
  {
    name: 'partition 3|2 past the bound: a block an epoch leads out',
    options: { bonds: [1n, 1n, 1n, 1n, 1n], epochs: { ...SHORT, slotsPerEpoch: 16 }, unfinalizedBlocksMax: 16 },
    faults: (sim) => {
      split([0, 0, 0, 1, 1], 60_000)(sim);
      const before = sim.oracles.finalHeight;
      sim.run(20_000);
      expectThat(sim.oracles.finalHeight > before + 10, 'the larger side does not go on');
    },
    boundMs: 120_000,
  },
  {
    name: 'members go away one after another: who is back in the stall counts again',
    options: { bonds: [1n, 1n, 1n, 1n, 1n], epochs: SHORT },
    faults: (sim) => {
      sim.run(5000);
      for (const index of [3, 4]) sim.nodes[index]!.crash();
      sim.run(16_000);
      const excluded = sim.bestState.bonds.filter(({ isExcluded }) => isExcluded).map(({ index }) => index);
      expectThat(excluded.join() === '3,4', `excluded are ${excluded.join()}`);
      sim.nodes[2]!.crash();
      sim.run(14_000);
      const before = sim.oracles.finalHeight;
      sim.run(10_000);
      expectThat(sim.oracles.finalHeight === before, 'two of five finalize');
      for (const index of [3, 4]) sim.nodes[index]!.restart();
      sim.run(60_000);
      expectThat(sim.oracles.finalHeight > before + 10, 'four of five do not go on');
    },
    boundMs: 120_000,
  },
  {
    name: 'a voter that is late in a slow stall is not absent',
    options: { bonds: [1n, 1n, 1n, 1n, 1n], epochs: SHORT, unfinalizedBlocksMax: 16 },
    faults: (sim) => {
      sim.run(5000);
      for (const index of [2, 3, 4]) sim.nodes[index]!.crash();
      sim.run(60_000);
      sim.network = ROUGH;
      for (const index of [2, 3]) sim.nodes[index]!.restart();
      sim.run(60_000);
    },
    after: (sim) => {
      sim.run(60_000);
      expectThat(!sim.finalState.bonds.some(({ isExcluded }) => isExcluded), 'somebody stays excluded');
    },
    boundMs: 180_000,
  },
  {
    name: 'partition 2|2: nobody is excluded, both wait',
    options: { epochs: SHORT },
    faults: (sim) => {
      split([0, 0, 1, 1], 10_000)(sim);
      const before = sim.oracles.finalHeight;
      sim.run(60_000);
      expectThat(sim.oracles.finalHeight === before, 'a half finalizes');
    },
    boundMs: 120_000,
  },
  {
    name: 'terms',
    options: { termSlots: 12, behaviours: with4('silentLeader', 2), epochs: SHORT },
    faults: under(CALM, 40_000),
    after: (sim) => {
      const leaders = new Set(sim.nodes[0]!.disk.final.map(({ header }) => byteKey(header.leader)));
      expectThat(leaders.size >= 4, `only ${leaders.size - 1} led`);
    },
  },
  {
    name: 'terms under crashes and loss',
    options: { termSlots: 8, epochs: { slotsPerEpoch: 32 } },
    faults: (sim) => chaos(sim, 40_000, ['crash', 'network']),
  },
  {
    name: 'hand-overs, to the secondary first',
    options: { handOverRate: 0.1 },
    faults: (sim) => {
      sim.requests.push({ kind: 'secondary', index: 2 });
      sim.network = ROUGH;
      sim.run(40_000);
    },
    after: (sim) => {
      const blocks = sim.nodes[1]!.disk.final;
      const at = blocks.findIndex(({ ops }) => ops?.some(({ kind }) => kind === 'handOver') === true);
      expectThat(at > 0 && at + 1 < blocks.length, 'no hand-over became final');
    },
  },
  {
    name: 'the secondary takes over from a dead leader',
    options: {},
    faults: (sim) => {
      sim.requests.push({ kind: 'secondary', index: 3 });
      sim.run(10_000);
      sim.crashFor(sim.nodes[0]!, 20_000);
      sim.run(10_000);
      const newest = sim.nodes[1]!.disk.root;
      expectThat(byteKey(newest.leader) === byteKey(keyAt(3)), 'another leads than the secondary');
    },
  },
  {
    name: 'decoys and a lazy voter',
    options: { decoyRate: 0.1, behaviours: with4('lazyVoter', 2) },
    faults: under(ROUGH, 30_000),
    after: (sim) => {
      sim.run(20_000);
      expectSeen(sim, 'decoyVote');
      expectThat(isSlashed(sim, 2), 'the lazy voter keeps its bond');
    },
  },
  {
    name: 'decoys, everybody honest, crashes',
    options: { decoyRate: 0.15, observers: 1 },
    faults: (sim) => chaos(sim, 30_000, ['crash', 'network']),
  },
  {
    name: 'the one leader that is left died before it owned up: it is followed again',
    options: { bonds: [1n, 1n, 1n, 1n, 1n], decoyRate: 0.3, epochs: SHORT },
    faults: (sim) => {
      sim.run(5000);
      for (const index of [3, 4]) sim.nodes[index]!.crash();
      sim.run(40_000, () => sim.finalState.electorate.majorityFloor);
      for (const index of [3, 4]) sim.nodes[index]!.restart();
      sim.run(1000);
      const three = sim.nodes.slice(0, 3);
      sim.run(40_000, () => three.some(({ leader }) => leader.owesReveal));
      const last = three.find(({ leader }) => leader.owesReveal);
      // Long enough for the decoy to be seen by all, too short for the reveal.
      sim.run(120);
      const excluded = (): number => sim.bestState.bonds.filter(({ isExcluded }) => isExcluded).length;
      // Now and then there is no decoy while two are excluded.
      if (last === undefined || !last.leader.owesReveal || excluded() < 2) return;
      for (const node of three) node.crash();
      sim.run(1000);
      last.restart();
      sim.run(60_000);
      expectThat(excluded() < 2, 'nobody who is back counts again: they do not follow the one that may lead');
    },
    boundMs: 120_000,
  },
  {
    name: 'a leader of two histories is slashed and deposed',
    options: { behaviours: with4('equivocatingLeader', 0), epochs: SHORT },
    faults: (sim) => sim.run(40_000),
    after: (sim) => {
      expectSeen(sim, 'doubleProposal');
      expectThat(isSlashed(sim, 0), 'the leader keeps its bond');
      sim.run(20_000);
      expectThat(!currentSet(sim).includes(0), 'the leader is still in the set');
    },
  },
  {
    name: 'vote files lost in crashes',
    options: {
      loses: 'voteFile',
      unfinalizedBlocksMax: 12,
      epochs: { slotsPerEpoch: 16, staleFast: 20, staleSlow: 30 },
    },
    faults: (sim) => {
      for (let i = 0; i < 3; i++) {
        sim.run(10_000);
        sim.crashFor(sim.nodes[sim.chance.below(4)]!, 1000);
        sim.run(70_000);
      }
    },
    boundMs: 180_000,
  },
  {
    name: 'partition 2|2 in the very slow band: both finalize, and find out',
    options: { epochs: { ...SHORT, staleVerySlow: 5 }, maySplit: 'freely' },
    faults: (sim) => {
      split([0, 0, 1, 1], 60_000)(sim);
      const heights = sim.nodes.map(({ finalHeight }) => finalHeight);
      expectThat(Math.min(...heights) > 40, `final heights ${heights.join()}`);
    },
    boundMs: 0,
    after: (sim) => {
      sim.run(20_000);
      expectThat(sim.oracles.splits.length > 0, 'no split');
      expectSeen(sim, 'conflict');
    },
  },
];
