/**
 * Builds the account table on other threads while this one reads and checks the log: each has a share of the shards, reads the log's files by itself as
 * far as they were checked, and hands its shards over at the end. So nothing of the log is copied between threads, and a thread's memory is its shards
 * and one buffer.
 *
 * Invariants
 * - The table is, byte by byte, the one that a single thread builds (table-share.ts).
 * - No shard that was handed over is lost: it becomes the table's, also when another thread failed.
 */
import { Worker } from 'node:worker_threads';
import type { KernelsName } from '../../native/index.ts';
import { workerUrl } from '../../native/worker-url.ts';
import { type ReadableLog, ReadLimit } from '../oplog/read-limit.ts';
import type { AccountTable } from './account-table.ts';
import type { ShareOrder } from './table-share.ts';
import type { TableWorkerData, TableWorkerReply } from './table-worker.ts';

export interface TableThreadsOptions {
  /** The log's folder, on the real disk. */
  readonly directory: string;
  readonly kernels: KernelsName;
  /** 1 .. 16; no more than the table has shards are started. */
  readonly count: number;
}

export class TableThreads {
  readonly #table: AccountTable;
  readonly #limit = new ReadLimit();
  readonly #workers: Worker[] = [];
  readonly #ends: Promise<boolean>[];

  /** Starts threads that will fill `table`, which is empty and must not be touched before `finish`. */
  constructor(table: AccountTable, { directory, kernels, count }: TableThreadsOptions) {
    this.#table = table;
    const sizes = table.slotCountLog2s;
    const shares = Math.min(count, sizes.length);
    this.#ends = Array.from({ length: shares }, (_, share) => {
      const slotCountLog2s = sizes.map((log2, index) => (index % shares === share ? log2 : undefined));
      return this.#start({ directory, secret: table.secret, slotCountLog2s }, kernels);
    });
  }

  /** @returns whether the share was built and taken over */
  #start(order: ShareOrder, kernels: KernelsName): Promise<boolean> {
    const workerData: TableWorkerData = { order, kernels, limit: this.#limit.memory };
    const worker = new Worker(workerUrl(import.meta.url, './table-worker.ts'), { execArgv: [], workerData });
    this.#workers.push(worker);
    let isBuilt = false;
    worker.on('message', ({ shards }: TableWorkerReply) => {
      for (const shard of shards) this.#table.adopt(shard);
      isBuilt = true;
    });
    return new Promise((resolve) => {
      // The error itself does not matter: whoever builds once more meets it, where it can be told.
      worker.on('error', () => this.#limit.stop());
      worker.on('exit', () => resolve(isBuilt));
    });
  }

  /** Threads that were started. */
  get count(): number {
    return this.#ends.length;
  }

  /** The log may be read so far. */
  raise(readable: ReadableLog): void {
    this.#limit.raise(readable);
  }

  /** The log ends there. @returns false when a thread failed: the table is not to be used then, and everything has ended */
  async finish(end: Omit<ReadableLog, 'isWhole'>): Promise<boolean> {
    this.raise({ ...end, isWhole: true });
    const built = await Promise.all(this.#ends);
    return built.every((isBuilt) => isBuilt);
  }

  /** Gives up. The table may be closed when resolved. */
  async stop(): Promise<void> {
    this.#limit.stop();
    await Promise.all(this.#ends);
  }
}
