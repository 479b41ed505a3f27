/**
 * What has lately become final here: for those who wait for it, and for figures.
 *
 * Owns memory only: the last `BLOCKS_KEPT` final blocks' ids, who waits, and how long blocks took. Invariant: a block is told of only after it is durable.
 */
import type { FinalizedBlock } from '../rpc/views/blocks.ts';

/** How many final blocks' ids are kept for quick answers. */
const BLOCKS_KEPT = 512;
const DELAYS_KEPT = 512;
/** Slots whose first sight is remembered: anybody with a validator's key can name slots that never come. */
const SEEN_KEPT = 4096;

export class FinalityLog {
  readonly #blocks: FinalizedBlock[] = [];
  readonly #waiters = new Set<() => void>();
  readonly #seenMs = new Map<number, number>();
  readonly #delaysMs: number[] = [];

  /** Notes the first sight of a block of a slot. */
  seen(slot: number, nowMs: number): void {
    if (this.#seenMs.has(slot)) return;
    if (this.#seenMs.size >= SEEN_KEPT) {
      for (const oldest of this.#seenMs.keys()) {
        this.#seenMs.delete(oldest);
        break;
      }
    }
    this.#seenMs.set(slot, nowMs);
  }

  /** Notes a block that is final and durable, and wakes those who wait. */
  add(block: FinalizedBlock, nowMs: number): void {
    this.#blocks.push(block);
    if (this.#blocks.length > BLOCKS_KEPT) this.#blocks.shift();
    const seenMs = this.#seenMs.get(block.slot);
    if (seenMs !== undefined) this.#delaysMs.push(nowMs - seenMs);
    if (this.#delaysMs.length > DELAYS_KEPT) this.#delaysMs.shift();
    for (const slot of this.#seenMs.keys()) if (slot <= block.slot) this.#seenMs.delete(slot);
    for (const wake of this.#waiters) wake();
  }

  /** The kept blocks from `height` on; undefined when that lies before them. */
  from(height: number, countMax: number): readonly FinalizedBlock[] | undefined {
    const first = this.#blocks[0]?.height;
    if (first === undefined || height < first) return undefined;
    return this.#blocks.slice(height - first, height - first + countMax);
  }

  /** Resolves at the next final block, after `timeoutMs`, or when `signal` aborts. */
  next(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiters.add(done);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }

  /** From first sight to durable finality over the last blocks, in milliseconds. */
  delays(): { readonly p50: number; readonly p99: number } | null {
    if (this.#delaysMs.length === 0) return null;
    const sorted = [...this.#delaysMs].sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
    return { p50: at(0.5), p99: at(0.99) };
  }
}
