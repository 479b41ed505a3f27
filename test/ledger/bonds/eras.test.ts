import { describe, expect, it } from 'vitest';
import type { Vote } from '../../../src/codec/index.ts';
import { readEpoch, readValidators } from '../../../src/ledger/index.ts';
import { type Actor, actor, bond, StakeWorld } from './stake-world.ts';

const four = ['a', 'b', 'c', 'd'].map(actor) as [Actor, Actor, Actor, Actor];
const [a, b, c, d] = four;
const newcomers = Array.from({ length: 6 }, (_, n) => actor(`new ${n}`));
const everybody = [...four, ...newcomers];
const worldOf = (bonds: readonly bigint[] = [100n, 100n, 100n, 100n], consensus = {}): StakeWorld =>
  new StakeWorld(
    bonds.map((units, n) => [four[n]!, units] as const),
    everybody.map((who) => [who, 10_000n] as const),
    consensus,
  );

describe('eras', () => {
  it('a chain whose validators never change stays in era 0, and in one electorate but for its epoch', () => {
    const world = worldOf();
    world.advance(40, four);
    expect([world.electorate.epoch, world.electorate.era, world.finalSlot]).toEqual([5, 0, 38]);
    expect(
      world.electorate.members.every(({ inCurrent, inPrevious, excluded }) => inCurrent && inPrevious && !excluded),
    ).toBe(true);
  });

  it('blocks of one epoch share the array of members, and the next epoch has its own', () => {
    const world = worldOf();
    world.advance(9, four);
    const { members } = world.electorate;
    world.advance(15, four);
    expect(world.electorate.members).toBe(members);
    world.advance(16, four);
    expect(world.electorate.members).not.toBe(members);
  });

  it('a new bond enters two era changes after it asked, and judges in both sets after three', () => {
    const world = worldOf();
    world.advance(8, four);
    world.begin(9);
    expect(world.send(newcomers[0]!, bond(50n), 1n)).toBeNull();
    world.end(world.votesBy(four));
    const all = [...four, newcomers[0]!];
    const steps: [number, number, string | undefined][] = [];
    for (let slot = 16; slot <= 40; slot += 8) {
      world.advance(slot, all);
      const member = world.electorate.members.find(({ publicKey }) => world.nameOf(publicKey) === 'new 0');
      const sets = member === undefined ? undefined : `${member.inCurrent} ${member.inPrevious}`;
      steps.push([slot, world.electorate.era, sets]);
    }
    expect(steps).toEqual([
      [16, 1, undefined],
      [24, 2, 'true false'],
      [32, 3, 'true true'],
      [40, 3, 'true true'],
    ]);
  });

  it('no era ends before one of its blocks is shown final: bonds wait as long as it takes', () => {
    const world = worldOf([100n, 100n, 100n, 100n], {
      staleEpochsSlow: 20,
      unfinalizedBlocksMax: 4096,
      staleEpochsVerySlow: 0,
    });
    world.advance(8, four);
    world.begin(9);
    world.send(newcomers[0]!, bond(50n), 1n);
    world.end(world.votesBy(four));
    world.advance(14, four);
    // Exactly two thirds are no quorum.
    world.advance(60, [a, b]);
    expect([world.electorate.era, world.finalSlot]).toEqual([1, 12]);
    world.advance(70, four);
    expect([world.electorate.era, world.finalSlot]).toEqual([2, 68]);
  });

  it('at most an eighth of the weight enters in an era, in order of asking; one in any case', () => {
    const world = worldOf();
    world.advance(8, four);
    // 1/8 of 400 is 50: the first and second fit, the third waits though it would fit alone, and so does who comes behind it.
    for (const [n, units] of [30n, 20n, 40n, 10n, 1000n].entries()) {
      world.begin(world.tip.slot + 1);
      expect(world.send(newcomers[n]!, bond(units), 1n)).toBeNull();
      world.end(world.votesBy(four));
    }
    const entered = (era: number): string[] =>
      readValidators(world.rules, world.chain.state)
        .filter(({ fromEra }) => fromEra === era)
        .map(({ publicKey }) => world.nameOf(publicKey))
        .sort();
    const all = [...four, ...newcomers];
    world.advance(16, all);
    expect(entered(2)).toEqual(['new 0', 'new 1']);
    world.advance(24, all);
    expect(entered(3)).toEqual(['new 2', 'new 3']);
    // Far more than an eighth, but somebody must come in.
    world.advance(32, all);
    expect(entered(4)).toEqual(['new 4']);
  });

  it('slashed ones leave first, then who asked, then who is absent; at most an eighth, one in any case', () => {
    const world = new StakeWorld([...four, ...newcomers].map((who) => [who, 100n] as const));
    const quorum = everybody.filter((who) => who !== newcomers[5]);
    world.advance(9, quorum);
    world.begin(10);
    expect(world.send(newcomers[0]!, { kind: 'unbond' })).toBeNull();
    expect(world.send(newcomers[1]!, { kind: 'unbond' })).toBeNull();
    world.end(world.votesBy(quorum));
    const left = (): string[] =>
      readValidators(world.rules, world.chain.state)
        .filter(({ untilEra }) => untilEra !== null)
        .map(({ publicKey }) => world.nameOf(publicKey))
        .sort();
    const [first, second] = [newcomers[0]!, newcomers[1]!].sort((x, y) => Buffer.compare(x.address, y.address));
    world.advance(16, quorum);
    expect(left()).toEqual([first!.name]);
    world.advance(24, quorum);
    expect(left()).toEqual([first!.name, second!.name].sort());
    world.advance(32, quorum);
    expect(left()).toEqual([first!.name, 'new 5', second!.name].sort());
  });

  it('the last member cannot leave until another has come in', () => {
    const world = worldOf([100n]);
    world.advance(2, [a]);
    world.begin(3);
    expect(world.send(a, { kind: 'unbond' })).toBeNull();
    world.end(world.votesBy([a]));
    world.advance(40, [a]);
    expect([world.members, world.electorate.era]).toEqual([['a'], 0]);
    world.begin(41);
    expect(world.send(newcomers[0]!, bond(70n), 1n)).toBeNull();
    world.end(world.votesBy([a]));
    world.advance(90, [a, newcomers[0]!]);
    expect(world.members).toEqual(['new 0']);
    expect(world.finalSlot).toBe(88);
  });

  it('counts nobody absent for epochs that hold few blocks, nor for a stretch without any', () => {
    const world = worldOf();
    world.advance(9, four);
    for (const slot of [17, 18, 19, 40, 41, 100]) world.block(slot);
    const { fullEpochs } = readEpoch(world.chain.state);
    expect(fullEpochs).toBe(1);
    expect(readValidators(world.rules, world.chain.state).map(({ missedEpochs }) => missedEpochs)).toEqual([
      0, 0, 0, 0,
    ]);
  });
});

describe('absence', () => {
  it('who is absent for staleEpochsFast full epochs leaves with the eras, while the others go on', () => {
    const world = worldOf([100n, 100n, 100n, 40n]);
    world.advance(7, four);
    world.advance(24, [a, b, c]);
    // Absent in epochs 1 and 2: due at slot 24, out of the current set two eras later.
    expect(world.bondOf(d)?.untilEra).toBe(2);
    world.advance(32, [a, b, c]);
    expect(world.electorate.members.find(({ publicKey }) => world.nameOf(publicKey) === 'd')?.inCurrent).toBe(false);
    world.advance(40, [a, b, c]);
    expect(world.members.sort()).toEqual(['a', 'b', 'c']);
    expect(readValidators(world.rules, world.chain.state).find(({ weight }) => weight === 40n)).toMatchObject({
      stage: 'left',
      stale: true,
      units: 40n,
      freeEpoch: null,
    });
    // It comes back by asking, and is a member again.
    world.advance(46, [a, b, c]);
    world.begin(47);
    expect(world.send(d, bond(0n), 1n)).toBeNull();
    world.end(world.votesBy([a, b, c]));
    world.advance(72, four);
    expect(world.members.sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('one vote in time ends it; who is back before it has left comes in again by itself', () => {
    const world = worldOf([100n, 100n, 100n, 40n]);
    world.advance(7, four);
    world.advance(22, [a, b, c]);
    world.advance(23, four);
    world.advance(30, [a, b, c]);
    expect(world.bondOf(d)).toMatchObject({ untilEra: null, absentFrom: null });
    world.advance(42, [a, b, c]);
    expect(world.bondOf(d)?.untilEra).toBe(2);
    world.advance(90, four);
    expect(world.bondOf(d)).toMatchObject({ untilEra: null, leftEpoch: null, excludedFrom: null });
    expect(world.members).toContain('d');
  });

  it('a late vote shows presence up to voteLateSlotsMax slots after its target, also when that is final already', () => {
    for (const [lateSlots, missed] of [
      [3, 0],
      [4, 2],
    ] as const) {
      const world = worldOf([100n, 100n, 100n, 40n], {
        staleEpochsFast: 5,
        staleEpochsSlow: 6,
        staleEpochsVerySlow: 0,
      });
      world.advance(7, four);
      const ownVotes: Vote[][] = [];
      while (world.tip.slot < 24) {
        ownVotes.push(world.votesBy([d]));
        // A vote for the parent is a slot late when it comes: this one is as late as it says.
        world.block(world.tip.slot + 1, [...world.votesBy([a, b, c]), ...(ownVotes.at(-lateSlots) ?? [])]);
      }
      expect(world.finalSlot).toBe(22);
      expect(readValidators(world.rules, world.chain.state).find(({ weight }) => weight === 40n)?.missedEpochs).toBe(
        missed,
      );
    }
  });

  it('a late vote shows nothing either where its target is not final', () => {
    for (const lateSlots of [3, 4]) {
      const world = worldOf([100n, 100n, 100n, 40n]);
      world.advance(7, four);
      const ownVotes: Vote[][] = [];
      while (world.tip.slot < 24) {
        ownVotes.push(world.votesBy([d]));
        world.block(world.tip.slot + 1, ownVotes.at(-lateSlots) ?? []);
      }
      expect(world.finalSlot).toBeLessThan(7);
      const missed = readValidators(world.rules, world.chain.state).map(({ missedEpochs }) => missedEpochs);
      expect(missed).toEqual([2, 2, 2, lateSlots === 3 ? 0 : 2]);
    }
  });
});
