/**
 * How a bond that has left for absence comes back: it waits to enter, as a new one does. By itself, if it was present again when it left (epoch-change.ts); else by
 * a `bond` transaction of amount 0.
 */
import type { Slot } from '../../../native/index.ts';
import type { OpenBond } from './epoch-opening.ts';

/** Epochs after leaving in which older judges may still count a bond: until then nothing about it may be undone. */
export const REMEMBERED_EPOCHS = 2;

/** A bond that has left for absence waits to enter as a new one does. */
export function comeBack({ slot }: { readonly slot: Slot }, bond: OpenBond): void {
  bond.fromEra = null;
  bond.untilEra = null;
  bond.leftEpoch = null;
  bond.excludedFrom = null;
  bond.absentFrom = null;
  bond.askedSlot = slot;
}
