import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AccountTable, type AccountTableOptions } from '../../storage/accounts/account-table.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { encodeBatch } from '../../storage/oplog/batch.ts';
import { RecordMap } from '../../storage/record-map.ts';
import { kernels } from './kernels-fixture.ts';
import { addressOf } from './state-model.ts';

const optionsOf = (disk: SimulatedDisk, shardCountLog2 = 2): AccountTableOptions => ({
  directory: '/accounts',
  files: disk,
  kernels,
  shardCountLog2,
  shardSlotCountLog2: 7,
  randomBytes: (size) => new Uint8Array(size).fill(9),
});

/** Puts accounts through the steps that a batch takes. */
function put(table: AccountTable, accounts: readonly [number, bigint][], firstOp: number): void {
  const ops = accounts.map(([n, balance]) => ({ kind: 'putAccount' as const, address: addressOf(n), balance }));
  const changes = table.prepare(encodeBatch({ height: 0, ops }), [{ offset: 16, count: ops.length, firstOp: 0 }]);
  table.reserve(changes);
  table.apply(changes, firstOp);
}

describe('AccountTable', () => {
  it('equals a Map through growth, at most half full, with 1, 4 and 256 shards', async () => {
    for (const shardCountLog2 of [0, 2, 8]) {
      const disk = new SimulatedDisk(1);
      const random = seededRandom(shardCountLog2);
      const table = await AccountTable.create(optionsOf(disk, shardCountLog2));
      const wanted = new Map<number, bigint>();
      for (let round = 0; round < 12; round++) {
        const accounts = Array.from({ length: 400 }, (): [number, bigint] => [
          Math.floor(random() * 4000),
          BigInt(Math.floor(random() * 2 ** 40)),
        ]);
        put(table, accounts, round * 400);
        for (const [n, balance] of accounts) wanted.set(n, balance);
        expect(sumOf(table.balances())).toBe(sumOf(wanted.values()));
        expect(table.accountCount).toBe(wanted.size);
        expect(table.accountCount * 2 * 32).toBeLessThanOrEqual(table.sizeBytes);
      }
      for (let n = 0; n < 4100; n++) expect(table.balance(addressOf(n))).toBe(wanted.get(n) ?? 0n);
      // All at once, some twice, in memory that is not aligned.
      const asked = Array.from({ length: 5000 }, () => Math.floor(random() * 4100));
      const addresses = new Uint8Array(1 + 20 * asked.length).subarray(1);
      for (const [place, n] of asked.entries()) addresses.set(addressOf(n), 20 * place);
      const balances = new Uint8Array(8 * asked.length).fill(9);
      table.lookup(addresses, balances);
      const found = new DataView(balances.buffer);
      for (const [place, n] of asked.entries()) expect(found.getBigUint64(8 * place, true)).toBe(wanted.get(n) ?? 0n);
      expect(() => table.lookup(addresses, balances.subarray(8))).toThrow(/broken invariant/);
      await table.sweep();
      const shards = (await disk.list('/accounts')).filter((name) => name.startsWith('shard-'));
      expect(shards.length).toBe(2 ** shardCountLog2);
      table.close();
    }
  });

  it('keeps room for every reserved batch, in whatever order growth comes', async () => {
    const table = await AccountTable.create(optionsOf(new SimulatedDisk(1), 0));
    const prepared = Array.from({ length: 20 }, (_, batch) => {
      const ops = Array.from({ length: 50 }, (_, index) => ({
        kind: 'putAccount' as const,
        address: addressOf(batch * 50 + index),
        balance: 1n,
      }));
      const changes = table.prepare(encodeBatch({ height: 0, ops }), [{ offset: 16, count: 50, firstOp: 0 }]);
      table.reserve(changes);
      return changes;
    });
    // Reserved together, applied later: none may run into the half-full mark.
    for (const [index, changes] of prepared.entries()) table.apply(changes, index * 50);
    expect(table.accountCount).toBe(1000);
    table.close();
  });

  it('stores a log position that is never zero', async () => {
    const disk = new SimulatedDisk(1);
    const table = await AccountTable.create(optionsOf(disk, 0));
    // Op numbers around the wrap of the 32-bit position.
    const positions = [0, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32];
    for (const [n, firstOp] of positions.entries()) put(table, [[n, 5n]], firstOp);
    expect(table.accountCount).toBe(4);
    for (const n of positions.keys()) expect(table.balance(addressOf(n))).toBe(5n);
    table.close();
  });
});

describe('RecordMap', () => {
  it('equals a sorted list under any mix of puts and deletes', () => {
    const key = fc.uint8Array({ minLength: 1, maxLength: 3 }).map((bytes) => bytes.map((byte) => byte % 4));
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 60 }), key, (steps, prefix) => {
        const map = new RecordMap();
        const wanted = new Map<string, string>();
        for (const [name, isPut] of steps) {
          const hex = Buffer.from(name).toString('hex');
          if (isPut) map.put(name, name);
          else map.delete(name);
          if (isPut) wanted.set(hex, hex);
          else wanted.delete(hex);
        }
        const found = [...map.withPrefix(prefix)].map(([name]) => Buffer.from(name).toString('hex'));
        const start = Buffer.from(prefix).toString('hex');
        expect(found).toEqual([...wanted.keys()].filter((name) => name.startsWith(start)).sort());
        expect(map.size).toBe(wanted.size);
      }),
      { seed: 40, numRuns: 200 },
    );
  });
});

function sumOf(balances: Iterable<bigint>): bigint {
  let sum = 0n;
  for (const balance of balances) sum += balance;
  return sum;
}
