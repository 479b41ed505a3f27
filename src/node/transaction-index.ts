/**
 * Where transactions stand that are not final: in which unfinalized blocks, or thrown out and why. Final ones are in the history's index.
 *
 * Memory is bounded by the unfinalized blocks, and by `DROPPED_KEPT` refusals.
 */
import { byteKey, type Hash } from '../../native/index.ts';
import { type Block, blockTransactions } from '../codec/index.ts';

const DROPPED_KEPT = 10_000;

export interface Dropped {
  readonly code: string;
  readonly message: string;
}

export class TransactionIndex {
  /** Transaction to the unfinalized blocks that hold it. */
  readonly #blocks = new Map<string, Hash[]>();
  readonly #dropped = new Map<string, Dropped>();

  /** Notes the transactions of a verified block. */
  add(block: Block): void {
    for (const { id } of blockTransactions(block.entries)) {
      const key = byteKey(id);
      this.#dropped.delete(key);
      const holding = this.#blocks.get(key);
      if (holding === undefined) this.#blocks.set(key, [block.header.hash]);
      else holding.push(block.header.hash);
    }
  }

  /** Forgets a block: final, or abandoned. */
  remove(block: Block): void {
    const blockKey = byteKey(block.header.hash);
    for (const { id } of blockTransactions(block.entries)) {
      const key = byteKey(id);
      const others = (this.#blocks.get(key) ?? []).filter((hash) => byteKey(hash) !== blockKey);
      if (others.length === 0) this.#blocks.delete(key);
      else this.#blocks.set(key, others);
    }
  }

  /** Hashes of the unfinalized blocks that hold a transaction. */
  holding(id: Hash): readonly Hash[] {
    return this.#blocks.get(byteKey(id)) ?? [];
  }

  drop(id: Hash, why: Dropped): void {
    this.#dropped.set(byteKey(id), why);
    if (this.#dropped.size <= DROPPED_KEPT) return;
    for (const oldest of this.#dropped.keys()) {
      this.#dropped.delete(oldest);
      return;
    }
  }

  dropped(id: Hash): Dropped | undefined {
    return this.#dropped.get(byteKey(id));
  }
}
