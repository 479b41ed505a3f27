/**
 * One thread's share of a table being built: the shards that are its own, filled from the log, then handed over.
 *
 * Invariant: a shard ends with the very bytes that one thread alone would have given it: ops reach it in the log's order, batch by batch, and when it grows
 * depends on its own entries only.
 */
import { takeApart } from '../batch-changes.ts';
import type { Files } from '../files/files.ts';
import type { FrameKernels } from '../oplog/frame.ts';
import { followLog } from '../oplog/log-follower.ts';
import type { ReadLimit } from '../oplog/read-limit.ts';
import { AccountTable, type AccountTableOptions } from './account-table.ts';
import type { BuiltShard } from './slot-memory.ts';

/** What a thread is asked to build. */
export interface ShareOrder {
  /** The log's folder. */
  readonly directory: string;
  /** The table's secret. */
  readonly secret: Uint8Array;
  /** First size of each shard of its own, as a power of two; undefined for the others. */
  readonly slotCountLog2s: readonly (number | undefined)[];
}

/** Builds a share until the limit says that the log ends. @returns undefined when nobody wants it any more */
export async function buildShare(
  files: Files,
  kernels: AccountTableOptions['kernels'] & FrameKernels,
  limit: ReadLimit,
  { directory, secret, slotCountLog2s }: ShareOrder,
): Promise<{ readonly shards: BuiltShard[]; readonly transfer: ArrayBuffer[] } | undefined> {
  const table = AccountTable.part(kernels, secret, slotCountLog2s);
  try {
    for await (const { batch, firstOp } of followLog({ files, kernels, directory, limit })) {
      const { accounts } = takeApart(batch);
      const changes = table.prepare(batch, accounts);
      table.reserve(changes);
      table.apply(changes, firstOp);
    }
    return limit.isStopped ? undefined : table.giveShards();
  } finally {
    table.close();
  }
}
