/**
 * Exclusion: how a chain goes on when more than a third is away and nothing becomes final, so that no era can end.
 *
 * After `staleEpochsSlow` epochs without finality, members that have missed as many full epochs do not count any more, if the others hold more than half of both full
 * sets; and a quorum needs more than half of both full sets from then on (`majorityFloor`). Of two sides of a partition at most one can hold that, so both never finalize in this band.
 * If no side does, and genesis allows it, the same happens without the floor after `staleEpochsVerySlow` epochs: then both sides may, which is what the docs state.
 *
 * Who is excluded and votes again while finality still stalls counts again from the next epoch on: else a chain whose others go away later would stand still although enough of
 * its validators are back. And again and again: who came back for a moment only, and stays away for as long once more, is excluded once more, or the last word of one that
 * dies could hold up the others for ever. Who does not come back leaves the sets at an era's change. The floor stays until an era begins without anybody excluded: whoever counts,
 * a quorum has more than half of both full sets.
 */
import { type Bond, isExcluded, isInSet } from './bond.ts';
import { type EpochChange, isStalled, missedEpochs } from './epoch-opening.ts';
import { isJudging } from './era-change.ts';

/** Lets members count again that were excluded and have voted since; before eras are looked at, or they would be made to leave. */
export function readmitPresent(change: EpochChange): void {
  const { rules, bonds, era, fullEpochs } = change;
  if (!isStalled(rules, change)) return;
  for (const bond of bonds)
    if (isJudging(bond, era) && isExcluded(bond) && missedEpochs(fullEpochs, bond) === 0) bond.excludedFrom = null;
}

/** Excludes who is due, at the first block of an epoch and after its era is known. */
export function excludeAbsent(change: EpochChange): void {
  const { rules, bonds, era, epoch, stalledEpochs, fullEpochs } = change;
  if (!isStalled(rules, change)) return;
  const judging = bonds.filter((bond) => isJudging(bond, era));
  const counted = judging.filter((bond) => !isExcluded(bond));
  const absent = counted.filter((bond) => missedEpochs(fullEpochs, bond) >= rules.staleEpochsSlow);
  if (absent.length === 0) return;
  const rest = counted.filter((bond) => !absent.includes(bond));
  const sets = [era, Math.max(0, era - 1)];
  const isMajority = sets.every((set) => weightIn(rest, set) * 2n > weightIn(judging, set));
  const isAllowed = rules.staleEpochsVerySlow > 0 && stalledEpochs >= rules.staleEpochsVerySlow;
  if (!isMajority && !(isAllowed && sets.every((set) => weightIn(rest, set) > 0n))) return;
  for (const bond of absent) bond.excludedFrom = epoch;
  change.majorityFloor = isMajority;
}

function weightIn(bonds: readonly Bond[], era: number): bigint {
  return bonds.reduce((sum, bond) => (isInSet(bond, era) ? sum + bond.weight : sum), 0n);
}
