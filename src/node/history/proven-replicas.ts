/**
 * How many replicas of each segment the ledger shows to be stored now: what lets others forget the segment.
 *
 * A replica counts when a proof of it was accepted, its last one is at most `PROOF_LAG_PERIODS` old, and that one was not rejected. One that ever
 * was rejected counts only while its latest proof stands accepted, or was a fake that it revealed.
 */
import type { StateReader } from '../../../storage/index.ts';
import { type LedgerRules, periodOfSlot, type ReplicaRecord, readReplicas } from '../../ledger/index.ts';

/** A period's proof may land until the end of the next; before it lands the last one is that of the period before. */
const PROOF_LAG_PERIODS = 2;

/** Proven replicas by segment. @param slot of the block whose state is read @throws RecordError */
export function provenBySegment(rules: LedgerRules, state: StateReader, slot: number): Map<number, number> {
  const period = periodOfSlot(rules.replication, slot);
  const proven = new Map<number, number>();
  for (const { segment, record } of readReplicas(state))
    if (isProven(record, period)) proven.set(segment, (proven.get(segment) ?? 0) + 1);
  return proven;
}

function isProven({ accepted, rejected, nextPeriod, proof }: ReplicaRecord, period: number): boolean {
  if (accepted === 0 || period - (nextPeriod - 1) > PROOF_LAG_PERIODS) return false;
  return rejected === 0 || proof?.state === 'accepted' || proof?.state === 'revealed';
}
