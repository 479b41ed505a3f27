/**
 * Which sequences of entries a block may hold, before any hashing: cheap rules that also bound the hashing.
 *
 * A block for slot s on a parent of slot p < s holds the entries of counts (p * H, s * H], H = hashesPerTick * ticksPerSlot:
 * - counts ascend strictly;
 * - a tick stands at every multiple of hashesPerTick and nowhere else, so no stretch is longer than hashesPerTick;
 * - the first entry, and no other, is the parent entry, and it comes before the first tick;
 * - the last entry is the tick at s * H.
 */
import type { Entry } from '../codec/index.ts';
import { isTickCount, nextTickCount, type PohParameters } from './parameters.ts';

/** Why an entry cannot stand where it stands. */
export type StructureFault =
  | 'empty'
  | 'count-order'
  | 'tick-missing'
  | 'tick-misplaced'
  | 'mixin-on-tick'
  | 'parent-missing'
  | 'parent-repeated'
  | 'end-wrong';

/** The first entry that breaks a rule. */
export interface StructureError {
  readonly entryIndex: number;
  readonly fault: StructureFault;
}

/**
 * Checks a block's entries. Takes time proportional to their number, hashes nothing.
 * @param startCount count at the parent's end, p * H @param endCount count at the block's end, s * H
 * @returns the first fault, or undefined when there is none
 */
export function checkStructure(
  parameters: PohParameters,
  startCount: number,
  endCount: number,
  entries: readonly Pick<Entry, 'kind' | 'count'>[],
): StructureError | undefined {
  if (entries.length === 0) return { entryIndex: 0, fault: 'empty' };
  let previous = startCount;
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index]!;
    const fault = entryFault(parameters, previous, entry, index);
    if (fault !== undefined) return { entryIndex: index, fault };
    if (entry.count > endCount) return { entryIndex: index, fault: 'end-wrong' };
    previous = entry.count;
  }
  // A tick stands at every boundary up to here, so the last count is the end only when the final tick is the last entry.
  return previous === endCount ? undefined : { entryIndex: entries.length - 1, fault: 'end-wrong' };
}

function entryFault(
  parameters: PohParameters,
  previous: number,
  entry: Pick<Entry, 'kind' | 'count'>,
  index: number,
): StructureFault | undefined {
  if (entry.count <= previous) return 'count-order';
  if ((entry.kind === 'parent') !== (index === 0)) return index === 0 ? 'parent-missing' : 'parent-repeated';
  if (entry.count > nextTickCount(parameters, previous)) return 'tick-missing';
  if (entry.kind === 'tick') return isTickCount(parameters, entry.count) ? undefined : 'tick-misplaced';
  return isTickCount(parameters, entry.count) ? 'mixin-on-tick' : undefined;
}
