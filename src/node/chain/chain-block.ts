/**
 * A block with everything its children are checked against: state, recency window, history cursor, commitment.
 *
 * Invariants
 * - Immutable once made, except that `settleBlock` turns its overlay and window into pass-throughs when the block is final.
 * - A `ChainBlock` exists only for blocks that were verified whole (or are the stored tip): holding one is proof of validity.
 */

import type { Commitment, HistoryCursor } from '../../../storage/index.ts';
import type { Block, BlockHeader } from '../../codec/index.ts';
import type { DecoyReveal, Electorate } from '../../consensus/index.ts';
import type { BlockEvictions, LedgerState, Overlay, RecentWindow } from '../../ledger/index.ts';

export interface ChainBlock {
  readonly header: BlockHeader;
  /** null for the root the node started from: its body is in the history, or is genesis. */
  readonly block: Block | null;
  /** State after this block. */
  readonly state: LedgerState;
  /** This block's own writes; null for the root. */
  readonly overlay: Overlay | null;
  /** What a child's transactions are checked against. */
  readonly recent: RecentWindow;
  /** Position in the history stream after this block: a child's header repeats it. */
  readonly cursor: HistoryCursor;
  /** State commitment after this block; its root is `header.stateRoot`. */
  readonly commitment: Commitment;
  /** The op-log batch; null for the root. */
  readonly batch: Uint8Array | null;
  /** The accounts it evicted; null for the root. */
  readonly evictions: BlockEvictions | null;
  /** Who judges and leads its children. Blocks of one epoch of one chain share its members. */
  readonly electorate: Electorate;
  /** Decoys that its transactions own up to. */
  readonly reveals: readonly DecoyReveal[];
  /** Transactions in all blocks up to here. */
  readonly transactionsTotal: number;
}

/** Why a block was refused; `code` is stable, the message is for people. */
export class BlockRefused extends Error {
  override readonly name = 'BlockRefused';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Marks a block's writes as held by the stored state. Call in the order of the chain, after its batch is durable. */
export function settleBlock(block: ChainBlock): void {
  block.overlay?.settle();
  block.recent.settle();
}
