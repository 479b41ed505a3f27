/** bond, unbond, withdraw: the way in and out, and every edge of it. */
import { describe, expect, it } from 'vitest';
import { readValidators, totalBonds } from '../../../src/ledger/index.ts';
import { named, transfer } from '../fixture.ts';
import { type Actor, actor, bond, StakeWorld, signedVoteOf } from './stake-world.ts';

const four = ['a', 'b', 'c', 'd'].map(actor) as [Actor, Actor, Actor, Actor];
const [a, b, , d] = four;
const [eve, fay] = [actor('eve'), actor('fay')];
const worldOf = (consensus = {}): StakeWorld =>
  new StakeWorld(
    four.map((who) => [who, 100n] as const),
    [eve, fay].map((who) => [who, 1000n] as const),
    consensus,
  );

/** Two votes for one slot. */
const doubleVote = (world: StakeWorld, by: Actor, slot: number) => {
  const [first, second] = ['one', 'two'].map((name) =>
    signedVoteOf(world, by, { slot: 0, hash: named('source') }, { slot, hash: named(name), stateRoot: named('root') }),
  );
  return { kind: 'evidence' as const, offence: { kind: 'doubleVote' as const, first: first!, second: second! } };
};

describe('bond', () => {
  it('moves units from the account into the bond table; genesis bonds stand there from batch 0', () => {
    const world = worldOf();
    expect(world.bondOf(a)).toMatchObject({
      units: 100n,
      weight: 100n,
      fromEra: 0,
      untilEra: null,
      seat: expect.any(Number),
    });
    expect(totalBonds(world.chain.state)).toBe(400n);
    world.begin(1);
    expect(world.send(eve, bond(70n), 2n)).toBeNull();
    world.end();
    expect(world.chain.state.balance(eve.address)).toBe(928n);
    expect(world.bondOf(eve)).toMatchObject({
      units: 70n,
      weight: 70n,
      fromEra: null,
      seat: 4,
      bondedSlot: 1,
      askedSlot: 1,
    });
    expect(totalBonds(world.chain.state)).toBe(470n);
  });

  it('refuses, in this order: a second bond, less than the minimum, more than there is, no seat', () => {
    const world = worldOf();
    world.begin(1);
    expect(world.send(eve, bond(9n), 1n)).toBe('bond-too-low');
    expect(world.send(eve, bond(1000n), 1n)).toBe('insufficient-funds');
    expect(world.send(eve, bond(0n), 1n)).toBe('not-bonded');
    expect(world.send(eve, bond(10n), 1n)).toBeNull();
    expect(world.send(eve, bond(9n), 1n)).toBe('already-bonded');
    expect(world.send(eve, bond(0n), 1n)).toBe('not-left');
    expect(world.send(a, bond(0n))).toBe('not-left');
    world.end();
  });

  it('bonds the last unit: an account of nothing is left, and the bond is whole', () => {
    const world = worldOf();
    world.begin(1);
    expect(world.send(eve, bond(999n), 1n)).toBeNull();
    world.end();
    expect([world.chain.state.balance(eve.address), world.bondOf(eve)?.units]).toEqual([0n, 999n]);
  });

  it('has 1024 seats, and the lowest free one goes to the next bond', () => {
    const crowd = Array.from({ length: 1023 }, (_, n) => actor(`crowd ${n}`));
    const world = new StakeWorld(
      crowd.map((who) => [who, 10n] as const),
      [eve, fay].map((who) => [who, 1000n] as const),
    );
    world.begin(1);
    expect(world.send(eve, bond(10n), 1n)).toBeNull();
    expect(world.send(fay, bond(500n), 1n)).toBe('seats-exhausted');
    expect(world.send(eve, { kind: 'unbond' }, 1n)).toBeNull();
    world.end();
    expect(world.bondOf(eve)?.seat).toBe(1023);
    world.block(8);
    world.begin(16);
    expect(world.send(fay, bond(500n), 1n)).toBe('seats-exhausted');
    expect(world.send(eve, { kind: 'withdraw' }, 1n)).toBeNull();
    expect(world.send(fay, bond(500n), 1n)).toBeNull();
    world.end();
    expect(world.bondOf(fay)?.seat).toBe(1023);
  });

  it('costs nothing but effort for validators, and the minimum fee for others', () => {
    const world = worldOf();
    world.begin(1);
    expect(world.send(eve, { kind: 'unbond' })).toBe('fee-too-low');
    expect(world.send(a, { kind: 'unbond' })).toBeNull();
    expect(world.send(b, transfer(eve as never, 1n))).toBe('fee-too-low');
    expect(world.send(a, { kind: 'unbond' })).toBe('already-leaving');
    world.end();
    // No account was made for a sender that has none.
    expect([...world.chain.state.balances.keys()]).toHaveLength(3);
  });

  it('that falls into the block that changes the era waits for the next change', () => {
    const world = worldOf();
    world.begin(1);
    world.send(eve, bond(20n), 1n);
    world.end();
    world.advance(7, four);
    world.begin(8);
    expect(world.send(fay, bond(20n), 1n)).toBeNull();
    world.end(world.votesBy(four));
    expect([world.bondOf(eve)?.fromEra, world.bondOf(fay)?.fromEra]).toEqual([2, null]);
    // A validator that leaves in the same block is still in the set that was fixed in it.
    world.advance(15, four);
    world.begin(16);
    expect(world.send(a, { kind: 'unbond' })).toBeNull();
    world.end(world.votesBy(four));
    expect([world.bondOf(fay)?.fromEra, world.bondOf(a)?.untilEra]).toEqual([3, null]);
  });
});

describe('unbond and withdraw', () => {
  it('gives the units back unbondingEpochs after both sets were left, and not a block before', () => {
    const world = worldOf();
    world.advance(7, four);
    world.begin(8);
    expect(world.send(d, { kind: 'withdraw' })).toBe('not-leaving');
    expect(world.send(eve, { kind: 'withdraw' }, 1n)).toBe('not-bonded');
    expect(world.send(eve, { kind: 'unbond' }, 1n)).toBe('not-bonded');
    expect(world.send(d, { kind: 'unbond' })).toBeNull();
    world.end(world.votesBy(four));
    const refusals: [number, string | null][] = [];
    while (world.tip.slot < 60) {
      const slot = world.tip.slot + 1;
      world.begin(slot);
      // A member until the block of slot 32 begins epoch 4.
      const code = world.send(d, { kind: 'withdraw' }, slot < 32 ? 0n : 1n);
      if (refusals.at(-1)?.[1] !== code) refusals.push([slot, code]);
      world.end(world.votesBy(four));
    }
    // Asked in epoch 1, out of the set fixed at 16, out of both at 32 (epoch 4), free in epoch 6.
    expect(refusals).toEqual([
      [9, 'bond-not-free'],
      [48, null],
      [49, 'not-bonded'],
    ]);
    expect(world.chain.state.balance(d.address)).toBe(99n);
    expect(readValidators(world.rules, world.chain.state)).toHaveLength(3);
  });

  it('needs the leaving shown final: without finality nothing is given back however long it takes', () => {
    const world = worldOf({ staleEpochsVerySlow: 0 });
    world.advance(8, four);
    world.begin(9);
    expect(world.send(d, { kind: 'unbond' })).toBeNull();
    world.end(world.votesBy(four));
    world.advance(32, four);
    expect(world.bondOf(d)?.leftEpoch).toBe(4);
    world.advance(80, [a]);
    world.begin(81);
    expect(world.send(d, { kind: 'withdraw' }, 1n)).toBe('bond-not-free');
    world.end();
    world.advance(86, four.slice(0, 3));
    world.begin(87);
    expect(world.send(d, { kind: 'withdraw' }, 1n)).toBeNull();
    world.end();
  });

  it('of a bond that still waits: it has left at once, is free later, and never enters', () => {
    const world = worldOf();
    world.begin(1);
    world.send(eve, bond(50n), 1n);
    expect(world.send(eve, { kind: 'unbond' }, 1n)).toBeNull();
    world.end();
    world.advance(15, four);
    expect(world.bondOf(eve)).toMatchObject({ fromEra: null, leftEpoch: 0 });
    world.begin(16);
    expect(world.send(eve, { kind: 'withdraw' }, 1n)).toBeNull();
    world.end(world.votesBy(four));
    expect(world.bondOf(eve)).toBeUndefined();
    expect(world.electorate.era).toBe(0);
    // And bonds anew, for a new weight.
    world.begin(17);
    expect(world.send(eve, bond(60n), 1n)).toBeNull();
    world.end(world.votesBy(four));
    expect(world.bondOf(eve)?.weight).toBe(60n);
  });

  it('of a slashed bond gives back nothing; the ledger takes it away itself, and the key may bond anew', () => {
    const world = worldOf();
    const seat = world.bondOf(d)?.seat;
    world.advance(8, four);
    world.begin(9);
    expect(world.send(eve, doubleVote(world, d, 5), 1n)).toBeNull();
    expect(world.send(d, { kind: 'unbond' })).toBe('slashed');
    expect(world.send(d, { kind: 'withdraw' })).toBe('bond-not-free');
    world.end(world.votesBy(four));
    expect(world.bondOf(d)).toMatchObject({ units: 0n, weight: 100n, slashed: true, untilEra: null });
    expect(world.electorate.members.find(({ publicKey }) => world.nameOf(publicKey) === 'd')?.weight).toBe(100n);
    world.advance(47, four);
    expect(world.bondOf(d)).toMatchObject({ leftEpoch: 4 });
    world.advance(48, four);
    expect(world.bondOf(d)).toBeUndefined();
    world.begin(49);
    expect(world.send(eve, bond(30n), 1n)).toBeNull();
    world.end();
    expect(world.bondOf(eve)?.seat).toBe(seat);
  });

  it('the owner of a slashed bond may take it away a block earlier than the ledger, for nothing', () => {
    const world = new StakeWorld(
      four.map((who) => [who, 100n] as const),
      [
        [d, 5n],
        [eve, 10n],
      ],
    );
    world.advance(8, four);
    world.begin(9);
    expect(world.send(eve, doubleVote(world, d, 5), 1n)).toBeNull();
    world.end(world.votesBy(four));
    world.advance(47, four);
    world.begin(48);
    // The block's own start has taken it away before.
    expect(world.send(d, { kind: 'withdraw' }, 1n)).toBe('not-bonded');
    world.end();
    expect(world.chain.state.balance(d.address)).toBe(5n);
  });
});

describe('rent', () => {
  it('never touches bonds or their records, whatever it evicts around them', () => {
    const dust = Array.from({ length: 20 }, (_, n) => [actor(`dust ${n}`), 3n] as const);
    const world = new StakeWorld(
      [
        [a, 100n],
        [b, 10n],
      ],
      dust,
      {},
      '1000000',
    );
    const before = readValidators(world.rules, world.chain.state).map(({ units, weight }) => [units, weight]);
    world.advance(40, [a, b]);
    expect(dust.every(([who]) => world.chain.state.balance(who.address) === 0n)).toBe(true);
    expect(readValidators(world.rules, world.chain.state).map(({ units, weight }) => [units, weight])).toEqual(before);
    expect(world.finalSlot).toBe(38);
  });
});
