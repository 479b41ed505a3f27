/** How a chain goes on when more than a third is away: who stops counting, who counts again, and what the floor is for. */
import { describe, expect, it } from 'vitest';
import { readEpoch, readProgress, readValidators } from '../../../src/ledger/index.ts';
import { type Actor, actor, StakeWorld } from './stake-world.ts';

const four = ['a', 'b', 'c', 'd'].map(actor) as [Actor, Actor, Actor, Actor];
const [a, b, c, d] = four;
const worldOf = (bonds: readonly bigint[], consensus = {}): StakeWorld =>
  new StakeWorld(
    bonds.map((units, n) => [four[n]!, units] as const),
    four.map((who) => [who, 10_000n] as const),
    consensus,
  );

describe('exclusion', () => {
  it('more than half goes on after staleEpochsSlow epochs, with the floor; half and less does not', () => {
    // 60 % of the weight is here: no quorum, but a majority.
    const world = worldOf([30n, 30n, 20n, 20n]);
    world.advance(10, four);
    world.advance(39, [a, b]);
    expect(world.finalSlot).toBe(8);
    expect(world.electorate).toMatchObject({ majorityFloor: false, era: 0 });
    world.advance(40, [a, b]);
    // Finality stood still in the three epochs 2, 3 and 4; c and d have missed them all.
    expect(world.electorate.majorityFloor).toBe(true);
    expect(
      world.electorate.members
        .filter(({ excluded }) => excluded)
        .map(({ publicKey }) => world.nameOf(publicKey))
        .sort(),
    ).toEqual(['c', 'd']);
    world.advance(48, [a, b]);
    expect(world.finalSlot).toBe(46);
    // The excluded leave, one an era; then the floor goes.
    world.advance(100, [a, b]);
    expect(world.electorate.majorityFloor).toBe(false);
    expect(world.members.sort()).toEqual(['a', 'b']);
  });

  it('an excluded member that votes again while finality stalls counts again, and is excluded anew when it stays away once more', () => {
    const world = worldOf([30n, 30n, 25n, 15n], { staleEpochsVerySlow: 0 });
    const excluded = (): string[] =>
      readValidators(world.rules, world.chain.state)
        .filter((row) => row.excluded)
        .map(({ publicKey }) => world.nameOf(publicKey));
    world.advance(10, four);
    world.advance(40, [a, b]);
    expect(excluded()).toEqual(['c', 'd']);
    // b goes as c and d come: 30 of the 60 that count are no quorum, and without c and d those who are here are no majority that could exclude b.
    world.advance(47, [a, c, d]);
    expect(world.finalSlot).toBe(8);
    world.advance(48, [a, c, d]);
    expect(excluded()).toEqual([]);
    expect(world.electorate).toMatchObject({ era: 0, majorityFloor: true });
    expect(world.bondOf(c)!.excludedFrom).toBeNull();
    world.advance(56, [a, c, d]);
    expect(world.finalSlot).toBe(54);
    // Gone again, with something final since: excluded again as before.
    world.advance(58, [a, b, c, d]);
    world.advance(96, [a, b]);
    expect(excluded()).toEqual(['c', 'd']);
  });

  it('who came back for a moment in a stall does not hold up the others for ever: excluded, back, and excluded again with nothing final in between', () => {
    const world = worldOf([30n, 30n, 25n, 15n], { staleEpochsVerySlow: 0 });
    const excluded = (): string[] =>
      world.electorate.members.filter((member) => member.excluded).map(({ publicKey }) => world.nameOf(publicKey));
    world.advance(10, four);
    for (const [from, again] of [
      [40, 48],
      [72, 80],
    ] as const) {
      world.advance(from, [a, b]);
      expect(excluded().sort()).toEqual(['c', 'd']);
      // While b is away nothing becomes final, and c and d show themselves once: too late for this epoch's judges.
      world.advance(again - 2, [a]);
      world.advance(again - 1, [a, c, d]);
      world.advance(again + 1, [a]);
      expect(excluded()).toEqual([]);
      expect(world.finalSlot).toBe(8);
    }
    world.advance(104, [a, b]);
    expect(excluded().sort()).toEqual(['c', 'd']);
    // Votes for the blocks of each of those epochs are still judged by who counted in it: this state is read anew, as after a restart.
    const { judges } = readEpoch(world.chain.state);
    expect(judges.map((judge) => [judge.epoch, [...judge.excluded]])).toEqual([
      [12, []],
      [13, [0b1100]],
    ]);
    world.advance(112, [a, b]);
    expect(world.finalSlot).toBe(110);
  });

  it('absence is counted in a stall although there is one block an epoch, and votes late by its standards', () => {
    // No two of a, b and c but a and c are a quorum. While pairs without it take turns nothing is final, and nobody is absent for long.
    const world = worldOf([40n, 26n, 34n], { staleEpochsVerySlow: 0 });
    const three = [a, b, c];
    world.advance(10, three);
    for (const [slot, voters] of [
      [15, [a, b]],
      [23, [b, c]],
      [31, [a, b]],
      [39, [b, c]],
      [47, [a, b]],
    ] as const)
      world.advance(slot, [...voters]);
    expect(world.finalSlot).toBe(8);
    expect(world.electorate.members.some((member) => member.excluded)).toBe(false);
    // c is gone, and each block stands an epoch after its parent: more than voteLateSlotsMax.
    for (let slot = 55; slot <= 79; slot += 8) world.block(slot, world.votesBy([a, b]));
    expect(world.bondOf(c)!.excludedFrom).toBe(8);
    expect(world.bondOf(a)).toMatchObject({ absentFrom: null, excludedFrom: null });
    world.advance(84, [a, b]);
    expect(world.finalSlot).toBe(82);
  });

  it('both sides of a partition never both finalize in this band: with exactly half, nobody does', () => {
    for (const [left, right, bonds] of [
      [
        [a, b],
        [c, d],
        [25n, 25n, 25n, 25n],
      ],
      [[a], [b, c, d], [50n, 20n, 20n, 10n]],
      [
        [a, b],
        [c, d],
        [26n, 25n, 25n, 24n],
      ],
    ] as const) {
      const finals = [left, right].map((side) => {
        const world = worldOf([...bonds], { staleEpochsVerySlow: 0 });
        world.advance(10, four);
        world.advance(120, [...side]);
        return world.finalSlot > 20;
      });
      expect(finals[0] && finals[1]).toBe(false);
      const half = bonds[0] === 26n;
      expect(finals.some(Boolean)).toBe(half);
    }
  });

  it('with exactly half nobody is excluded', () => {
    const world = worldOf([30n, 20n, 30n, 20n], { staleEpochsVerySlow: 0 });
    world.advance(10, four);
    world.advance(80, [a, b]);
    expect(world.electorate.majorityFloor).toBe(false);
    expect(world.electorate.members.some(({ excluded }) => excluded)).toBe(false);
  });

  it('half of the previous set is needed as well as half of the current', () => {
    // d holds most, and leaves; in era 2 only the previous set has it.
    const world = worldOf([40n, 40n, 40n, 200n], { staleEpochsFast: 1, staleEpochsSlow: 2, staleEpochsVerySlow: 0 });
    world.advance(8, four);
    world.begin(9);
    expect(world.send(d, { kind: 'unbond' })).toBeNull();
    world.end(world.votesBy(four));
    world.advance(24, four);
    world.advance(80, [a, b, c]);
    expect(world.finalSlot).toBe(22);
    expect(world.electorate.members.some(({ excluded }) => excluded)).toBe(false);
    world.advance(90, four);
    expect(world.finalSlot).toBe(88);
  });

  it('with the floor, more than 2/3 of the rest is not enough without half of all', () => {
    // a, b, c hold 60 of 100 and are 3 of 3 active; 2/3 of 60 is 40, half of all is 50.
    const world = worldOf([25n, 18n, 17n, 40n], { staleEpochsFast: 1 });
    world.advance(10, four);
    world.advance(40, [a, b, c]);
    expect(world.electorate.majorityFloor).toBe(true);
    const before = world.finalSlot;
    // 43 of 60 is more than two thirds of the active, and less than half of all.
    world.advance(47, [a, b]);
    expect(world.finalSlot).toBe(before);
    world.advance(55, [a, b, c]);
    expect(world.finalSlot).toBe(53);
  });

  it('after staleEpochsVerySlow epochs the rest goes on however small, without the floor; and never when genesis says never', () => {
    for (const staleEpochsVerySlow of [6, 0]) {
      const world = worldOf([20n, 20n, 30n, 30n], { staleEpochsVerySlow });
      world.advance(10, four);
      world.advance(63, [a, b]);
      expect(world.finalSlot).toBe(8);
      world.advance(80, [a, b]);
      expect(world.finalSlot).toBe(staleEpochsVerySlow === 0 ? 8 : 78);
      expect(world.electorate.majorityFloor).toBe(false);
    }
  });

  it('a member that asked to leave and went silent before it had left cannot hold up the previous set for long', () => {
    const world = worldOf([40n, 40n, 40n, 100n], { staleEpochsFast: 1, staleEpochsSlow: 2, staleEpochsVerySlow: 0 });
    world.advance(8, four);
    world.begin(9);
    expect(world.send(d, { kind: 'unbond' })).toBeNull();
    world.end(world.votesBy(four));
    world.advance(24, four);
    const judged = (): object | undefined =>
      world.electorate.members.find(({ publicKey }) => world.nameOf(publicKey) === 'd');
    expect(judged()).toMatchObject({ inCurrent: false, inPrevious: true, excluded: false });
    world.advance(47, [a, b, c]);
    expect(world.finalSlot).toBe(22);
    world.advance(60, [a, b, c]);
    expect(world.finalSlot).toBe(58);
    expect(readProgress(world.chain.state).justified.slot).toBe(59);
    // The era could not end before; now d has left, and gets its bond in time.
    world.advance(80, [a, b, c]);
    expect(world.bondOf(d)).toMatchObject({ leftEpoch: 7 });
    world.begin(81);
    expect(world.send(d, { kind: 'withdraw' }, 1n)).toBeNull();
    world.end();
  });
});
