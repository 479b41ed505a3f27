/**
 * The book of what was submitted and is not final yet: when to send, send again, sign again, or give up.
 *
 * Invariants
 * - One transfer is paid at most once. Signing again (a new last valid hash, hence a new id, which the ledger cannot recognise as the same payment)
 *   happens only when the old packet can never be in a block any more: either every attempt so far was refused outright, or a block is final
 *   whose slot is the old packet's last valid one or later, and no final block held it.
 * - Sending the same bytes again is always safe: the ledger applies an id once.
 * - New transfers are handed out in order; retries go first.
 *
 * Pure: time and finality come in as arguments.
 */
import type { WorkloadTransfer } from './plan.ts';

/** The recent PoH hash that packets refer to. */
export interface Reference {
  /** First 20 bytes of the PoH hash. */
  readonly lastValidHash: Uint8Array;
  readonly lastValidCount: number;
  /** Last slot whose block may include a packet with this reference. */
  readonly lastValidSlot: number;
}

export interface SignedTransfer {
  /** Text form of the transaction id, unique in a run. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** Signs transfer `counter` of the plan for a reference. */
export type TransferSigner = (transfer: WorkloadTransfer, counter: bigint, reference: Reference) => SignedTransfer;

/** What a node said to one packet: null means accepted (or known already). */
export interface Answer {
  readonly code: string;
  readonly message: string;
}

/** One transfer on its way. */
export interface Submission {
  readonly index: number;
  readonly transfer: WorkloadTransfer;
  /** The packet that may be on its way, with the last slot that may include it. */
  packet: (SignedTransfer & { readonly lastValidSlot: number }) | null;
  /** When it was first sent, ms; latency counts from here. */
  firstSentMs: number;
  /** When to send (again), ms; Infinity while an answer is awaited. */
  dueMs: number;
  /** True once an attempt may have put the packet into a node: it was accepted, or no answer came. */
  mayLand: boolean;
  sends: number;
}

/** A transfer the ledger refuses for good. */
export interface RefusedTransfer {
  readonly index: number;
  readonly code: string;
  readonly message: string;
}

/** An accepted packet that is not final after this long is sent again: a node that died may have taken it along. */
const RESEND_AFTER_MS = 5_000;
/** Wait after a refusal that will pass (a full queue, a node behind). */
const BACKOFF_MS = 250;
const REFERENCE_CODES: ReadonlySet<string> = new Set(['stale-last-valid-hash', 'unknown-last-valid-hash']);
const PASSING_CODES: ReadonlySet<string> = new Set(['busy', 'unhealthy', 'full', 'rate-limited']);
/** Already in a block: what remains is to see it final. */
const LANDED_CODES: ReadonlySet<string> = new Set(['replayed', 'duplicate']);

export class Submissions {
  readonly refused: RefusedTransfer[] = [];
  /** How often a packet had to be signed again. */
  resigned = 0;
  readonly #open = new Map<number, Submission>();
  readonly #byId = new Map<string, Submission>();
  #finalizedSlot = 0;

  /** Transfers handed out and neither final nor refused. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Takes up a new transfer, due at once. */
  open(index: number, transfer: WorkloadTransfer, nowMs: number): Submission {
    const submission: Submission = {
      index,
      transfer,
      packet: null,
      firstSentMs: nowMs,
      dueMs: nowMs,
      mayLand: false,
      sends: 0,
    };
    this.#open.set(index, submission);
    return submission;
  }

  /** Those due for sending again, oldest first, at most `countMax`. */
  due(nowMs: number, countMax: number): Submission[] {
    const due: Submission[] = [];
    for (const submission of this.#open.values()) {
      if (due.length >= countMax) break;
      if (submission.dueMs <= nowMs) due.push(submission);
    }
    return due;
  }

  /** False once it is final or refused: it must not be prepared then, or it would be paid again. */
  isOpen({ index }: Submission): boolean {
    return this.#open.has(index);
  }

  /** The bytes to send now. Signs when there is no packet yet, or the old one is dead. Throws `RangeError` for one that is not open. */
  prepare(submission: Submission, reference: Reference, sign: TransferSigner, nowMs: number): Uint8Array {
    if (!this.isOpen(submission)) throw new RangeError(`transfer ${submission.index} is settled already`);
    const packet = submission.packet;
    const dead = packet === null || this.#finalizedSlot >= packet.lastValidSlot;
    const { bytes } = dead ? this.#sign(submission, reference, sign) : packet;
    submission.sends += 1;
    submission.dueMs = Number.POSITIVE_INFINITY;
    if (submission.sends === 1) submission.firstSentMs = nowMs;
    return bytes;
  }

  /** A node's answer. */
  answered(submission: Submission, answer: Answer | null, nowMs: number): void {
    if (!this.#open.has(submission.index)) return;
    if (answer === null || LANDED_CODES.has(answer.code)) {
      submission.mayLand = true;
      submission.dueMs = nowMs + RESEND_AFTER_MS;
    } else if (REFERENCE_CODES.has(answer.code)) {
      // Nobody took the packet: it may be signed anew. If somebody may have, only the window's end allows it.
      if (!submission.mayLand) this.#forgetPacket(submission);
      submission.dueMs = nowMs + BACKOFF_MS;
    } else if (PASSING_CODES.has(answer.code)) {
      submission.dueMs = nowMs + BACKOFF_MS;
    } else if (submission.mayLand) {
      // An earlier attempt was accepted, so this refusal does not settle it.
      submission.dueMs = nowMs + RESEND_AFTER_MS;
    } else {
      this.refused.push({ index: submission.index, code: answer.code, message: answer.message });
      this.#close(submission);
    }
  }

  /** No answer came: the packet may have arrived all the same. */
  unanswered(submission: Submission, nowMs: number): void {
    submission.mayLand = true;
    submission.dueMs = nowMs + BACKOFF_MS;
  }

  /** A final block; returns those of our transfers that it made final. Call for every final block, in order. */
  finalized(slot: number, ids: Iterable<string>): Submission[] {
    const done: Submission[] = [];
    for (const id of ids) {
      const submission = this.#byId.get(id);
      if (submission === undefined) continue;
      done.push(submission);
      this.#close(submission);
    }
    this.#finalizedSlot = slot;
    return done;
  }

  /** Indexes of what is still open, for a report. */
  openIndexes(): number[] {
    return [...this.#open.keys()];
  }

  #sign(submission: Submission, reference: Reference, sign: TransferSigner): SignedTransfer {
    if (submission.sends > 0) this.resigned += 1;
    this.#forgetPacket(submission);
    const signed = sign(submission.transfer, BigInt(submission.index), reference);
    submission.packet = { ...signed, lastValidSlot: reference.lastValidSlot };
    submission.mayLand = false;
    this.#byId.set(signed.id, submission);
    return signed;
  }

  #forgetPacket(submission: Submission): void {
    if (submission.packet === null) return;
    this.#byId.delete(submission.packet.id);
    submission.packet = null;
  }

  #close(submission: Submission): void {
    this.#open.delete(submission.index);
    this.#forgetPacket(submission);
  }
}
