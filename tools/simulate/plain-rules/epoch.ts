/** The first block of an epoch, by "Validators that change" in docs/protocol.md: presence, who comes back, eras, exclusion. */
import {
  epochOfSlot,
  isIn,
  isMember,
  judgeFrom,
  type PlainBond,
  type PlainRules,
  type PlainState,
  sumOf,
} from './model.ts';

interface Opening {
  readonly rules: PlainRules;
  readonly before: PlainState;
  readonly epoch: number;
  readonly slot: number;
  readonly stalledEpochs: number;
}

interface Sets {
  readonly bonds: readonly PlainBond[];
  readonly era: number;
  readonly eraFirstSlot: number;
  readonly majorityFloor: boolean;
}

/** The state in which a block of a new epoch is executed. */
export function beginPlainEpoch(rules: PlainRules, before: PlainState, slot: number): PlainState {
  const epoch = epochOfSlot(rules, slot);
  const stalledEpochs = before.final.slot > before.finalSlotBefore ? 0 : before.stalledEpochs + 1;
  const opening: Opening = { rules, before, epoch, slot, stalledEpochs };
  const present = notePresence(opening);
  const back = present.map((bond) =>
    bond.missed === 0 && mayReturn(bond, before) ? waitingAgain(bond, slot) : readmitted(opening, bond),
  );
  const sets = excludeAbsent(opening, changeEra(opening, back));
  const { era, eraFirstSlot, majorityFloor } = sets;
  const state = { ...before, era, eraFirstSlot, stalledEpochs, blocks: 0, present: new Set<string>() };
  const judge = judgeFrom(sets.bonds, epoch, era, majorityFloor);
  const left = { ...state, judge, finalSlotBefore: before.final.slot };
  const bonds = sets.bonds.filter(
    (bond) =>
      !(bond.isSlashed && bond.units === 0n && hasLeft(bond, left) && epoch >= bond.leftEpoch! + rules.unbondingEpochs),
  );
  return { ...left, bonds };
}

/** Whether a bond has left both sets, and a block of the era in which it had is shown final. */
export function hasLeft(
  { leftEpoch, untilEra }: PlainBond,
  { judge: { era }, eraFirstSlot, final }: Pick<PlainState, 'judge' | 'eraFirstSlot' | 'final'>,
): boolean {
  return leftEpoch !== null && (untilEra === null || era > untilEra + 1 || final.slot >= eraFirstSlot);
}

/** It left for absence, not because it asked to or was slashed. */
export function mayReturn(bond: PlainBond, state: PlainState): boolean {
  return !bond.isLeaving && !bond.isSlashed && hasLeft(bond, state);
}

export function waitingAgain(bond: PlainBond, askedSlot: number): PlainBond {
  const never = { fromEra: null, untilEra: null, leftEpoch: null };
  return { ...bond, ...never, missed: 0, isExcluded: false, askedSlot };
}

function isStalled({ staleEpochsSlow }: PlainRules, stalledEpochs: number): boolean {
  return stalledEpochs >= staleEpochsSlow;
}

/** How old a vote's target may be for it to show its voter present. */
export function promptSlots(rules: PlainRules, { stalledEpochs }: PlainState): number {
  return isStalled(rules, stalledEpochs) ? rules.staleEpochsSlow * rules.slotsPerEpoch : rules.voteLateSlotsMax;
}

/** Half of the slots have blocks; in a stall, any. */
function notePresence({ rules, before }: Opening): PlainBond[] {
  const { blocks, judge, present } = before;
  const isFull = 2 * blocks >= rules.slotsPerEpoch || (isStalled(rules, before.stalledEpochs) && blocks > 0);
  const wasMember = new Set(judge.members.map(({ name }) => name));
  return before.bonds.map((bond) => {
    if (wasMember.has(bond.name) && present.has(bond.name)) return { ...bond, missed: 0 };
    const isAway = wasMember.has(bond.name) || bond.missed > 0;
    return isFull && isAway ? { ...bond, missed: bond.missed + 1 } : bond;
  });
}

/** In a stall, who was excluded and votes again counts again. */
function readmitted({ rules, before, stalledEpochs }: Opening, bond: PlainBond): PlainBond {
  const isBack =
    isStalled(rules, stalledEpochs) && bond.isExcluded && bond.missed === 0 && isMember(bond, before.judge.era);
  return isBack ? { ...bond, isExcluded: false } : bond;
}

function changeEra(opening: Opening, bonds: readonly PlainBond[]): Sets {
  const { before, slot, epoch } = opening;
  const { era, majorityFloor } = before.judge;
  const same = { bonds, era, eraFirstSlot: before.eraFirstSlot, majorityFloor };
  if (before.final.slot < before.eraFirstSlot) return same;
  const next = bonds.filter((bond) => isIn(bond, era + 1));
  const share = sumOf(next) / 8n;
  const waiting = bonds.filter((bond) => bond.fromEra === null && bond.leftEpoch === null);
  const entering = withinShare(
    waiting.filter(({ isSlashed, isLeaving }) => !isSlashed && !isLeaving).sort(byAsking),
    share,
    bonds.length,
  );
  const leaving = withinShare(leaversOf(opening, next), share, next.length + entering.length - 1);
  const isEven = (bond: PlainBond): boolean =>
    isIn(bond, era) === isIn(bond, era + 1) && isIn(bond, Math.max(0, era - 1)) === isIn(bond, era + 1);
  if (entering.length + leaving.length === 0 && bonds.every(isEven)) return same;
  const changed = bonds.map((bond) => {
    if (entering.includes(bond)) return { ...bond, fromEra: era + 2 };
    const untilEra = leaving.includes(bond) ? era + 2 : bond.untilEra;
    const isGone = untilEra !== null && untilEra < era + 1;
    return { ...bond, untilEra, leftEpoch: isGone ? (bond.leftEpoch ?? epoch) : bond.leftEpoch };
  });
  const hasExcluded = changed.some((bond) => bond.isExcluded && isMember(bond, era + 1));
  return { bonds: changed, era: era + 1, eraFirstSlot: slot, majorityFloor: majorityFloor && hasExcluded };
}

/** Slashed ones first, then who asked, then the absent, longest first. */
function leaversOf({ rules, stalledEpochs }: Opening, next: readonly PlainBond[]): PlainBond[] {
  const place = ({ isSlashed, isLeaving, isExcluded, missed }: PlainBond): number => {
    if (isSlashed) return 0;
    if (isLeaving) return 1;
    return isExcluded || (stalledEpochs === 0 && missed >= rules.staleEpochsFast) ? 2 : 3;
  };
  return next
    .filter((bond) => bond.untilEra === null && place(bond) < 3)
    .sort((a, b) => place(a) - place(b) || (place(a) === 2 ? b.missed - a.missed : 0) || byAsking(a, b));
}

function byAsking(a: PlainBond, b: PlainBond): number {
  return a.askedSlot - b.askedSlot || (a.order < b.order ? -1 : 1);
}

/** In order, up to an eighth of the weight; the first one in any case. */
function withinShare(ordered: readonly PlainBond[], share: bigint, countMax: number): PlainBond[] {
  let count = 0;
  while (count < Math.min(countMax, ordered.length) && (count === 0 || sumOf(ordered.slice(0, count + 1)) <= share))
    count += 1;
  return ordered.slice(0, count);
}

function excludeAbsent({ rules, stalledEpochs }: Opening, sets: Sets): Sets {
  const { bonds, era } = sets;
  if (!isStalled(rules, stalledEpochs)) return sets;
  const members = bonds.filter((bond) => isMember(bond, era));
  const absent = members.filter(({ isExcluded, missed }) => !isExcluded && missed >= rules.staleEpochsSlow);
  if (absent.length === 0) return sets;
  const rest = members.filter((bond) => !bond.isExcluded && !absent.includes(bond));
  const eras = [era, Math.max(0, era - 1)];
  const weightIn = (list: readonly PlainBond[], of: number): bigint => sumOf(list.filter((bond) => isIn(bond, of)));
  const isMajority = eras.every((of) => 2n * weightIn(rest, of) > weightIn(members, of));
  const isVerySlow = rules.staleEpochsVerySlow > 0 && stalledEpochs >= rules.staleEpochsVerySlow;
  if (!isMajority && !(isVerySlow && eras.every((of) => weightIn(rest, of) > 0n))) return sets;
  const out = (bond: PlainBond): PlainBond => ({ ...bond, isExcluded: true });
  return { ...sets, bonds: bonds.map((bond) => (absent.includes(bond) ? out(bond) : bond)), majorityFloor: isMajority };
}
