/**
 * How each segment stands against the target: what status, metrics, pruning and the choice of segments to replicate go by. Readings only.
 */
import type { StateReader } from '../../../storage/state-reader.ts';
import type { LedgerRules } from '../rules.ts';
import { missesOf } from './lapse.ts';
import { type ReplicaRecord, readReplicas } from './replica.ts';
import { readAllPlaces } from './segment-places.ts';

/** One segment. */
export interface SegmentStanding {
  readonly segment: number;
  /** Proven replicas wanted. */
  readonly target: number;
  /** Replicas proven and not missing a period since. */
  readonly proven: number;
  /** All replica records, proven or not. */
  readonly replicas: number;
  /** Proofs that wait for verdicts. */
  readonly pending: number;
  /** Most periods that one of its replicas has missed in a row. */
  readonly missesMost: number;
  /** Rewards paid for its present replicas so far. */
  readonly paid: number;
  /** The newest period that was proven for it; null when none was. */
  readonly provenPeriod: number | null;
  /** How many identities hold one of its paid places. */
  readonly places: number;
  /** Fewer proven replicas than the target: what is lost next may be the last. */
  readonly isBelowTarget: boolean;
}

/** Whether a replica counts as proven, for status, choice of segments and pruning alike: it has been, and has missed nothing since. @param slot of the block whose state is read */
export function isProven(rules: LedgerRules, record: ReplicaRecord, slot: number): boolean {
  return hasProven(record) && missesOf(rules.replication, record, slot) === 0;
}

/** Proven replicas by segment: what lets others forget a segment. @param slot of the block whose state is read @throws RecordError */
export function provenBySegment(rules: LedgerRules, state: StateReader, slot: number): Map<number, number> {
  const proven = new Map<number, number>();
  for (const { segment, record } of readReplicas(state))
    if (isProven(rules, record, slot)) proven.set(segment, (proven.get(segment) ?? 0) + 1);
  return proven;
}

/** Accepted once; or revealed as a fake, which stands for a proof. */
function hasProven({ accepted, proof }: ReplicaRecord): boolean {
  return accepted > 0 || proof?.state === 'revealed';
}

/**
 * All complete segments, in order; one pass over the replica records.
 * @param slot of the block whose state is read @param segmentCount its header's
 * @throws RecordError
 */
export function segmentStandings(
  rules: LedgerRules,
  state: StateReader,
  slot: number,
  segmentCount: number,
): SegmentStanding[] {
  const sums = Array.from({ length: segmentCount }, () => ({
    proven: 0,
    replicas: 0,
    pending: 0,
    missesMost: 0,
    paid: 0,
  }));
  for (const { segment, record } of readReplicas(state)) {
    const sum = sums[segment];
    if (sum === undefined) continue;
    sum.replicas++;
    sum.paid += record.paid;
    sum.missesMost = Math.max(sum.missesMost, missesOf(rules.replication, record, slot));
    if (isProven(rules, record, slot)) sum.proven++;
    if (record.proof?.state === 'pending') sum.pending++;
  }
  const places = new Map([...readAllPlaces(state)].map(({ segment, record }) => [segment, record.places]));
  const target = rules.replication.replicasPerSegment;
  return sums.map((sum, segment) => {
    const held = places.get(segment) ?? [];
    const periods = held.map(({ provenPeriod }) => provenPeriod);
    const provenPeriod = periods.length === 0 ? null : Math.max(...periods);
    return { segment, target, ...sum, provenPeriod, places: held.length, isBelowTarget: sum.proven < target };
  });
}
