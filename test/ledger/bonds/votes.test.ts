/** Votes executed: what counts, what is passed over, what waits; and what a block costs the log. */
import { describe, expect, it } from 'vitest';
import type { Vote } from '../../../src/codec/index.ts';
import { hasSeat, readProgress, readTally } from '../../../src/ledger/index.ts';
import type { StateOp } from '../../../storage/state-reader.ts';
import { named } from '../fixture.ts';
import { type Actor, actor, type Point, StakeWorld, voteOf } from './stake-world.ts';

const four = ['a', 'b', 'c', 'd'].map(actor) as [Actor, Actor, Actor, Actor];
const [a, b, c, d] = four;
const worldOf = (bonds = [100n, 100n, 100n, 100n]): StakeWorld =>
  new StakeWorld(four.map((who, n) => [who, bonds[n]!] as const));

/** A chain of blocks without votes, by slot. */
function bare(world: StakeWorld, slots: readonly number[]): Map<number, Point> {
  const points = new Map<number, Point>([[0, world.tip]]);
  for (const slot of slots) {
    world.block(slot);
    points.set(slot, world.tip);
  }
  return points;
}
const from = (voters: readonly Actor[], source: Point, target: Point, change: Partial<Vote> = {}): Vote[] =>
  voters.map((voter) => voteOf(voter, source, target, 50_000, change));
const shown = (world: StakeWorld): readonly [justified: number, final: number] => {
  const { justified, final } = readProgress(world.chain.state);
  return [justified.slot, final.slot];
};

describe('votes in blocks', () => {
  it('show a block justified with more than two thirds, and final by those of the next slot that name it', () => {
    const world = worldOf();
    const at = bare(world, [1, 2]);
    world.block(3, from([a, b], at.get(0)!, at.get(1)!));
    expect(shown(world)).toEqual([0, 0]);
    world.block(4, from([c], at.get(0)!, at.get(1)!));
    expect(shown(world)).toEqual([1, 0]);
    world.block(5, from([a, b], at.get(1)!, at.get(2)!));
    expect(shown(world)).toEqual([1, 0]);
    world.block(6, from([d], at.get(1)!, at.get(2)!));
    expect(shown(world)).toEqual([2, 1]);
  });

  it('do not show a block final by votes that name another source, nor over a skipped slot', () => {
    const world = worldOf();
    const at = bare(world, [1, 2, 4]);
    world.block(5, from(four, at.get(0)!, at.get(1)!));
    // Justified by older sources.
    world.block(6, from(four, at.get(0)!, at.get(2)!));
    expect(shown(world)).toEqual([2, 0]);
    world.block(7, from(four, at.get(2)!, at.get(4)!));
    expect(shown(world)).toEqual([4, 0]);
  });

  it('are passed over when anything about them is not of this chain', () => {
    const world = worldOf();
    const at = bare(world, [1, 2]);
    const [root, one] = [at.get(0)!, at.get(1)!];
    const strange: Vote[][] = [
      from(four, root, { ...one, hash: named('elsewhere') }),
      from(four, root, { ...one, stateRoot: named('another root') }),
      from(four, root, one, { pohCount: 50_001 as Vote['pohCount'] }),
      from(four, { ...root, hash: named('elsewhere') }, one),
      from(four, one, one),
      from(four, at.get(2)!, one),
      from([actor('e'), actor('f'), actor('g')], root, one),
      from([a, a, a], root, one),
      from([a, b], root, one),
    ];
    for (const [n, votes] of strange.entries()) {
      world.block(3 + n, votes);
      expect(shown(world), String(n)).toEqual([0, 0]);
    }
    // What does not count writes nothing: no tally but the parent's, no presence.
    world.begin(20);
    const touched = world.execution!.overlay.touchedCount;
    world.execution!.executeVotes(strange.slice(0, 7).flat());
    expect(world.execution!.overlay.touchedCount).toBe(touched);
  });

  it('wait for their source, and are counted once it is justified, however many blocks later', () => {
    const world = worldOf();
    const at = bare(world, [1, 2, 3]);
    world.block(4, from(four, at.get(2)!, at.get(3)!));
    world.block(5, from(four, at.get(1)!, at.get(2)!));
    expect(shown(world)).toEqual([0, 0]);
    expect(readTally(world.chain.state, 3)?.waiting).toHaveLength(1);
    for (let slot = 6; slot < 30; slot++) world.block(slot);
    world.block(30, from([a, b], at.get(0)!, at.get(1)!));
    expect(shown(world)).toEqual([0, 0]);
    world.block(31, from([c], at.get(0)!, at.get(1)!));
    expect(shown(world)).toEqual([3, 2]);
    expect(readTally(world.chain.state, 3)?.waiting).toEqual([]);
  });

  it('wait for up to eight sources at once; a ninth is passed over', () => {
    const crowd = Array.from({ length: 12 }, (_, n) => actor(`crowd ${n}`));
    const world = new StakeWorld(crowd.map((who) => [who, 10n] as const));
    const at = bare(
      world,
      Array.from({ length: 12 }, (_, n) => n + 1),
    );
    const votes = crowd.slice(0, 9).map((voter, n) => voteOf(voter, at.get(n + 1)!, at.get(12)!, 50_000));
    world.block(13, votes);
    expect(readTally(world.chain.state, 12)?.waiting.map(({ source }) => source)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    // When finality passes the sources, the votes count, as nodes do not look below their root.
    world.block(14, from(crowd, at.get(0)!, at.get(10)!));
    world.block(15, from(crowd, at.get(10)!, at.get(11)!));
    expect(shown(world)).toEqual([11, 10]);
    const tally = readTally(world.chain.state, 12)!;
    const seats = crowd.map(({ address }) => world.bondOf({ address } as Actor)!.seat);
    expect(seats.filter((seat) => hasSeat(tally.counted, seat))).toHaveLength(8);
    expect(tally.waiting).toEqual([]);
  });

  it('may stand in the block in any order', () => {
    const [first, second] = [worldOf(), worldOf()];
    for (const [world, turn] of [
      [first, 0],
      [second, 1],
    ] as const) {
      const at = bare(world, [1, 2]);
      const votes = [...from(four, at.get(0)!, at.get(1)!), ...from(four, at.get(1)!, at.get(2)!)];
      world.block(3, turn === 0 ? votes : votes.reverse());
      expect(shown(world)).toEqual([2, 1]);
    }
    expect(readProgress(first.chain.state)).toEqual(readProgress(second.chain.state));
  });

  it('wait for nothing that stands behind them in the same block, however much that is', () => {
    const crowd = Array.from({ length: 12 }, (_, n) => actor(`crowd ${n}`));
    const world = new StakeWorld(crowd.map((who) => [who, 10n] as const));
    const at = bare(
      world,
      Array.from({ length: 12 }, (_, n) => n + 1),
    );
    const first = crowd.slice(0, 9).map((voter, n) => voteOf(voter, at.get(n + 1)!, at.get(12)!, 50_000));
    const behind = Array.from({ length: 9 }, (_, n) => from(crowd, at.get(0)!, at.get(n + 1)!)).flat();
    world.block(13, [...first, ...behind]);
    expect(shown(world)).toEqual([12, 0]);
  });

  it('twice by one voter weigh once, also for different sources', () => {
    const world = worldOf();
    const at = bare(world, [1, 2]);
    world.block(3, from(four, at.get(0)!, at.get(1)!));
    world.block(4, [...from([a, b], at.get(0)!, at.get(2)!), ...from([a, b], at.get(1)!, at.get(2)!)]);
    expect(shown(world)).toEqual([1, 0]);
    world.block(5, from([c], at.get(0)!, at.get(2)!));
    // Justified by three; final needs three that name block 1.
    expect(shown(world)).toEqual([2, 0]);
  });

  it('weigh by the electorate that judges their target, whoever judges now', () => {
    const world = worldOf([100n, 100n, 100n, 150n]);
    world.advance(8, four);
    world.begin(9);
    expect(world.send(d, { kind: 'unbond' })).toBeNull();
    world.end(world.votesBy(four));
    world.advance(31, four);
    const last = { tip: world.tip, before: world.before };
    // d is out of both sets from slot 32 on; the block of slot 31 is still judged with it: 300 of 450 is no quorum, and its vote makes one.
    world.block(32, from([a, b, c], last.before, last.tip));
    expect(world.members).not.toContain('d');
    expect(shown(world)).toEqual([30, 29]);
    world.block(33, from([d], last.before, last.tip));
    expect(shown(world)).toEqual([31, 30]);
  });
});

describe('what stake costs the log', () => {
  const all = Array.from({ length: 1000 }, (_, n) => actor(`crowd ${n}`));
  const isStake = (op: StateOp): boolean => op.kind.endsWith('Bond') || ('key' in op && op.key[0]! >= 6);

  it.each([4, 100, 1000])('with %i validators: a few ops a block, and no bond but where one changes', (count) => {
    const crowd = all.slice(0, count);
    const world = new StakeWorld(crowd.map((who) => [who, 10n] as const));
    const costs = Array.from({ length: 25 }, (_, n) => {
      const votes = world.votesBy(crowd);
      const ops = world.plainBlock(n + 1, votes).filter(isStake);
      const value = (op: StateOp): number => ('value' in op ? op.value.length : 0);
      const bytes = ops.reduce((sum, op) => sum + 4 + ('key' in op ? op.key.length : 60) + value(op), 0);
      return { slot: n + 1, ops: ops.length, bytes, bonds: ops.filter(({ kind }) => kind.endsWith('Bond')).length };
    });
    // The parent's tally, the progress, an old tally deleted.
    const steady = costs.slice(17, 23);
    expect(steady.map(({ ops, bonds }) => [ops, bonds])).toEqual(steady.map(() => [3, 0]));
    // At an epoch's first block the epoch record comes on top.
    expect(costs[23]).toMatchObject({ slot: 24, ops: 4, bonds: 0 });
    expect(Math.max(...steady.map(({ bytes }) => bytes))).toBeLessThan(400 + 3 * Math.ceil(count / 8));
    if (process.env.CAIRN_STAKE_COST !== undefined) console.log(count, steady[0], costs[23]);
    // One who is absent costs an op in the epoch after, another when it is to leave, and none between.
    const silent = crowd.slice(1);
    const writes: number[] = [];
    for (let slot = 26; slot <= 48; slot++)
      writes.push(world.plainBlock(slot, world.votesBy(silent)).filter(({ kind }) => kind === 'putBond').length);
    expect(writes.reduce((sum, n) => sum + n, 0)).toBe(2);
  });
});
