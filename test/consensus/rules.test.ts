/** The rules that stand alone: ranking and turns, thresholds, the local rule, surrounding, meeting blocks, parameters. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Slot } from '../../native/index.ts';
import { amount } from '../../native/index.ts';
import { createConsensus, isQuorum, leaderFor, surrounds, validatorRanking } from '../../src/consensus/index.ts';
import { keepsLocalRule } from '../../src/consensus/own-vote.ts';
import { roundness } from '../../src/consensus/voting.ts';
import { blockOn, chainOn, configOf, GENESIS, keyAt, voteFor } from './fixture.ts';
import { Machine } from './machine.ts';

const start = { root: GENESIS, ownVotes: [], highestProducedSlot: null };

describe('ranking', () => {
  it('goes by bond, descending, then by key, descending, whatever the order of the list', () => {
    const config = configOf({ bonds: [5n, 9n, 5n, 7n] });
    const shuffled = { ...config, validators: [...config.validators].reverse() };
    for (const each of [config, shuffled]) {
      const keys = validatorRanking(createConsensus(each, start, 0)).map(({ publicKey }) => publicKey[0]);
      expect(keys).toEqual([1, 3, 0, 2].map((index) => keyAt(index)[0]));
    }
  });

  it('refuses no validators, doubles, zero bonds, and parameters out of range', () => {
    const config = configOf();
    const make = (change: object) => () => createConsensus({ ...config, ...change }, start, 0);
    expect(make({ validators: [] })).toThrow(expect.objectContaining({ code: 'noValidators' }));
    const [first] = config.validators;
    expect(make({ validators: [first, first] })).toThrow(expect.objectContaining({ code: 'duplicateValidator' }));
    const poor = { publicKey: keyAt(9), bond: amount(0n) };
    expect(make({ validators: [first, poor] })).toThrow(expect.objectContaining({ code: 'zeroBond' }));
    for (const field of ['slotDurationMs', 'timeoutSlots', 'hashesPerSlot', 'unfinalizedBlocksMax'])
      expect(make({ parameters: { ...config.parameters, [field]: 0 } })).toThrow(field);
  });
});

describe('the leader rule', () => {
  it('leaves the parent leader its timeout, then gives each validator after it one', () => {
    const machine = new Machine({ own: null });
    const parent = blockOn(GENESIS, 5, 1);
    machine.blocks([parent]);
    const leaders = (from: number, to: number): (number | null)[] => {
      const found = [];
      for (let slot = from; slot <= to; slot++) found.push(leaderFor(machine.state, parent.hash, slot as Slot));
      return found;
    };
    expect(leaders(6, 9)).toEqual([1, 1, 1, 1]);
    expect(leaders(10, 13)).toEqual([2, 2, 2, 2]);
    expect(leaders(14, 25)).toEqual([3, 3, 3, 3, 0, 0, 0, 0, 1, 1, 1, 1]);
    expect(leaderFor(machine.state, parent.hash, 5 as Slot)).toBeNull();
  });

  it('takes the highest-ranked validator for the leader of genesis', () => {
    const machine = new Machine({ own: null });
    expect(leaderFor(machine.state, GENESIS.hash, 4 as Slot)).toBe(0);
    expect(leaderFor(machine.state, GENESIS.hash, 5 as Slot)).toBe(1);
  });
});

describe('thresholds and the local rule', () => {
  it('a quorum is more than 2/3, exactly', () => {
    expect(isQuorum(2n, 3n)).toBe(false);
    expect(isQuorum(3n, 4n)).toBe(true);
    expect(isQuorum(12297829382473034410n, 18446744073709551615n)).toBe(false);
    expect(isQuorum(12297829382473034411n, 18446744073709551615n)).toBe(true);
  });

  it('two quorums share more than a third', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bond: fc.bigInt(1n, 1n << 40n), in: fc.nat(3) }), { minLength: 1, maxLength: 12 }),
        (set) => {
          const sum = (mask: number): bigint =>
            set.reduce((total, { bond, in: sets }) => ((sets & mask) === mask ? total + bond : total), 0n);
          const total = sum(0);
          if (isQuorum(sum(1), total) && isQuorum(sum(2), total)) expect(sum(3) * 3n > total).toBe(true);
        },
      ),
    );
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
