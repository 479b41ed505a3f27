/**
 * What a node answers about the evictions of an address: a part of the port in node-api.ts.
 */
import type { Amount, Hash, Height, Slot } from '../../../native/index.ts';

/** Most evictions in one `cairn_getEvictions`. */
export const EVICTION_ROWS_MAX = 100;

/** One eviction of an account, as its owner needs it to revive it. */
export interface EvictionRow {
  /** Its number over the chain. */
  readonly index: number;
  readonly balance: Amount;
  /** Height of the block that evicted it. */
  readonly height: Height;
  readonly revived: boolean;
  /** Siblings from its leaf to the peak of its mountain, lowest first; empty for a mountain of one. Good until that mountain merges. */
  readonly path: readonly Hash[];
}

/** The evictions of one address in the final state. */
export interface EvictionsView {
  readonly slot: Slot;
  /** The first eviction this node has kept: others before it there may have been, which only other nodes know. 0 for a node that was there from genesis. */
  readonly keptFrom: number;
  /** Ascending, at most EVICTION_ROWS_MAX. */
  readonly evictions: readonly EvictionRow[];
  /** Where to ask on from; null when these were all. */
  readonly next: number | null;
}
