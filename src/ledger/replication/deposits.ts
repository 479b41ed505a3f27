/**
 * An identity's deposit after registration: `addDeposit`, `unregister`, `withdrawDeposit`.
 *
 * Whoever unregisters must hold no replica any more; the deposit and what is locked come back once no reward can still be locked and no period could be
 * proven twice: 2 + 2 * rewardLockoutPeriods periods later.
 */
import { type Address, amount } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import type { AddDepositPayload } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { heldUnits, putIdentity, readIdentity } from './identity.ts';
import type { MarketRules } from './market-rules.ts';
import { identityKey } from './record-key.ts';
import { periodOfSlot } from './schedule.ts';

/** The first period in which an identity that unregistered in `leftPeriod` may withdraw. */
export function withdrawPeriod(rules: MarketRules, leftPeriod: number): number {
  return leftPeriod + 2 + 2 * rules.rewardLockoutPeriods;
}

/** Checks of `addDeposit`, in order: identity-unknown, identity-leaving, amount-zero. */
export function checkAddDeposit(state: StateReader, payload: AddDepositPayload, sender: Address): Refusal | null {
  const record = readIdentity(state, sender);
  if (record === undefined)
    return refuse('identity-unknown', 'the sender is not a replicator identity: register first');
  if (record.isLeaving) return refuse('identity-leaving', 'the sender has unregistered');
  return payload.amount === 0n ? refuse('amount-zero', 'an addition of nothing') : null;
}

/** Applies a checked `addDeposit`; the amount has been taken from the sender. */
export function applyAddDeposit(overlay: Overlay, payload: AddDepositPayload, sender: Address): void {
  const record = readIdentity(overlay, sender)!;
  putIdentity(overlay, sender, { ...record, deposit: amount(record.deposit + payload.amount) });
}

/** Checks of `unregister`, in order: identity-unknown, identity-leaving, replicas-held. */
export function checkUnregister(state: StateReader, sender: Address): Refusal | null {
  const record = readIdentity(state, sender);
  if (record === undefined) return refuse('identity-unknown', 'the sender is not a replicator identity');
  if (record.isLeaving) return refuse('identity-leaving', 'the sender has unregistered already');
  if (record.replicas > 0)
    return refuse('replicas-held', `the sender has ${record.replicas} replicas: retire them first`);
  return null;
}

/** Applies a checked `unregister`. */
export function applyUnregister({ rules, slot }: BlockContext, overlay: Overlay, sender: Address): void {
  const record = readIdentity(overlay, sender)!;
  putIdentity(overlay, sender, { ...record, isLeaving: true, leftPeriod: periodOfSlot(rules.replication, slot) });
}

/** Checks of `withdrawDeposit`, in order: identity-unknown, not-unregistered, lockout. */
export function checkWithdraw({ rules, slot }: BlockContext, state: StateReader, sender: Address): Refusal | null {
  const record = readIdentity(state, sender);
  if (record === undefined) return refuse('identity-unknown', 'the sender is not a replicator identity');
  if (!record.isLeaving) return refuse('not-unregistered', 'unregister first');
  const from = withdrawPeriod(rules.replication, record.leftPeriod);
  const period = periodOfSlot(rules.replication, slot);
  return period < from ? refuse('lockout', `the deposit is free from period ${from} on, this is ${period}`) : null;
}

/** Applies a checked `withdrawDeposit`: everything the record holds goes to the balance. */
export function applyWithdraw(overlay: Overlay, sender: Address): void {
  overlay.credit(sender, heldUnits(readIdentity(overlay, sender)!));
  overlay.deleteRecord(identityKey(sender));
}
