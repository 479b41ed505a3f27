/**
 * The recency window: the ends of recent slots a transaction may refer to, and the transactions applied since.
 *
 * The rule (2-ledger.md, "Packets"): a transaction in a block of slot s refers to a hash at the end of a block of this chain, of a
 * slot r with r < s and s - r <= recencyWindowSlots, and is applied at most once. A replay has the same id and so the same r; hence
 * applied ids are kept by the slot they *refer to*, and the ids of r can be forgotten in the moment in which r leaves the window.
 *
 * One `RecentWindow` a block: an unfinalized block's holds only what that block added, over its parent's. `settle()` moves a final block's part
 * into the shared base. A window on a branch that finality has left throws when asked.
 */
import { type Hash, type PohCount, type Slot, slot as toSlot } from '../../native/index.ts';
import { type IdSecret, IdSet, OPEN_ID_SECRET } from './id-set.ts';
import { invariant } from './invariant.ts';

/** Bytes of a PoH hash that a transaction names. */
export const LAST_VALID_HASH_SIZE_BYTES = 20;

/** The two genesis parameters the window depends on. */
export interface RecencyRules {
  /** PoH steps a slot: slot s ends at count s * hashesPerSlot. */
  readonly hashesPerSlot: number;
  /** Oldest admissible reference: this many slots before the including block's slot. */
  readonly recencyWindowSlots: number;
}

/** Where a block ends in PoH time. */
export interface BlockEnd {
  readonly slot: Slot;
  readonly pohHash: Hash;
}

/** A block of finalized history, as far as the window needs it, to rebuild the window after a restart. */
export interface RecentBlock extends BlockEnd {
  readonly transactions: Iterable<{ readonly id: Uint8Array; readonly lastValidCount: PohCount }>;
}

/** The transactions a block has applied, in order, each with the slot it refers to. Filled while the block executes. */
export class AppliedTransactions {
  readonly ids: IdSet;
  readonly #referenceSlots: number[] = [];

  constructor(secret: IdSecret = OPEN_ID_SECRET) {
    this.ids = new IdSet(secret);
  }

  get size(): number {
    return this.#referenceSlots.length;
  }

  /** Notes a transaction; false (and nothing noted) when its id is there already. */
  add(id: Uint8Array, referenceSlot: number): boolean {
    if (!this.ids.add(id)) return false;
    this.#referenceSlots.push(referenceSlot);
    return true;
  }

  /** Forgets all but the first `size`. */
  truncate(size: number): void {
    this.ids.truncate(size);
    this.#referenceSlots.length = size;
  }

  /** The slot that the transaction at place `at` refers to. */
  referenceSlot(at: number): number {
    return this.#referenceSlots[at]!;
  }
}

/** What finalized blocks have left: shared by all windows of one chain. */
interface Base {
  readonly rules: RecencyRules;
  readonly secret: IdSecret;
  /** Slot to the hash at its end, for blocks inside the window of the tip. Ascending in slots. */
  readonly ends: Map<number, Hash>;
  /** Reference slot to the ids applied that refer to it. */
  readonly applied: Map<number, IdSet>;
  tip: RecentWindow;
}

/** Why a reference is refused. */
export type ReferenceRefusal = 'unknown-last-valid-hash' | 'stale-last-valid-hash';

/** The window as it stands after one block: what a child of that block is checked against. */
export class RecentWindow {
  readonly end: BlockEnd;
  readonly #base: Base;
  #parent: RecentWindow | null;
  #applied: AppliedTransactions | null;

  private constructor(
    end: BlockEnd,
    base: Base | { rules: RecencyRules; secret: IdSecret },
    parent: RecentWindow | null,
    applied: AppliedTransactions | null,
  ) {
    this.end = end;
    this.#base = 'tip' in base ? base : { ...base, ends: new Map(), applied: new Map(), tip: this };
    this.#parent = parent;
    this.#applied = applied;
  }

  /** The window after genesis: slot 0 ends at count 0 with the chain id. @param secret 4 random words, or none in tests */
  static genesis(rules: RecencyRules, chainId: Hash, secret: IdSecret = OPEN_ID_SECRET): RecentWindow {
    const window = new RecentWindow({ slot: toSlot(0), pohHash: chainId }, { rules, secret }, null, null);
    window.#base.ends.set(0, chainId);
    return window;
  }

  /**
   * The window after the last of `blocks`, all final: for a restart, or a fast-synced node. `blocks` must be consecutive blocks of one
   * chain in ascending order, at least one, and reach back to genesis (given as a block of slot 0 with the chain id and no transactions)
   * or over all blocks of slots >= last slot - recencyWindowSlots; fewer would let replays through.
   */
  static rebuild(rules: RecencyRules, blocks: Iterable<RecentBlock>, secret: IdSecret = OPEN_ID_SECRET): RecentWindow {
    let window: RecentWindow | null = null;
    for (const block of blocks) {
      const end: BlockEnd = { slot: block.slot, pohHash: block.pohHash };
      if (window === null) {
        window = new RecentWindow(end, { rules, secret }, null, null);
        window.#base.ends.set(end.slot, end.pohHash);
        for (const { id, lastValidCount } of block.transactions) window.#remember(lastValidCount, id);
        continue;
      }
      const applied = new AppliedTransactions(secret);
      for (const { id, lastValidCount } of block.transactions) applied.add(id, lastValidCount / rules.hashesPerSlot);
      window = window.child(end, applied);
      window.settle();
    }
    invariant(window !== null, 'argument', () => 'a window is rebuilt from at least one block');
    return window;
  }

  /** The window after a child block: `end` is where it ends, `applied` what it applied (kept, not copied: add no more). */
  child(end: BlockEnd, applied: AppliedTransactions): RecentWindow {
    invariant(end.slot > this.end.slot, 'argument', () => `slot ${end.slot} does not follow slot ${this.end.slot}`);
    return new RecentWindow(end, this.#base, this, applied);
  }

  /**
   * Checks a transaction's reference for a block of slot `atSlot` whose parent is this window's block. Returns the slot referred
   * to, or why it is refused. Age is judged first: what is out of the window is stale, known or not.
   * @param lastValidHash the 20 bytes in the transaction
   */
  reference(lastValidHash: Uint8Array, lastValidCount: number, atSlot: number): number | ReferenceRefusal {
    const { hashesPerSlot, recencyWindowSlots } = this.#base.rules;
    if ((atSlot - recencyWindowSlots) * hashesPerSlot > lastValidCount) return 'stale-last-valid-hash';
    const slot = lastValidCount / hashesPerSlot;
    const end = Number.isInteger(slot) ? this.#endOf(slot) : undefined;
    return end !== undefined && startsWith(end, lastValidHash) ? slot : 'unknown-last-valid-hash';
  }

  /** Whether a transaction that refers to the end of slot `referenceSlot` was applied on this branch. `id` is borrowed. */
  hasApplied(id: Uint8Array, referenceSlot: number): boolean {
    for (let window: RecentWindow | null = this; window !== null; window = window.#parent) {
      // Only blocks after the slot referred to can hold it.
      if (window.end.slot <= referenceSlot) return false;
      if (window.#applied === null) {
        window.#assertTip();
        return this.#base.applied.get(referenceSlot)?.has(id) ?? false;
      }
      if (window.#applied.ids.has(id)) return true;
    }
    return false;
  }

  /** Last slot whose block may refer to this window's block. */
  get lastReferringSlot(): Slot {
    return toSlot(this.end.slot + this.#base.rules.recencyWindowSlots);
  }

  /**
   * Call when this window's block is final, in the order of the chain: its part joins the base, and what left the window is forgotten.
   */
  settle(): void {
    const applied = this.#applied;
    const base = this.#base;
    invariant(
      applied !== null && this.#parent === base.tip,
      'not-on-final-branch',
      () => `the block of slot ${this.end.slot} is not a child of the last settled one (slot ${base.tip.end.slot})`,
    );
    base.ends.set(this.end.slot, this.end.pohHash);
    for (let at = 0; at < applied.size; at++) this.#appliedAt(applied.referenceSlot(at)).addFrom(applied.ids, at);
    this.#applied = null;
    this.#parent = null;
    base.tip = this;
    this.#prune();
  }

  /** How many slot ends and ids of finalized blocks are held, for metrics and tests. */
  get settledCounts(): { readonly ends: number; readonly ids: number } {
    let ids = 0;
    for (const set of this.#base.applied.values()) ids += set.size;
    return { ends: this.#base.ends.size, ids };
  }

  #endOf(slot: number): Hash | undefined {
    for (let window: RecentWindow | null = this; window !== null; window = window.#parent) {
      if (window.end.slot === slot) return window.end.pohHash;
      if (window.end.slot < slot) return undefined;
      if (window.#applied === null) {
        window.#assertTip();
        return this.#base.ends.get(slot);
      }
    }
    return undefined;
  }

  #appliedAt(referenceSlot: number): IdSet {
    const applied = this.#base.applied;
    let ids = applied.get(referenceSlot);
    if (ids === undefined) {
      ids = new IdSet(this.#base.secret);
      applied.set(referenceSlot, ids);
    }
    return ids;
  }

  #remember(lastValidCount: number, id: Uint8Array): void {
    this.#appliedAt(lastValidCount / this.#base.rules.hashesPerSlot).add(id);
  }

  /** The next block's slot is at least one more: what that one can no longer refer to, nobody can. */
  #prune(): void {
    const oldest = this.end.slot + 1 - this.#base.rules.recencyWindowSlots;
    for (const slot of this.#base.ends.keys()) if (slot < oldest) this.#base.ends.delete(slot);
    for (const slot of this.#base.applied.keys()) if (slot < oldest) this.#base.applied.delete(slot);
  }

  #assertTip(): void {
    invariant(
      this.#base.tip === this,
      'not-on-final-branch',
      () => `finality has moved past slot ${this.end.slot}, on which this window builds`,
    );
  }
}

function startsWith(hash: Uint8Array, prefix: Uint8Array): boolean {
  if (prefix.length !== LAST_VALID_HASH_SIZE_BYTES) return false;
  for (let i = 0; i < LAST_VALID_HASH_SIZE_BYTES; i++) if (hash[i] !== prefix[i]) return false;
  return true;
}
