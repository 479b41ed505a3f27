/** The leader: when it starts, goes on and stops; take-over; the clock of those who follow; the fork choice; the stall. */

import { describe, expect, it } from 'vitest';
import type { Height, Slot } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import { goesBefore } from '../../src/consensus/fork-choice.ts';
import { bestHeader, isLeading, isStalled, unfinalizedCount } from '../../src/consensus/index.ts';
import { blockOn, chainOn, GENESIS, voteFor } from './fixture.ts';
import { Machine } from './machine.ts';

const SLOT_MS = 500;
const ready = (machine: Machine): Machine => {
  machine.feed({ kind: 'peersReady' });
  return machine;
};
/** It has listened for two timeouts and knows of nothing: its clock counts from now on. */
const caughtUp = (machine: Machine): Machine => {
  ready(machine).pass(2 * 4 * SLOT_MS);
  return machine;
};
const leads = (machine: Machine): number[] => machine.all('lead').map(({ slot }) => slot);

describe('starting', () => {
  it('waits for its peers, or one timeout', () => {
    const machine = new Machine({ own: 0 });
    machine.feed({ kind: 'wake' });
    machine.pass(4 * SLOT_MS - 10);
    expect(leads(machine)).toEqual([]);
    machine.pass(10);
    expect(leads(machine)).toEqual([1]);
    expect(leads(ready(new Machine({ own: 0 })))).toEqual([1]);
  });

  it('does not lead while it fetches a higher chain, but a lie holds it up two timeouts at most', () => {
    const machine = new Machine({ own: 0 });
    machine.feed({ kind: 'peerTip', peer: 'mallory', height: 90 as Height });
    ready(machine);
    machine.pass(8 * SLOT_MS - 10);
    expect(leads(machine)).toEqual([]);
    machine.pass(20);
    expect(leads(machine)).toEqual([1]);
  });

  it('a single validator leads, votes and finalizes alone', () => {
    const machine = ready(new Machine({ own: 0, bonds: [7n] }));
    let parent = GENESIS;
    const chain = [];
    for (let slot = 1; slot <= 5; slot++) {
      machine.nowMs += SLOT_MS;
      parent = blockOn(parent, slot, 0);
      chain.push(parent);
      machine.produce(parent);
      machine.persist();
    }
    expect(leads(machine)).toEqual([1]);
    expect(machine.finalizedSlots(chain)).toEqual([1, 2, 3, 4]);
  });

  it('after a restart never uses a slot again', () => {
    const machine = ready(new Machine({ own: 0 }, { highestProducedSlot: 2 as Slot }));
    machine.pass(2 * SLOT_MS);
    expect(leads(machine)).toEqual([3]);
    const used = ready(new Machine({ own: 0 }, { highestProducedSlot: 9 as Slot }));
    used.pass(16 * SLOT_MS - 10);
    expect(leads(used)).toEqual([]);
    used.pass(20);
    expect(leads(used)).toEqual([17]);
  });

  it('an own block re-fed from the disk uses up its slot too', () => {
    const machine = new Machine({ own: 0 });
    machine.blocks([blockOn(GENESIS, 1, 0), blockOn(GENESIS, 3, 0, 'other branch')], null);
    ready(machine);
    machine.pass(3 * SLOT_MS);
    expect(leads(machine)).toEqual([4]);
  });
});

describe('going on and stopping', () => {
  it('builds on its own blocks without waiting for votes, and carries votes along', () => {
    const machine = ready(new Machine({ own: 0 }));
    const chain = chainOn(GENESIS, 3, 0);
    for (const header of chain) machine.produce(header);
    expect(machine.all('lead')).toHaveLength(1);
    expect(isLeading(machine.state)).toBe(true);
    machine.votes([1, 2], GENESIS, chain[0]!);
    expect(machine.all('includeVote').map(({ vote }) => vote.voter[0])).toEqual([254, 253]);
    machine.votes([1, 2], GENESIS, chain[0]!);
    expect(machine.all('includeVote')).toHaveLength(2);
  });

  it('stops when another branch is better, and a new leader is given the open votes', () => {
    const machine = ready(new Machine({ own: 0 }));
    machine.produce(blockOn(GENESIS, 1, 0));
    const other = blockOn(GENESIS, 5, 1);
    machine.blocks([other]);
    machine.votes([1, 2, 3], GENESIS, other);
    expect(machine.all('stopLeading')).toHaveLength(1);
    machine.pass(12 * SLOT_MS);
    const again = machine.last('lead')!;
    expect([again.slot, byteKey(again.parentHash)]).toEqual([5 + 12 + 1, byteKey(other.hash)]);
    expect(again.votes).toHaveLength(3);
  });

  it('a block finished after the stop is taken into the tree all the same', () => {
    const machine = ready(new Machine({ own: 0 }));
    const other = blockOn(GENESIS, 5, 1);
    machine.blocks([other]);
    machine.votes([1, 2], GENESIS, other);
    expect(isLeading(machine.state)).toBe(false);
    machine.produce(blockOn(GENESIS, 1, 0));
    expect(machine.state.nodes.size).toBe(3);
    expect(byteKey(bestHeader(machine.state).hash)).toBe(byteKey(other.hash));
  });

  it('an own block whose parent is gone is dropped', () => {
    const machine = ready(new Machine({ own: 0 }));
    const chain = chainOn(GENESIS, 2, 0);
    machine.produce(chain[1]!);
    expect(machine.state.nodes.size).toBe(1);
    expect(machine.last('prune')!.hashes).toHaveLength(1);
  });
});

describe('take-over', () => {
  it('comes at the own turn, counted from when the best block came', () => {
    const machine = ready(new Machine({ own: 2 }));
    machine.nowMs += 3000;
    machine.blocks([blockOn(GENESIS, 1, 0)]);
    machine.pass(8 * SLOT_MS - 10);
    expect(leads(machine)).toEqual([]);
    machine.pass(10);
    expect(leads(machine)).toEqual([10]);
  });

  it('starts anew with each block of the leader', () => {
    const machine = ready(new Machine({ own: 1 }));
    for (const header of chainOn(GENESIS, 20, 0)) {
      machine.pass(1500);
      machine.blocks([header]);
    }
    expect(leads(machine)).toEqual([]);
    machine.pass(4 * SLOT_MS);
    expect(leads(machine)).toEqual([25]);
  });

  it('is followed only when the own clock agrees, or more than 1/3 voted for it', () => {
    const early = blockOn(blockOn(GENESIS, 1, 0), 6, 1);
    const make = () => {
      const machine = new Machine({ own: 3 });
      machine.blocks([blockOn(GENESIS, 1, 0), early]);
      return machine;
    };
    const alone = make();
    expect(bestHeader(alone.state).slot).toBe(1);
    alone.pass(4 * SLOT_MS * 0.75 - 10);
    expect(bestHeader(alone.state).slot).toBe(1);
    alone.pass(20);
    expect(bestHeader(alone.state).slot).toBe(6);
    const backed = make();
    backed.vote(voteFor(1, GENESIS, early));
    expect(bestHeader(backed.state).slot).toBe(1);
    backed.vote(voteFor(2, GENESIS, early));
    expect(bestHeader(backed.state).slot).toBe(6);
  });

  it('a leader that computes its slots too fast is not followed ahead of the clock', () => {
    const machine = caughtUp(new Machine({ own: 3 }));
    machine.blocks(chainOn(GENESIS, 40, 0));
    expect(bestHeader(machine.state).slot).toBe(4);
    machine.pass(10 * SLOT_MS);
    expect(bestHeader(machine.state).slot).toBeLessThanOrEqual(4 + 14);
    machine.pass(60 * SLOT_MS);
    expect(bestHeader(machine.state).slot).toBe(40);
  });

  it('a slow leader may catch up a little in a burst', () => {
    const machine = caughtUp(new Machine({ own: 3 }));
    const chain = chainOn(GENESIS, 30, 0);
    machine.blocks(chain.slice(0, 1));
    machine.pass(60 * SLOT_MS);
    machine.blocks(chain);
    expect(bestHeader(machine.state).slot).toBe(2 + 16 + 4);
  });

  it('slots whose time has passed on one branch are not waited for again on another', () => {
    const machine = caughtUp(new Machine({ own: null }));
    for (const header of chainOn(GENESIS, 80, 0)) {
      machine.pass(SLOT_MS);
      machine.blocks([header]);
    }
    expect(bestHeader(machine.state).slot).toBe(80);
    const fork = blockOn(GENESIS, 5, 1);
    const other = [fork, ...chainOn(fork, 120, 1)];
    machine.vote(voteFor(1, GENESIS, fork));
    machine.blocks(other);
    expect(byteKey(bestHeader(machine.state).parentHash)).toBe(byteKey(other.find(({ slot }) => slot === 99)!.hash));
    expect(bestHeader(machine.state).slot).toBe(80 + 16 + 4);
  });

  it('a node that starts follows whatever it is shown until it has heard its peers and caught up', () => {
    const machine = new Machine({ own: null });
    const chain = chainOn(GENESIS, 140, 0);
    machine.blocks(chain.slice(0, 40));
    expect(bestHeader(machine.state).slot).toBe(40);
    ready(machine);
    machine.feed({ kind: 'peerTip', peer: 'bob', height: 100 as Height });
    machine.pass(9 * SLOT_MS);
    machine.blocks(chain.slice(40, 99));
    machine.pass(SLOT_MS);
    expect(bestHeader(machine.state).slot).toBe(99);
    machine.blocks(chain.slice(99, 100));
    machine.blocks(chain.slice(100));
    expect(bestHeader(machine.state).slot).toBe(100 + 4);
  });

  it('a node that starts takes its time from where gaps have been waited for, not from below them', () => {
    const machine = ready(new Machine({ own: null, unfinalizedBlocksMax: 64 }));
    const low = blockOn(GENESIS, 1, 0);
    const high = blockOn(low, 1 + 16 * 5 + 1, 0);
    machine.blocks([low, high]);
    machine.pass(9 * SLOT_MS);
    expect(bestHeader(machine.state).slot).toBe(1);
    machine.pass(16 * 5 * SLOT_MS * 0.75 - 9 * SLOT_MS);
    expect(bestHeader(machine.state).slot).toBe(82);
    machine.blocks(chainOn(high, 100, 0));
    expect(bestHeader(machine.state).slot).toBe(82 + 4);
  });
});

describe('the fork choice', () => {
  it('goes by stake, then by the smaller gap, then by the lower hash', () => {
    const machine = new Machine({ own: null });
    machine.pass(60_000);
    const near = blockOn(GENESIS, 2, 0, 'near');
    const far = blockOn(GENESIS, 3, 0, 'far');
    machine.blocks([blockOn(GENESIS, 4, 0, 'x')]);
    machine.pass(60_000);
    const [, node] = [...machine.state.nodes.values()];
    expect(goesBefore(node!, { ...node!, key: `${node!.key}0` })).toBe(true);
    machine.blocks([far, near]);
    machine.pass(60_000);
    expect(byteKey(bestHeader(machine.state).hash)).toBe(byteKey(near.hash));
    machine.vote(voteFor(1, GENESIS, far));
    expect(byteKey(bestHeader(machine.state).hash)).toBe(byteKey(far.hash));
  });

  it('starts at the highest justified block, whatever the stake elsewhere', () => {
    const machine = new Machine({ own: null });
    const chain = chainOn(GENESIS, 2, 0);
    const side = blockOn(GENESIS, 3, 0, 'side');
    machine.blocks([...chain, side]);
    machine.votes([0, 1, 2], GENESIS, chain[0]!);
    machine.votes([1, 2, 3], GENESIS, side);
    expect(byteKey(bestHeader(machine.state).hash)).toBe(byteKey(side.hash));
    machine.votes([0, 1, 2], chain[0]!, chain[1]!);
    expect(byteKey(bestHeader(machine.state).hash)).toBe(byteKey(chain[1]!.hash));
  });
});

describe('the stall', () => {
  const stalled = () => {
    const machine = ready(new Machine({ own: 0, unfinalizedBlocksMax: 4 }));
    const chain = chainOn(GENESIS, 4, 0);
    for (const header of chain) {
      machine.nowMs += SLOT_MS;
      machine.produce(header);
    }
    return { machine, chain };
  };

  it('production stops at the bound while it would serve nothing', () => {
    const { machine } = stalled();
    expect(unfinalizedCount(machine.state)).toBe(4);
    expect([isLeading(machine.state), isStalled(machine.state)]).toEqual([false, true]);
    machine.pass(100_000);
    expect(machine.all('lead')).toHaveLength(1);
  });

  it('goes on when the tip is justified: its child makes it final', () => {
    const { machine, chain } = stalled();
    machine.votes([1, 2, 3], GENESIS, chain[3]!);
    expect(leads(machine)).toEqual([1, 5]);
    const next = blockOn(chain[3]!, 5, 0);
    machine.produce(next);
    expect(isLeading(machine.state)).toBe(false);
    machine.votes([1, 2, 3], chain[3]!, next);
    expect(machine.finalizedSlots(chain)).toEqual([1, 2, 3, 4]);
    expect(isLeading(machine.state)).toBe(true);
  });

  it('goes on above the slot that a voter is bound to elsewhere, not up to it; ever slower past twice the bound', () => {
    const { machine, chain } = stalled();
    machine.vote(voteFor(1, GENESIS, { ...blockOn(GENESIS, 5, 1), slot: 9000 as Slot }));
    machine.vote(voteFor(2, GENESIS, blockOn(GENESIS, 30, 3)));
    // 31 .. 36 are the turns of others.
    machine.pass((37 - 4 - 1) * SLOT_MS - 10);
    expect(leads(machine)).toEqual([1]);
    machine.pass(20);
    expect(leads(machine)).toEqual([1, 37]);
    let parent = chain[3]!;
    for (let slot = 5; slot <= 8; slot++) {
      parent = blockOn(parent, slot, 0);
      machine.produce(parent);
    }
    machine.pass((2 + 41 - 8 - 1) * SLOT_MS - 10);
    expect(leads(machine)).toEqual([1, 37]);
    machine.pass(20);
    expect(leads(machine)).toEqual([1, 37, 41]);
  });

  it('goes no further than into the next epoch towards a slot that a voter is bound to', () => {
    const machine = ready(new Machine({ own: 0, unfinalizedBlocksMax: 4, slotsPerEpoch: 8 }));
    for (const header of chainOn(GENESIS, 4, 0)) machine.produce(header);
    machine.vote(voteFor(2, GENESIS, blockOn(GENESIS, 30, 3)));
    machine.pass((8 - 4 - 1) * SLOT_MS - 10);
    expect(leads(machine)).toEqual([1]);
    machine.pass(20);
    expect(leads(machine)).toEqual([1, 8]);
  });
});
