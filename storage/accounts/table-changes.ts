/**
 * A batch's changes of one table: where its ops stand, so that the kernels read them there. Nothing is copied.
 */
import { assertInvariant } from '../errors.ts';

/** Encoded size of a delete: head 4, key 20. */
const DELETE_OP_SIZE_BYTES = 24;
const OP_HEAD_SIZE_BYTES = 4;

/** Ops of one kind standing in a row in a batch: puts as long as the table's slots, or deletes of 24 bytes. */
export interface TableRun {
  /** Puts unless given. */
  readonly kind?: 'put' | 'delete';
  /** Byte of the batch where the first begins. */
  readonly offset: number;
  readonly count: number;
  /** Number of the first within the batch. */
  readonly firstOp: number;
}

/** Keys (and values) of a run, ready for a kernel. */
export interface RunKeys {
  readonly isDelete: boolean;
  readonly keys: Uint8Array;
  readonly strideBytes: number;
  readonly count: number;
  readonly firstOp: number;
}

/** Changes of one batch, in its order; the batch is borrowed until they are applied or released. */
export class TableChanges {
  /** Slots reserved in each shard; empty when nothing is reserved. */
  reserved: Uint32Array = new Uint32Array(0);
  readonly runs: readonly RunKeys[];
  /** Puts and deletes in all runs. */
  readonly putCount: number;
  readonly deleteCount: number;

  /** @param slotSizeBytes size of the table's slots, and so of its put ops */
  constructor(batch: Uint8Array, runs: readonly TableRun[], slotSizeBytes: number) {
    this.runs = runs.map(({ kind, offset, count, firstOp }) => {
      const strideBytes = kind === 'delete' ? DELETE_OP_SIZE_BYTES : slotSizeBytes;
      assertInvariant(offset + count * strideBytes <= batch.length, 'a run of ops lies within its batch');
      const keys = batch.subarray(offset + OP_HEAD_SIZE_BYTES, offset + count * strideBytes);
      return { isDelete: kind === 'delete', keys, strideBytes, count, firstOp };
    });
    this.putCount = this.runs.reduce((sum, { isDelete, count }) => sum + (isDelete ? 0 : count), 0);
    this.deleteCount = this.runs.reduce((sum, { isDelete, count }) => sum + (isDelete ? count : 0), 0);
  }
}
