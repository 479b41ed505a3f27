/** The bond table: the same code with larger slots. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bond, BondTable } from '../../storage/accounts/bond-table.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { addressesOf, addressOf, optionsOn } from './table-model.ts';

const chain = new Uint8Array(32).fill(5);

describe('BondTable', () => {
  const bondOf = (n: number): Bond => ({
    bond: BigInt(n) << 33n,
    lastVote: BigInt(n) + 2n ** 63n,
    details: new Uint8Array(24).fill(n),
  });
  const options = { ...optionsOn(new SimulatedDisk(1), 0), directory: '/bonds', shardSlotCountLog2: 6 };
  let table: BondTable;
  beforeAll(async () => {
    table = await BondTable.create(options);
  });
  afterAll(() => table.close());

  it('equals a Map through puts, deletes, growth and reopening', async () => {
    const random = seededRandom(6);
    const model = new Map<number, { bond: Bond; op: number }>();
    for (let op = 0; op < 3000; op++) {
      const n = Math.floor(random() * 500);
      if (random() < 0.3) {
        table.delete(addressOf(n));
        model.delete(n);
      } else {
        const bond = bondOf(op);
        table.put(addressOf(n), bond, op);
        model.set(n, { bond, op });
      }
      if (op % 999 !== 998) continue;
      await table.closeClean(chain);
      table = await BondTable.open(options, (await BondTable.readMark(options))!);
      for (let m = 0; m < 510; m++) expect(table.get(addressOf(m))).toEqual(model.get(m)?.bond);
      const positions = new Float64Array(510);
      table.positions(addressesOf(Array.from({ length: 510 }, (_, m) => m)), op + 1, positions);
      expect([...positions]).toEqual(Array.from({ length: 510 }, (_, m) => model.get(m)?.op ?? -1));
      const all = [...table.all()].map(([address, bond]) => [Buffer.from(address).readUInt32LE(16), bond] as const);
      expect(new Map(all)).toEqual(new Map([...model].map(([m, { bond }]) => [m, bond])));
      expect([all.length, table.count]).toEqual([model.size, model.size]);
    }
  });

  it('applies runs of a batch as accounts do, and refuses details of another size', () => {
    const batch = new Uint8Array(3 * 64);
    for (const index of [0, 1, 2]) batch.set(addressOf(9000 + index), 64 * index + 4);
    batch[64 + 24] = 7;
    const changes = table.prepare(batch, [{ offset: 0, count: 3, firstOp: 4 }]);
    table.reserve(changes);
    table.apply(changes, 100_000);
    expect(table.get(addressOf(9001))?.bond).toBe(7n);
    const positions = new Float64Array(1);
    table.positions(addressOf(9001), 200_000, positions);
    expect(positions[0]).toBe(100_005);
    expect(() => table.put(addressOf(1), { ...bondOf(1), details: new Uint8Array(25) }, 1)).toThrow(/24 bytes/);
  });
});
