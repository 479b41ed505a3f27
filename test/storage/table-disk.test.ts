/** Account tables that are closed and opened: taken over, refused when damaged, faults and power cuts on the way. */
import { describe, expect, it } from 'vitest';
import { AccountTable } from '../../storage/accounts/account-table.ts';
import { BondTable } from '../../storage/accounts/bond-table.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { applyBatch, applyTo, type Change, expectEqual, type Model, optionsOn, reopen } from './table-model.ts';

const POOL = 3000;
const chain = new Uint8Array(32).fill(5);

/** Random changes: mostly puts, some of them of new accounts, deletes in between. */
function someChanges(random: () => number, count: number): Change[] {
  return Array.from({ length: count }, (): Change => {
    const n = Math.floor(random() * POOL);
    return random() < 0.25 ? { remove: n } : { put: n, balance: BigInt(Math.floor(random() * 2 ** 40)) };
  });
}

describe('a table on disk', () => {
  const made = async (disk: SimulatedDisk): Promise<{ table: AccountTable; model: Model; firstOp: number }> => {
    const table = await AccountTable.create(optionsOn(disk));
    const model: Model = new Map();
    const random = seededRandom(8);
    let firstOp = 0;
    for (let round = 0; round < 6 || !table.isMoving; round++) {
      const changes = someChanges(random, 60);
      applyBatch(table, changes, firstOp);
      applyTo(model, changes, firstOp);
      firstOp += changes.length;
    }
    return { table, model, firstOp };
  };
  const codeOf = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'fine',
      (error: { code?: string }) => error.code ?? 'other',
    );

  it('is taken over once, and is not written again when nothing changed', async () => {
    const disk = new SimulatedDisk(1);
    const { table, model, firstOp } = await made(disk);
    // Growth is in flight when it is closed.
    expect(table.isMoving).toBe(true);
    await table.closeClean(chain);
    const mark = await AccountTable.readMark(optionsOn(disk));
    const opened = await AccountTable.open(optionsOn(disk), mark!);
    expect(await AccountTable.readMark(optionsOn(disk))).toBeUndefined();
    expectEqual(opened, model, POOL, firstOp);
    const before = disk.operations;
    await opened.closeClean(chain);
    expect(disk.operations - before).toBeLessThan(10);
    const again = await AccountTable.open(optionsOn(disk), (await AccountTable.readMark(optionsOn(disk)))!);
    expectEqual(again, model, POOL, firstOp);
    again.close();
    expect(await AccountTable.readMark(optionsOn(disk))).toBeUndefined();
  });

  it('is refused when an image is damaged, short, long or missing, or the secret is', async () => {
    for (const harm of ['flip', 'short', 'long', 'missing', 'secret'] as const) {
      const disk = new SimulatedDisk(1);
      const { table } = await made(disk);
      await table.closeClean(chain);
      const mark = await AccountTable.readMark(optionsOn(disk));
      const name = (await disk.list('/accounts')).find((file) => file.startsWith('shard-02'))!;
      if (harm === 'flip') disk.corrupt(`/accounts/${name}`, 300, 0x10);
      else if (harm === 'secret') disk.corrupt('/accounts/secret', 3, 1);
      else if (harm === 'missing') await disk.remove(`/accounts/${name}`);
      else {
        const file = await disk.open(`/accounts/${name}`, 'write');
        await file.truncate((await file.sizeBytes()) + (harm === 'short' ? -512 : 512));
        await file.close();
      }
      const code = await codeOf(AccountTable.open(optionsOn(disk), mark!));
      expect(code, harm).toBe(harm === 'missing' || harm === 'secret' ? 'not-found' : 'io');
    }
  });

  it('refuses a mark of another slot size, of insane figures or of flipped bits', async () => {
    const disk = new SimulatedDisk(1);
    const { table } = await made(disk);
    await table.closeClean(chain);
    expect(await BondTable.readMark(optionsOn(disk))).toBeUndefined();
    const size = (await disk.image()).get('/accounts/clean')!.length;
    for (let at = 0; at < size; at += 3) {
      const copy = new SimulatedDisk(1);
      const source = await made(copy);
      await source.table.closeClean(chain);
      copy.corrupt('/accounts/clean', at, 0x41);
      expect(await AccountTable.readMark(optionsOn(copy)), `byte ${at}`).toBeUndefined();
    }
  });

  it('survives a fault at every operation of closing and opening: equal, or to be rebuilt', async () => {
    const kinds = ['cut', 'io', 'no-space'] as const;
    const outcomes = new Map<string, number>();
    for (const kind of kinds)
      for (let at = 0; ; at++) {
        const disk = new SimulatedDisk(at);
        const first = await made(disk);
        // An older image of every shard lies there already.
        let table = await reopen(first.table, optionsOn(disk));
        const changes = someChanges(seededRandom(at), 200);
        applyBatch(table, changes, first.firstOp);
        applyTo(first.model, changes, first.firstOp);
        disk.fault = { at: disk.operations + at, kind };
        const closed = await codeOf(table.closeClean(chain));
        const reached = disk.operations > disk.fault.at;
        disk.reboot();
        const mark = await AccountTable.readMark(optionsOn(disk));
        if (closed === 'fine') expect(mark).toBeDefined();
        outcomes.set(`${kind} ${mark === undefined ? 'rebuild' : 'clean'}`, at);
        if (mark !== undefined) {
          table = await AccountTable.open(optionsOn(disk), mark);
          expectEqual(table, first.model, POOL, first.firstOp + 200);
          table.close();
        }
        if (!reached) break;
      }
    expect([...outcomes.keys()].sort()).toEqual(kinds.flatMap((kind) => [`${kind} clean`, `${kind} rebuild`]).sort());
  });

  it('is rebuilt when the power goes at any operation of opening it', async () => {
    for (let at = 0; ; at++) {
      const disk = new SimulatedDisk(1000 + at);
      const { table, model, firstOp } = await made(disk);
      await table.closeClean(chain);
      const mark = await AccountTable.readMark(optionsOn(disk));
      disk.fault = { at: disk.operations + at, kind: 'cut' };
      const { at: struckAt } = disk.fault;
      let opened: AccountTable | undefined;
      try {
        opened = await AccountTable.open(optionsOn(disk), mark!);
      } catch {}
      const reached = disk.operations > struckAt;
      // Changes after opening never reach a table that a mark still calls clean.
      if (opened !== undefined) applyBatch(opened, someChanges(seededRandom(at), 100), firstOp);
      opened?.close();
      disk.reboot();
      const after = await AccountTable.readMark(optionsOn(disk));
      if (after !== undefined) {
        const again = await AccountTable.open(optionsOn(disk), after);
        expectEqual(again, model, POOL, firstOp);
        again.close();
      }
      if (opened !== undefined) expect(after).toBeUndefined();
      if (!reached) break;
    }
  });

  it('leaves no mark when the disk is too full for it, and works when there is space again', async () => {
    const disk = new SimulatedDisk(1);
    const { table } = await made(disk);
    disk.capacityBytes = disk.usedBytes() + 5000;
    expect(await codeOf(table.closeClean(chain))).toBe('no-space');
    expect(await AccountTable.readMark(optionsOn(disk))).toBeUndefined();
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    const again = await made(disk);
    await again.table.closeClean(chain);
    expect(await AccountTable.readMark(optionsOn(disk))).toBeDefined();
  });
});
