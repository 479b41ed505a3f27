/**
 * What a replicator does next. A pure plan: from the slot of the last final block, the schedule, the segments to keep and what is
 * known of each replica, the actions that are due now, in the order to do them. Do them, learn what happened, plan again.
 *
 * Order within a segment: prove what the old key still owes, rotate or encode, commit, prove, drop. On the ledger a new commit replaces the
 * old one and expires its undecided proof, so the commit waits for that proof's verdict, for at most half of the rotation's first period. An action already under way is the caller's to skip: actions compare by value.
 */
import {
  periodOf,
  periodStartSlot,
  proofDeadlineSlot,
  type ReplicationSchedule,
  rotationOf,
  rotationStartPeriod,
} from './schedule.ts';

/** Where a replica stands. */
export interface ReplicaStatus {
  readonly segment: number;
  readonly rotation: number;
  /** 'none' until a commit was sent; 'sent' until it is in a final block. */
  readonly commit: 'none' | 'sent' | 'final';
  /** Periods whose proof was sent and may still count, or did. */
  readonly provenPeriods: readonly number[];
  /** First period that the ledger takes a proof for: openings need a commit from before the period. 0 when absent. */
  readonly provableFrom?: number;
  /** A proof of this replica was sent and validators have not decided it yet. False when absent. */
  readonly proofPending?: boolean;
}

export interface PlanInput {
  /** Slot of the last final block: its period's designated hash is known. */
  readonly slot: number;
  readonly schedule: ReplicationSchedule;
  /** Slots after a period's start in which its proof must stand on the ledger; up to the end of the next period when absent. */
  readonly deadlineSlots?: number;
  /** Complete, final segments this replicator keeps. */
  readonly segments: readonly number[];
  /** Replicas whole on disk. */
  readonly replicas: readonly ReplicaStatus[];
}

export type ReplicatorAction =
  /** Fetch the segment and encode it under the current rotation's key. */
  | { readonly kind: 'encode'; readonly segment: number; readonly rotation: number }
  /** Encode under the current rotation's key out of the own replica of `fromRotation`. */
  | { readonly kind: 'rotate'; readonly segment: number; readonly fromRotation: number; readonly rotation: number }
  /** Publish key proof and replica root. */
  | { readonly kind: 'commit'; readonly segment: number; readonly rotation: number }
  /** Publish a period's samples root, in a block up to `deadlineSlot`. */
  | {
      readonly kind: 'prove';
      readonly segment: number;
      readonly rotation: number;
      readonly period: number;
      readonly deadlineSlot: number;
    }
  /** Delete the replica. */
  | { readonly kind: 'drop'; readonly segment: number; readonly rotation: number };

/**
 * The proof due from a replica, if any: of the newest period that is open (the current one, or the one before) and of its rotation.
 * Never two at once: on the ledger a later proof replaces one that validators have not decided yet.
 */
function proofDue(input: PlanInput, replica: ReplicaStatus): ReplicatorAction[] {
  const { slot, schedule } = input;
  const { segment, rotation, provenPeriods } = replica;
  const current = periodOf(schedule, slot);
  const isOpen = (period: number): boolean =>
    period >= (replica.provableFrom ?? 0) &&
    rotationOf(schedule, period) === rotation &&
    slot < deadlineSlot(input, period);
  const period = [current, current - 1].find(isOpen);
  if (replica.commit !== 'final' || period === undefined || provenPeriods.includes(period)) return [];
  // Validators may still be deciding the period before: give them half of the time this proof has.
  const start = periodStartSlot(schedule, period);
  const patience = Math.min(schedule.slotsPerPeriod, deadlineSlot(input, period) - start) / 2;
  if (replica.proofPending === true && slot < start + patience) return [];
  return [{ kind: 'prove', segment, rotation, period, deadlineSlot: deadlineSlot(input, period) }];
}

/** The last slot in which a period's proof may stand. */
function deadlineSlot({ schedule, deadlineSlots }: PlanInput, period: number): number {
  const latest = proofDeadlineSlot(schedule, period);
  return deadlineSlots === undefined ? latest : Math.min(latest, periodStartSlot(schedule, period) + deadlineSlots);
}

function drop({ segment, rotation }: ReplicaStatus): ReplicatorAction {
  return { kind: 'drop', segment, rotation };
}

/** Whether a commit sent now would replace the old one too early, before its last proof was sent and decided. */
function mustCommitWait({ slot, schedule }: PlanInput, rotation: number, old: ReplicaStatus, owed: number): boolean {
  if (owed === 0 && old.proofPending !== true) return false;
  const start = periodStartSlot(schedule, rotationStartPeriod(schedule, rotation));
  return slot < start + schedule.slotsPerPeriod / 2;
}

function planSegment(input: PlanInput, segment: number, rotation: number): ReplicatorAction[] {
  const own = input.replicas.filter((replica) => replica.segment === segment);
  const current = own.find((replica) => replica.rotation === rotation);
  const older = own.filter((replica) => replica.rotation < rotation).sort((a, b) => b.rotation - a.rotation);
  const newest = older[0];
  if (current?.commit === 'final') return [...proofDue(input, current), ...older.map(drop)];
  const owed = newest === undefined ? [] : proofDue(input, newest);
  const outdated = older.slice(1).map(drop);
  if (current === undefined) {
    const next: ReplicatorAction =
      newest === undefined
        ? { kind: 'encode', segment, rotation }
        : { kind: 'rotate', segment, fromRotation: newest.rotation, rotation };
    return [...owed, next, ...outdated];
  }
  const waits = newest !== undefined && mustCommitWait(input, rotation, newest, owed.length);
  const commits = current.commit === 'none' && !waits;
  return [...owed, ...(commits ? [{ kind: 'commit', segment, rotation } as const] : []), ...outdated];
}

/** The actions due now. Replicas of segments no longer kept are dropped; those of later rotations than the current are left alone. */
export function planReplicas(input: PlanInput): ReplicatorAction[] {
  const rotation = rotationOf(input.schedule, periodOf(input.schedule, input.slot));
  const kept = new Set(input.segments);
  const unwanted = input.replicas.filter((replica) => !kept.has(replica.segment)).map(drop);
  return [...unwanted, ...input.segments.flatMap((segment) => planSegment(input, segment, rotation))];
}
