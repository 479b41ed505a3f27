/** Counting votes, justified and final: thresholds, sources, gaps, and independence from the order of arrival. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PohCount, Slot } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import { certificateVotes, finalizedHeader, justifiedHeader, voteTally } from '../../src/consensus/index.ts';
import { blockOn, chainOn, fakeHash, GENESIS, signed, voteFor } from './fixture.ts';
import { Machine } from './machine.ts';

const observer = () => new Machine({ own: null });

describe('justification', () => {
  it('needs more than 2/3 of the bonds, each voter once', () => {
    const machine = observer();
    const [a] = chainOn(GENESIS, 1, 0);
    machine.blocks([a!]);
    machine.votes([0, 1, 1, 0], GENESIS, a!);
    expect(voteTally(machine.state, a!.hash)).toMatchObject({
      tally: { current: 2n, previous: 2n },
      voterCount: 2,
      justified: false,
    });
    machine.votes([2], GENESIS, a!);
    expect(voteTally(machine.state, a!.hash)).toMatchObject({ tally: { current: 3n, previous: 3n }, justified: true });
    expect(machine.last('justified')!.votes).toHaveLength(3);
    expect(byteKey(justifiedHeader(machine.state).hash)).toBe(byteKey(a!.hash));
  });

  it('exactly 2/3 is not enough', () => {
    const machine = new Machine({ own: null, bonds: [2n, 2n, 1n, 1n] });
    const [a] = chainOn(GENESIS, 1, 0);
    machine.blocks([a!]);
    machine.votes([0, 1], GENESIS, a!);
    expect(voteTally(machine.state, a!.hash)!.justified).toBe(false);
    machine.votes([3], GENESIS, a!);
    expect(voteTally(machine.state, a!.hash)!.justified).toBe(true);
  });

  it('a vote waits until its source is justified', () => {
    const machine = observer();
    const [a, b] = chainOn(GENESIS, 2, 0);
    machine.blocks([a!, b!]);
    machine.votes([0, 1, 2], a!, b!);
    expect(voteTally(machine.state, b!.hash)).toMatchObject({ tally: { current: 0n, previous: 0n }, justified: false });
    machine.votes([0, 1, 3], GENESIS, a!);
    expect(voteTally(machine.state, b!.hash)).toMatchObject({ tally: { current: 3n, previous: 3n }, justified: true });
    expect(machine.finalizedSlots([a!, b!])).toEqual([1]);
  });

  it('a source on another branch, in a wrong slot, or unknown never counts', () => {
    const machine = observer();
    const [a, b] = chainOn(GENESIS, 2, 0);
    const side = blockOn(GENESIS, 1, 0, 'side');
    machine.blocks([a!, b!, side]);
    machine.votes([0, 1, 2], GENESIS, a!);
    machine.vote(voteFor(0, side, b!));
    machine.vote(signed({ ...voteFor(1, a!, b!), sourceSlot: 0 as Slot }));
    machine.vote(signed({ ...voteFor(2, a!, b!), sourceHash: fakeHash('?') }));
    machine.vote(voteFor(3, b!, b!));
    expect(voteTally(machine.state, b!.hash)!.tally.current).toBe(0n);
  });

  it('a vote that contradicts its target does not count; the peer is blamed only for what it could have seen', () => {
    const machine = observer();
    const [a, b] = chainOn(GENESIS, 2, 0);
    machine.blocks([a!, b!]);
    machine.vote(signed({ ...voteFor(0, GENESIS, a!), pohCount: 7 as PohCount }));
    machine.vote(signed({ ...voteFor(1, GENESIS, a!), stateRoot: fakeHash('other') }));
    machine.vote(signed({ ...voteFor(2, GENESIS, a!), targetSlot: 2 as Slot }));
    machine.vote(voteFor(3, b!, a!));
    machine.vote({ ...voteFor(3, GENESIS, a!), voter: GENESIS.leader });
    expect(voteTally(machine.state, a!.hash)!.tally.current).toBe(0n);
    const codes = machine.all('peerFault').map(({ code }) => code);
    expect(codes).toEqual(['voteOrder']);
  });
});

describe('finality', () => {
  it('of several blocks at once is told lowest first, each final one by its own child: none is passed over', () => {
    const machine = observer();
    const [a, b, c, d, e, f] = chainOn(GENESIS, 6, 0);
    machine.blocks([a!, b!, c!, d!, e!, f!]);
    for (const [source, target] of [
      [a!, b!],
      [a!, e!],
      [e!, f!],
    ] as const)
      machine.votes([0, 1, 2], source, target);
    expect(machine.all('finalize')).toEqual([]);
    // One more vote, and all of it counts.
    machine.votes([0, 1, 2], GENESIS, a!);
    expect(machine.all('finalize').map(({ certificate }) => certificate.header.slot)).toEqual([2, 6]);
  });

  it('comes with the child in the next slot, by votes whose source is the block; ancestors come along, oldest first', () => {
    const machine = observer();
    const chain = chainOn(GENESIS, 4, 0);
    machine.blocks(chain);
    machine.votes([0, 1, 2], GENESIS, chain[2]!);
    machine.votes([0, 1, 2], chain[2]!, chain[3]!);
    expect(machine.finalizedSlots(chain)).toEqual([1, 2, 3]);
    const { certificate } = machine.last('finalize')!;
    expect(certificate.header.slot).toBe(4);
    expect(certificate.votes.map((vote) => vote.sourceSlot)).toEqual([3, 3, 3]);
    expect(certificateVotes(machine.state, chain[2]!.hash)).toHaveLength(3);
  });

  it('never comes across a gap', () => {
    const machine = observer();
    const a = blockOn(GENESIS, 1, 0);
    const b = blockOn(a, 3, 0);
    machine.blocks([a, b]);
    machine.votes([0, 1, 2, 3], GENESIS, a);
    machine.votes([0, 1, 2, 3], a, b);
    expect(justifiedHeader(machine.state).slot).toBe(3);
    expect(machine.all('finalize')).toEqual([]);
    const c = blockOn(b, 4, 0);
    machine.blocks([c]);
    machine.votes([0, 1, 2, 3], b, c);
    expect(machine.finalizedSlots([a, b, c])).toEqual([1, 3]);
  });

  it('does not come from votes with older sources, though the child is justified', () => {
    const machine = observer();
    const [a, b] = chainOn(GENESIS, 2, 0);
    machine.blocks([a!, b!]);
    machine.votes([0, 1, 2, 3], GENESIS, a!);
    machine.votes([0, 1], GENESIS, b!);
    machine.votes([2, 3], a!, b!);
    expect(voteTally(machine.state, b!.hash)!.justified).toBe(true);
    expect(machine.all('finalize')).toEqual([]);
  });

  it('waits until the block has been verified here', () => {
    const machine = observer();
    machine.verifiesAtOnce = false;
    const chain = chainOn(GENESIS, 2, 0);
    machine.blocks(chain);
    machine.votes([0, 1, 2], GENESIS, chain[0]!);
    machine.votes([0, 1, 2], chain[0]!, chain[1]!);
    expect(machine.all('finalize')).toEqual([]);
    expect(machine.all('justified')).toEqual([]);
    machine.verify(chain[0]!.hash);
    expect(machine.finalizedSlots(chain)).toEqual([1]);
  });

  it('prunes what has lost, and refuses what comes for it later', () => {
    const machine = observer();
    const chain = chainOn(GENESIS, 2, 0);
    const side = blockOn(GENESIS, 2, 0, 'side');
    machine.blocks([...chain, side]);
    machine.votes([0, 1, 2], GENESIS, chain[0]!);
    machine.votes([0, 1, 2], chain[0]!, chain[1]!);
    expect(machine.last('prune')!.hashes.map(byteKey)).toEqual([byteKey(side.hash)]);
    machine.clear();
    machine.blocks([blockOn(GENESIS, 3, 0, 'late')]);
    expect(machine.all('verifyBlock')).toEqual([]);
    expect(machine.all('prune')).toHaveLength(1);
    expect(machine.all('peerFault')).toEqual([]);
  });

  it('counts votes from below the root without looking at their source', () => {
    const chain = chainOn(GENESIS, 4, 0);
    const machine = new Machine({ own: null }, { root: chain[1]! });
    machine.blocks(chain.slice(2));
    machine.votes([0, 1], chain[0]!, chain[2]!);
    machine.votes([2], chain[1]!, chain[2]!);
    expect(voteTally(machine.state, chain[2]!.hash)!.justified).toBe(true);
  });

  it('is the same for every order in which blocks and votes arrive', () => {
    const chain = chainOn(GENESIS, 7, 0);
    const side = chainOn(chain[1]!, 3, 0).map((header, i, all) =>
      blockOn(all[i - 1] ?? chain[1]!, header.slot + 4, 1, 'side'),
    );
    const sources = [GENESIS, GENESIS, chain[1]!, chain[2]!, chain[2]!, chain[4]!, chain[5]!];
    const votes = chain.flatMap((target, i) => [0, 1, 2].map((voter) => voteFor(voter, sources[i]!, target)));
    const events = [
      ...[...chain, ...side].map((header) => ({ kind: 'block', header, from: null }) as const),
      ...votes.map((vote) => ({ kind: 'vote', vote, from: null }) as const),
    ];
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(fc.shuffledSubarray(events, { minLength: events.length }), (order) => {
        const machine = observer();
        for (const event of order) machine.feed(event);
        const slots = machine.finalizedSlots([...chain, ...side]);
        outcomes.add(JSON.stringify([slots, finalizedHeader(machine.state).slot, justifiedHeader(machine.state).slot]));
      }),
      { numRuns: 200, seed: 7 },
    );
    expect([...outcomes]).toEqual([JSON.stringify([[1, 2, 3, 4, 5, 6], 6, 7])]);
  });
});
