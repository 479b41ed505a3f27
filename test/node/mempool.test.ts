import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteKey, pohCount } from '../../native/index.ts';
import type { Transaction } from '../../src/codec/index.ts';
import { Mempool } from '../../src/node/mempool.ts';
import { newWorld, rootOf, transactionOn } from './world.ts';

const MAX = 12;
const world = newWorld();
const header = rootOf(world).header;
/** Transaction number i refers to count i: `expire` can tell them apart. */
const transactions: readonly Transaction[] = Array.from({ length: 20 }, (_, index) => ({
  ...transactionOn(world, header, { counter: BigInt(index) }),
  lastValidCount: pohCount(index),
}));

type Group = 'waiting' | 'taken' | 'forwarded' | 'included';

/** What the mempool promises, in the plainest form: one ordered list of (transaction, group). */
class Model {
  rows: { index: number; group: Group; atMs: number }[] = [];
  in(group: Group): number[] {
    return this.rows.filter((row) => row.group === group).map(({ index }) => index);
  }
  remove(indexes: readonly number[]): void {
    this.rows = this.rows.filter(({ index }) => !indexes.includes(index));
  }
  push(index: number, group: Group, atMs = 0): void {
    this.remove([index]);
    this.rows.push({ index, group, atMs });
  }
  front(indexes: readonly number[]): void {
    this.remove(indexes);
    this.rows = [...indexes.map((index) => ({ index, group: 'waiting' as const, atMs: 0 })), ...this.rows];
  }
}

type Step = (pool: Mempool, model: Model, nowMs: number) => void;
const of = (indexes: readonly number[]): Transaction[] => indexes.map((index) => transactions[index]!);
const subset = fc.uniqueArray(fc.nat(transactions.length - 1), { maxLength: 12, size: 'max' });

const add = fc.nat(transactions.length - 1).map(
  (index): Step =>
    (pool, model) => {
      const held = model.rows.some((row) => row.index === index);
      const expected = held ? 'duplicate' : model.rows.length >= MAX ? 'full' : 'added';
      expect(pool.add(transactions[index]!)).toBe(expected);
      if (expected === 'added') model.push(index, 'waiting');
    },
);
const take = fc.nat(6).map(
  (count): Step =>
    (pool, model) => {
      const expected = model.in('waiting').slice(0, count);
      expect(pool.take(count)).toEqual(of(expected));
      for (const index of expected) model.push(index, 'taken');
    },
);
const putBack = subset.map(
  (indexes): Step =>
    (pool, model) => {
      pool.putBack(of(indexes));
      model.front(indexes.filter((index) => model.in('taken').includes(index)));
    },
);
const forward = subset.map(
  (indexes): Step =>
    (pool, model, nowMs) => {
      pool.forward(of(indexes), nowMs);
      for (const index of indexes) if (model.in('taken').includes(index)) model.push(index, 'forwarded', nowMs);
    },
);
const include = subset.map(
  (indexes): Step =>
    (pool, model) => {
      pool.include(of(indexes));
      for (const index of indexes) {
        const row = model.rows.find((one) => one.index === index);
        if (row !== undefined && row.group !== 'included') model.push(index, 'included');
      }
    },
);
const release = subset.map(
  (indexes): Step =>
    (pool, model) => {
      pool.release(of(indexes));
      model.front(indexes.filter((index) => model.in('included').includes(index)));
    },
);
const reclaim = fc.nat(60).map(
  (beforeMs): Step =>
    (pool, model) => {
      const expected = model.rows.filter(({ group, atMs }) => group === 'forwarded' && atMs < beforeMs);
      expect(pool.reclaimForwarded(beforeMs)).toBe(expected.length);
      model.front(expected.map(({ index }) => index));
    },
);
const drop = subset.map(
  (indexes): Step =>
    (pool, model) => {
      pool.drop(of(indexes));
      model.remove(indexes);
    },
);
const expire = fc.nat(5).map(
  (count): Step =>
    (pool, model) => {
      const old = model.rows.filter(
        ({ index, group }) => index < count && (group === 'waiting' || group === 'forwarded'),
      );
      expect(pool.expire(pohCount(count))).toBe(old.length);
      model.remove(old.map(({ index }) => index));
    },
);

function check(pool: Mempool, model: Model): void {
  expect(pool.size).toBe(model.rows.length);
  expect(pool.pendingCount).toBe(model.rows.length - model.in('included').length);
  expect(pool.size).toBeLessThanOrEqual(MAX);
  for (const [index, { id }] of transactions.entries())
    expect(pool.has(id)).toBe(model.rows.some((row) => row.index === index));
}

describe('mempool', () => {
  it('does what its model does, whatever is asked: one group each, order kept, bounded, nothing lost', () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: add },
        { weight: 3, arbitrary: take },
        putBack,
        forward,
        include,
        release,
        reclaim,
        drop,
        expire,
      ),
      { maxLength: 40, size: 'max' },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const pool = new Mempool(MAX);
        const model = new Model();
        all.forEach((step, nowMs) => {
          step(pool, model, nowMs);
          check(pool, model);
        });
        // What is left comes out whole, in order.
        const waiting = model.in('waiting');
        expect(pool.take(1000).map(({ id }) => byteKey(id))).toEqual(
          waiting.map((index) => byteKey(transactions[index]!.id)),
        );
      }),
      { seed: 7, numRuns: 400 },
    );
  });

  it('knows what it has given out: nobody can hand it in a second time meanwhile, nor fill its place', () => {
    const pool = new Mempool(2);
    pool.add(transactions[0]!);
    pool.add(transactions[1]!);
    const taken = pool.take(2);
    expect(pool.add(transactions[0]!)).toBe('duplicate');
    expect(pool.add(transactions[2]!)).toBe('full');
    pool.putBack(taken);
    expect(pool.take(2)).toEqual(taken);
  });
});
