/**
 * Runs of a campaign on several threads, each run whole on one of them. They are handed out by number and taken in that order, so a campaign comes to the
 * same end on any number of threads; what was run beyond that end is thrown away.
 */
import { Worker } from 'node:worker_threads';
import { workerUrl } from '../../native/worker-url.ts';
import type { SimulationOptions, SimulationResult } from './simulation.ts';

/** A run as a thread is told it: the scenario by name. */
export interface RunOrder extends Omit<SimulationOptions, 'scenario' | 'plant' | 'onTrace' | 'onProgress'> {
  readonly number: number;
  readonly scenario: string;
}

/** A run's result without the violation itself: whoever wants that runs the seed again. */
export interface RunReport extends Omit<SimulationResult, 'violation'> {
  readonly isViolated: boolean;
}

/** What a thread answers. */
export type RunReply =
  | { readonly number: number; readonly report: RunReport }
  | { readonly number: number; readonly error: Error };

export class RunThreads {
  readonly #orderOf: (number: number) => RunOrder;
  readonly #totalMs: number;
  readonly #workers: Worker[] = [];
  readonly #replies = new Map<number, RunReply>();
  #next = 0;
  /** Runs handed out that have not come back. */
  #under = 0;
  #simulatedMs = 0;
  #isEnough = false;
  #failure: Error | undefined;
  #wake: () => void = () => {};

  /** @param orderOf the runs, by number from 0 on @param totalMs virtual time after which no more are begun */
  constructor(threads: number, orderOf: (number: number) => RunOrder, totalMs: number) {
    this.#orderOf = orderOf;
    this.#totalMs = totalMs;
    for (let count = 0; count < threads; count += 1) this.#start();
  }

  /** The run of a number; each number once, in order. Rejects with what the run threw. */
  async take(number: number): Promise<RunReport> {
    for (;;) {
      const reply = this.#replies.get(number);
      this.#replies.delete(number);
      if (reply !== undefined && 'report' in reply) return reply.report;
      if (reply !== undefined) throw reply.error;
      if (this.#failure !== undefined) throw this.#failure;
      // Nobody plays it: to wait for it would be to wait for ever.
      if (this.#under === 0) throw new RangeError(`run ${number} is not there, and no thread is at it`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async close(): Promise<void> {
    this.#isEnough = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #start(): void {
    const worker = new Worker(workerUrl(import.meta.url, './run-worker.ts'));
    worker.on('message', (reply: RunReply) => {
      this.#under -= 1;
      this.#replies.set(reply.number, reply);
      this.#count(reply);
      this.#feed(worker);
      this.#wake();
    });
    worker.on('error', (error) => this.#fail(error as Error));
    worker.on('exit', (code) => this.#fail(new RangeError(`a thread has ended with exit code ${code}`)));
    this.#workers.push(worker);
    this.#feed(worker);
  }

  /** What is told first counts: an error comes before the exit it leads to. */
  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** All numbers below the highest handed out come in, so what is enough over all runs is enough in their order too. */
  #count(reply: RunReply): void {
    if ('report' in reply) this.#simulatedMs += reply.report.simulatedMs;
    if (!('report' in reply) || reply.report.isViolated || this.#simulatedMs >= this.#totalMs) this.#isEnough = true;
  }

  #feed(worker: Worker): void {
    if (this.#isEnough) return;
    worker.postMessage(this.#orderOf(this.#next));
    this.#next += 1;
    this.#under += 1;
  }
}
