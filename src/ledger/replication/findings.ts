/**
 * What becomes of one validator's findings: sealed first, opened later, counted then.
 *
 * - A sealed finding is noted on the pending proof of its period, up to the period's last slot for them. A seat is heard once, and bound by its first seal.
 * - Findings count when the seat's secret has opened them. More than 2/3 of all weight for valid accepts the proof, 1/3 or more for invalid rejects it; both
 *   can never hold. Rejected is a proof by the transaction of a validator that says so, which gives the reason.
 * - What no longer matters is skipped: validators answer at once and cannot see each other's answers, so that is no fault of theirs.
 */
import type { ReplicaName, VerdictReason } from '../../codec/index.ts';
import type { Electorate } from '../../consensus/electorate.ts';
import { electorateNow } from '../bonds/succession.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { acceptProof } from './accept.ts';
import { counted, putReplica, type Replica, type ReplicaProof, type ReplicaRecord, readReplica } from './replica.ts';
import { sealLastSlot, verdictLastSlot } from './schedule.ts';
import type { WordReader } from './seals.ts';
import { hasSeat, seatKey, seatsIn, totalWeight, weightOf, withSeat } from './seats.ts';
import { slashValidator } from './validator-faults.ts';

/** Which proof it is about. */
export type ProofName = Pick<Replica, 'segment' | 'identity'> & { readonly period: number };

/** Who has a proof settled, and why it is invalid if that seat says so. `seat`: -1 for whoever is no validator. */
export interface Settler {
  readonly seat: number;
  readonly reason: VerdictReason;
}

type PendingRecord = ReplicaRecord & { readonly proof: ReplicaProof };

/** The record of a proof that waits for its verdict; undefined when there is none of this name. */
function pendingRecord(overlay: Overlay, { segment, identity, period }: ProofName): PendingRecord | undefined {
  const record = readReplica(overlay, segment, identity);
  if (record?.proof?.state !== 'pending' || record.nextPeriod !== period + 1) return undefined;
  return { ...record, proof: record.proof };
}

/** Whether a seat's sealed finding on a proof would be noted in a block of this context's slot. */
export function isHeard({ rules, slot }: BlockContext, overlay: Overlay, name: ProofName, seat: number): boolean {
  if (slot > sealLastSlot(rules.replication, name.period)) return false;
  const record = pendingRecord(overlay, name);
  return record !== undefined && seat < record.validatorCount && !hasSeat(record.proof.spoken, seat);
}

/** Notes sealed findings on a proof. @param says each a seat that is heard (`isHeard`), and its sealed bit */
export function noteSealed(
  overlay: Overlay,
  name: ProofName,
  says: readonly { readonly seat: number; readonly bit: boolean }[],
): void {
  const record = pendingRecord(overlay, name)!;
  let { spoken, sealed } = record.proof;
  for (const { seat, bit } of says) {
    spoken = withSeat(spoken, seat);
    if (bit) sealed = withSeat(sealed, seat);
  }
  putReplica(overlay, name.segment, name.identity, { ...record, proof: { ...record.proof, spoken, sealed } });
}

/** Settles a proof by the findings that are open, or leaves it as it is. */
export function settleProof(
  context: BlockContext,
  overlay: Overlay,
  name: ProofName,
  words: WordReader,
  settler: Settler,
): void {
  if (context.slot > verdictLastSlot(context.rules.replication, name.period)) return;
  const record = pendingRecord(overlay, name);
  if (record === undefined) return;
  const state = settledState(electorateNow(context, overlay), name, record.proof, words);
  const next: ReplicaRecord = { ...record, proof: { ...record.proof, state } };
  if (state === 'accepted') acceptProof(context, overlay, name, next);
  else if (state === 'rejected' && words.word(settler.seat, name, record.proof) === 'invalid')
    putReplica(overlay, name.segment, name.identity, rejected(next, settler.reason));
}

/** A record whose proof has just been rejected. */
export function rejected(record: ReplicaRecord, reason: VerdictReason): ReplicaRecord {
  return { ...record, rejected: counted(record.rejected), reason };
}

/** Where a proof stands by the weight behind the open findings. */
function settledState(
  electorate: Electorate,
  name: ReplicaName,
  proof: ReplicaProof,
  words: WordReader,
): ReplicaProof['state'] {
  const total = totalWeight(electorate);
  let [valid, invalid] = [0n, 0n];
  for (const seat of seatsIn(proof.spoken)) {
    const word = words.word(seat, name, proof);
    if (word === 'valid') valid += weightOf(electorate, seat);
    else if (word === 'invalid') invalid += weightOf(electorate, seat);
  }
  if (valid * 3n > total * 2n) return 'accepted';
  return invalid * 3n >= total ? 'rejected' : 'pending';
}

/** Notes the fault of every seat that approved a fake, or sealed a word on it that it never opened. */
export function punishApprovals(
  context: BlockContext,
  overlay: Overlay,
  name: ReplicaName,
  proof: ReplicaProof,
  words: WordReader,
): void {
  for (const seat of seatsIn(proof.spoken))
    if (words.word(seat, name, proof) !== 'invalid') punish(context, overlay, seat);
}

function punish(context: BlockContext, overlay: Overlay, seat: number): void {
  const key = seatKey(electorateNow(context, overlay), seat);
  if (key !== undefined) slashValidator(context, overlay, key, context.rules.replication.slashPerFakePermille);
}
