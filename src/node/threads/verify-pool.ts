/**
 * The verifier on threads of its own.
 *
 * Invariants
 * - One job at a time on each thread; what waits is bounded by `JOBS_WAITING_MAX`, built-in jobs before module jobs.
 * - With more than one thread, module jobs (long ones) never take the last free thread.
 * - Threads never keep the process alive, except while a job is on its way.
 * - When a thread dies, every pending call is rejected, later ones too, and `onFatal` is called once.
 */
import { type Transferable, Worker } from 'node:worker_threads';
import { workerUrl } from '../../../native/worker-url.ts';
import type { SignatureBatch } from '../../codec/index.ts';
import { batchSteps, joinSliceResults, type PohBatch, type PohSlice, splitPoh } from '../../poh/index.ts';
import { ThreadError } from './thread-error.ts';
import type { ModuleJob, Verifier } from './verifier.ts';
import type { VerifyJob, VerifyReply, VerifyRequest } from './verify-jobs.ts';
import {
  joinVerdicts,
  owned,
  partCount,
  SIGNATURES_PER_PART_MIN,
  STEPS_PER_PART_MIN,
  splitSignatures,
} from './verify-split.ts';

/** Most jobs that may wait for a thread. */
export const JOBS_WAITING_MAX = 1024;

export interface VerifyPoolOptions {
  /** Threads, 1 .. 64. */
  readonly threads: number;
  /** Called when a thread has died by itself. */
  readonly onFatal: (error: ThreadError) => void;
}

interface Task {
  readonly job: VerifyJob;
  readonly transfer: readonly Transferable[];
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: ThreadError) => void;
}

interface Seat {
  readonly worker: Worker;
  task: Task | undefined;
}

/** Starts the threads. */
export function startVerifyPool(options: VerifyPoolOptions): Verifier {
  return new VerifyPool(options);
}

class VerifyPool implements Verifier {
  readonly #seats: Seat[];
  readonly #urgent: Task[] = [];
  readonly #background: Task[] = [];
  readonly #onFatal: (error: ThreadError) => void;
  #failure: ThreadError | undefined;
  #lastId = 0;

  constructor({ threads, onFatal }: VerifyPoolOptions) {
    if (!Number.isInteger(threads) || threads < 1 || threads > 64)
      throw new RangeError(`threads must be within 1 .. 64, found ${threads}`);
    this.#onFatal = onFatal;
    this.#seats = Array.from({ length: threads }, () => this.#startSeat());
  }

  async pohVerify(batch: PohBatch): Promise<number> {
    if (batch.steps.length === 0) return -1;
    const parts = partCount(batchSteps(batch), STEPS_PER_PART_MIN, this.#seats.length);
    const slices: PohSlice[] = parts === 1 ? [{ firstIndex: 0, ...batch }] : splitPoh(batch, parts);
    const results = await this.#all(slices.map(pohTask));
    return joinSliceResults(slices, results as number[]);
  }

  async ed25519Verify(batch: SignatureBatch): Promise<Uint8Array> {
    const count = batch.offsets.length - 1;
    if (count === 0) return new Uint8Array(0);
    const parts = splitSignatures(batch, partCount(count, SIGNATURES_PER_PART_MIN, this.#seats.length));
    return joinVerdicts((await this.#all(parts.map(signatureTask))) as Uint8Array[]);
  }

  async run({ moduleUrl, functionName, argument, transfer }: ModuleJob): Promise<unknown> {
    const job: VerifyJob = { kind: 'module', url: moduleUrl.href, functionName, argument };
    const [result] = await this.#all([{ job, transfer: transfer ?? [] }]);
    return result;
  }

  async stop(): Promise<void> {
    this.#fail(new ThreadError('stopped', 'the verifier was stopped'));
    await Promise.all(this.#seats.map(({ worker }) => worker.terminate()));
  }

  /** Queues a call's parts, all of them or none. */
  #all(parts: readonly Pick<Task, 'job' | 'transfer'>[]): Promise<unknown[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const waiting = this.#urgent.length + this.#background.length;
    if (waiting + parts.length > JOBS_WAITING_MAX)
      return Promise.reject(new ThreadError('queue-full', `${waiting} jobs already wait for the verifying threads`));
    const results = parts.map(
      (part) =>
        new Promise<unknown>((resolve, reject) => {
          const queue = part.job.kind === 'module' ? this.#background : this.#urgent;
          queue.push({ ...part, resolve, reject });
        }),
    );
    this.#dispatch();
    return Promise.all(results);
  }

  #startSeat(): Seat {
    const worker = new Worker(workerUrl(import.meta.url, './verify-worker.ts'), { execArgv: [] });
    const seat: Seat = { worker, task: undefined };
    worker.on('message', (reply: VerifyReply) => this.#receive(seat, reply));
    worker.on('error', (error) => this.#die(`a verifying thread failed: ${error.message}`));
    worker.on('exit', (code) => this.#die(`a verifying thread ended by itself with code ${code}`));
    worker.unref();
    return seat;
  }

  #dispatch(): void {
    for (const seat of this.#seats) {
      if (seat.task !== undefined) continue;
      const task = this.#urgent.shift() ?? (this.#mayRunBackground() ? this.#background.shift() : undefined);
      if (task === undefined) return;
      this.#seat(seat, task);
    }
  }

  /** Long jobs leave one thread free for the built-in ones, where there is more than one. */
  #mayRunBackground(): boolean {
    const running = this.#seats.filter(({ task }) => task?.job.kind === 'module').length;
    return running < Math.max(1, this.#seats.length - 1);
  }

  #seat(seat: Seat, task: Task): void {
    this.#lastId += 1;
    const request: VerifyRequest = { id: this.#lastId, job: task.job };
    try {
      seat.worker.postMessage(request, task.transfer);
    } catch (error) {
      task.reject(new ThreadError('job-failed', `the job cannot be sent: ${(error as Error).message}`));
      return;
    }
    seat.task = task;
    seat.worker.ref();
  }

  #receive(seat: Seat, reply: VerifyReply): void {
    const { task } = seat;
    seat.task = undefined;
    seat.worker.unref();
    if (reply.ok) task?.resolve(reply.result);
    else task?.reject(new ThreadError('job-failed', reply.message));
    this.#dispatch();
  }

  #die(message: string): void {
    if (this.#failure !== undefined) return;
    const error = new ThreadError('worker-failed', message);
    this.#fail(error);
    this.#onFatal(error);
  }

  #fail(error: ThreadError): void {
    this.#failure ??= error;
    const seated = this.#seats.flatMap(({ task }) => (task === undefined ? [] : [task]));
    for (const seat of this.#seats) seat.task = undefined;
    for (const task of [...seated, ...this.#urgent.splice(0), ...this.#background.splice(0)]) task.reject(error);
  }
}

function pohTask({ hashes, steps, hasMixin, mixins }: PohBatch): Pick<Task, 'job' | 'transfer'> {
  const { arrays: batch, transfer } = owned({ hashes, steps, hasMixin, mixins });
  return { job: { kind: 'poh', batch }, transfer };
}

function signatureTask({ publicKeys, signatures, messages, offsets }: SignatureBatch): Pick<Task, 'job' | 'transfer'> {
  const { arrays: batch, transfer } = owned({ publicKeys, signatures, messages, offsets });
  return { job: { kind: 'ed25519', batch }, transfer };
}
