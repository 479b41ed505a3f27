/**
 * `bond`, `unbond`, `withdraw`: the way in and out of the validators. Units move between the sender's account and the bond under the same address.
 *
 * bond (new) -> waits -> enters at an era's change -> unbond -> leaves both sets over two era changes -> unbondingEpochs -> withdraw.
 * A bond is taken as it is until it is withdrawn: its weight must not change while sets that hold it may be judged.
 */
import type { Address, Slot } from '../../../native/index.ts';
import type { BondPayload, Transaction } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { LedgerState } from '../ledger-state.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { type Bond, deleteBond, isWaiting, putStatus, putValidator, readBond } from './bond.ts';
import { comeBack, type EraPoint, hasLeftForGood, mayComeBack } from './coming-back.ts';
import { judgeNow, readEpoch } from './epoch-record.ts';
import { readProgress } from './progress-record.ts';
import { freeSeat, withSeat } from './seat-set.ts';
import { putSeatsTaken, releaseSeat, seatsTaken } from './seats-record.ts';
import { epochOf } from './stake-rules.ts';

/** Checks of `bond`, in order: already-bonded or, for an amount of 0, not-bonded, not-left; bond-too-low, seats-exhausted. */
export function checkBond(
  context: BlockContext,
  state: LedgerState,
  payload: BondPayload,
  sender: Address,
): Refusal | null {
  const bond = readBond(state, sender);
  if (payload.amount === 0n) return checkReturn(state, bond);
  if (bond !== undefined) return refuse('already-bonded', 'the sender has a bond: withdraw it before bonding anew');
  const { minimumBond } = context.rules.consensus;
  if (payload.amount < minimumBond)
    return refuse('bond-too-low', `bond is ${payload.amount}, at least ${minimumBond} is needed`);
  if (freeSeat(seatsTaken(state)) === null)
    return refuse('seats-exhausted', 'all 1024 seats are taken: wait for a bond to be withdrawn');
  return null;
}

function checkReturn(state: LedgerState, bond: Bond | undefined): Refusal | null {
  if (bond === undefined) return refuse('not-bonded', 'the sender has no bond to come back on');
  return mayComeBack(bond, eraPoint(state))
    ? null
    : refuse(
        'not-left',
        'only a bond that has left for absence may come back, once a block of the era that let it go is final',
      );
}

/** How far the chain is, as the block under way has it from its parent. */
function eraPoint(state: LedgerState): EraPoint {
  const epoch = readEpoch(state);
  return { era: judgeNow(epoch).era, eraFirstSlot: epoch.eraFirstSlot, finalSlot: readProgress(state).final.slot };
}

/** Applies a checked `bond`; the amount has been taken from the sender. */
export function applyBond(
  context: BlockContext,
  overlay: Overlay,
  { from }: Transaction,
  payload: BondPayload,
  sender: Address,
): void {
  if (payload.amount === 0n) {
    const bond = { ...readBond(overlay, sender)! };
    comeBack(context, bond);
    putStatus(overlay, bond);
    putValidator(overlay, bond);
    return;
  }
  const taken = seatsTaken(overlay);
  const bond = newBond(sender, from, payload.amount, freeSeat(taken)!, context.slot);
  putStatus(overlay, bond);
  putValidator(overlay, bond);
  putSeatsTaken(overlay, withSeat(taken, bond.seat));
}

/** A bond that waits to enter. */
export function newBond(
  address: Address,
  publicKey: Bond['publicKey'],
  units: bigint,
  seat: number,
  bondedSlot: Slot,
): Bond {
  const never = {
    fromEra: null,
    untilEra: null,
    excludedFrom: null,
    leftEpoch: null,
    absentFrom: null,
  };
  const key = { address, publicKey, seat, bondedSlot, askedSlot: bondedSlot };
  return { ...key, ...never, units, weight: units, slashed: false, leaving: false };
}

/** Checks of `unbond`, in order: not-bonded, slashed, already-leaving. */
export function checkUnbond(state: LedgerState, sender: Address): Refusal | null {
  const bond = readBond(state, sender);
  if (bond === undefined) return refuse('not-bonded', 'the sender has no bond');
  if (bond.slashed) return refuse('slashed', 'the bond was slashed and leaves by itself');
  return bond.leaving ? refuse('already-leaving', 'the sender has asked to leave already') : null;
}

/** Applies a checked `unbond`: who still waits has left at once, the others leave with the eras. */
export function applyUnbond(context: BlockContext, overlay: Overlay, sender: Address): void {
  const bond = readBond(overlay, sender)!;
  const next = { ...bond, leaving: true, askedSlot: context.slot, leftEpoch: leftAfterAsking(context, bond) };
  putStatus(overlay, next);
  putValidator(overlay, next);
}

/** When a bond has left that asks to, or is slashed, now: at once if it has never judged, else as it stands. */
export function leftAfterAsking({ rules, slot: now }: BlockContext, bond: Bond): number | null {
  return isWaiting(bond) ? epochOf(rules.consensus, now) : bond.leftEpoch;
}

/** Checks of `withdraw`, in order: not-bonded, not-leaving, bond-not-free. */
export function checkWithdraw(context: BlockContext, state: LedgerState, sender: Address): Refusal | null {
  const bond = readBond(state, sender);
  if (bond === undefined) return refuse('not-bonded', 'the sender has no bond');
  if (!bond.leaving && !bond.slashed) return refuse('not-leaving', 'ask with unbond first');
  const { consensus } = context.rules;
  if (bond.leftEpoch === null || !hasLeftForGood(bond, eraPoint(state)))
    return refuse(
      'bond-not-free',
      'the bond is still in a set that judges, or no final block shows yet that it is not',
    );
  const freeFrom = bond.leftEpoch + consensus.unbondingEpochs;
  const epoch = epochOf(consensus, context.slot);
  return epoch < freeFrom
    ? refuse('bond-not-free', `the bond is free from epoch ${freeFrom} on, this is ${epoch}`)
    : null;
}

/** Applies a checked `withdraw`; the units have been given to the sender. */
export function applyWithdraw(overlay: Overlay, sender: Address): void {
  const bond = readBond(overlay, sender)!;
  deleteBond(overlay, bond);
  releaseSeat(overlay, bond.seat);
}

/** What a withdrawal gives back: shown free by its own check. */
export function withdrawable(state: LedgerState, sender: Address): bigint {
  return state.bond(sender)?.bond ?? 0n;
}
