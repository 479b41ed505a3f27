/** Electorates that change under the machine: who counts, who is known, weights, leads that end, the stall. */
import { describe, expect, it } from 'vitest';
import type { Slot } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import {
  bestElectorate,
  bestHeader,
  electorateOf as electorateAfter,
  finalizedElectorate,
  finalizedHeader,
  isLeading,
  isStalled,
  knowsVoter,
  leaderFor,
  voteTally,
} from '../../src/consensus/index.ts';
import { blockOn, chainOn, electorateOf, FOUR, fakeHash, GENESIS, keyAt, membersOf, voteFor } from './fixture.ts';
import { Machine } from './machine.ts';

const observer = () => new Machine({ own: null });
/** Validators 0 to 3 and a newcomer, 4; the last of the old set has left. */
const NEXT = electorateOf(membersOf([1n, 1n, 1n, 1n, 1n], { 3: { inCurrent: false }, 4: { inPrevious: false } }), {
  era: 1,
});
const ready = (machine: Machine): Machine => {
  machine.feed({ kind: 'peersReady' });
  return machine;
};
const leads = (machine: Machine): number[] => machine.all('lead').map(({ slot }) => slot);

describe('who judges a block', () => {
  it('is the electorate after its parent', () => {
    const machine = observer();
    const [a, b] = chainOn(GENESIS, 2, 0);
    machine.under(NEXT, a!);
    machine.blocks([a!, b!]);
    machine.votes([0, 1, 4], GENESIS, a!);
    expect(voteTally(machine.state, a!.hash)).toMatchObject({
      tally: { current: 2n, previous: 2n },
      judge: FOUR,
      justified: false,
    });
    machine.votes([3], GENESIS, a!);
    expect(voteTally(machine.state, a!.hash)).toMatchObject({ tally: { current: 3n, previous: 3n }, justified: true });
    machine.votes([0, 1, 4], a!, b!);
    expect(voteTally(machine.state, b!.hash)).toMatchObject({
      tally: { current: 3n, previous: 2n },
      judge: NEXT,
      justified: false,
    });
    machine.votes([3], a!, b!);
    expect(machine.finalizedSlots([a!, b!])).toEqual([1]);
    expect([bestElectorate(machine.state).era, finalizedElectorate(machine.state).era]).toEqual([0, 1]);
  });

  it('votes wait for it; those of nobody it knows fall away, and their weight in it counts', () => {
    const machine = observer();
    machine.verifiesAtOnce = false;
    const chain = chainOn(GENESIS, 3, 0);
    machine.under(NEXT, chain[1]!, chain[2]!);
    machine.blocks(chain);
    machine.votes([0, 1, 3], GENESIS, chain[0]!);
    machine.votes([0, 1, 2, 3], chain[0]!, chain[1]!);
    machine.votes([0, 1, 2, 3], chain[1]!, chain[2]!);
    expect(voteTally(machine.state, chain[0]!.hash)!.justified).toBe(true);
    expect(voteTally(machine.state, chain[1]!.hash)).toMatchObject({
      tally: { current: 0n },
      judge: null,
      voterCount: 0,
    });
    expect(leaderFor(machine.state, chain[0]!.hash, 5 as Slot)).toBeNull();
    expect(electorateAfter(machine.state, chain[0]!.hash)).toBeNull();
    const narrow = electorateOf(membersOf([1n, 1n, 1n], {}));
    machine.under(narrow, chain[0]!);
    for (const { hash } of chain.slice(0, 2)) machine.verify(hash);
    expect(voteTally(machine.state, chain[1]!.hash)).toMatchObject({
      tally: { current: 3n, previous: 3n },
      justified: true,
    });
    expect(voteTally(machine.state, chain[2]!.hash)).toMatchObject({
      tally: { current: 3n, previous: 4n },
      justified: true,
    });
    expect(finalizedHeader(machine.state).slot).toBe(2);
  });

  it("an excluded member's vote is kept and carried, and weighs nothing", () => {
    const start = electorateOf(membersOf([1n, 1n, 1n, 1n], { 3: { excluded: true } }), { majorityFloor: true });
    const machine = ready(new Machine({ own: 0 }, { electorate: start }));
    const [a] = chainOn(GENESIS, 1, 0);
    machine.produce(a!);
    machine.votes([3, 1], GENESIS, a!);
    expect(machine.all('includeVote').map(({ vote }) => vote.voter[0])).toEqual([252, 254]);
    expect(voteTally(machine.state, a!.hash)).toMatchObject({
      tally: { current: 1n },
      voterCount: 2,
      justified: false,
    });
    expect(machine.state.nodes.get(byteKey(a!.hash))!.weight).toBe(1n);
  });

  it('strangers neither count nor cost anything, until an electorate knows them', () => {
    const machine = observer();
    const [a, b] = chainOn(GENESIS, 2, 0);
    machine.under(NEXT, a!);
    for (let i = 0; i < 100; i++) machine.vote(voteFor(4, GENESIS, blockOn(GENESIS, i + 1, 0)));
    expect([machine.state.unknownVotes.size, knowsVoter(machine.state, keyAt(4))]).toEqual([0, false]);
    machine.blocks([a!, b!]);
    expect(knowsVoter(machine.state, keyAt(4))).toBe(true);
    machine.vote(voteFor(4, a!, b!));
    machine.votes([0, 1, 2], GENESIS, a!);
    expect(voteTally(machine.state, b!.hash)!.tally).toEqual({ current: 1n, previous: 0n });
  });

  it('a voter that no electorate alive knows any more vanishes with all that was kept for it', () => {
    const machine = observer();
    const chain = chainOn(GENESIS, 300, 0);
    const small = electorateOf(membersOf([1n, 1n, 1n]));
    machine.under(small, ...chain.slice(4));
    machine.vote(voteFor(3, GENESIS, blockOn(GENESIS, 290, 1)));
    for (const [i, header] of chain.entries()) {
      machine.blocks([header]);
      machine.pass(500);
      machine.votes([0, 1, 2], chain[i - 1] ?? GENESIS, header);
      if (i === 100) {
        expect(machine.state.voters.has(byteKey(keyAt(3)))).toBe(true);
        machine.votes([3], chain[i]!, blockOn(header, 200, 0));
      }
    }
    expect(finalizedHeader(machine.state).slot).toBe(299);
    expect(machine.state.voters.has(byteKey(keyAt(3)))).toBe(false);
    expect(machine.state.electorates.size).toBe(1);
    expect(machine.state.unknownVotes.size).toBe(0);
  });

  it('the votes remembered of one voter are bounded, those of a cheat too', () => {
    const machine = new Machine({ own: null, unfinalizedBlocksMax: 4 });
    const targets = Array.from({ length: 300 }, (_, i) => blockOn(GENESIS, i + 1, Math.floor(i / 4) % 4));
    for (const target of targets)
      for (const salt of ['', 'twin'])
        machine.vote(voteFor(1, GENESIS, { ...target, hash: fakeHash(`${target.slot}${salt}`) }));
    const { records, doubles } = machine.voter(1);
    const { recordsPerVoterMax } = machine.state.rules.limits;
    expect([records.size, doubles.size]).toEqual([recordsPerVoterMax, recordsPerVoterMax]);
    expect(Math.min(...records.keys())).toBe(300 - recordsPerVoterMax + 1);
  });

  it('own votes from before a restart count once an electorate knows this node', () => {
    const chain = chainOn(GENESIS, 2, 0);
    const machine = new Machine({ own: 4 }, { ownVotes: [voteFor(4, chain[0]!, chain[1]!)] });
    machine.under(NEXT, chain[0]!);
    machine.blocks(chain, null);
    machine.votes([0, 1, 2], GENESIS, chain[0]!);
    expect(voteTally(machine.state, chain[1]!.hash)!.tally.current).toBe(1n);
  });
});

describe('who votes and leads', () => {
  it('votes only for blocks whose judge knows this node', () => {
    const machine = new Machine({ own: 4 });
    const chain = chainOn(GENESIS, 3, 0);
    machine.under(NEXT, chain[1]!, chain[2]!);
    machine.blocks(chain);
    expect(machine.all('castVote').map(({ vote }) => vote.targetSlot)).toEqual([3]);
  });

  it('a newcomer leads a block whose parent is verified only later', () => {
    const machine = observer();
    machine.verifiesAtOnce = false;
    const a = blockOn(GENESIS, 1, 0);
    const led = blockOn(a, 2, 4);
    const handed = electorateOf(NEXT.members, { era: 1, secondary: keyAt(4), handOver: true });
    machine.under(handed, a);
    machine.blocks([a, led], 'bob');
    expect([machine.state.pending.size, machine.state.nodes.size]).toEqual([1, 2]);
    machine.verify(a.hash);
    expect([machine.state.pending.size, machine.state.nodes.size]).toEqual([0, 3]);
    expect(machine.all('peerFault')).toEqual([]);
    machine.verify(led.hash);
    expect(byteKey(bestHeader(machine.state).hash)).toBe(byteKey(led.hash));
  });

  it('a block waiting for its parent turns out to be of the wrong leader', () => {
    const machine = observer();
    machine.verifiesAtOnce = false;
    const a = blockOn(GENESIS, 1, 0);
    const b = blockOn(a, 2, 1);
    const c = blockOn(b, 3, 1);
    machine.blocks([a, b, c], 'mallory');
    machine.verify(a.hash);
    expect(machine.last('peerFault')).toEqual({ kind: 'peerFault', peer: 'mallory', code: 'wrongLeader' });
    expect(machine.last('prune')!.hashes.map(byteKey)).toEqual([b, c].map(({ hash }) => byteKey(hash)));
    expect(machine.state.nodes.size).toBe(2);
  });

  it('blocks of strangers go first when the pool is full', () => {
    const machine = new Machine({ own: null, unfinalizedBlocksMax: 4 });
    machine.verifiesAtOnce = false;
    const a = blockOn(GENESIS, 1, 0);
    machine.blocks([a]);
    const { pendingPerPeerMax } = machine.state.rules.limits;
    const known = blockOn(blockOn(blockOn(a, 2, 0), 3, 0), 9, 0);
    machine.blocks([known], 'mallory');
    for (let i = 0; i < 3 * pendingPerPeerMax; i++) machine.blocks([blockOn(a, 2, 9, `stranger ${i}`)], 'mallory');
    expect(machine.state.pending.size).toBe(pendingPerPeerMax);
    expect(machine.state.pending.has(byteKey(known.hash))).toBe(true);
  });

  it('the lead ends with the term, and with a hand-over; a block that crosses it is dropped', () => {
    const machine = ready(new Machine({ own: 0, termSlots: 10 }));
    const chain = chainOn(GENESIS, 9, 0);
    for (const header of chain) machine.produce(header);
    expect([leads(machine), isLeading(machine.state)]).toEqual([[1], false]);
    machine.produce(blockOn(chain[8]!, 10, 0));
    expect(bestHeader(machine.state).slot).toBe(9);
    const handing = ready(new Machine({ own: 0 }));
    handing.under(electorateOf(FOUR.members, { handOver: true }), chain[0]!);
    handing.produce(chain[0]!);
    expect([isLeading(handing.state), leaderFor(handing.state, chain[0]!.hash, 2 as Slot)]).toEqual([false, keyAt(1)]);
    const next = ready(new Machine({ own: 1 }));
    next.under(electorateOf(FOUR.members, { handOver: true }), chain[0]!);
    next.blocks([chain[0]!]);
    expect(leads(next)).toEqual([2]);
  });

  it('a broken producer is not forgiven anything else', () => {
    const machine = ready(new Machine({ own: 0 }));
    expect(() => machine.produce({ ...blockOn(GENESIS, 1, 0), chainId: keyAt(1) as never })).toThrow(/wrongChain/);
  });
});

describe('the fork choice', () => {
  it('weighs by the set of the newest final block, and anew when that changes', () => {
    const machine = observer();
    const chain = chainOn(GENESIS, 4, 0);
    const heavy = electorateOf(membersOf([5n, 1n, 1n, 1n], { 1: { inCurrent: false } }), { era: 1 });
    machine.under(heavy, ...chain);
    machine.blocks(chain);
    machine.votes([0, 1, 2], GENESIS, chain[0]!);
    machine.votes([0, 1], chain[0]!, chain[3]!);
    expect(machine.state.nodes.get(byteKey(chain[3]!.hash))!.weight).toBe(2n);
    machine.votes([0, 1, 2, 3], chain[0]!, chain[1]!);
    expect(finalizedHeader(machine.state).slot).toBe(1);
    expect(machine.state.nodes.get(byteKey(chain[3]!.hash))!.weight).toBe(5n);
  });
});

describe('late votes', () => {
  it('for blocks just finalized are carried into the chain once, so that slow voters are seen', () => {
    const machine = ready(new Machine({ own: 0 }));
    const chain = chainOn(GENESIS, 4, 0);
    for (const [i, header] of chain.entries()) {
      machine.produce(header);
      machine.votes([0, 1, 2], chain[i - 1] ?? GENESIS, header);
    }
    expect(finalizedHeader(machine.state).slot).toBe(3);
    machine.clear();
    for (let i = 0; i < 2; i++) {
      machine.vote(voteFor(3, GENESIS, chain[0]!));
      machine.vote(voteFor(3, chain[1]!, chain[2]!));
      machine.vote({ ...voteFor(3, GENESIS, chain[1]!), stateRoot: GENESIS.hash });
      machine.vote(voteFor(9, GENESIS, chain[0]!));
      machine.vote(voteFor(3, GENESIS, blockOn(GENESIS, 2, 0, 'never seen')));
    }
    expect(machine.all('includeVote').map(({ vote }) => vote.targetSlot)).toEqual([1, 3]);
  });

  it('a new leader carries all of them, sources before what builds on them', () => {
    const machine = new Machine({ own: 1 });
    const chain = chainOn(GENESIS, 4, 0);
    machine.blocks(chain);
    for (const [i, header] of chain.entries()) machine.votes([3, 2, 0], chain[i - 1] ?? GENESIS, header);
    machine.votes([1], GENESIS, chain[3]!);
    ready(machine);
    machine.pass(4 * 500);
    const { votes } = machine.last('lead')!;
    expect(votes.map(({ sourceSlot, targetSlot }) => `${sourceSlot}-${targetSlot}`)).toEqual([
      '0-1',
      '0-1',
      '0-1',
      '1-2',
      '1-2',
      '1-2',
      '2-3',
      '2-3',
      '2-3',
      '3-4',
      '3-4',
      '3-4',
      '0-4',
    ]);
  });
});

describe('the stall', () => {
  it('lets one block an epoch through, in the first own slot of the next', () => {
    const machine = ready(new Machine({ own: 0, unfinalizedBlocksMax: 4, slotsPerEpoch: 20 }));
    const chain = chainOn(GENESIS, 4, 0);
    for (const header of chain) machine.produce(header);
    expect([isLeading(machine.state), isStalled(machine.state)]).toEqual([false, true]);
    // 20 is the turn of validator 3; 21 is the first own slot of the next epoch.
    machine.pass(16 * 500 - 10);
    expect(leads(machine)).toEqual([1]);
    machine.pass(20);
    expect(leads(machine)).toEqual([1, 21]);
    machine.produce(blockOn(chain[3]!, 21, 0));
    expect(isLeading(machine.state)).toBe(false);
    machine.pass(18 * 500 - 10);
    expect(leads(machine)).toEqual([1, 21]);
    machine.pass(20);
    expect(leads(machine)).toEqual([1, 21, 40]);
  });
});
