/**
 * A batch taken apart by where its changes go: the account table, the bond table, the records.
 */
import type { TableRun } from './accounts/table-changes.ts';
import { readOps } from './oplog/batch.ts';

/** A record op of a batch: `value` is undefined for a delete. */
export interface RecordChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  /** Number of the op within the batch, its head counted. */
  readonly op: number;
}

/** Where the ops of each table stand in a batch, in its order. */
export interface BatchChanges {
  /** Ops, the head not counted. */
  readonly opCount: number;
  readonly accounts: readonly TableRun[];
  readonly bonds: readonly TableRun[];
  /** Views of the batch. */
  readonly records: readonly RecordChange[];
}

/** Takes a batch (borrowed) apart, checking every byte of its structure. Throws `BatchError`. */
export function takeApart(batch: Uint8Array): BatchChanges {
  const accounts: TableRun[] = [];
  const bonds: TableRun[] = [];
  const records: RecordChange[] = [];
  let op = 1;
  const { opCount } = readOps(batch, {
    accounts(offset, count) {
      accounts.push({ offset, count, firstOp: op });
      op += count;
    },
    deleteAccount: (offset) => void accounts.push({ kind: 'delete', offset, count: 1, firstOp: op++ }),
    putBond: (offset) => void bonds.push({ offset, count: 1, firstOp: op++ }),
    deleteBond: (offset) => void bonds.push({ kind: 'delete', offset, count: 1, firstOp: op++ }),
    putRecord: (key, value) => void records.push({ key, value, op: op++ }),
    deleteRecord: (key) => void records.push({ key, value: undefined, op: op++ }),
  });
  return { opCount, accounts, bonds, records };
}
