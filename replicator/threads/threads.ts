/**
 * The threads a replicator may use beside its own, and the memory it shares with them.
 *
 * Invariants
 * - Jobs are small (a chunk each) and bounded by their callers; each goes to the thread with the least to do.
 * - Threads never keep the process alive, except while a job is on its way.
 * - When a thread dies, every job on it and every later one is refused; nothing is answered wrongly.
 */
import { Worker } from 'node:worker_threads';
import type { Kernels } from '../../native/index.ts';
import { workerUrl } from '../../native/worker-url.ts';
import { ReplicatorError } from '../errors.ts';
import { ChunkMemory } from './chunk-memory.ts';
import { type EncryptionChain, Encryptions } from './encryption.ts';
import { type JobResults, type ReplicaJob, runReplicaJob } from './jobs.ts';
import type { JobMessage, JobReply, OpenJob } from './messages.ts';

/** Where chunks' work is done. */
export interface ReplicaThreads {
  /** How many jobs run at the same time. */
  readonly count: number;
  /** Whether a job is done before `run` returns, so that its memory may be anybody's. A chain's chunks may wait for another's. */
  readonly isInline: boolean;
  /** A buffer that jobs can read and write in place. */
  allocate(sizeBytes: number): Uint8Array;
  /** Memory from `allocate`, for chunks, used again. */
  readonly chunks: ChunkMemory;
  /** Does a job. Memory from `allocate` is used in place; other memory is copied. Throws `ReplicatorError` 'thread'. */
  run<Job extends ReplicaJob>(job: Job): Promise<JobResults[Job['kind']]>;
  /** Makes openings of a replica in a file; absent where there are no threads. Throws `ReplicatorError` 'thread', damage included. */
  open?(job: Omit<OpenJob, 'kind'>): Promise<Uint8Array>;
  /** Begins a chain of chunks to be encrypted: those of several chains may go through the cipher side by side. It must be ended: others wait for it. */
  beginEncryption(): EncryptionChain;
  stop(): Promise<void>;
}

/** No threads: jobs run at once, on the caller's. */
export function inlineThreads(kernels: Kernels): ReplicaThreads {
  const encryptions = new Encryptions(1, (chunks) => runReplicaJob(kernels, { kind: 'encrypt', chunks }));
  const allocate = (sizeBytes: number): Uint8Array => new Uint8Array(sizeBytes);
  return {
    chunks: new ChunkMemory(allocate),
    beginEncryption: () => encryptions.begin(),
    count: 1,
    isInline: true,
    allocate,
    run: (job) => runReplicaJob(kernels, job),
    stop: async () => undefined,
  };
}

/** Most threads one replicator starts. */
export const THREADS_MAX = 64;

/** Starts threads, 1 .. 64. They load their own kernels, by the same settings as this process. */
export function startReplicaThreads(count: number): ReplicaThreads {
  if (!Number.isInteger(count) || count < 1 || count > THREADS_MAX)
    throw new ReplicatorError('parameters', `threads must be within 1 .. ${THREADS_MAX}, got ${count}`);
  return new Threads(count);
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: ReplicatorError) => void;
}

class Seat {
  readonly worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #failure: ReplicatorError | undefined;
  #lastId = 0;

  constructor() {
    this.worker = new Worker(workerUrl(import.meta.url, './replica-worker.ts'), { execArgv: [] });
    this.worker.on('message', (reply: JobReply) => this.#receive(reply));
    this.worker.on('error', (error) => this.#fail(`a replicator's thread failed: ${error.message}`));
    this.worker.on('exit', () => this.#fail("a replicator's thread has ended"));
    this.worker.unref();
  }

  get load(): number {
    return this.#pending.size;
  }

  run(job: ReplicaJob | OpenJob): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#lastId += 1;
    const message: JobMessage = { id: this.#lastId, job };
    return new Promise((resolve, reject) => {
      this.#pending.set(message.id, { resolve, reject });
      this.worker.ref();
      this.worker.postMessage(message);
    });
  }

  #receive(reply: JobReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.worker.unref();
    if (reply.ok) pending?.resolve(reply.result);
    else pending?.reject(new ReplicatorError('thread', reply.message));
  }

  #fail(message: string): void {
    this.#failure ??= new ReplicatorError('thread', message);
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
  }
}

class Threads implements ReplicaThreads {
  readonly isInline = false;
  readonly chunks: ChunkMemory = new ChunkMemory((sizeBytes) => this.allocate(sizeBytes));
  readonly #seats: readonly Seat[];
  readonly #encryptions: Encryptions;

  constructor(count: number) {
    this.#seats = Array.from({ length: count }, () => new Seat());
    this.#encryptions = new Encryptions(count, (chunks) => this.run({ kind: 'encrypt', chunks }));
  }

  get count(): number {
    return this.#seats.length;
  }

  allocate(sizeBytes: number): Uint8Array {
    return new Uint8Array(new SharedArrayBuffer(sizeBytes));
  }

  beginEncryption(): EncryptionChain {
    return this.#encryptions.begin();
  }

  async run<Job extends ReplicaJob>(job: Job): Promise<JobResults[Job['kind']]> {
    return (await this.#leastBusy().run(job)) as JobResults[Job['kind']];
  }

  async open(job: Omit<OpenJob, 'kind'>): Promise<Uint8Array> {
    return (await this.#leastBusy().run({ kind: 'open', ...job })) as Uint8Array;
  }

  #leastBusy(): Seat {
    return this.#seats.reduce((best, seat) => (seat.load < best.load ? seat : best));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#seats.map(({ worker }) => worker.terminate()));
  }
}
