/** Blocks as a node answers them: which one is meant, and where it stands. A part of the port in node-api.ts. */
import type { Hash, Height, PohCount, Slot } from '../../../native/index.ts';

/** Most blocks one `cairn_waitFinalized` answers; the caller asks again from the last height it got. */
export const FINALIZED_BLOCKS_MAX = 32;

/** Longest a `cairn_waitFinalized` may wait. */
export const WAIT_TIMEOUT_MS_MAX = 30_000;

/**
 * How settled a block must be (Solana's words): processed = executed on the best branch, confirmed = justified by more
 * than 2/3 of the bonds, finalized = final.
 */
export type Commitment = 'processed' | 'confirmed' | 'finalized';

/** A block's place: how every answer says which state it was read from. */
export interface BlockPoint {
  readonly height: Height;
  readonly slot: Slot;
  readonly hash: Hash;
}

export type BlockSelector = { readonly height: Height } | { readonly slot: Slot } | { readonly hash: Hash };

/** What a wallet puts into `lastValidHash` / `lastValidCount`. */
export interface LatestBlockhash {
  /** PoH hash at the end of the block (all 32 bytes; a transaction holds its first 20). */
  readonly pohHash: Hash;
  readonly pohCount: PohCount;
  readonly height: Height;
  readonly slot: Slot;
  /** Last slot whose block may still include a transaction that refers to this hash. */
  readonly lastValidSlot: Slot;
}

export interface FinalizedBlock {
  readonly height: Height;
  readonly slot: Slot;
  readonly hash: Hash;
  readonly pohCount: PohCount;
  /** Ids of its transactions, in execution order. */
  readonly ids: readonly Hash[];
}
