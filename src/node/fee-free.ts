/**
 * Transactions that pay no fee (those of validators about bonds, evidence and succession), bounded: no fee must not mean no limit.
 *
 * Only members of the electorate may send them, which the ledger's check has established before anything comes here. Each member may have
 * `PER_SENDER_MAX` waiting here at a time.
 */
import { byteKey } from '../../native/index.ts';
import type { Transaction } from '../codec/index.ts';

/** More than a validator has to say in a recency window: approvals, evidence against a few, a reveal. */
const PER_SENDER_MAX = 32;

export class FeeFree {
  readonly #minimumFee: bigint;
  readonly #isHeld: (id: Transaction['id']) => boolean;
  /** Ids by sender; those that have left the queue go when their sender comes again. */
  readonly #bySender = new Map<string, Transaction['id'][]>();

  /** @param isHeld whether a transaction still waits */
  constructor(minimumFee: bigint, isHeld: (id: Transaction['id']) => boolean) {
    this.#minimumFee = minimumFee;
    this.#isHeld = isHeld;
  }

  /** Whether there is room for it; always for one that pays. */
  admits(transaction: Transaction): boolean {
    if (transaction.fee >= this.#minimumFee) return true;
    const key = byteKey(transaction.from);
    const held = (this.#bySender.get(key) ?? []).filter(this.#isHeld);
    if (held.length === 0) this.#bySender.delete(key);
    else this.#bySender.set(key, held);
    return held.length < PER_SENDER_MAX;
  }

  /** Counts one that was queued. */
  add(transaction: Transaction): void {
    if (transaction.fee >= this.#minimumFee) return;
    const key = byteKey(transaction.from);
    this.#bySender.set(key, [...(this.#bySender.get(key) ?? []), transaction.id]);
  }
}
