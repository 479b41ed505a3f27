/**
 * Transactions this node has accepted and that are not final yet.
 *
 * Owns four groups, each in order of arrival: `waiting` (for this node to produce, or to forward to the leader), `taken` (with whoever called `take`),
 * `forwarded` (handed to a leader, not yet seen in a block) and `included` (seen in a block that is not final).
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
  readonly #taken = new Map<string, Transaction>();
  readonly #forwarded = new Map<string, Forwarded>();
  readonly #included = new Map<string, Transaction>();
  readonly #listeners: (() => void)[] = [];

  /** @param transactionsMax most transactions held in all groups together */
  constructor(transactionsMax: number) {
    this.#transactionsMax = transactionsMax;
  }

  /** Calls back whenever a transaction begins to wait, anew or again. */
  onWaiting(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Transactions that `take` would give. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Transactions not yet seen in a block. */
  get pendingCount(): number {
    return this.#waiting.size + this.#taken.size + this.#forwarded.size;
  }

  /** All transactions held. */
  get size(): number {
    return this.pendingCount + this.#included.size;
  }

  add(transaction: Transaction): MempoolAnswer {
    if (this.has(transaction.id)) return 'duplicate';
    if (this.size >= this.#transactionsMax) return 'full';
    this.#waiting.set(byteKey(transaction.id), transaction);
    this.#tell();
    return 'added';
  }

  /** Adds one that must go before all others: this node's own word as the leader. */
  addFirst(transaction: Transaction): MempoolAnswer {
    if (this.has(transaction.id)) return 'duplicate';
    if (this.size >= this.#transactionsMax) return 'full';
    this.#waitFirst([transaction]);
    return 'added';
  }

  /** Whether a transaction is held here. */
  has(id: Uint8Array): boolean {
    const key = byteKey(id);
    return [this.#waiting, this.#taken, this.#forwarded, this.#included].some((group) => group.has(key));
  }

  /** Takes up to `countMax` of the longest waiting; the caller must `include`, `forward`, `putBack` or `drop` each. */
  take(countMax: number): Transaction[] {
    const taken: Transaction[] = [];
    for (const [key, transaction] of this.#waiting) {
      if (taken.length >= countMax) break;
      taken.push(transaction);
      this.#waiting.delete(key);
      this.#taken.set(key, transaction);
    }
    return taken;
  }

  /** Returns taken transactions to the front of the queue, in their order. Those that are no longer taken stay where they are. */
  putBack(transactions: readonly Transaction[]): void {
    this.#waitFirst(transactions.filter(({ id }) => this.#taken.delete(byteKey(id))));
  }

  /** Marks taken transactions as handed to a leader. Those that are no longer taken stay where they are. */
  forward(transactions: readonly Transaction[], nowMs: number): void {
    for (const transaction of transactions) {
      const key = byteKey(transaction.id);
      if (this.#taken.delete(key)) this.#forwarded.set(key, { transaction, atMs: nowMs });
    }
  }

  #waitFirst(transactions: readonly Transaction[]): void {
    if (transactions.length === 0) return;
    const later = [...this.#waiting];
    this.#waiting.clear();
    for (const transaction of transactions) this.#waiting.set(byteKey(transaction.id), transaction);
    for (const [key, transaction] of later) this.#waiting.set(key, transaction);
    this.#tell();
  }

  /** Marks transactions as standing in a block; those not held here are not taken up. */
  include(transactions: readonly Transaction[]): void {
    for (const transaction of transactions) {
      const key = byteKey(transaction.id);
      const isHeld = this.#waiting.delete(key) || this.#taken.delete(key) || this.#forwarded.delete(key);
      if (isHeld) this.#included.set(key, transaction);
    }
  }

  /** Makes the transactions of an abandoned block wait again. */
  release(transactions: readonly Transaction[]): void {
    this.#waitFirst(transactions.filter(({ id }) => this.#included.delete(byteKey(id))));
  }

  /** Makes those wait again that were forwarded before `beforeMs` (all, with Infinity: the leader changed). */
  reclaimForwarded(beforeMs: number): number {
    const reclaimed: Transaction[] = [];
    for (const [key, { transaction, atMs }] of this.#forwarded) {
      if (atMs >= beforeMs) continue;
      this.#forwarded.delete(key);
      reclaimed.push(transaction);
    }
    this.#waitFirst(reclaimed);
    return reclaimed.length;
  }

  /** Forgets transactions: final, or refused by execution. */
  drop(transactions: readonly Transaction[]): void {
    for (const transaction of transactions) {
      const key = byteKey(transaction.id);
      for (const group of [this.#waiting, this.#taken, this.#forwarded, this.#included]) if (group.delete(key)) break;
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
