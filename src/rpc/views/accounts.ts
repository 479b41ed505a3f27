/** Accounts and the supply as a node answers them. A part of the port in node-api.ts. */
import type { Slot } from '../../../native/index.ts';
import type { BlockPoint } from './blocks.ts';

/** Most accounts in one `getMultipleAccounts`, and most ids in one `getSignatureStatuses`. */
export const QUERY_ITEMS_MAX = 1000;

export interface Balances {
  /** Slot of the block whose state was read. */
  readonly slot: Slot;
  /** In the order asked; 0n for an account that does not exist. */
  readonly balances: readonly bigint[];
}

export interface Supply {
  readonly slot: Slot;
  /** All units in existence: accounts, bonds, deposits and what was evicted. */
  readonly total: bigint;
  /** Held by replicator identities. */
  readonly deposits: bigint;
  /** Held as validators' bonds. */
  readonly bonds: bigint;
  /** Evicted from accounts that could not pay their rent, and not revived. */
  readonly evicted: bigint;
  /** Balance of the reward pool account. */
  readonly rewardPool: bigint;
}

/** A proof that an account stands in the state after a block. */
export interface AccountProofFile {
  readonly block: BlockPoint;
  readonly bytes: Uint8Array;
}
