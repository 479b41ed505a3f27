/** The scenarios by name. */

import { slashed } from './claims.ts';
import type { FaultKind } from './faults.ts';
import type { ByzantineKind, Scenario } from './scenario.ts';
import { STAKE_SCENARIOS } from './stake-scenarios.ts';

const ALL: readonly FaultKind[] = ['crash', 'disk', 'diskErrors', 'pause', 'cut', 'cutOneWay', 'clog', 'wire'];
const WIRE: readonly FaultKind[] = ['cut', 'cutOneWay', 'clog', 'wire'];
const NONE = { kinds: [], everyMs: 1_000 } as const;
const SOME = { kinds: ALL, everyMs: 8_000 } as const;

/** One liar among four: just under 1/3 of the bonds cheat. */
function liar(kind: ByzantineKind, rank: number, about: string, isProvable = false): Scenario {
  const claims = isProvable ? [slashed(rank)] : [];
  return { name: kind, about, byzantine: { [rank]: kind }, faults: { kinds: WIRE, everyMs: 10_000 }, claims };
}

/** Four validators, two of them cheats that run twice, in two halves with a copy of each cheat. */
const TWO_OF_FOUR_DOUBLED = {
  twins: [0, 1],
  groups: { 'v0-twin': 1, 'v1-twin': 1, v3: 1 },
  splitsAtOnce: true,
  faults: NONE,
} satisfies Partial<Scenario>;

export const SCENARIOS: readonly Scenario[] = [
  { name: 'calm', about: 'no fault at all: what the others are compared with', faults: NONE },
  {
    name: 'mixed',
    about: 'faults of every kind, four honest validators and an archive',
    archives: 1,
    faults: { kinds: ALL, everyMs: 4_000 },
  },
  {
    name: 'storm',
    about: 'faults of every kind, one a second, clocks 3 % off, unequal bonds',
    bonds: [500n, 400n, 300n, 300n, 200n],
    clockDrift: 0.03,
    faults: { kinds: ALL, everyMs: 1_000 },
    unfinalizedBlocksMax: 64,
  },
  {
    name: 'crashes',
    about: 'power cuts and kills, sometimes of everybody at once',
    faults: { kinds: ['crash'], everyMs: 2_500 },
  },
  {
    name: 'disks',
    about: 'reads, writes and syncs that fail, and power that goes in the middle of them',
    faults: { kinds: ['disk', 'diskErrors', 'crash'], everyMs: 2_500 },
  },
  {
    name: 'ruined-disk',
    about:
      'one disk writes to the wrong place and forgets bytes: it may stop its node, but nobody signs or finalizes anything wrong',
    ruins: [3],
    faults: { kinds: ['ruin', 'ruin', 'crash', 'wire'], everyMs: 6_000 },
  },
  {
    name: 'kills-at-work',
    about: 'killed, or without power, in the middle of writing a vote or a slot of its own',
    faults: { kinds: ['killAtWork'], everyMs: 500 },
  },
  {
    name: 'wires',
    about: 'loss up to 30 %, delay, reordering, clogs, partitions of both kinds',
    faults: { kinds: WIRE, everyMs: 3_000 },
  },
  { name: 'pauses', about: 'machines suspended for seconds', faults: { kinds: ['pause'], everyMs: 3_000 } },
  {
    name: 'halves',
    about: 'two against two for the whole phase: nobody finalizes, then they heal',
    groups: { v2: 1, v3: 1 },
    faults: NONE,
  },
  { name: 'leader-cut-off', about: 'the leader alone on one side, then it heals', groups: { v0: 1 }, faults: NONE },
  liar('equivocating-leader', 0, 'a leader that shows different valid blocks of one slot to different peers', true),
  liar('invalid-state', 0, 'a leader that signs states that do not follow'),
  liar('invalid-poh', 0, 'a leader whose sequence has a hash that does not follow'),
  liar('withheld-entries', 0, 'a leader that leaves out of the body what the header names'),
  liar('silent-leader', 0, 'a leader that tells nobody of its blocks'),
  liar('double-voter', 1, 'a voter that votes for several blocks, and from old sources', true),
  liar('replayer', 2, 'a peer that repeats old votes in any order'),
  liar('long-range', 3, 'a validator that shows a longer chain from genesis, made with its old key'),
  liar('vote-forger', 1, 'a peer that sends votes in the names of others'),
  { name: 'twins', about: 'two nodes with one key, both honest code, under every fault', twins: [1], faults: SOME },
  {
    name: 'lost-vote-file',
    about: 'a validator whose vote file is gone after every crash',
    losesVoteFile: [2],
    faults: { kinds: ['crash', 'wire'], everyMs: 4_000 },
  },
  {
    name: 'replayed-transactions',
    about: 'one transaction handed to both sides of a partition, and again after it heals',
    faults: { kinds: ['cut', 'crash'], everyMs: 5_000 },
  },
  {
    name: 'seven-with-two-liars',
    about: 'seven validators; one votes twice, one shows two blocks of a slot',
    bonds: [300n, 200n, 200n, 200n, 200n, 200n, 200n],
    byzantine: { 1: 'double-voter', 3: 'equivocating-leader' },
    claims: [slashed(1)],
    faults: SOME,
  },
  ...STAKE_SCENARIOS,
  {
    name: 'exactly-one-third',
    about:
      'six validators, two keys doubled, the network split so that each half has both: exactly 1/3 cheats; once the absent are excluded both halves may finalize, and the culprits are named',
    validators: 6,
    twins: [0, 1],
    groups: { 'v0-twin': 1, 'v1-twin': 1, v4: 1, v5: 1 },
    splitsAtOnce: true,
    faults: NONE,
    claimsSafety: false,
    claimsProgress: false,
  },
  {
    name: 'more-than-one-third',
    about: 'four validators, two keys doubled: both halves finalize, and the culprits are named',
    ...TWO_OF_FOUR_DOUBLED,
    claimsSafety: false,
    claimsProgress: false,
  },
  {
    name: 'canary',
    about: 'the same, but claimed to be safe: must fail, so that we know that the net holds water',
    ...TWO_OF_FOUR_DOUBLED,
    claimsProgress: false,
    isCanary: true,
  },
];

/** Those that are run when none is named: all but the canary and the large ones. */
export const CAMPAIGN: readonly Scenario[] = SCENARIOS.filter(
  ({ isCanary, isLarge }) => isCanary !== true && isLarge !== true,
);

export function scenarioNamed(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}
