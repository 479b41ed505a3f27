/** The rules that stand alone: ranking and turns, thresholds, the local rule, surrounding, meeting blocks, parameters. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Slot } from '../../native/index.ts';
import { addVoter, NO_TALLY } from '../../src/consensus/electorate.ts';
import type { Electorate, Member } from '../../src/consensus/index.ts';
import {
  createConsensus,
  holdsHonestOf,
  isQuorumOf,
  leaderFor,
  leaderOf,
  surrounds,
} from '../../src/consensus/index.ts';
import { keepsLocalRule } from '../../src/consensus/own-vote.ts';
import { firstOwnSlot } from '../../src/consensus/succession.ts';
import { roundness } from '../../src/consensus/voting.ts';
import { blockOn, chainOn, configOf, electorateOf, FOUR, GENESIS, keyAt, membersOf, voteFor } from './fixture.ts';
import { Machine } from './machine.ts';

/** The number of the validator with this key. */
const indexOfKey = (key: Uint8Array | null): number | null => (key === null ? null : 255 - key[0]!);

const start = { root: GENESIS, electorate: FOUR, votesLost: false, ownVotes: [], highestProducedSlot: null };

describe('the configuration', () => {
  it('is refused without members, and with parameters out of range', () => {
    const config = configOf();
    const make = (change: object) => () => createConsensus({ ...config, ...change }, start, 0);
    const none = { ...start, electorate: electorateOf([]) };
    expect(() => createConsensus(config, none, 0)).toThrow(expect.objectContaining({ code: 'noValidators' }));
    for (const field of ['slotDurationMs', 'timeoutSlots', 'hashesPerSlot', 'unfinalizedBlocksMax', 'slotsPerEpoch'])
      expect(make({ parameters: { ...config.parameters, [field]: 0 } })).toThrow(field);
    for (const termSlots of [1, 7, 0.5, -1])
      expect(make({ parameters: { ...config.parameters, termSlots } })).toThrow('termSlots');
    for (const termSlots of [0, 8]) make({ parameters: { ...config.parameters, termSlots } })();
  });
});

describe('the leader rule', () => {
  it('leaves the parent leader its timeout, then gives each validator after it one', () => {
    const machine = new Machine({ own: null });
    const parent = blockOn(GENESIS, 5, 1);
    machine.blocks([parent]);
    const leaders = (from: number, to: number): (number | null)[] => {
      const found = [];
      for (let slot = from; slot <= to; slot++)
        found.push(indexOfKey(leaderFor(machine.state, parent.hash, slot as Slot)));
      return found;
    };
    expect(leaders(6, 9)).toEqual([1, 1, 1, 1]);
    expect(leaders(10, 13)).toEqual([2, 2, 2, 2]);
    expect(leaders(14, 25)).toEqual([3, 3, 3, 3, 0, 0, 0, 0, 1, 1, 1, 1]);
    expect(leaderFor(machine.state, parent.hash, 5 as Slot)).toBeNull();
  });

  it('takes the highest-ranked validator for the leader of genesis', () => {
    const machine = new Machine({ own: null });
    expect(leaderFor(machine.state, GENESIS.hash, 4 as Slot)).toEqual(keyAt(0));
    expect(leaderFor(machine.state, GENESIS.hash, 5 as Slot)).toEqual(keyAt(1));
  });

  /** Who leads each of the slots right after a parent in slot 10, two slots a turn. */
  const line = (electorate: Electorate, parentLeader: number, termSlots = 0, slots = 16): (number | null)[] => {
    const parent = { slot: 10 as Slot, leader: keyAt(parentLeader) };
    const turns = { timeoutSlots: 2, termSlots };
    return Array.from({ length: slots / 2 }, (_, i) => indexOfKey(leaderOf(electorate, parent, 11 + 2 * i, turns)));
  };
  const four = membersOf([1n, 1n, 1n, 1n]);

  it('puts the approved secondary right after the leader, and nobody twice', () => {
    expect(line(electorateOf(four, { secondary: keyAt(3) }), 1)).toEqual([1, 3, 2, 0, 1, 3, 2, 0]);
    expect(line(electorateOf(four, { secondary: keyAt(1) }), 1)).toEqual([1, 2, 3, 0, 1, 2, 3, 0]);
    expect(line(electorateOf(four, { secondary: keyAt(9) }), 1)).toEqual([1, 2, 3, 0, 1, 2, 3, 0]);
    const excluded = membersOf([1n, 1n, 1n, 1n], { 3: { excluded: true } });
    expect(line(electorateOf(excluded, { secondary: keyAt(3) }), 1)).toEqual([1, 2, 0, 1, 2, 0, 1, 2]);
  });

  it('passes the lead on after a hand-over, to the secondary first; the leader comes last', () => {
    expect(line(electorateOf(four, { handOver: true }), 1)).toEqual([2, 3, 0, 1, 2, 3, 0, 1]);
    expect(line(electorateOf(four, { handOver: true, secondary: keyAt(0) }), 1)).toEqual([0, 2, 3, 1, 0, 2, 3, 1]);
  });

  it('passes the lead of a deposed leader on; another leader keeps it', () => {
    expect(line(electorateOf(four, { deposed: keyAt(1) }), 1)).toEqual([2, 3, 0, 1, 2, 3, 0, 1]);
    expect(line(electorateOf(four, { deposed: keyAt(1) }), 2)).toEqual([2, 3, 0, 1, 2, 3, 0, 1]);
  });

  it('skips the excluded and those of the set before, but lets a leader of that set go on', () => {
    const members = membersOf([1n, 1n, 1n, 1n], { 0: { excluded: true }, 2: { inCurrent: false } });
    expect(line(electorateOf(members), 0)).toEqual([1, 3, 1, 3, 1, 3, 1, 3]);
    expect(line(electorateOf(members), 2)).toEqual([2, 3, 1, 2, 3, 1, 2, 3]);
    expect(line(electorateOf(members), 1)).toEqual([1, 3, 1, 3, 1, 3, 1, 3]);
  });

  it('starts at the highest rank for a leader that is no member, and is never empty', () => {
    expect(line(electorateOf(four), 9)).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
    const alone = membersOf([1n]);
    expect(line(electorateOf(alone, { handOver: true }), 0)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    const nobody = membersOf([1n, 1n], { 0: { excluded: true }, 1: { excluded: true } });
    expect(line(electorateOf(nobody), 0)).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
  });

  it('ends a lead with its term: slots of a later term go on without the leader', () => {
    expect(line(electorateOf(four), 1, 11)).toEqual([2, 3, 0, 1, 2, 3, 0, 1]);
    expect(line(electorateOf(four), 1, 15)).toEqual([1, 2, 0, 1, 2, 3, 0, 1]);
    expect(line(electorateOf(four), 1, 100)).toEqual([1, 2, 3, 0, 1, 2, 3, 0]);
  });

  it('the first own slot is the lowest that the rule gives, from any slot on', () => {
    const electorates = [
      electorateOf(four),
      electorateOf(four, { secondary: keyAt(3), handOver: true }),
      electorateOf(membersOf([3n, 1n, 2n, 1n, 1n], { 1: { excluded: true }, 4: { inCurrent: false } })),
    ];
    const query = fc.record({
      electorate: fc.constantFrom(...electorates),
      leader: fc.nat(5),
      own: fc.nat(5),
      fromSlot: fc.integer({ min: 0, max: 60 }),
      timeoutSlots: fc.integer({ min: 1, max: 4 }),
      termSlots: fc.constantFrom(0, 8, 13, 40),
      gapSlotsMax: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(
      fc.property(query, ({ electorate, leader, own, ...rest }) => {
        const parent = { slot: 10 as Slot, leader: keyAt(leader) };
        let expected: number | null = null;
        for (let slot = 10 + rest.gapSlotsMax; slot > 10 && slot >= rest.fromSlot; slot--)
          if (indexOfKey(leaderOf(electorate, parent, slot, rest)) === own) expected = slot;
        expect(firstOwnSlot(electorate, parent, { ...rest, own: keyAt(own) })).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });
});

describe('thresholds and the local rule', () => {
  const both = (weight: bigint) => ({ current: weight, previous: weight });

  it('a quorum is more than 2/3 of both active sets, exactly', () => {
    const three = electorateOf(membersOf([1n, 1n, 1n]));
    expect([2n, 3n].map((weight) => isQuorumOf(three, both(weight)))).toEqual([false, true]);
    const big = electorateOf(membersOf([18446744073709551614n, 1n]));
    const edge = 12297829382473034410n;
    expect([edge, edge + 1n].map((weight) => isQuorumOf(big, both(weight)))).toEqual([false, true]);
    const change = { 3: { inPrevious: false }, 4: { inCurrent: false } };
    const moving = electorateOf(membersOf([1n, 1n, 1n, 1n, 1n], change));
    expect(isQuorumOf(moving, { current: 3n, previous: 2n })).toBe(false);
    expect(isQuorumOf(moving, { current: 2n, previous: 3n })).toBe(false);
    expect(isQuorumOf(moving, { current: 3n, previous: 3n })).toBe(true);
  });

  it('with members excluded, a quorum is of the rest, and with the floor more than half of all besides', () => {
    const change = { 3: { excluded: true }, 4: { excluded: true } };
    const members = membersOf([1n, 1n, 1n, 1n, 1n], change);
    const floor = electorateOf(members, { majorityFloor: true });
    expect([2n, 3n].map((weight) => isQuorumOf(floor, both(weight)))).toEqual([false, true]);
    const half = electorateOf(membersOf([3n, 1n, 2n, 2n], { 2: { excluded: true }, 3: { excluded: true } }), {
      majorityFloor: true,
    });
    expect(isQuorumOf(half, both(4n))).toBe(false);
    expect(isQuorumOf({ ...half, majorityFloor: false }, both(4n))).toBe(true);
    expect(isQuorumOf(electorateOf(membersOf([1n], { 0: { excluded: true } })), both(0n))).toBe(false);
  });

  it('more than 1/3 of the full current set holds an honest voter', () => {
    const electorate = electorateOf(membersOf([1n, 1n, 1n], { 2: { excluded: true } }));
    expect([1n, 2n].map((weight) => holdsHonestOf(electorate, both(weight)))).toEqual([false, true]);
  });

  /** Members with bit 1, 2, 4.. set are in sets 0, 1, 2..; 16 and 32: vote on this side or that. */
  const population = fc.array(fc.record({ bond: fc.bigInt(1n, 1n << 40n), in: fc.nat(63) }), {
    minLength: 1,
    maxLength: 14,
  });
  type Population = readonly { readonly bond: bigint; readonly in: number }[];
  const judgeOf = (all: Population, era: number, excluded = 0): { electorate: Electorate; of: number[] } => {
    const of = all.flatMap(({ in: sets }, i) => (((sets >> (era - 1)) & 3) !== 0 ? [i] : []));
    const members: Member[] = of.map((i) => ({
      publicKey: keyAt(i),
      weight: all[i]!.bond,
      seat: i,
      inCurrent: ((all[i]!.in >> era) & 1) === 1,
      inPrevious: ((all[i]!.in >> (era - 1)) & 1) === 1,
      excluded: excluded !== 0 && (all[i]!.in & excluded) !== 0,
    }));
    return { electorate: electorateOf(members, { era, majorityFloor: excluded !== 0 }), of };
  };
  const tallyOf = (all: Population, { electorate }: { electorate: Electorate }, side: number) =>
    electorate.members.reduce(
      (sum, member) => ((all[member.seat]!.in & side) !== 0 ? addVoter(sum, member) : sum),
      NO_TALLY,
    );
  const sharedBy = (all: Population, set: number): { full: bigint; shared: bigint } => {
    const inSet = all.filter(({ in: sets }) => ((sets >> set) & 1) === 1);
    const sum = (list: Population): bigint => list.reduce((total, { bond }) => total + bond, 0n);
    return { full: sum(inSet), shared: sum(inSet.filter(({ in: sets }) => (sets & 48) === 48)) };
  };

  it('two quorums of one era, or of neighbouring ones, share more than a third of a set both know', () => {
    let met = 0;
    fc.assert(
      fc.property(population, fc.constantFrom(1, 2), (all, later) => {
        const [a, b] = [judgeOf(all, 1), judgeOf(all, later)];
        if (!isQuorumOf(a.electorate, tallyOf(all, a, 16)) || !isQuorumOf(b.electorate, tallyOf(all, b, 32))) return;
        met += 1;
        const { full, shared } = sharedBy(all, 1);
        expect(shared * 3n > full).toBe(true);
      }),
      { numRuns: 3000, seed: 3 },
    );
    expect(met).toBeGreaterThan(30);
  });

  it('under the floor two quorums of neighbouring eras share a voter, whoever each side has excluded', () => {
    let met = 0;
    fc.assert(
      fc.property(population, fc.constantFrom(1, 2), (all, later) => {
        // Each side has excluded a half of its own; bit 8 stands for one side's absent, bit 4 is set 2.
        const [a, b] = [judgeOf(all, 1, 8), judgeOf(all, later)];
        if (!isQuorumOf(a.electorate, tallyOf(all, a, 16)) || !isQuorumOf(b.electorate, tallyOf(all, b, 32))) return;
        met += 1;
        const { full, shared } = sharedBy(all, 1);
        expect(shared * 6n > full).toBe(true);
      }),
      { numRuns: 3000, seed: 5 },
    );
    expect(met).toBeGreaterThan(15);
  });

  it('who keeps the local rule never signs a double or a surrounding vote', () => {
    const chain = chainOn(GENESIS, 30, 0);
    const pair = fc
      .tuple(fc.nat(28), fc.nat(28))
      .map(([a, b]) => (a < b ? { source: a, target: b } : { source: b, target: a + 1 }));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 40 }), (wishes) => {
        let last = { lastTargetSlot: 0, lastSourceSlot: 0 };
        const cast = [];
        for (const { source, target } of wishes) {
          const vote = voteFor(0, chain[source]!, chain[target]!);
          if (!keepsLocalRule(last, vote.targetSlot, vote.sourceSlot)) continue;
          last = { lastTargetSlot: vote.targetSlot, lastSourceSlot: vote.sourceSlot };
          for (const other of cast) {
            expect(other.targetSlot).not.toBe(vote.targetSlot);
            expect(surrounds(vote, other) || surrounds(other, vote)).toBe(false);
          }
          cast.push(vote);
        }
      }),
    );
  });

  it('surrounding needs both ends to be outside', () => {
    const chain = chainOn(GENESIS, 9, 0);
    const vote = (source: number, target: number) => voteFor(0, chain[source]!, chain[target]!);
    expect(surrounds(vote(1, 6), vote(2, 5))).toBe(true);
    expect(surrounds(vote(2, 6), vote(2, 5))).toBe(false);
    expect(surrounds(vote(1, 5), vote(2, 5))).toBe(false);
    expect(surrounds(vote(3, 6), vote(2, 5))).toBe(false);
  });
});

describe('meeting blocks', () => {
  it('a block is as round as the roundest slot it covers', () => {
    const machine = new Machine({ own: null });
    const block = blockOn(GENESIS, 6, 1);
    machine.blocks([block]);
    const nodes = [...machine.state.nodes.values()];
    expect(roundness(nodes[1]!)).toBe(4);
    const on = (below: number, slot: number) =>
      roundness({
        ...nodes[1]!,
        header: { ...block, slot: slot as Slot },
        parent: { ...nodes[0]!, header: { ...GENESIS, slot: below as Slot } },
      });
    expect([on(6, 7), on(7, 9), on(9, 12), on(12, 33), on(31, 32), on(16, 23)]).toEqual([1, 8, 4, 32, 32, 4]);
  });
});
