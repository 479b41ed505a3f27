/** The voter: one vote at a time, on the best branch only, by the local rule; waiting, switching, restart, twins. */

import { describe, expect, it } from 'vitest';
import type { Slot } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../../src/codec/model.ts';
import { isLeading, voteTally } from '../../src/consensus/index.ts';
import { blockOn, chainOn, fakeHash, GENESIS, voteFor } from './fixture.ts';
import { Machine } from './machine.ts';

const voter = () => new Machine({ own: 3 });
const targets = (machine: Machine): number[] => machine.all('castVote').map(({ vote }) => vote.targetSlot);

describe('casting votes', () => {
  it('asks for one signature at a time, sends only what is durable, then votes on', () => {
    const machine = voter();
    const chain = chainOn(GENESIS, 2, 0);
    machine.blocks([chain[0]!]);
    expect(targets(machine)).toEqual([1]);
    machine.votes([0, 1, 2], GENESIS, chain[0]!);
    machine.blocks([chain[1]!]);
    expect(targets(machine)).toEqual([1]);
    expect(machine.all('sendVote')).toEqual([]);
    const vote = machine.persist();
    expect(machine.all('sendVote').map((effect) => effect.vote)).toEqual([vote]);
    expect(targets(machine)).toEqual([1, 2]);
    expect(machine.last('castVote')!.vote).toMatchObject({ sourceSlot: 1, sourceHash: chain[0]!.hash, leavesSlot: 0 });
  });

  it('puts certificates out before the vote that builds on them', () => {
    const machine = voter();
    const chain = chainOn(GENESIS, 2, 0);
    machine.blocks([chain[0]!]);
    machine.persist();
    machine.clear();
    machine.blocks([chain[1]!]);
    machine.votes([0, 1], GENESIS, chain[0]!);
    const kinds = machine.effects.map(({ kind }) => kind);
    expect(kinds.indexOf('justified')).toBeGreaterThanOrEqual(0);
    expect(kinds.indexOf('justified')).toBeLessThan(kinds.indexOf('castVote'));
  });

  it('refuses an answer it did not ask for', () => {
    const machine = voter();
    const [a] = chainOn(GENESIS, 1, 0);
    machine.blocks([a!]);
    const feed = (vote: Vote) => () => machine.feed({ kind: 'ownVotePersisted', vote });
    expect(feed(voteFor(2, GENESIS, a!))).toThrow(expect.objectContaining({ code: 'wrongVoter' }));
    expect(feed(voteFor(3, GENESIS, blockOn(GENESIS, 1, 0, 'x')))).toThrow(/castVote/);
  });

  it('a block verified after a better one came gets no vote', () => {
    const machine = voter();
    machine.verifiesAtOnce = false;
    const slow = blockOn(GENESIS, 1, 0, 'slow');
    const quick = blockOn(GENESIS, 1, 0, 'quick');
    machine.blocks([slow, quick]);
    machine.votes([0, 1], GENESIS, quick);
    machine.verify(quick.hash);
    machine.verify(slow.hash);
    expect(machine.all('castVote').map(({ vote }) => byteKey(vote.targetHash))).toEqual([byteKey(quick.hash)]);
  });

  it('observers never vote', () => {
    for (const own of [null, 9]) {
      const machine = new Machine({ own });
      machine.blocks(chainOn(GENESIS, 3, 0));
      machine.pass(60_000);
      expect(machine.all('castVote')).toEqual([]);
      expect(machine.all('lead')).toEqual([]);
    }
  });
});

describe('choosing the target', () => {
  it("waits for its last target to be justified, then votes for that one's child, not for the tip", () => {
    const machine = voter();
    const chain = chainOn(GENESIS, 4, 0);
    machine.blocks([chain[0]!]);
    machine.persist();
    machine.blocks(chain.slice(1));
    expect(targets(machine)).toEqual([1]);
    machine.votes([0, 1], GENESIS, chain[0]!);
    expect(targets(machine)).toEqual([1, 2]);
    expect(machine.last('castVote')!.vote.sourceSlot).toBe(1);
  });

  it('loses patience: votes on with the old source, for the roundest block it may', () => {
    const machine = voter();
    const chain = chainOn(GENESIS, 6, 0);
    machine.blocks([chain[0]!]);
    machine.persist();
    machine.blocks(chain.slice(1));
    machine.pass(900);
    expect(targets(machine)).toEqual([1]);
    machine.pass(200);
    expect(targets(machine)).toEqual([1, 4]);
    expect(machine.last('castVote')!.vote.sourceSlot).toBe(0);
  });

  it('far from finality only meeting blocks make it wait, and longer', () => {
    const machine = voter();
    const chain = chainOn(GENESIS, 40, 0);
    for (const header of chain) {
      machine.nowMs += 500;
      machine.blocks([header]);
      if (machine.state.voting.inFlight !== null) machine.persist();
    }
    const slots = targets(machine);
    expect(slots.filter((slot) => slot > 16).every((slot) => slot % 2 === 0)).toBe(true);
    const gaps = slots.slice(1).map((slot, i) => slot - slots[i]!);
    expect(Math.max(...gaps)).toBe(4);
  });

  it('names the vote it leaves when it switches branches', () => {
    const machine = voter();
    const a = blockOn(GENESIS, 1, 0, 'a');
    const b = blockOn(GENESIS, 1, 0, 'b');
    machine.blocks([a]);
    machine.persist();
    const next = blockOn(b, 2, 0);
    machine.blocks([b, next]);
    machine.votes([0, 1], GENESIS, next);
    expect(targets(machine)).toEqual([1, 2]);
    expect(machine.last('castVote')!.vote).toMatchObject({ leavesSlot: 1, leavesHash: a.hash });
  });
});

describe('restart and twins', () => {
  it('is bound by what it signed before, and sends it again', () => {
    const chain = chainOn(GENESIS, 3, 0);
    const old = voteFor(3, GENESIS, chain[1]!);
    const machine = new Machine({ own: 3 }, { ownVotes: [old] });
    machine.blocks(chain.slice(0, 2), null);
    machine.feed({ kind: 'peersReady' });
    expect(machine.all('castVote')).toEqual([]);
    expect(machine.all('sendVote').map(({ vote }) => vote)).toEqual([old]);
    expect(voteTally(machine.state, chain[1]!.hash)!.tally.current).toBe(1n);
    machine.blocks([chain[2]!]);
    machine.pass(2000);
    expect(targets(machine)).toEqual([3]);
  });

  it('does not go back to an older source when certificates are missing', () => {
    const chain = chainOn(GENESIS, 4, 0);
    const machine = new Machine({ own: 3 }, { ownVotes: [voteFor(3, chain[0]!, chain[1]!)] });
    machine.blocks(chain, null);
    machine.pass(10_000);
    expect(machine.all('castVote')).toEqual([]);
    machine.votes([0, 1, 2], GENESIS, chain[0]!);
    machine.pass(10_000);
    expect(machine.last('castVote')!.vote).toMatchObject({ sourceSlot: 1 });
  });

  it('a newer own vote heard from the network binds too', () => {
    const machine = voter();
    const chain = chainOn(GENESIS, 3, 0);
    machine.vote(voteFor(3, GENESIS, chain[1]!));
    machine.blocks(chain.slice(0, 2));
    expect(machine.all('castVote')).toEqual([]);
  });

  it('falls silent when another process votes with its key', () => {
    const machine = new Machine({ own: 0 });
    machine.feed({ kind: 'peersReady' });
    expect(isLeading(machine.state)).toBe(true);
    machine.produce(blockOn(GENESIS, 1, 0));
    machine.persist();
    machine.vote(voteFor(0, GENESIS, { ...blockOn(GENESIS, 1, 0, 'twin'), hash: fakeHash('twin') }));
    expect(machine.last('evidence')!.evidence.kind).toBe('doubleVote');
    expect(isLeading(machine.state)).toBe(false);
    machine.blocks([blockOn(blockOn(GENESIS, 1, 0), 5 + 1, 1)]);
    machine.pass(20_000);
    expect(machine.all('castVote')).toHaveLength(1);
  });
});

describe('evidence', () => {
  const chain: readonly BlockHeader[] = chainOn(GENESIS, 6, 0);

  it('shows a double vote once, sends both on, and takes the weight off the tree but not the counts', () => {
    const machine = new Machine({ own: null });
    const a = blockOn(GENESIS, 5, 1, 'a');
    const b = blockOn(chain[0]!, 5, 0, 'b');
    machine.blocks([a, chain[0]!, b]);
    const votes = [voteFor(1, GENESIS, a), voteFor(1, GENESIS, b)];
    for (const vote of [...votes, ...votes]) machine.vote(vote);
    expect(machine.all('evidence').map(({ evidence }) => evidence)).toEqual([
      { kind: 'doubleVote', a: votes[0], b: votes[1] },
    ]);
    expect(machine.all('sendVote').map(({ vote }) => vote)).toEqual(votes);
    for (const header of [a, b]) {
      expect(voteTally(machine.state, header.hash)!.tally.current).toBe(1n);
      expect(machine.state.nodes.get(byteKey(header.hash))!.weight).toBe(0n);
    }
  });

  it('sends the proof again as long as nothing becomes justified: who was cut off must weigh branches alike', () => {
    const machine = new Machine({ own: 0 });
    const votes = [
      voteFor(1, GENESIS, blockOn(GENESIS, 5, 1, 'a')),
      voteFor(1, GENESIS, blockOn(chain[0]!, 5, 0, 'b')),
    ];
    for (const vote of votes) machine.vote(vote);
    const isSentAgain = (): boolean =>
      votes.every((vote) => machine.all('sendVote').some((sent) => sent.again && sent.vote === vote));
    expect(isSentAgain()).toBe(false);
    machine.pass(2 * 4 * 500 + 10);
    expect(isSentAgain()).toBe(true);
  });

  it('shows a surrounding vote, whichever comes first', () => {
    for (const flip of [false, true]) {
      const machine = new Machine({ own: null });
      const votes = [voteFor(1, chain[1]!, chain[3]!), voteFor(1, chain[0]!, chain[4]!)];
      for (const vote of flip ? [...votes].reverse() : votes) machine.vote(vote);
      expect(machine.last('evidence')!.evidence.kind).toBe('surroundVote');
    }
  });

  it('honest sequences, duplicated and shuffled, show nothing', () => {
    const machine = new Machine({ own: null });
    machine.blocks(chain);
    const votes = chain.slice(1).map((target, i) => voteFor(1, chain[i]!, target));
    for (const vote of [...votes].reverse().concat(votes)) machine.vote(vote);
    expect(machine.all('evidence')).toEqual([]);
  });
});

describe('votes for unknown blocks', () => {
  it('are bounded for each voter, ask for the block after a while, and count when it comes', () => {
    const machine = new Machine({ own: null });
    const chain = chainOn(GENESIS, 40, 0);
    for (const target of chain) machine.vote(voteFor(1, GENESIS, target));
    machine.vote(voteFor(2, GENESIS, chain[0]!));
    expect(machine.voter(1).unknown).toHaveLength(machine.state.rules.limits.unknownVotesPerVoterMax);
    expect(machine.voter(2).unknown).toHaveLength(1);
    expect(machine.all('requestBlock')).toEqual([]);
    machine.pass(600);
    expect(machine.all('requestBlock').length).toBeGreaterThan(0);
    machine.blocks([chain[0]!]);
    expect(voteTally(machine.state, chain[0]!.hash)!.tally.current).toBe(1n);
    expect(machine.voter(2).unknown).toHaveLength(0);
  });

  it('far in the future are ignored', () => {
    const machine = new Machine({ own: null });
    const far = { ...chainOn(GENESIS, 1, 0)[0]!, slot: 1_000_000 as Slot };
    machine.vote(voteFor(1, GENESIS, far));
    expect(machine.voter(1).latest).toBeNull();
    expect(machine.state.unknownVotes.size).toBe(0);
  });
});
