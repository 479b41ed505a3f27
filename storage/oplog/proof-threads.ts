/**
 * Checks the segments of a log on other threads while this one reads the log: each takes the next segment, checks it from its header on
 * (segment-proof.ts), and takes another. This one only compares each header with what the segments before have led to.
 *
 * Invariants
 * - A segment without a proof, for whatever reason, is checked by whoever reads the log: so what is found wrong, and where, never depends on threads.
 * - No thread is more than a few segments ahead of the reader. A thread's memory is one read buffer and the proof being made.
 */
import { Worker } from 'node:worker_threads';
import type { KernelsName } from '../../native/index.ts';
import { workerUrl } from '../../native/worker-url.ts';
import type { ProofOrder, SegmentProof, SegmentProofs } from './log-visitor.ts';
import { ProofTurns } from './proof-turns.ts';
import type { ProofWorkerData, ProofWorkerReply } from './proof-worker.ts';

export interface ProofThreadsOptions {
  readonly kernels: KernelsName;
  /** Threads beside this one; no more are started than there are segments. */
  readonly count: number;
}

export class ProofThreads implements SegmentProofs {
  readonly #turns: ProofTurns;
  readonly #ends: Promise<void>[];
  readonly #proofs = new Map<number, SegmentProof | undefined>();
  readonly #waiting = new Map<number, (proof: SegmentProof | undefined) => void>();
  #failed = false;

  /** Starts at once. @param order of a log on the real disk */
  constructor(order: ProofOrder, { kernels, count }: ProofThreadsOptions) {
    const threads = Math.min(count, order.present.length);
    this.#turns = new ProofTurns(2 * threads);
    this.#ends = Array.from({ length: threads }, () => this.#start({ order, kernels, turns: this.#turns.memory }));
  }

  #start(workerData: ProofWorkerData): Promise<void> {
    const worker = new Worker(workerUrl(import.meta.url, './proof-worker.ts'), { execArgv: [], workerData });
    worker.on('message', ({ index, proof }: ProofWorkerReply) => this.#proven(index, proof));
    return new Promise((resolve) => {
      // The error itself does not matter: whoever reads the segment meets it, where it can be told.
      worker.on('error', () => this.#giveUp());
      worker.on('exit', (code) => {
        if (code !== 0) this.#giveUp();
        resolve();
      });
    });
  }

  #proven(index: number, proof: SegmentProof | undefined): void {
    const waiting = this.#waiting.get(index);
    this.#waiting.delete(index);
    if (waiting === undefined) this.#proofs.set(index, proof);
    else waiting(proof);
  }

  #giveUp(): void {
    this.#failed = true;
    this.#turns.stop();
    for (const waiting of this.#waiting.values()) waiting(undefined);
    this.#waiting.clear();
  }

  async next(index: number): Promise<SegmentProof | undefined> {
    const proof = await this.#proofOf(index);
    this.#proofs.delete(index);
    this.#turns.advance();
    return proof;
  }

  #proofOf(index: number): SegmentProof | undefined | Promise<SegmentProof | undefined> {
    if (this.#failed || this.#proofs.has(index)) return this.#proofs.get(index);
    return new Promise((resolve) => this.#waiting.set(index, resolve));
  }

  async stop(): Promise<void> {
    this.#giveUp();
    await Promise.all(this.#ends);
  }
}
