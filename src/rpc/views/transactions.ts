/** What became of transactions, as a node answers it. A part of the port in node-api.ts. */
import type { Hash, Height, PohCount, Slot } from '../../../native/index.ts';
import type { Transaction } from '../../codec/model.ts';
import type { BlockPoint, Commitment } from './blocks.ts';

/** Most transactions in one `cairn_sendTransactions`. */
export const SUBMIT_ITEMS_MAX = 512;

/** What became of one submitted transaction; one already pending or included here is ok. `code`: the refusal's own code. */
export type SubmitOutcome =
  | { readonly ok: true; readonly id: Hash }
  | { readonly ok: false; readonly id: Hash | null; readonly code: string; readonly message: string };

/** Where a transaction stands; null in a list of these means "never seen here". */
export type TransactionStatus =
  /** Accepted, waiting for a block. */
  | { readonly state: 'pending' }
  /** Accepted, then thrown out, e.g. it expired. `code` as in `SubmitOutcome`. */
  | { readonly state: 'dropped'; readonly code: string; readonly message: string }
  /** In a block. */
  | { readonly state: Commitment; readonly height: Height; readonly slot: Slot };

export interface TransactionStatuses {
  /** Slot of the best block when this was read. */
  readonly slot: Slot;
  /** In the order asked. */
  readonly statuses: readonly (TransactionStatus | null)[];
}

/** A transaction in a finalized block. */
export interface TransactionLocation {
  readonly block: BlockPoint;
  /** Index of the entry in its block, and of the transaction in its entry. */
  readonly entry: number;
  readonly index: number;
  /** PoH count of that entry: the transaction existed before it. */
  readonly pohCount: PohCount;
  readonly transaction: Transaction;
}
