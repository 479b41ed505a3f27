/**
 * Proof periods and key rotations in slots (DESIGN: docs/format/records.md, "Schedule").
 *
 * Period p is slots p * S .. (p + 1) * S - 1, S = slotsPerPeriod; rotation r is periods r * P .. (r + 1) * P - 1, P = periodsPerRotation.
 * The designated hash of period p is the PoH hash at the end of the chain's last block of a slot <= p * S; of rotation r, that of
 * its first period. A proof for period p may stand in blocks of periods p and p + 1, in time up to slot p * S + D, D = proofDeadlineSlots; sealed
 * findings on it up to slot p * S + D + C, C = sealSlots; their secrets after that; D + 2 * C < S, so at least C slots of the period are left for them. Fakes are revealed from the
 * next period's first slot up to its deadline, (p + 1) * S + D, which is also where verdicts close and the period is decided. A commit for rotation r may stand only in blocks of rotation r.
 *
 *   S = 4, P = 2     slot      0  1  2  3 | 4  5  6  7 | 8  9 10 11 | 12 ..
 *                    period    0          | 1          | 2          | 3
 *                    rotation  0                       | 1
 *                    a proof for period 1 may stand in slots 4 .. 11
 */
import { type Slot, slot as toSlot } from '../../../native/index.ts';

/** The genesis parameters of the schedule. */
export interface ScheduleRules {
  readonly slotsPerPeriod: number;
  readonly periodsPerRotation: number;
}

/** The schedule with its deadlines. */
export interface DeadlineRules extends ScheduleRules {
  readonly proofDeadlineSlots: number;
  /** Slots after the deadline in which sealed findings may still land. */
  readonly sealSlots: number;
}

/** An inclusive range of slots. */
export interface SlotRange {
  readonly first: Slot;
  readonly last: Slot;
}

/** The period a slot is in. */
export function periodOfSlot(rules: ScheduleRules, slot: number): number {
  return Math.floor(slot / rules.slotsPerPeriod);
}

/** The rotation a period is in. */
export function rotationOfPeriod(rules: ScheduleRules, period: number): number {
  return Math.floor(period / rules.periodsPerRotation);
}

/** The rotation a slot is in. */
export function rotationOfSlot(rules: ScheduleRules, slot: number): number {
  return rotationOfPeriod(rules, periodOfSlot(rules, slot));
}

/** A rotation's first period: its designated hash is the rotation's. */
export function firstPeriodOfRotation(rules: ScheduleRules, rotation: number): number {
  return rotation * rules.periodsPerRotation;
}

/** Slots of a period. */
export function slotsOfPeriod(rules: ScheduleRules, period: number): SlotRange {
  const first = period * rules.slotsPerPeriod;
  return { first: toSlot(first), last: toSlot(first + rules.slotsPerPeriod - 1) };
}

/** Slots of the blocks in which a proof for `period` may stand: its own and the next period. */
export function proofSlots(rules: ScheduleRules, period: number): SlotRange {
  return { first: slotsOfPeriod(rules, period).first, last: slotsOfPeriod(rules, period + 1).last };
}

/** Slots of the blocks in which a commit for `rotation` may stand. */
export function commitSlots(rules: ScheduleRules, rotation: number): SlotRange {
  const first = firstPeriodOfRotation(rules, rotation);
  return {
    first: slotsOfPeriod(rules, first).first,
    last: slotsOfPeriod(rules, first + rules.periodsPerRotation - 1).last,
  };
}

/** Whether a proof for `period` may stand in a block of `slot`. */
export function isProofOpen(rules: ScheduleRules, period: number, slot: number): boolean {
  const current = periodOfSlot(rules, slot);
  return current === period || current === period + 1;
}

/** The last slot in which a proof for `period` is in time; one in a later block is rejected as late. */
export function proofLastSlot(rules: DeadlineRules, period: number): number {
  return period * rules.slotsPerPeriod + rules.proofDeadlineSlots;
}

/** The last slot in which sealed findings on proofs for `period` land; secrets land after it. */
export function sealLastSlot(rules: DeadlineRules, period: number): number {
  return proofLastSlot(rules, period) + rules.sealSlots;
}

/** The last slot in which verdicts settle a proof for `period`: the next period's deadline. */
export function verdictLastSlot(rules: DeadlineRules, period: number): number {
  return proofLastSlot(rules, period + 1);
}

/** Slots of the blocks in which a fake of `period` may be revealed: from the next period's first, when honest validators have shown their secrets, to its deadline. */
export function revealSlots(rules: DeadlineRules, period: number): SlotRange {
  return { first: slotsOfPeriod(rules, period + 1).first, last: toSlot(verdictLastSlot(rules, period)) };
}

/** The first period that is not yet decided at `slot`: verdicts may still settle a proof for it. All before it are decided. */
export function firstUndecidedPeriod(rules: DeadlineRules, slot: number): number {
  const decided = (slot - rules.proofDeadlineSlots) / rules.slotsPerPeriod - 1;
  return Math.max(0, Math.ceil(decided));
}

/**
 * How many of the periods from .. to - 1 had to be proven: all but the first of each rotation, in which replicas are encoded anew. With one period a
 * rotation all of them.
 */
export function periodsDue({ periodsPerRotation }: ScheduleRules, from: number, to: number): number {
  if (to <= from) return 0;
  if (periodsPerRotation === 1) return to - from;
  const starts = (before: number): number => Math.ceil(before / periodsPerRotation);
  return to - from - (starts(to) - starts(from));
}

/**
 * The periods whose designated hash is settled by a block of `slot` whose parent has `parentSlot`: those p with
 * parentSlot <= p * S < slot. For them the parent is the last block at or before p * S.
 */
export function periodsDesignated(
  rules: ScheduleRules,
  parentSlot: number,
  slot: number,
): { readonly first: number; readonly last: number } | null {
  const first = Math.ceil(parentSlot / rules.slotsPerPeriod);
  const last = Math.ceil(slot / rules.slotsPerPeriod) - 1;
  return first <= last ? { first, last } : null;
}
