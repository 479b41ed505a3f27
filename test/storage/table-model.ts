/** Batches of table ops made by hand, and a Map that does the same to compare with. */
import { expect } from 'vitest';
import { AccountTable, type AccountTableOptions } from '../../storage/accounts/account-table.ts';
import type { TableRun } from '../../storage/accounts/table-changes.ts';
import type { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { kernels } from './kernels-fixture.ts';

export type Change = { readonly put: number; readonly balance: bigint } | { readonly remove: number };

const MIXED = seededRandom(4711);
const SALT = Math.floor(MIXED() * 2 ** 32);

/** Address number n. */
export function addressOf(n: number): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint32(0, Math.imul(n + 1, 0x9e3779b1));
  view.setUint32(8, SALT);
  view.setUint32(16, n, true);
  return address;
}

/** Addresses of numbers, packed. */
export function addressesOf(numbers: readonly number[]): Uint8Array {
  const addresses = new Uint8Array(20 * numbers.length);
  for (const [index, n] of numbers.entries()) addresses.set(addressOf(n), 20 * index);
  return addresses;
}

/** Ops as they stand in a batch, and the runs they make. */
export function batchOf(changes: readonly Change[]): { readonly batch: Uint8Array; readonly runs: TableRun[] } {
  const batch = new Uint8Array(changes.length * 32);
  const view = new DataView(batch.buffer);
  const runs: TableRun[] = [];
  let at = 0;
  for (const [op, change] of changes.entries()) {
    const isPut = 'put' in change;
    batch.set(addressOf(isPut ? change.put : change.remove), at + 4);
    if (isPut) view.setBigUint64(at + 24, change.balance, true);
    const last = runs.at(-1);
    const kind = isPut ? 'put' : 'delete';
    if (last?.kind === kind) runs[runs.length - 1] = { ...last, count: last.count + 1 };
    else runs.push({ kind, offset: at, count: 1, firstOp: op });
    at += isPut ? 32 : 24;
  }
  return { batch: batch.subarray(0, at), runs };
}

export interface ModelEntry {
  readonly balance: bigint;
  readonly op: number;
}
export type Model = Map<number, ModelEntry>;

/** What the changes do to the model. */
export function applyTo(model: Model, changes: readonly Change[], firstOp: number): void {
  for (const [index, change] of changes.entries())
    if ('put' in change) model.set(change.put, { balance: change.balance, op: firstOp + index });
    else model.delete(change.remove);
}

/** Puts changes through the steps that a batch takes. */
export function applyBatch(table: AccountTable, changes: readonly Change[], firstOp: number): void {
  const { batch, runs } = batchOf(changes);
  const prepared = table.prepare(batch, runs);
  table.reserve(prepared);
  table.apply(prepared, firstOp);
}

/** Compares everything the table can say with the model, for numbers below `pool`. */
export function expectEqual(table: AccountTable, model: Model, pool: number, opCount: number): void {
  const numbers = Array.from({ length: pool }, (_, n) => n);
  const balances = new Uint8Array(8 * pool);
  table.lookup(addressesOf(numbers), balances);
  const view = new DataView(balances.buffer);
  const positions = new Float64Array(pool);
  table.positions(addressesOf(numbers), opCount, positions);
  const found = numbers.map((n) => `${view.getBigUint64(8 * n, true)} ${positions[n]}`);
  const wanted = numbers.map((n) => `${model.get(n)?.balance ?? 0n} ${model.get(n)?.op ?? -1}`);
  expect(found).toEqual(wanted);
  expect(table.count).toBe(model.size);
  const all: number[] = [];
  for (const slice of table.eachPosition(opCount)) all.push(...slice);
  expect(all.sort((a, b) => a - b)).toEqual([...model.values()].map(({ op }) => op).sort((a, b) => a - b));
  let sum = 0n;
  for (const balance of table.balances()) sum += balance;
  expect(sum).toBe([...model.values()].reduce((total, { balance }) => total + balance, 0n));
}

/** Options of a small table on a simulated disk. */
export const optionsOn = (disk: SimulatedDisk, shardCountLog2 = 2): AccountTableOptions => ({
  directory: '/accounts',
  files: disk,
  kernels,
  shardCountLog2,
  shardSlotCountLog2: 7,
  randomBytes: (size) => new Uint8Array(size).fill(9),
});

/** Closes cleanly and opens again. */
export async function reopen(table: AccountTable, options: AccountTableOptions): Promise<AccountTable> {
  const chain = new Uint8Array(32).fill(5);
  await table.closeClean(chain);
  const mark = await AccountTable.readMark(options);
  expect(mark?.chain).toEqual(chain);
  return AccountTable.open(options, mark!);
}
