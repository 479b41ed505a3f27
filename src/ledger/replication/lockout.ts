/**
 * Rewards and their lockout. A reward comes out of the pool and is locked in the identity's record; it is released to the balance when nothing went wrong
 * for a while, and goes back to the pool when a replica of the identity lapses before.
 *
 * With R = rewardLockoutPeriods, window w is periods w * R .. (w + 1) * R - 1. A reward of window w is due for release from window w + 2 on: more than R
 * and at most 2 R periods later. So two sums a record are enough, however many rewards there are. Release happens when the record is next written: at a reward, a
 * commit, or the withdrawal. R = 0: no lockout, rewards go to the balance.
 */
import { type Address, amount } from '../../../native/index.ts';
import type { BlockContext } from '../context.ts';
import { debitPool } from '../fees.ts';
import type { Overlay } from '../overlay.ts';
import { type IdentityRecord, lockedUnits } from './identity.ts';
import { periodOfSlot } from './schedule.ts';

const NONE = amount(0n);

/** Credits what is due for release at this block's slot; returns the record without it, to be written by the caller. */
export function releaseDue(
  { rules, slot }: BlockContext,
  overlay: Overlay,
  identity: Address,
  record: IdentityRecord,
): IdentityRecord {
  const { rewardLockoutPeriods } = rules.replication;
  if (rewardLockoutPeriods === 0) return record;
  const lockWindow = Math.floor(periodOfSlot(rules.replication, slot) / rewardLockoutPeriods);
  const passed = lockWindow - record.lockWindow;
  if (passed === 0) return record;
  const due = passed === 1 ? record.lockedOld : lockedUnits(record);
  if (due > 0n) overlay.credit(identity, due);
  const lockedOld = passed === 1 ? record.lockedNew : NONE;
  return { ...record, lockWindow, lockedOld, lockedNew: NONE };
}

/**
 * Pays one reward if the pool holds it. Returns whether it was paid, and the record to be written by the caller; what is due has been released before.
 */
export function payReward(
  context: BlockContext,
  overlay: Overlay,
  identity: Address,
  before: IdentityRecord,
): { readonly paid: boolean; readonly record: IdentityRecord } {
  const record = releaseDue(context, overlay, identity, before);
  const { rewardPool, replication } = context.rules;
  const reward = replication.rewardPerProof;
  if (!debitPool(overlay, rewardPool, reward)) return { paid: false, record };
  const paidUnits = amount(record.paidUnits + reward);
  if (replication.rewardLockoutPeriods > 0)
    return { paid: true, record: { ...record, paidUnits, lockedNew: amount(record.lockedNew + reward) } };
  overlay.credit(identity, reward);
  return { paid: true, record: { ...record, paidUnits } };
}
