/**
 * Taking units from a bond: all of them for an offence against agreement (evidence.ts), a share for approving storage proofs unseen
 * (replication/validator-faults.ts). What is taken goes to the reward pool at once; the bond's weight goes with the eras (bond.ts).
 */
import { type PublicKey, sameBytes } from '../../../native/index.ts';
import { addressOf } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { type Bond, putStatus, putValidator, readBond } from './bond.ts';
import { leftAfterAsking } from './bond-transactions.ts';

/** Takes everything: the bond is slashed, and leaves first. */
export function slashWhole(context: BlockContext, overlay: Overlay, bond: Bond): void {
  if (bond.units > 0n) overlay.credit(context.rules.rewardPool, bond.units);
  const leftEpoch = leftAfterAsking(context, bond);
  const slashed = { ...bond, units: 0n, slashed: true, askedSlot: context.slot, leftEpoch };
  putStatus(overlay, slashed);
  putValidator(overlay, slashed);
}

/**
 * Raises the share of a bond that has been taken from `before` to `after` thousandths of its weight; the whole of it is slashed as for an offence. Does nothing when
 * the key has no bond, or a slashed one.
 */
export function slashShare(
  context: BlockContext,
  overlay: Overlay,
  key: PublicKey,
  { before, after }: { readonly before: number; readonly after: number },
): void {
  const bond = readBond(overlay, addressOf(key));
  if (bond === undefined || bond.slashed || !sameBytes(bond.publicKey, key)) return;
  if (after >= 1000) {
    slashWhole(context, overlay, bond);
    return;
  }
  const due = (bond.weight * BigInt(after)) / 1000n - (bond.weight * BigInt(before)) / 1000n;
  const taken = due < bond.units ? due : bond.units;
  if (taken === 0n) return;
  overlay.credit(context.rules.rewardPool, taken);
  putStatus(overlay, { ...bond, units: bond.units - taken });
}
