/**
 * Transactions this node has accepted and that are not final yet.
 *
 * Owns three groups, each in order of arrival: `waiting` (for this node to produce, or to forward to the leader), `forwarded` (handed to a leader, not yet seen
 * in a block) and `included` (seen in a block that is not final).
 *
 * Invariants
 * - A transaction is in exactly one group, and leaves only when final, refused or too old ever to be valid: a leader's death loses nothing that was accepted here.
 * - The total never passes `transactionsMax`; past it `add` refuses, it never evicts what was accepted.
 * - Within a group order of arrival is kept, so a sender's transfers stay in the order in which it sent them.
 */
import { byteKey, type PohCount } from '../../native/index.ts';
import type { Transaction } from '../codec/model.ts';

export type MempoolAnswer = 'added' | 'duplicate' | 'full';

interface Forwarded {
  readonly transaction: Transaction;
  readonly atMs: number;
}

export class Mempool {
  readonly #transactionsMax: number;
  readonly #waiting = new Map<string, Transaction>();
  readonly #forwarded = new Map<string, Forwarded>();
  readonly #included = new Map<string, Transaction>();

  /** @param transactionsMax most transactions held in all groups together */
  constructor(transactionsMax: number) {
    this.#transactionsMax = transactionsMax;
  }

  /** Transactions not yet seen in a block. */
  get pendingCount(): number {
    return this.#waiting.size + this.#forwarded.size;
  }

  /** All transactions held. */
  get size(): number {
    return this.pendingCount + this.#included.size;
  }

  add(transaction: Transaction): MempoolAnswer {
    const key = byteKey(transaction.id);
    if (this.#waiting.has(key) || this.#forwarded.has(key) || this.#included.has(key)) return 'duplicate';
    if (this.size >= this.#transactionsMax) return 'full';
    this.#waiting.set(key, transaction);
    return 'added';
  }

  /** Whether a transaction is held here. */
  has(id: Uint8Array): boolean {
    const key = byteKey(id);
    return this.#waiting.has(key) || this.#forwarded.has(key) || this.#included.has(key);
  }

  /** Takes up to `countMax` of the longest waiting; the caller must `include`, `forward`, `putBack` or `drop` each. */
  take(countMax: number): Transaction[] {
    const taken: Transaction[] = [];
    for (const [key, transaction] of this.#waiting) {
      if (taken.length >= countMax) break;
      taken.push(transaction);
      this.#waiting.delete(key);
    }
    return taken;
  }

  /** Returns taken transactions to the front of the queue, in their order. */
  putBack(transactions: readonly Transaction[]): void {
    if (transactions.length === 0) return;
    const later = [...this.#waiting];
    this.#waiting.clear();
    for (const transaction of transactions) this.#waiting.set(byteKey(transaction.id), transaction);
    for (const [key, transaction] of later) this.#waiting.set(key, transaction);
  }

  /** Marks transactions as handed to a leader. */
  forward(transactions: readonly Transaction[], nowMs: number): void {
    for (const transaction of transactions) this.#forwarded.set(byteKey(transaction.id), { transaction, atMs: nowMs });
  }

  /** Marks transactions as standing in a block; those not held here are not taken up. */
  include(transactions: readonly Transaction[], own: boolean): void {
    for (const transaction of transactions) {
      const key = byteKey(transaction.id);
      const known = this.#waiting.delete(key) || this.#forwarded.delete(key);
      if (known || own) this.#included.set(key, transaction);
    }
  }

  /** Makes the transactions of an abandoned block wait again. */
  release(transactions: readonly Transaction[]): void {
    const released = transactions.filter((transaction) => this.#included.delete(byteKey(transaction.id)));
    this.putBack(released);
  }

  /** Makes those wait again that were forwarded before `beforeMs` (all, with Infinity: the leader changed). */
  reclaimForwarded(beforeMs: number): number {
    const reclaimed: Transaction[] = [];
    for (const [key, { transaction, atMs }] of this.#forwarded) {
      if (atMs >= beforeMs) continue;
      this.#forwarded.delete(key);
      reclaimed.push(transaction);
    }
    this.putBack(reclaimed);
    return reclaimed.length;
  }

  /** Forgets transactions: final, or refused by execution. */
  drop(transactions: readonly Transaction[]): void {
    for (const transaction of transactions) {
      const key = byteKey(transaction.id);
      if (!this.#waiting.delete(key) && !this.#forwarded.delete(key)) this.#included.delete(key);
    }
  }

  /** Forgets transactions that refer to a count before `oldestValidCount`: no block can hold them any more. */
  expire(oldestValidCount: PohCount): number {
    let expired = 0;
    for (const [key, transaction] of this.#waiting)
      if (transaction.lastValidCount < oldestValidCount && this.#waiting.delete(key)) expired += 1;
    for (const [key, { transaction }] of this.#forwarded)
      if (transaction.lastValidCount < oldestValidCount && this.#forwarded.delete(key)) expired += 1;
    return expired;
  }
}
