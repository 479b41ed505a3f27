/** How much compaction moves and when: the rule said again on sorted arrays, and the bounds that the log keeps under any traffic. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import { compact } from '../../src/ledger/compaction.ts';
import { EVICTIONS_KEY, excessOf, Overlay } from '../../src/ledger/index.ts';
import type { ActivityReader, StateOp } from '../../storage/state-reader.ts';
import { LogModel } from '../../tools/bench/log-model.ts';
import { SeededRandom } from '../../tools/workload/random.ts';
import { Zipf } from '../../tools/workload/zipf.ts';
import { addressAt, CompactionWorld, POOL, pay } from './compaction-world.ts';
import { kernels, MapState } from './fixture.ts';

const counts = (opCount: number, floor: number, activeCount: number): ActivityReader => ({
  opCount,
  floor,
  activeCount,
  place: new LogModel().place,
  oldestActive: () => [],
});

describe('how many ops a block may move', () => {
  it.each([
    // opCount, floor, live: excess
    [150, 0, 100, 0],
    [151, 0, 100, 1],
    [1000, 0, 100, 850],
    [1000, 849, 100, 1],
    [1000, 850, 100, 0],
    [1000, 1000, 0, 0],
    // ceil(3 L / 2): 1.5 is 2.
    [2, 0, 1, 0],
    [3, 0, 1, 1],
    [153, 0, 101, 1],
  ])('opCount %i, floor %i, %i live: %i', (opCount, floor, live, excess) => {
    expect(excessOf(counts(opCount, floor, live))).toBe(excess);
  });

  it('is one more than the ops that are no moves, with those that moving itself brings', () => {
    const movesOf = (rate: bigint, balance: bigint, touched: number): number => {
      const world = new CompactionWorld(
        rate,
        Array.from({ length: 60 }, () => balance),
      );
      for (let at = 0; at < 50; at++) world.block();
      // 50 heads after 61 live ops are 81 - 61 too many, or more when moving has begun.
      return world.block((overlay) => {
        for (let n = 0; n < touched; n++) pay(overlay, 50 + n, 50 + n, 0n);
      }).moves;
    };
    expect([0, 1, 5].map((touched) => movesOf(0n, 5n, touched))).toEqual([1, 2, 6]);
    // The pool is written too when rent is charged, the record of evictions when somebody is evicted.
    expect([0, 1, 5].map((touched) => movesOf(1_000_000n, 10_000n, touched))).toEqual([2, 3, 7]);
    expect([0, 1, 5].map((touched) => movesOf(1_000_000n, 5n, touched))).toEqual([2, 3, 7]);
  });
});

/** Compaction said a second time, in the plainest way: on sorted arrays, from the rule's text. */
function naiveBlock(
  world: CompactionWorld,
  ops: readonly StateOp[],
  height: number,
): { accounts: Map<string, bigint | null>; rent: bigint; evicted: bigint; moves: number } {
  const [pool, record] = [byteKey(POOL), byteKey(EVICTIONS_KEY)];
  const written = new Set(ops.map((op) => byteKey('address' in op ? op.address : op.key)));
  const moved = new Set<string>();
  const { opCount, floor, activeCount } = world.log;
  const excess = opCount - floor - Math.ceil(1.5 * activeCount);
  const accounts = new Map<string, bigint | null>();
  let [rent, evicted] = [0n, 0n];
  const write = (key: string): void => {
    if (!moved.has(key)) written.add(key);
  };
  const owed = (from: number): bigint =>
    (world.rate * 32n * BigInt(height)) / 1_000_000n - (world.rate * 32n * BigInt(from)) / 1_000_000n;
  for (const op of [...world.log.oldestActive()].sort((a, b) => a.op - b.op)) {
    const key = byteKey(op.key);
    if (moved.size >= excess || moved.size >= written.size + 1) break;
    if (written.has(key)) continue;
    moved.add(key);
    if (op.kind === 'record' || key === pool) continue;
    const balance = world.state.balances.get(key) ?? 0n;
    const due = owed(op.height);
    accounts.set(key, balance > due ? balance - due : null);
    if (balance >= due) {
      rent += due;
      if (due > 0n) write(pool);
    } else if (balance > 0n) {
      evicted += balance;
      write(record);
    }
  }
  return { accounts, rent, evicted, moves: moved.size };
}

describe('compaction', () => {
  it('moves what a naive reading of the rule moves, and conserves every unit', () => {
    let [evictions, deletions, rents] = [0, 0, 0];
    fc.assert(
      fc.property(
        fc.constantFrom(0n, 500n, 40_000n, 900_000n),
        fc.array(fc.bigInt(0n, 60n), { minLength: 3, maxLength: 14 }),
        fc.array(fc.array(fc.tuple(fc.nat(15), fc.nat(15), fc.bigInt(0n, 20n)), { maxLength: 6 }), { maxLength: 60 }),
        (rate, balances, blocks) => {
          const world = new CompactionWorld(rate, balances);
          const supply = world.supply;
          for (const transfers of blocks) {
            const touch = (overlay: Overlay): void => {
              for (const [from, to, value] of transfers) pay(overlay, from, to, value);
            };
            const before = new Overlay(world.state);
            touch(before);
            const expected = naiveBlock(world, before.ops(), world.log.height + 1);
            const report = world.block(touch);
            expect(report.rent).toBe(expected.rent);
            expect(report.evictions.reduce((sum, { balance }) => sum + balance, 0n)).toBe(expected.evicted);
            for (const [key, balance] of expected.accounts)
              expect(world.state.balances.get(key)).toBe(balance ?? undefined);
            expect(report.moves).toBe(expected.moves);
            expect(world.supply).toBe(supply);
            evictions += report.evictions.length;
            deletions += report.ops.filter(({ kind }) => kind === 'deleteAccount').length;
            rents += report.rent > 0n ? 1 : 0;
          }
        },
      ),
      { numRuns: 300, seed: 9 },
    );
    // Nothing was tested if nothing happened.
    expect(evictions).toBeGreaterThan(100);
    expect(deletions).toBeGreaterThan(evictions);
    expect(rents).toBeGreaterThan(100);
  });

  it('keeps the log under twice its live ops with Zipf traffic, in thousands of blocks', () => {
    const random = new SeededRandom(7);
    const accounts = 2000;
    const picks = new Zipf(random, { count: accounts });
    const world = new CompactionWorld(
      1000n,
      Array.from({ length: accounts }, () => 1_000_000n),
    );
    const supply = world.supply;
    let [spreadMax, movesMax, opsMax] = [0, 0, 0];
    for (let height = 1; height <= 3000; height++) {
      const transfers = 5 + random.below(40);
      const report = world.block((overlay) => {
        for (let n = 0; n < transfers; n++) pay(overlay, picks.next(), picks.next(), 10n);
      });
      movesMax = Math.max(movesMax, report.moves / (report.touched + 3));
      opsMax = Math.max(opsMax, report.ops.length / (2 * report.touched + 5));
      if (height > 100) spreadMax = Math.max(spreadMax, world.spread);
    }
    expect(spreadMax).toBeLessThan(2);
    expect(movesMax).toBeLessThanOrEqual(1);
    expect(opsMax).toBeLessThanOrEqual(1);
    expect(world.log.floor).toBeGreaterThan(100_000);
    expect(world.supply).toBe(supply);
    expect(world.state.balance(POOL)).toBeGreaterThan(0n);
  });

  it('stays bounded with no traffic, and with few accounts touched for ever', () => {
    // Each block that collects rent writes the pool: that garbage must be answered for too.
    for (const [traffic, rate] of [
      [0, 0n],
      [1, 0n],
      [0, 1000n],
      [1, 1000n],
      [3, 1000n],
    ] as const) {
      const world = new CompactionWorld(
        rate,
        Array.from({ length: 200 }, () => 5_000n),
      );
      let [peak, end] = [0, 0];
      for (let height = 1; height <= 2000; height++) {
        world.block((overlay) => {
          for (let n = 0; n < traffic; n++) pay(overlay, n, n, 0n);
        });
        peak = Math.max(peak, world.spread);
        if (height > 1000) end = Math.max(end, world.spread);
      }
      expect(peak).toBeLessThan(2.55);
      expect(end).toBeLessThan(2.05);
    }
  });

  it('reads no op when none is to be moved, and stops at the last', () => {
    let read = 0;
    const activity = (excess: number): ActivityReader => ({
      opCount: 15 + excess,
      floor: 0,
      activeCount: 10,
      place: { ...new LogModel().place, height: 1 },
      *oldestActive() {
        for (let number = 0; number < 10; number++) {
          read++;
          yield { op: number, kind: 'account', key: addressAt(number), height: 0 };
        }
      },
    });
    const run = (excess: number): number => {
      read = 0;
      const overlay = new Overlay(new MapState());
      overlay.setBalance(addressAt(0), 0n);
      overlay.setBalance(addressAt(2), 0n);
      overlay.setBalance(addressAt(50), 0n);
      return compact(kernels, { rent: { microunitsPerByteBlock: 0n }, rewardPool: POOL }, overlay, activity(excess))
        .moves;
    };
    expect([run(0), read]).toEqual([0, 0]);
    expect([run(1), read]).toEqual([1, 2]);
    expect([run(2), read]).toEqual([2, 4]);
    // n + 1 moves, and at most n passed over.
    expect([run(9), read]).toEqual([4, 6]);
  });
});
