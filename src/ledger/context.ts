/**
 * What a transaction is executed against, besides the state: the block it stands in, and facts established outside.
 */
import type { Address, PublicKey, Slot } from '../../native/index.ts';
import type { Reveal } from './bonds/decoy.ts';
import type { LedgerKernels } from './ledger-state.ts';
import type { AppliedTransactions, RecentWindow } from './recent.ts';
import type { LedgerRules } from './rules.ts';

/** The block being executed. */
export interface BlockContext {
  readonly rules: LedgerRules;
  /** Hashes evictions, checks signatures in evidence. */
  readonly kernels: LedgerKernels;
  /** The block's slot, above its parent's. */
  readonly slot: Slot;
  /** Who leads the block. */
  readonly leader: PublicKey;
  /** The block header's `segmentCount`: segments complete in the history before this block. */
  readonly segmentCount: number;
  /** The window after the parent block. */
  readonly recent: RecentWindow;
  /** What this block has applied so far; execution adds to it. */
  readonly applied: AppliedTransactions;
  /** Decoys that this block has shown so far; execution adds to it. */
  readonly reveals: Reveal[];
}

/** What others have worked out about one transaction, from its bytes alone. */
export interface TransactionFacts {
  /** The verdict of the project's one Ed25519 rule on the signature. */
  readonly signatureValid: boolean;
  /** RIPEMD-160 of `from`. */
  readonly sender: Address;
}

/** The same for a whole block, packed as the kernels give it. */
export interface BlockFacts {
  /** One byte a transaction: 1 for a valid signature. */
  readonly verdicts: Uint8Array;
  /** 20 bytes a transaction. */
  readonly senders: Uint8Array;
}
