import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import { compact } from '../../src/ledger/compaction.ts';
import {
  EVICTIONS_KEY,
  excessOf,
  LedgerInvariantError,
  Overlay,
  RENT_RATE_MAX,
  rentUpTo,
} from '../../src/ledger/index.ts';
import { RentMeter } from '../../src/ledger/rent.ts';
import type { ActivityReader, StateOp } from '../../storage/state-reader.ts';
import { LogModel } from '../../tools/bench/log-model.ts';
import { SeededRandom } from '../../tools/workload/random.ts';
import { Zipf } from '../../tools/workload/zipf.ts';
import { addressAt, CompactionWorld, POOL, pay } from './compaction-world.ts';
import { Chain, document, kernels, MapState, person, transfer } from './fixture.ts';

const counts = (opCount: number, floor: number, activeCount: number): ActivityReader => ({
  opCount,
  floor,
  activeCount,
  place: new LogModel().place,
  oldestActive: () => [],
});

describe('rent', () => {
  it('telescopes: however a stretch is split, the parts sum to the whole', () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, RENT_RATE_MAX),
        fc.array(fc.maxSafeNat(), { minLength: 2, maxLength: 20 }),
        (microunitsPerByteBlock, heights) => {
          const rules = { microunitsPerByteBlock };
          const ascending = heights.sort((a, b) => a - b);
          let sum = 0n;
          for (let at = 1; at < ascending.length; at++)
            sum += new RentMeter(rules, ascending[at]!).due(ascending[at - 1]!);
          expect(sum).toBe(rentUpTo(rules, ascending.at(-1)!) - rentUpTo(rules, ascending[0]!));
        },
      ),
      { numRuns: 300, seed: 3 },
    );
  });

  it('is the rate times 32 bytes times blocks, in millionths, rounded down', () => {
    const rules = { microunitsPerByteBlock: 1n };
    expect([0, 31_249, 31_250, 62_499, 62_500].map((height) => rentUpTo(rules, height))).toEqual([0n, 0n, 1n, 1n, 2n]);
    expect(rentUpTo({ microunitsPerByteBlock: 1_000_000n }, 3)).toBe(96n);
    expect(rentUpTo({ microunitsPerByteBlock: 0n }, 2 ** 53 - 1)).toBe(0n);
    // No rounding at the far end of both ranges.
    expect(rentUpTo({ microunitsPerByteBlock: RENT_RATE_MAX }, 2 ** 53 - 1)).toBe(32_000_000n * (2n ** 53n - 1n));
  });
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

  it('charges an untouched account R(last move) - R(genesis), whatever moved it how often', () => {
    for (const seed of [1, 2, 3]) {
      const random = new SeededRandom(seed);
      const world = new CompactionWorld(
        7777n,
        Array.from({ length: 40 }, () => 1_000_000n),
      );
      let moved = 0;
      let lastMove = 0;
      for (let height = 1; height <= 1500; height++) {
        const { ops } = world.block((overlay) => {
          for (let n = random.below(seed * 6); n > 0; n--) pay(overlay, 1 + random.below(39), 1 + random.below(39), 3n);
        });
        if (ops.some((op) => op.kind === 'putAccount' && byteKey(op.address) === byteKey(addressAt(0)))) {
          moved++;
          lastMove = height;
        }
      }
      expect(moved).toBeGreaterThan(5);
      expect(world.log.writtenAt(addressAt(0))).toBe(lastMove);
      expect(1_000_000n - world.balance(0)).toBe(rentUpTo({ microunitsPerByteBlock: 7777n }, lastMove));
    }
  });

  it('a touch starts the rent anew', () => {
    const world = new CompactionWorld(1_000_000n, [10_000n, 10_000n]);
    // 3 live ops of 3; a head and two touched ops a block: the others are moved soon.
    for (let height = 1; height <= 50; height++) world.block((overlay) => pay(overlay, 0, 0, 0n));
    expect(world.balance(0)).toBe(10_000n);
    expect(world.balance(1)).toBe(
      10_000n - rentUpTo({ microunitsPerByteBlock: 1_000_000n }, world.log.writtenAt(addressAt(1))!),
    );
    expect(world.balance(1)).toBeLessThan(10_000n - 1000n);
  });

  it('exempts the reward pool, and keeps it even when it is empty', () => {
    const world = new CompactionWorld(0n, [5n, 5n]);
    let moved = 0;
    for (let height = 1; height <= 30; height++) {
      const { ops } = world.block();
      for (const op of ops) {
        if ('address' in op && byteKey(op.address) === byteKey(POOL)) {
          expect(op.kind).toBe('putAccount');
          moved++;
        }
      }
    }
    expect(moved).toBeGreaterThan(3);
    expect(world.log.writtenAt(POOL)).toBeDefined();
    const charged = new CompactionWorld(1_000_000n, [1_000_000n]);
    for (let height = 1; height <= 30; height++) charged.block();
    expect(charged.state.balance(POOL) + charged.balance(0)).toBe(1_000_000n);
    expect(charged.state.balance(POOL)).toBeGreaterThan(0n);
  });

  it('deletes empty accounts, also those that the last rent empties', () => {
    const free = new CompactionWorld(0n, [0n, 5n, 0n]);
    for (let height = 1; height <= 20; height++) free.block();
    expect(free.log.writtenAt(addressAt(0))).toBeUndefined();
    expect(free.log.writtenAt(addressAt(1))).toBeDefined();
    expect(free.state.balances.size).toBe(2);
    // 32 units a block. 5 live ops; each empty block adds its head: the fifth is the first to move one, the oldest.
    const exact = new CompactionWorld(1_000_000n, [160n, 1_000_000n, 1_000_000n, 1_000_000n]);
    const reports = [1, 2, 3, 4, 5].map(() => exact.block());
    expect(reports.map(({ moves }) => moves)).toEqual([0, 0, 0, 0, 1]);
    expect(reports[4]!.ops.map(({ kind }) => kind)).toEqual(['deleteAccount', 'putAccount']);
    expect([reports[4]!.rent, exact.state.balance(POOL)]).toEqual([160n, 160n]);
    expect(reports.flatMap(({ evictions }) => evictions)).toEqual([]);
  });

  it('moves records as they are, free of charge', () => {
    const world = new CompactionWorld(1_000_000n, [10_000_000n, 10_000_000n]);
    const [key, value] = [Uint8Array.of(9, 9), Uint8Array.of(1, 2, 3)];
    world.block((overlay) => overlay.putRecord(key, value));
    let moved = 0;
    for (let height = 2; height <= 40; height++)
      for (const op of world.block().ops)
        if (op.kind === 'putRecord' && op.key[0] === 9) moved += Number(op.value.length === 3);
    expect(moved).toBeGreaterThan(3);
    expect(world.state.record(key)).toEqual(value);
  });

  it('takes an account back into life that is credited after it was deleted: one op, the last', () => {
    const state = new MapState();
    state.balances.set(byteKey(addressAt(1)), 5n);
    const overlay = new Overlay(state);
    overlay.deleteAccount(addressAt(1));
    expect([overlay.balance(addressAt(1)), overlay.ops().map(({ kind }) => kind)]).toEqual([0n, ['deleteAccount']]);
    const point = overlay.savepoint();
    overlay.credit(addressAt(1), 5n);
    expect(overlay.ops()).toEqual([{ kind: 'putAccount', address: addressAt(1), balance: 5n }]);
    overlay.rollback(point);
    expect(overlay.ops().map(({ kind }) => kind)).toEqual(['deleteAccount']);
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

  it('moves bonds as they are, again and again: no rent, no eviction, whatever they hold', () => {
    const world = new CompactionWorld(1_000_000n, [1n, 50_000n]);
    const details = Uint8Array.from({ length: 24 }, (_, at) => at);
    const bonds = [0n, 1n, 10n ** 12n].map(
      (bond, n): StateOp => ({ kind: 'putBond', address: addressAt(70 + n), bond, lastVote: 5n, details }),
    );
    world.log.append(bonds);
    world.state.apply(bonds);
    const before = [...world.state.bonds()];
    let moved = 0;
    for (let height = 0; height < 60; height++)
      moved += world.block((overlay) => pay(overlay, 1, 2, 1n)).ops.filter(({ kind }) => kind === 'putBond').length;
    expect(moved).toBeGreaterThan(20);
    expect([...world.state.bonds()]).toEqual(before);
  });
});

describe('in a block', () => {
  const [ann, bob] = [person('ann'), person('bob')];
  const funded = [ann, bob, ...Array.from({ length: 10 }, (_, n) => person(`idle ${n}`))];
  const chain = (): Chain =>
    new Chain(
      document(
        { rent: { microunitsPerByteBlock: '1000000' } },
        funded.map((who) => [who, 10_000n] as const),
      ),
      { compacts: true },
    );

  it('the leader, who took a batch back, and a follower make the same ops', () => {
    const one = chain();
    let moves = 0;
    for (let slot = 1; slot <= 20; slot++) {
      const [leader, follower] = [one.start(slot), one.start(slot)];
      const facts = { signatureValid: true, sender: ann.address };
      const kept = one.transaction({ from: ann, payload: transfer(bob, 5n) });
      leader.apply(kept, facts);
      const point = leader.savepoint();
      leader.apply(one.transaction({ from: ann, payload: transfer(person('new'), 7n) }), facts);
      leader.takeBack(point);
      follower.apply(kept, facts);
      for (const execution of [leader, follower]) execution.executeVotes([]);
      expect(leader.compact(one.log)).toEqual(follower.compact(one.log));
      expect(leader.overlay.ops()).toEqual(follower.overlay.ops());
      moves += leader.compaction!.moves;
      one.finish(follower);
    }
    expect(moves).toBeGreaterThan(20);
  });

  it('ends it: no transaction afterwards, and no second compaction', () => {
    const one = chain();
    const execution = one.start(1);
    expect(execution.compaction).toBeNull();
    expect(() => execution.compact(one.log)).toThrowError(/after its votes/);
    expect(() => execution.electorate()).toThrowError(LedgerInvariantError);
    execution.executeVotes([]);
    expect(() => execution.executeVotes([])).toThrowError(/votes are executed once/);
    execution.compact(one.log);
    expect(() => execution.compact(one.log)).toThrowError(LedgerInvariantError);
    const late = one.transaction({ from: ann, payload: transfer(bob, 1n) });
    expect(() => execution.apply(late, { signatureValid: true, sender: ann.address })).toThrowError(/after its votes/);
  });
});
