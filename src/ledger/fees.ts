/**
 * Fees and where they go. Every transaction pays a fee of at least the genesis minimum; all fees go to the reward pool, an account without
 * a key: address = first 20 bytes of SHA-256('cairn/reward-pool'). Rewards are paid from it, so units are moved, never made.
 */
import { type Address, address } from '../../native/index.ts';
import type { Hasher } from '../codec/index.ts';
import type { Overlay } from './overlay.ts';
import { type Refusal, refuse } from './refusal.ts';
import { ADDRESS_SIZE_BYTES } from './state-key.ts';

const REWARD_POOL_NAME: Uint8Array = new TextEncoder().encode('cairn/reward-pool');

/** The reward pool's address. */
export function rewardPoolAddress(hasher: Hasher): Address {
  return address(hasher.sha256(REWARD_POOL_NAME).slice(0, ADDRESS_SIZE_BYTES));
}

/** Refuses a fee below the minimum. */
export function checkFee(fee: bigint, minimumFee: bigint): Refusal | null {
  return fee < minimumFee ? refuse('fee-too-low', `fee is ${fee}, at least ${minimumFee} is needed`) : null;
}

/** Moves the fee, already taken from its payer, into the pool. */
export function collectFee(overlay: Overlay, rewardPool: Address, fee: bigint): void {
  if (fee > 0n) overlay.credit(rewardPool, fee);
}

/** Takes a reward out of the pool if it holds enough, else nothing. Returns whether it was taken; 0 never is. */
export function debitPool(overlay: Overlay, rewardPool: Address, reward: bigint): boolean {
  if (reward === 0n || overlay.balance(rewardPool) < reward) return false;
  overlay.debit(rewardPool, reward);
  return true;
}
