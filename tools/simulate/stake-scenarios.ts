/** The scenarios of proof of stake: bonds, cheats that must lose theirs, leads that end, validators that go away. Each says what must have come of it. */
import {
  allMembers,
  bondsMoved,
  finalWithin,
  gapsAtMost,
  leadsChanged,
  readmitted,
  secondaryFollows,
  slashedByDecoy,
  wentOnWithout,
} from './claims.ts';
import type { FaultKind } from './faults.ts';
import type { Scenario } from './scenario.ts';

const MANY: readonly FaultKind[] = ['crash', 'disk', 'pause', 'cut', 'cutOneWay', 'clog', 'wire'];
const NONE = { kinds: [], everyMs: 1_000 } as const;
const FIVE = [100n, 100n, 100n, 100n, 100n] as const;
/** Slots of a term: four timeouts, two epochs. */
const TERM_SLOTS = 16;

export const STAKE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'bonding',
    about: 'validators and two candidates bond, leave and withdraw under faults of many kinds, over several eras',
    bonds: FIVE,
    candidates: 2,
    staking: true,
    faults: { kinds: MANY, everyMs: 8_000 },
    claims: [bondsMoved(3)],
  },
  {
    name: 'lazy-voter',
    about: 'a voter that votes without executing: slashed by the first decoy that it falls for',
    byzantine: { 2: 'lazy' },
    consensus: { decoyIntervalSlots: 12 },
    faults: NONE,
    claims: [slashedByDecoy(2, 24)],
  },
  {
    name: 'decoys',
    about: 'decoys, terms and faults of many kinds: nobody honest is slashed for any of it',
    bonds: [300n, 300n, 200n, 200n, 200n],
    consensus: { decoyIntervalSlots: 12, termSlots: 2 * TERM_SLOTS },
    faults: { kinds: MANY, everyMs: 5_000 },
    claims: [leadsChanged('term', 2 * TERM_SLOTS)],
  },
  {
    name: 'censor',
    about: 'a leader that leaves out transfers: with terms each is final within two of them and a timeout',
    byzantine: { 0: 'censor' },
    consensus: { termSlots: TERM_SLOTS },
    probes: true,
    faults: NONE,
    claims: [finalWithin(2 * TERM_SLOTS + 4)],
  },
  {
    name: 'leader-failures',
    about: 'whoever leads, or is to follow, is killed: the next one leads within two timeouts',
    everybodyReturns: true,
    faults: { kinds: ['killLeader', 'killLeader', 'killSecondary'], everyMs: 6_000 },
    claims: [gapsAtMost(8), leadsChanged('timeout', 8, 2), secondaryFollows()],
  },
  {
    name: 'hand-overs',
    about: 'leaders are stopped and hand over, sometimes to a secondary that is dead: then the one after it leads',
    everybodyReturns: true,
    faults: { kinds: ['stopLeader', 'stopLeader', 'killSecondary'], everyMs: 6_000 },
    claims: [gapsAtMost(8), leadsChanged('handOver', 1, 2)],
  },
  {
    name: 'away-fast',
    about: 'one of seven goes away while finality goes on: it leaves the sets, and enters again when it is back',
    validators: 7,
    absences: [{ ranks: [5], fromMs: 5_000, toMs: 60_000 }],
    everybodyReturns: true,
    faults: NONE,
    claims: [wentOnWithout([5], 10), allMembers()],
  },
  {
    name: 'away-slow',
    about: 'two of five go away: nothing is final until they are excluded; the three go on under the floor',
    bonds: FIVE,
    absences: [{ ranks: [0, 4], fromMs: 8_000, toMs: 75_000 }],
    everybodyReturns: true,
    faults: NONE,
    claims: [wentOnWithout([0, 4], 10), allMembers()],
  },
  {
    name: 'away-very-slow',
    about: 'three of five go away, where genesis lets the two go on without the floor',
    bonds: FIVE,
    consensus: { staleEpochsVerySlow: 8 },
    absences: [{ ranks: [1, 2, 4], fromMs: 8_000, toMs: 85_000 }],
    everybodyReturns: true,
    faults: NONE,
    claims: [wentOnWithout([1, 2, 4], 10), allMembers()],
  },
  {
    name: 'one-after-another',
    about:
      'four of five go away one after another; two come back in the stall that excluded them, and finality with them',
    bonds: FIVE,
    absences: [
      { ranks: [4], fromMs: 5_000, toMs: 80_000 },
      { ranks: [3], fromMs: 7_000, toMs: 80_000 },
      { ranks: [2], fromMs: 48_000 },
    ],
    everybodyReturns: true,
    faults: NONE,
    claims: [wentOnWithout([3, 4], 5), allMembers()],
  },
  {
    name: 'long-stall',
    about:
      'faults on the wire and power cuts with a stall of many epochs between: who was excluded and is back counts again',
    bonds: FIVE,
    absences: [
      { ranks: [3, 4], fromMs: 5_000, toMs: 62_000 },
      { ranks: [1, 2], fromMs: 40_000, toMs: 200_000 },
    ],
    faultyMs: 210_000,
    // Voters of the branch that is left are bound to slots above the other's: it has to get there, in the time that slots take.
    livenessMs: 300_000,
    everybodyReturns: true,
    faults: { kinds: ['wire'], everyMs: 30_000 },
    claims: [readmitted(3, 4), allMembers()],
  },
  {
    name: 'three-against-two',
    about:
      'three against two for longer than exclusion takes: the three go on, the two do not; one chain once it heals',
    bonds: FIVE,
    groups: { v1: 1, v3: 1 },
    everybodyReturns: true,
    faults: NONE,
    claims: [wentOnWithout([1, 3], 10), allMembers()],
  },
  {
    name: 'hundred',
    about: 'a hundred validators for a short while, some of them killed',
    validators: 100,
    isLarge: true,
    faultyMs: 3_000,
    faults: { kinds: ['crash', 'clog'], everyMs: 1_500 },
  },
];
