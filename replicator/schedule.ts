/**
 * Periods and rotations: which slots they cover, and when a proof is in time. Pure arithmetic on genesis parameters.
 *
 * Period p covers slots p * slotsPerPeriod .. (p + 1) * slotsPerPeriod - 1; rotation r covers periods
 * r * periodsPerRotation .. (r + 1) * periodsPerRotation - 1. A proof for period p counts in blocks whose slot is in period p or p + 1.
 */

export interface ReplicationSchedule {
  /** Slots of a proof period, at least 1. */
  readonly slotsPerPeriod: number;
  /** Periods between two keys, at least 1. */
  readonly periodsPerRotation: number;
}

/** The period a slot is in. */
export const periodOf = (schedule: ReplicationSchedule, slot: number): number =>
  Math.floor(slot / schedule.slotsPerPeriod);

/** The rotation a period is in. */
export const rotationOf = (schedule: ReplicationSchedule, period: number): number =>
  Math.floor(period / schedule.periodsPerRotation);

/** First slot of a period: its designated hash is that of the final block with the greatest slot up to this one. */
export const periodStartSlot = (schedule: ReplicationSchedule, period: number): number =>
  period * schedule.slotsPerPeriod;

/** First period of a rotation: the rotation's designated hash is that period's. */
export const rotationStartPeriod = (schedule: ReplicationSchedule, rotation: number): number =>
  rotation * schedule.periodsPerRotation;

/** Last slot whose block may hold the proof of a period. */
export const proofDeadlineSlot = (schedule: ReplicationSchedule, period: number): number =>
  periodStartSlot(schedule, period + 2) - 1;
