/** A thread that builds its share of the account table from the log, as far as another has checked it, hands it over, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { type KernelsName, kernelsOf } from '../../native/index.ts';
import { diskFiles } from '../files/disk-files.ts';
import { ReadLimit } from '../oplog/read-limit.ts';
import type { BuiltShard } from './slot-memory.ts';
import { buildShare, type ShareOrder } from './table-share.ts';

/** What the thread starts with. */
export interface TableWorkerData {
  readonly order: ShareOrder;
  readonly kernels: KernelsName;
  /** A `ReadLimit`'s. */
  readonly limit: SharedArrayBuffer;
}

/** Its last word; none when it was stopped. */
export interface TableWorkerReply {
  readonly shards: BuiltShard[];
}

const { order, kernels, limit } = workerData as TableWorkerData;
const built = await buildShare(diskFiles(), kernelsOf(kernels), new ReadLimit(limit), order);
if (built !== undefined) parentPort?.postMessage({ shards: built.shards } satisfies TableWorkerReply, built.transfer);
