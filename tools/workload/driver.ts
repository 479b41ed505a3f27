/**
 * Submits a workload at a steady rate, in order, and follows each transfer until it is final.
 *
 * Owns two loops: one signs and sends (batches small enough to leave the event loop free, one batch under way at a time, so that order holds), the
 * other waits for final blocks. What to do with each answer is decided in submissions.ts.
 *
 * Invariants: at most `inFlightMax` transfers are open; a failed call never ends a loop, it is counted and tried again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LatencyLog } from './latency.ts';
import type { WorkloadPlan, WorkloadTransfer } from './plan.ts';
import { type Answer, type Reference, type Submission, Submissions, type TransferSigner } from './submissions.ts';

/** What the driver needs of a network: an RPC client, or several with fail-over, or a test's fake. */
export interface SubmitPort {
  latestReference(): Promise<Reference>;
  /** One answer each, in order; null: accepted. Rejects when no answer came. */
  submit(packets: readonly Uint8Array[]): Promise<readonly (Answer | null)[]>;
  /** Final blocks above `afterHeight`, ascending, without gaps; waits up to `timeoutMs` for the first. */
  waitFinalized(afterHeight: number, timeoutMs: number): Promise<readonly FinalBlock[]>;
}

export interface FinalBlock {
  readonly height: number;
  readonly slot: number;
  readonly ids: readonly string[];
}

export interface DriverOptions {
  readonly plan: WorkloadPlan;
  readonly port: SubmitPort;
  readonly sign: TransferSigner;
  /** Transfers a second, at most. */
  readonly ratePerSecond: number;
  readonly inFlightMax?: number;
  /** Real time unless a test brings its own. */
  readonly clock?: DriverClock;
}

export interface DriverClock {
  nowMs(): number;
  /** Waits; ends early, without an error, when the signal aborts. */
  sleep(durationMs: number, signal: AbortSignal): Promise<void>;
}

const REAL_CLOCK: DriverClock = {
  nowMs: () => performance.now(),
  sleep: async (durationMs, signal) => {
    await sleep(durationMs, undefined, { signal }).catch(() => undefined);
  },
};

/** Small enough to sign in about 5 ms, large enough to make a call worth its cost. */
const BATCH_SIZE = 128;
const IN_FLIGHT_MAX = 8_192;
const REFERENCE_AGE_MS_MAX = 1_000;
const WAIT_FINALIZED_MS = 2_000;
const RETRY_PAUSE_MS = 200;
const IDLE_PAUSE_MS = 10;

export class Driver {
  readonly submissions: Submissions = new Submissions();
  readonly latency: LatencyLog = new LatencyLog();
  /** Every transfer that became final, in the order of finality. */
  readonly final: WorkloadTransfer[] = [];
  /** Calls that failed as a whole. */
  callsFailed = 0;
  readonly #options: Required<DriverOptions>;
  readonly #stop = new AbortController();
  #loading = false;
  #next = 0;
  #height = 0;
  #startedMs = 0;
  #lastFinalMs = 0;
  #reference: { value: Reference; atMs: number } | null = null;
  #loops: Promise<unknown> = Promise.resolve();

  constructor(options: DriverOptions) {
    this.#options = { inFlightMax: IN_FLIGHT_MAX, clock: REAL_CLOCK, ...options };
  }

  /** Transfers handed to the network so far. */
  get submittedCount(): number {
    return this.#next;
  }

  /** Whether the whole plan was handed out. */
  get exhausted(): boolean {
    return this.#next >= this.#options.plan.transferCount;
  }

  /** From the first submission to the latest finality, ms. */
  get activeMs(): number {
    return Math.max(0, this.#lastFinalMs - this.#startedMs);
  }

  /** Starts both loops; finality is followed from `afterHeight` on. */
  start(afterHeight: number): void {
    this.#height = afterHeight;
    this.#startedMs = this.#options.clock.nowMs();
    this.#loading = true;
    this.#loops = Promise.all([this.#sendLoop(), this.#followLoop()]);
  }

  /** Hands out no new transfers; open ones are followed on. */
  stopLoading(): void {
    this.#loading = false;
  }

  /** Resolves when nothing is open, or after `timeoutMs`; returns how many are still open. */
  async drain(timeoutMs: number): Promise<number> {
    this.stopLoading();
    const deadline = this.#options.clock.nowMs() + timeoutMs;
    while (this.submissions.openCount > 0 && this.#options.clock.nowMs() < deadline && !this.#stop.signal.aborted)
      await this.#pause(50);
    return this.submissions.openCount;
  }

  /** Ends both loops. */
  async close(): Promise<void> {
    this.#loading = false;
    this.#stop.abort();
    await this.#loops;
  }

  async #sendLoop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const sent = await this.#sendBatch().catch(() => this.#failed());
      if (sent === 0) await this.#pause(IDLE_PAUSE_MS);
    }
  }

  async #sendBatch(): Promise<number> {
    const { clock, port, sign } = this.#options;
    const due = this.#nextBatch(clock.nowMs());
    if (due.length === 0) return 0;
    const reference = await this.#freshReference();
    // Meanwhile some may have become final: signed again, they would be paid twice.
    const batch = due.filter((each) => this.submissions.isOpen(each));
    if (batch.length === 0) return 0;
    const packets = batch.map((each) => this.submissions.prepare(each, reference, sign, clock.nowMs()));
    await port.submit(packets).then(
      (answers) => {
        for (const [at, each] of batch.entries()) this.#answered(each, answers[at]);
      },
      async () => {
        for (const each of batch) this.submissions.unanswered(each, clock.nowMs());
        await this.#failed();
      },
    );
    return batch.length;
  }

  /** An answer that is missing altogether says nothing. */
  #answered(submission: Submission, answer: Answer | null | undefined): void {
    const now = this.#options.clock.nowMs();
    if (answer === undefined) this.submissions.unanswered(submission, now);
    else this.submissions.answered(submission, answer, now);
  }

  #nextBatch(nowMs: number): Submission[] {
    const batch = this.submissions.due(nowMs, BATCH_SIZE);
    const { plan, ratePerSecond, inFlightMax } = this.#options;
    const allowed = Math.floor(((nowMs - this.#startedMs) / 1000) * ratePerSecond);
    while (
      this.#loading &&
      batch.length < BATCH_SIZE &&
      this.#next < Math.min(allowed, plan.transferCount) &&
      this.submissions.openCount < inFlightMax
    ) {
      batch.push(this.submissions.open(this.#next, plan.next(this.#next), nowMs));
      this.#next += 1;
    }
    return batch;
  }

  async #freshReference(): Promise<Reference> {
    const now = this.#options.clock.nowMs();
    if (this.#reference === null || now - this.#reference.atMs > REFERENCE_AGE_MS_MAX)
      this.#reference = { value: await this.#options.port.latestReference(), atMs: now };
    return this.#reference.value;
  }

  async #followLoop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const blocks = await this.#waitFinalized().catch(() => this.#failed());
      if (blocks === 0) continue;
      for (const block of blocks) this.#follow(block);
    }
  }

  #waitFinalized(): Promise<readonly FinalBlock[]> {
    return this.#options.port.waitFinalized(this.#height, WAIT_FINALIZED_MS);
  }

  #follow(block: FinalBlock): void {
    if (block.height <= this.#height) return;
    const now = this.#options.clock.nowMs();
    for (const submission of this.submissions.finalized(block.slot, block.ids)) {
      this.latency.add(now - submission.firstSentMs);
      this.final.push(submission.transfer);
      this.#lastFinalMs = now;
    }
    this.#height = block.height;
  }

  async #failed(): Promise<0> {
    this.callsFailed += 1;
    await this.#pause(RETRY_PAUSE_MS);
    return 0;
  }

  #pause(durationMs: number): Promise<void> {
    return this.#options.clock.sleep(durationMs, this.#stop.signal);
  }
}
