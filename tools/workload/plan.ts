/**
 * A workload: accounts with their genesis balances, and transfers between them in the order they are submitted.
 * The two kinds (real Ethereum transfers, Zipf-distributed ones) make the same shape, so that one driver runs both.
 */

/** One account of a workload. */
export interface WorkloadAccount {
  /** Seed of its Ed25519 key, 32 bytes. */
  readonly seed: Uint8Array;
  /** What it is called in the workload: an Ethereum address, or the account's index in decimal. */
  readonly name: string;
  /** Balance at genesis, in the smallest unit (gwei for Ethereum). */
  readonly genesis: bigint;
}

/** One transfer; accounts by index. */
export interface WorkloadTransfer {
  readonly from: number;
  readonly to: number;
  /** In the smallest unit, at least 1. */
  readonly amount: bigint;
}

export interface WorkloadPlan {
  readonly kind: 'ethereum' | 'zipf';
  readonly accounts: readonly WorkloadAccount[];
  /** Fee of every transfer, in the smallest unit. */
  readonly fee: bigint;
  /** How many transfers there are; Infinity for a workload that goes on as long as it is asked. */
  readonly transferCount: number;
  /** Transfer `index`, asked in ascending order from 0. */
  next(index: number): WorkloadTransfer;
}
