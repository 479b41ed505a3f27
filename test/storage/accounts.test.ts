/** The account table in memory: any mix of batches, growth, room kept for what waits, and what it refuses. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AccountTable } from '../../storage/accounts/account-table.ts';
import { resolvePositions, storedPosition } from '../../storage/accounts/log-position.ts';
import { SlotMemory } from '../../storage/accounts/slot-memory.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { VARIANTS } from '../native/variants.ts';
import { kernels } from './kernels-fixture.ts';
import {
  addressesOf,
  addressOf,
  applyBatch,
  applyTo,
  batchOf,
  type Change,
  expectEqual,
  type Model,
  optionsOn,
  reopen,
} from './table-model.ts';

const POOL = 3000;

/** Random changes: mostly puts, some of them of new accounts, deletes in between. */
function someChanges(random: () => number, count: number): Change[] {
  return Array.from({ length: count }, (): Change => {
    const n = Math.floor(random() * POOL);
    return random() < 0.25 ? { remove: n } : { put: n, balance: BigInt(Math.floor(random() * 2 ** 40)) };
  });
}

const puts = (from: number, count: number): Change[] =>
  Array.from({ length: count }, (_, index) => ({ put: from + index, balance: 1n }));

/** The portable twin and the native one. */
const TWINS = VARIANTS.filter(({ name }) => name === 'portable' || name === 'native');

describe.each(TWINS)('AccountTable on $name', ({ kernels: twin }) => {
  it.each([0, 2, 8])(
    'equals a Map through puts, deletes, growth in flight and reopening, with 2^%i shards',
    async (log2) => {
      const disk = new SimulatedDisk(1);
      const options = { ...optionsOn(disk, log2), kernels: twin };
      const random = seededRandom(log2);
      let table = await AccountTable.create(options);
      const model: Model = new Map();
      // Op numbers pass the modulus of the stored positions on the way.
      let firstOp = 2 ** 32 - 4000;
      let moving = 0;
      for (let round = 0; round < 50; round++) {
        const changes = someChanges(random, Math.floor(random() * 300));
        applyBatch(table, changes, firstOp);
        applyTo(model, changes, firstOp);
        firstOp += changes.length + 1;
        if (table.isMoving) moving += 1;
        if (round % 5 === 0) expectEqual(table, model, POOL + 50, firstOp);
        if (round % 17 === 16) table = await reopen(table, options);
      }
      expectEqual(table, model, POOL + 50, firstOp);
      if (log2 < 8) expect(moving).toBeGreaterThan(0);
      await table.sweep();
      expect(table.isMoving).toBe(false);
      expectEqual(table, model, POOL + 50, firstOp);
      expect(table.balance(addressOf(POOL + 1))).toBe(0n);
      for (const [n, { balance }] of model) expect(table.balance(addressOf(n))).toBe(balance);
      table.close();
    },
  );
});

describe('AccountTable', () => {
  it('takes any mix of batches, several of them reserved together, slices of moving and reopenings', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.tuple(fc.integer({ min: 0, max: 2 ** 30 }), fc.integer({ min: 0, max: 120 })) },
      { weight: 2, arbitrary: fc.constantFrom('apply', 'sweep', 'drop', 'reopen') },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 0, max: 2 }), async (steps, shardsLog2) => {
        const disk = new SimulatedDisk(3);
        const options = optionsOn(disk, shardsLog2);
        let table = await AccountTable.create(options);
        const model: Model = new Map();
        const waiting: (readonly [ReturnType<AccountTable['prepare']>, Change[], number])[] = [];
        let firstOp = 0;
        const applyAll = (): void => {
          for (const [prepared, changes, at] of waiting.splice(0)) {
            table.apply(prepared, at);
            applyTo(model, changes, at);
          }
        };
        for (const now of steps) {
          if (typeof now !== 'string') {
            const changes = someChanges(seededRandom(now[0]), now[1]);
            const { batch, runs } = batchOf(changes);
            const prepared = table.prepare(batch, runs);
            table.reserve(prepared);
            waiting.push([prepared, changes, firstOp]);
            firstOp += changes.length;
          } else if (now === 'apply') applyAll();
          else if (now === 'sweep') await table.sweep();
          else if (now === 'drop') for (const [prepared] of waiting.splice(0)) table.release(prepared);
          else {
            applyAll();
            table = await reopen(table, options);
          }
        }
        applyAll();
        expectEqual(table, model, POOL, firstOp);
        table.close();
      }),
      { seed: 11, numRuns: 40 },
    );
  });

  it('keeps room for every reserved batch, in whatever order growth comes', async () => {
    const table = await AccountTable.create(optionsOn(new SimulatedDisk(1), 0));
    const prepared = Array.from({ length: 20 }, (_, index) => {
      const { batch, runs } = batchOf(puts(index * 50, 50));
      const changes = table.prepare(batch, runs);
      table.reserve(changes);
      return changes;
    });
    // Reserved together, applied later: none may run into the half-full mark.
    for (const [index, changes] of prepared.entries()) table.apply(changes, index * 50);
    expect(table.accountCount).toBe(1000);
    table.close();
  });

  it('keeps room for entries whose deleted slots a move leaves behind', async () => {
    const table = await AccountTable.create(optionsOn(new SimulatedDisk(1), 0));
    // 62 of 128 slots are used, as many as may be before a move; 42 of them are deleted and come back in one batch with 3 that are new.
    applyBatch(table, puts(0, 62), 0);
    applyBatch(
      table,
      puts(0, 42).map((_, n) => ({ remove: n })),
      62,
    );
    applyBatch(table, [...puts(0, 42), ...puts(100, 3)], 104);
    expect(table.accountCount).toBe(65);
    table.close();
  });

  it('keeps room for what comes and goes, in batches that wait for each other while slots move', async () => {
    for (let seed = 0; seed < 100; seed++) {
      const random = seededRandom(seed);
      const table = await AccountTable.create(optionsOn(new SimulatedDisk(1), 0));
      const model: Model = new Map();
      const pool = 66 + Math.floor(random() * 60);
      let firstOp = 0;
      for (let round = 0; round < 30; round++) {
        const waiting = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
          const isDeletes = random() < 0.6;
          const draws = isDeletes ? 50 : Math.floor(random() * 60);
          const numbers = new Set(Array.from({ length: draws }, () => Math.floor(random() * pool)));
          const changes = [...numbers].map((n): Change => (isDeletes ? { remove: n } : { put: n, balance: 1n }));
          const { batch, runs } = batchOf(changes);
          const prepared = table.prepare(batch, runs);
          table.reserve(prepared);
          return { changes, prepared };
        });
        for (const { changes, prepared } of waiting) {
          if (random() < 0.2) await table.sweep();
          table.apply(prepared, firstOp);
          applyTo(model, changes, firstOp);
          firstOp += changes.length;
        }
      }
      expectEqual(table, model, pool, firstOp);
      // What comes back is no reason to grow for ever.
      expect(table.sizeBytes).toBeLessThanOrEqual(1024 * 32);
      table.close();
    }
  });

  it('takes the word of a caller who knows how many entries are new', async () => {
    let looks = 0;
    const counting = {
      ...kernels,
      tableMissing: (...call: Parameters<typeof kernels.tableMissing>) => {
        looks += 1;
        kernels.tableMissing(...call);
      },
    };
    const table = await AccountTable.create({ ...optionsOn(new SimulatedDisk(1), 0), kernels: counting });
    applyBatch(table, puts(0, 50), 0);
    for (const [newCount, wanted] of [
      [undefined, 1],
      [2, 1],
    ] as const) {
      const { batch, runs } = batchOf(puts(2, 50));
      const changes = table.prepare(batch, runs);
      table.reserve(changes, newCount);
      expect(looks).toBe(wanted);
      if (newCount === undefined) table.release(changes);
      else table.apply(changes, 50);
    }
    expect(table.count).toBe(52);
    table.close();
  });

  it('ends a move in time, whatever the size of the batches, and moves on between them', async () => {
    for (const size of [1, 7, 64, 500]) {
      const table = await AccountTable.create(optionsOn(new SimulatedDisk(1), 0));
      for (let from = 0; from < 4000; from += size) {
        applyBatch(table, puts(from, size), from);
        // At 64 bytes a slot pair: half full at most, and never four times too large.
        expect(table.count * 2 * 32).toBeLessThanOrEqual(table.sizeBytes);
        expect(table.sizeBytes).toBeLessThanOrEqual(Math.max(3 * 4096, ((table.count + size) * 32 * 16 * 3) / 7));
      }
      table.close();
    }
    const table = await AccountTable.create(optionsOn(new SimulatedDisk(1), 0));
    applyBatch(table, puts(0, 63), 0);
    expect(table.isMoving).toBe(true);
    await table.sweep();
    expect([table.isMoving, table.sizeBytes]).toEqual([false, 256 * 32]);
    table.close();
  });

  it('does not grow under a flood of accounts that come and go, nor under updates', async () => {
    const table = await AccountTable.create(optionsOn(new SimulatedDisk(1), 1));
    let largest = 0;
    for (let round = 0; round < 400; round++) {
      const here = puts(round * 20, 20);
      applyBatch(table, [...here, ...here.map((change) => ({ remove: (change as { put: number }).put }))], round * 40);
      largest = Math.max(largest, table.sizeBytes);
    }
    expect(table.count).toBe(0);
    expect(largest).toBeLessThanOrEqual(4 * 4096);
    applyBatch(table, puts(0, 100), 20_000);
    const before = table.sizeBytes;
    for (let round = 0; round < 50; round++) applyBatch(table, puts(0, 100), 20_000 + 100 * round);
    await table.sweep();
    expect(table.sizeBytes).toBeLessThanOrEqual(before);
    table.close();
  });

  it('reads keys where they stand in a batch, and refuses wrong lengths', async () => {
    const table = await AccountTable.create(optionsOn(new SimulatedDisk(1)));
    applyBatch(table, puts(0, 100), 1000);
    const { batch } = batchOf(puts(50, 100));
    const positions = new Float64Array(100);
    table.positions(batch.subarray(4), 1100, positions, 32);
    expect([...positions]).toEqual(Array.from({ length: 100 }, (_, i) => (i < 50 ? 1050 + i : -1)));
    const balances = new Uint8Array(800);
    table.lookup(batch.subarray(4), balances, 32);
    expect(balances.filter((byte) => byte === 1)).toHaveLength(50);
    expect(() => table.lookup(addressesOf([1, 2]), balances)).toThrow(/broken invariant/);
    expect(() => table.prepare(batch, [{ offset: 0, count: 101, firstOp: 0 }])).toThrow(/broken invariant/);
    table.close();
  });

  it('says when there is no memory or no room, and is then as it was', async () => {
    const arena = kernels.tableArena();
    let left = 6;
    const scarce = {
      ...kernels,
      tableArena: () => ({
        ...arena,
        allocate: (size: number) => {
          if (left-- <= 0) throw new RangeError('no memory');
          return arena.allocate(size);
        },
      }),
    };
    const table = await AccountTable.create({ ...optionsOn(new SimulatedDisk(1)), kernels: scarce });
    const model: Model = new Map();
    let refused = 0;
    for (let from = 0; from < 2000 && refused === 0; from += 40) {
      const { batch, runs } = batchOf(puts(from, 40));
      const prepared = table.prepare(batch, runs);
      try {
        table.reserve(prepared);
        table.apply(prepared, from);
        applyTo(model, puts(from, 40), from);
      } catch (error) {
        expect(String(error)).toMatch(/no memory/);
        refused += 1;
      }
    }
    expect(refused).toBe(1);
    expectEqual(table, model, POOL, 4000);
    table.close();
  });
});

describe('SlotMemory', () => {
  it('keeps at most half of a table in use, of the old one while it moves', () => {
    const memory = new SlotMemory(kernels, 32, new Uint8Array(16), [10]);
    const random = seededRandom(5);
    for (let n = 0; n < 3000; n++) {
      // Nobody ever has to wait for the end of a move: it comes in time by itself.
      expect(memory.hasRoom(0, 1)).toBe(true);
      kernels.tablePut(memory.shards, new Uint8Array([...addressOf(n), ...new Uint8Array(8)]), 28, 1, n + 1);
      memory.settle();
      if (random() < 0.001) memory.moveSlice();
      const { live, tombstones } = memory.shape(0);
      const smaller = memory.shards.olds[0]!.length || memory.shards.tables[0]!.length;
      expect((live + tombstones) * 2 * 32).toBeLessThanOrEqual(smaller);
    }
    expect(memory.shape(0).live).toBe(3000);
    memory.close();
  });
});

describe('a moving shard', () => {
  it('shows every entry at every step, wherever its probe went around the end', () => {
    for (let seed = 0; seed < 150; seed++) {
      const memory = new SlotMemory(kernels, 32, new Uint8Array(16).fill(seed), [7]);
      const records = new Uint8Array(64 * 28);
      for (let n = 0; n < 64; n++) records.set(addressOf(n), 28 * n);
      for (let n = 0; n < 63; n++) kernels.tablePut(memory.shards, records.subarray(28 * n), 28, 1, n + 1);
      const seen = (count: number): number[] => {
        const out = new Uint32Array(count);
        kernels.tableRead(memory.shards, records, 28, 28, 4, new Uint8Array(out.buffer));
        return [...out];
      };
      const wanted = Array.from({ length: 64 }, (_, n) => n + 1);
      memory.settle();
      expect(memory.isMoving).toBe(true);
      expect(seen(63)).toEqual(wanted.slice(0, 63));
      kernels.tableMove(memory.shards, 0, seed % 50);
      expect(seen(63)).toEqual(wanted.slice(0, 63));
      kernels.tablePut(memory.shards, records.subarray(28 * 63), 28, 1, 64);
      expect(seen(64)).toEqual(wanted);
      memory.moveEverything();
      expect(seen(64)).toEqual(wanted);
      memory.close();
    }
  });
});

describe('log positions', () => {
  it('come back whole from 32 bits, for every op of the last 2^32 - 2', () => {
    const window = 2 ** 32 - 2;
    for (const opCount of [1, 5, window - 1, window, window + 1, 3 * window + 7, 2 ** 45 + 12_345])
      for (const age of [1, 2, 1000, 2 ** 31, window - 1, window]) {
        const op = opCount - age;
        if (op < 0) continue;
        const stored = storedPosition(op);
        expect(stored).toBeGreaterThan(0);
        expect(stored).toBeLessThan(2 ** 32 - 1);
        const out = new Float64Array(2);
        resolvePositions(Uint32Array.of(stored, 0), opCount, out);
        expect([...out]).toEqual([op, -1]);
      }
  });
});
