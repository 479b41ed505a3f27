/**
 * After leaving: when nothing can count a bond any more, and how one that has left for absence comes back. It waits to enter then, as a new one does: by itself, if it was present
 * again when it left (epoch-change.ts); else by a `bond` transaction of amount 0.
 */
import type { Slot } from '../../../native/index.ts';
import type { Bond } from './bond.ts';
import type { OpenBond } from './epoch-opening.ts';

/** How far a chain is. */
export interface EraPoint {
  readonly era: number;
  readonly eraFirstSlot: number;
  /** Slot of the block shown final. */
  readonly finalSlot: number;
}

/**
 * Whether a bond has left for good: a block of the era in which it had left both sets is shown final. Until then blocks that are not final may be judged by an electorate that
 * holds it, so its bytes must stay as they are.
 */
export function hasLeftForGood({ leftEpoch, untilEra }: Bond, { era, eraFirstSlot, finalSlot }: EraPoint): boolean {
  if (leftEpoch === null) return false;
  return untilEra === null || era > untilEra + 1 || finalSlot >= eraFirstSlot;
}

/** Whether a bond may wait to enter again: it has left for absence, not because it asked to, or was slashed. */
export function mayComeBack(bond: Bond, at: EraPoint): boolean {
  return !bond.leaving && !bond.slashed && hasLeftForGood(bond, at);
}

/** A bond that has left for absence waits to enter as a new one does. */
export function comeBack({ slot }: { readonly slot: Slot }, bond: OpenBond): void {
  bond.fromEra = null;
  bond.untilEra = null;
  bond.leftEpoch = null;
  bond.excludedFrom = null;
  bond.absentFrom = null;
  bond.askedSlot = slot;
}
