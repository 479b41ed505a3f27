/**
 * A batch's changes on their way into the account table and the records: taken apart and checked first, applied when durable.
 */
import type { AccountChanges, AccountRun, EntryBuffer } from './accounts/account-changes.ts';
import type { AccountTable } from './accounts/account-table.ts';
import { readOps } from './oplog/batch.ts';
import type { RecordMap } from './record-map.ts';

/** A batch's changes, taken apart but not yet applied. */
export interface Changes {
  readonly accounts: AccountChanges;
  readonly records: readonly (readonly [key: Uint8Array, value: Uint8Array | undefined])[];
}

/** Takes a batch apart, checking every byte of its structure. Throws `BatchError`. */
export function takeApart(batch: Uint8Array, table: AccountTable, buffer?: EntryBuffer): Changes & { height: number } {
  const runs: AccountRun[] = [];
  const records: [Uint8Array, Uint8Array | undefined][] = [];
  let op = 0;
  const { height } = readOps(batch, {
    accounts(offset, count) {
      runs.push({ offset, count, firstOp: op });
      op += count;
    },
    putRecord(key, value) {
      records.push([key, value]);
      op += 1;
    },
    deleteRecord(key) {
      records.push([key, undefined]);
      op += 1;
    },
  });
  return { height, accounts: table.prepare(batch, runs, buffer), records };
}

/** Applies changes whose accounts are reserved. @param firstOp number of the batch's first op over the whole log */
export function applyChanges(changes: Changes, table: AccountTable, records: RecordMap, firstOp: number): void {
  table.apply(changes.accounts, firstOp);
  applyRecords(changes, records);
}

/** Applies the record changes alone, in order; keys and values are copied. */
export function applyRecords(changes: Pick<Changes, 'records'>, records: RecordMap): void {
  for (const [key, value] of changes.records) {
    if (value === undefined) records.delete(key);
    else records.put(key, value);
  }
}

/** Puts a batch's accounts into a table being built. @param buffer memory for that @returns its record changes */
export function rebuildFrom(
  batch: Uint8Array,
  table: AccountTable,
  firstOp: number,
  buffer: EntryBuffer,
): Pick<Changes, 'records'> {
  const changes = takeApart(batch, table, buffer);
  table.reserve(changes.accounts);
  table.apply(changes.accounts, firstOp);
  return changes;
}

/** Puts a batch's records into the map. */
export function readRecords(batch: Uint8Array, records: RecordMap): void {
  readOps(batch, {
    accounts() {},
    putRecord: (key, value) => records.put(key, value),
    deleteRecord: (key) => records.delete(key),
  });
}
