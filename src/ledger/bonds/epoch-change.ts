/**
 * What the first block of an epoch does before its transactions: presence, finality, eras, exclusion. All from the state after its parent, so every child
 * of one parent in one epoch comes to the same electorate.
 *
 * 1. Presence. An epoch is *full* when at least half of its slots have blocks. A member of the epoch that ended counts as absent from its first full epoch without
 *    a vote in time; one vote in time ends that. Epochs that are not full (a gap) make nobody absent: there was little to vote on. In a stall every epoch with a block is full: there is no
 *    more to come, and somebody must be seen to be away.
 * 2. Finality. `stalledEpochs` is how many epochs in a row have ended without a later block shown final.
 * 3. Back in. Who left for absence and was present again when it left waits to enter, once the era in which it left is shown final. In a stall, who was excluded and
 *    has voted since counts again (exclusion.ts).
 * 4. Eras. When a block of this era is shown final, and there is anything to change, the era ends: set(era + 1), fixed when it began, becomes the current set, and
 *    set(era + 2) is fixed now (era-change.ts).
 * 5. Exclusion, when finality stalls (exclusion.ts).
 * 6. Out. Slashed bonds whose units are gone are taken away once nothing can count them any more.
 * 7. The electorate record, when who judges has changed.
 */
import type { Hash, Slot } from '../../../native/index.ts';
import type { Hasher } from '../../codec/index.ts';
import type { Overlay } from '../overlay.ts';
import { type Bond, deleteBond, isExcluded, putStatus, putValidator, readBonds } from './bond.ts';
import { comeBack, type EraPoint, hasLeftForGood, mayComeBack } from './coming-back.ts';
import { membersFrom } from './electorate-after.ts';
import { noteElectorate } from './electorate-record.ts';
import { type EpochChange, openChange } from './epoch-opening.ts';
import { type EpochRecord, encodeEpoch, judgeNow, withJudge } from './epoch-record.ts';
import { changeEra, isJudging } from './era-change.ts';
import { excludeAbsent, readmitPresent } from './exclusion.ts';
import { EPOCH_KEY } from './keys.ts';
import type { ProgressRecord } from './progress-record.ts';
import { hasSeat, NO_SEATS, withSeat } from './seat-set.ts';
import { releaseSeat } from './seats-record.ts';
import type { ConsensusFields } from './stake-rules.ts';

/** Begins an epoch: writes its record and the bonds it changes. @param parent hash of the block before its first */
export function beginEpoch(
  hasher: Hasher,
  rules: ConsensusFields,
  overlay: Overlay,
  place: { readonly slot: Slot; readonly parent: Hash },
  before: EpochRecord,
  progress: ProgressRecord,
): EpochRecord {
  const bonds = readBonds(overlay);
  const change = openChange(rules, place.slot, before, progress, bonds);
  notePresence(change);
  for (const bond of change.bonds)
    if (bond.absentFrom === null && mayComeBack(bond, pointOf(change))) comeBack(change, bond);
  readmitPresent(change);
  changeEra(change);
  excludeAbsent(change);
  const { epoch, era, eraFirstSlot, fullEpochs, stalledEpochs, majorityFloor } = change;
  const excluded = excludedSeats(change);
  const judges = withJudge(before, { epoch, era, majorityFloor, excluded, parent: place.parent });
  const record: EpochRecord = { judges, eraFirstSlot, finalSlot: progress.final.slot, fullEpochs, stalledEpochs };
  overlay.putRecord(EPOCH_KEY, encodeEpoch(record));
  for (const [index, bond] of change.bonds.entries()) writeBond(overlay, change, bonds[index]!, bond);
  noteElectorate(hasher, overlay, { epoch, era, majorityFloor, members: membersFrom(change.bonds, era, excluded) });
  return record;
}

/** Who voted in the epoch that ended is present; who did not, in a full one, is absent from it on. */
function notePresence({ before, progress, bonds, fullEpochs }: EpochChange): void {
  const { era } = judgeNow(before);
  const seats = new Set(bonds.filter((bond) => isJudging(bond, era)).map(({ seat }) => seat));
  const isFull = fullEpochs > before.fullEpochs;
  for (const bond of bonds) {
    if (!seats.has(bond.seat)) continue;
    if (hasSeat(progress.present, bond.seat)) bond.absentFrom = null;
    else if (isFull) bond.absentFrom ??= before.fullEpochs;
  }
}

/** Of the members of the sets that judge now, those that do not count. */
function excludedSeats({ bonds, era }: EpochChange): Uint8Array {
  const excluded = bonds.filter((bond) => isExcluded(bond) && isJudging(bond, era));
  return excluded.reduce((seats, { seat }) => withSeat(seats, seat), NO_SEATS);
}

function writeBond(overlay: Overlay, change: EpochChange, before: Bond, after: Bond): void {
  const isFree =
    hasLeftForGood(after, pointOf(change)) && change.epoch >= after.leftEpoch! + change.rules.unbondingEpochs;
  if (isFree && after.slashed && after.units === 0n) {
    deleteBond(overlay, after);
    releaseSeat(overlay, after.seat);
    return;
  }
  if (STATUS_FIELDS.some((field) => before[field] !== after[field])) putStatus(overlay, after);
  if (before.askedSlot !== after.askedSlot) putValidator(overlay, after);
}

function pointOf({ era, eraFirstSlot, progress }: EpochChange): EraPoint {
  return { era, eraFirstSlot, finalSlot: progress.final.slot };
}

/** What an epoch's change may set. */
const STATUS_FIELDS = ['fromEra', 'untilEra', 'excludedFrom', 'leftEpoch', 'absentFrom'] as const;
