/** Whom a node believes: decoys, silence, conflict. */
import { describe, expect, it } from 'vitest';
import type { Height } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader } from '../../src/codec/model.ts';
import { bestHeader, distrustedLeaders, isConflicted, isLeading, silenceOf } from '../../src/consensus/index.ts';
import { blockOn, chainOn, electorateOf, FOUR, GENESIS, membersOf, voteFor } from './fixture.ts';
import { Machine } from './machine.ts';

const best = (machine: Machine): string => byteKey(bestHeader(machine.state).hash);
const key = ({ hash }: BlockHeader): string => byteKey(hash);
const ready = (machine: Machine): Machine => {
  machine.feed({ kind: 'peersReady' });
  return machine;
};
const SECRET = new Uint8Array(32).fill(7);
const own = (header: BlockHeader) => ({ hash: header.hash, slot: header.slot, secret: SECRET });

describe('decoys', () => {
  const decoy = blockOn(GENESIS, 1, 0, 'decoy');
  const after = blockOn(GENESIS, 2, 0);
  const caught = (reveal: boolean): Machine => {
    const machine = new Machine({ own: 3 });
    machine.verifiesAtOnce = false;
    machine.blocks([decoy], 'bob');
    machine.reject(decoy.hash, true);
    machine.verifiesAtOnce = true;
    if (reveal) machine.reveals.set(key(after), [own(decoy)]);
    return machine;
  };

  it('an unknown state root makes its leader distrusted, and nobody is blamed yet', () => {
    const machine = caught(false);
    machine.blocks([decoy], 'carol');
    machine.blocks([after]);
    expect(best(machine)).toBe(key(GENESIS));
    expect(machine.all('peerFault')).toEqual([]);
    expect(machine.all('evidence')).toEqual([]);
    machine.pass(7_000);
    expect(machine.all('peerFault')).toEqual([]);
    const later = blockOn(GENESIS, 5, 1);
    machine.blocks([later]);
    const faults = machine.all('peerFault').map(({ peer, code }) => `${peer} ${code}`);
    expect(faults).toEqual(['bob unrevealedDecoy', 'carol unrevealedDecoy']);
    expect(machine.last('evidence')!.evidence).toMatchObject({ kind: 'invalidBlock', header: decoy });
    machine.blocks([decoy], 'dave');
    expect(machine.last('peerFault')).toMatchObject({ peer: 'dave', code: 'invalidBlock' });
  });

  it('with the reveal trust comes back, and whoever voted for it is shown once', () => {
    const machine = caught(true);
    machine.vote(voteFor(2, GENESIS, decoy));
    machine.pass(500);
    machine.blocks([after]);
    expect(best(machine)).toBe(key(after));
    expect(machine.all('evidence').map(({ evidence }) => evidence)).toEqual([
      { kind: 'decoyVote', secret: SECRET, vote: voteFor(2, GENESIS, decoy) },
    ]);
    machine.vote(voteFor(2, GENESIS, decoy));
    machine.vote(voteFor(1, GENESIS, decoy));
    expect(machine.all('evidence')).toHaveLength(2);
    machine.blocks([decoy], 'carol');
    machine.pass(60_000);
    expect(machine.all('peerFault')).toEqual([]);
    expect(machine.all('requestBlock')).toEqual([]);
  });

  it('a decoy that comes after its reveal is not looked at', () => {
    const machine = new Machine({ own: 3 });
    machine.reveals.set(key(after), [own(decoy), own(decoy)]);
    machine.vote(voteFor(2, GENESIS, decoy));
    machine.blocks([after]);
    expect(machine.all('evidence')).toHaveLength(1);
    expect(machine.state.unknownVotes.size).toBe(0);
    machine.clear();
    machine.blocks([decoy], 'bob');
    expect([machine.all('verifyBlock'), machine.all('peerFault')]).toEqual([[], []]);
  });

  it('one being verified when its reveal comes is no offence', () => {
    const machine = new Machine({ own: 3 });
    machine.verifiesAtOnce = false;
    machine.reveals.set(key(after), [own(decoy)]);
    machine.blocks([decoy, after], 'bob');
    machine.verify(after.hash);
    machine.reject(decoy.hash, true);
    machine.pass(60_000);
    expect([machine.all('peerFault'), distrustedLeaders(machine.state)]).toEqual([[], []]);
  });

  it('an own decoy uses up its slot, and the lead goes on from the same parent', () => {
    const machine = ready(new Machine({ own: 0 }));
    machine.feed({ kind: 'decoyed', header: decoy });
    expect([isLeading(machine.state), machine.all('lead').length]).toEqual([true, 1]);
    machine.vote(voteFor(2, GENESIS, decoy));
    machine.blocks([decoy], 'bob');
    expect(machine.all('evidence')).toEqual([]);
    machine.reveals.set(key(after), [own(decoy)]);
    machine.produce(after);
    expect(machine.last('evidence')!.evidence.kind).toBe('decoyVote');
    expect([isLeading(machine.state), best(machine)]).toEqual([true, key(after)]);
    machine.feed({ kind: 'decoyed', header: blockOn(GENESIS, 4, 0, 'elsewhere') });
    expect([isLeading(machine.state), machine.all('peerFault')]).toEqual([true, []]);
  });

  it('suspects are bounded', () => {
    const machine = new Machine({ own: null });
    machine.verifiesAtOnce = false;
    for (let i = 0; i < 100; i++) {
      const header = blockOn(GENESIS, 1 + (i % 4), 0, `bad ${i}`);
      machine.blocks([header], null);
      machine.reject(header.hash, true);
      for (let peer = 0; peer < 20; peer++) machine.blocks([header], `peer ${peer}`);
    }
    const { suspects, rules } = machine.state;
    expect(suspects.size).toBe(rules.limits.suspectsMax);
    expect(Math.max(...[...suspects.values()].map(({ peers }) => peers.size))).toBe(rules.limits.suspectPeersMax);
  });

  it('are forgotten with finality', () => {
    const machine = caught(true);
    const chain = chainOn(after, 80, 0);
    machine.blocks([after]);
    machine.votes([0, 1, 2], GENESIS, after);
    for (const [i, header] of chain.entries()) {
      machine.blocks([header]);
      machine.votes([0, 1, 2], chain[i - 1] ?? after, header);
    }
    expect([machine.state.decoys.size, machine.state.offences.size]).toEqual([0, 0]);
  });
});

describe('a lost vote file', () => {
  const lost = (unfinalizedBlocksMax = 4) =>
    new Machine({ own: 1, unfinalizedBlocksMax, slotsPerEpoch: 8 }, { votesLost: true });

  it('keeps the node silent until finality has passed all its votes can have been for', () => {
    const machine = lost();
    const chain = chainOn(GENESIS, 90, 0);
    expect(silenceOf(machine.state)).toEqual({ reason: 'votesLost', untilSlot: null });
    machine.pass(10_000);
    expect(silenceOf(machine.state)!.untilSlot).toBeNull();
    machine.blocks(chain.slice(0, 3));
    ready(machine);
    machine.vote(voteFor(2, GENESIS, blockOn(GENESIS, 6, 1)));
    machine.pass(4000);
    const until = 6 + 4 * 4 + 2 * 4 * 4 + 8;
    expect(silenceOf(machine.state)).toEqual({ reason: 'votesLost', untilSlot: until });
    for (const [i, header] of chain.entries()) {
      machine.blocks([header]);
      machine.votes([0, 2, 3], chain[i - 1] ?? GENESIS, header);
      expect(machine.all('castVote').length > 0).toBe(header.slot > until + 2);
    }
    expect(silenceOf(machine.state)).toBeNull();
    expect(machine.last('castVote')!.vote.targetSlot).toBe(until + 3);
  });

  it('the end is not fixed while a higher chain is fetched, and nobody leads meanwhile', () => {
    const machine = lost();
    machine.feed({ kind: 'peerTip', peer: 'bob', height: 50 as Height });
    ready(machine);
    machine.pass(5000);
    expect(silenceOf(machine.state)!.untilSlot).toBeNull();
    machine.pass(100_000);
    expect(silenceOf(machine.state)!.untilSlot).not.toBeNull();
    expect(machine.all('lead')).toEqual([]);
  });

  it('means nothing to an observer', () => {
    expect(silenceOf(new Machine({ own: null }, { votesLost: true }).state)).toBeNull();
  });
});

describe('split finality', () => {
  const final = (machine: Machine, chain: readonly BlockHeader[]): void => {
    for (const [i, header] of chain.entries()) {
      machine.blocks([header]);
      machine.votes([0, 1, 2], chain[i - 1] ?? GENESIS, header);
    }
  };
  const chain = chainOn(GENESIS, 6, 0);
  const other = chainOn(blockOn(GENESIS, 1, 0, 'other'), 6, 0);

  it('a quorum that links a block off the chain to the next slot is shown, and silences the node', () => {
    const machine = ready(new Machine({ own: 0 }));
    final(machine, chain.slice(0, 4));
    machine.clear();
    machine.votes([0, 1], other[0]!, other[1]!);
    expect(isConflicted(machine.state)).toBe(false);
    machine.votes([2, 3], other[0]!, other[1]!);
    expect(machine.all('conflict')).toHaveLength(1);
    expect(machine.last('conflict')).toMatchObject({ slot: 2, hash: other[0]!.hash });
    expect(machine.last('conflict')!.votes).toHaveLength(3);
    expect(silenceOf(machine.state)).toEqual({ reason: 'conflict', untilSlot: null });
    machine.blocks(chain.slice(4));
    machine.pass(60_000);
    expect([machine.all('castVote'), machine.all('lead')]).toEqual([[], []]);
  });

  it('is seen when finality comes later on this side', () => {
    const machine = new Machine({ own: null });
    machine.votes([0, 1, 3], other[1]!, other[2]!);
    final(machine, chain.slice(0, 3));
    expect(isConflicted(machine.state)).toBe(false);
    final(machine, chain);
    expect(machine.last('conflict')).toMatchObject({ slot: 3, hash: other[1]!.hash });
  });

  it('is seen by the blocks of the other side', () => {
    const machine = new Machine({ own: null });
    final(machine, chain.slice(0, 3));
    const side = chainOn(blockOn(chain[0]!, 7, 1, 'side'), 3, 1);
    machine.votes([0, 1, 3], side[1]!, side[2]!);
    machine.blocks([blockOn(chain[0]!, 7, 1, 'side')]);
    expect(isConflicted(machine.state)).toBe(false);
    const low = { ...blockOn(chain[0]!, 7, 1, 'side'), height: 3 as Height };
    machine.blocks([{ ...low, hash: side[0]!.parentHash }, side[0]!, side[1]!]);
    expect(isConflicted(machine.state)).toBe(true);
  });

  it('is not seen in votes over a gap, votes for the own chain, or votes of keys nobody here knows', () => {
    const machine = new Machine({ own: null });
    final(machine, chain.slice(0, 5));
    machine.votes([0, 1, 2, 3], other[0]!, other[2]!);
    machine.votes([0, 1, 2, 3], chain[1]!, chain[2]!);
    machine.votes([7, 8, 9], other[1]!, other[2]!);
    expect(isConflicted(machine.state)).toBe(false);
    expect(machine.state.offChain.size).toBeLessThanOrEqual(machine.state.rules.limits.offChainMax);
  });

  it('is judged by the newest electorates, after a restart by the slot of the root alone', () => {
    const start = { root: chain[3]!, electorate: electorateOf(membersOf([1n, 1n, 1n, 1n], { 3: { excluded: true } })) };
    const machine = new Machine({ own: null }, start);
    machine.votes([0, 1, 2], other[0]!, other[1]!);
    expect(isConflicted(machine.state)).toBe(false);
    machine.votes([0, 1, 3], other[2]!, other[3]!);
    expect(isConflicted(machine.state)).toBe(false);
    machine.votes([2], other[2]!, other[3]!);
    expect(isConflicted(machine.state)).toBe(true);
    expect(FOUR.members).toHaveLength(4);
  });

  it('who is excluded here may judge elsewhere, but only half or more of all are listened to', () => {
    const start = (...excluded: number[]) => {
      const change = Object.fromEntries(excluded.map((index) => [index, { excluded: true }]));
      return { root: chain[3]!, electorate: electorateOf(membersOf([1n, 1n, 1n, 1n], change)) };
    };
    const few = new Machine({ own: null }, start(3));
    few.votes([3], other[2]!, other[3]!);
    expect(isConflicted(few.state)).toBe(false);
    const half = new Machine({ own: null }, start(2, 3));
    half.votes([3], other[2]!, other[3]!);
    expect(isConflicted(half.state)).toBe(false);
    half.votes([2], other[2]!, other[3]!);
    expect(isConflicted(half.state)).toBe(true);
  });

  it('the blocks remembered as off the chain are bounded', () => {
    const machine = new Machine({ own: null });
    final(machine, chain.slice(0, 3));
    for (let i = 0; i < 1200; i++)
      machine.blocks([{ ...blockOn(GENESIS, 9, 0, `off ${i}`), height: 3 as Height }], null);
    expect(machine.state.offChain.size).toBe(machine.state.rules.limits.offChainMax);
  });
});
