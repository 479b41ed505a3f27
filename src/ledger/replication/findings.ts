/**
 * What becomes of one validator's finding on one proof, however it reached the ledger (its own `verdicts`, or a `validations` packet).
 *
 * - A finding counts on the pending proof of its period, up to the period's last slot for verdicts. More than 2/3 of all weight for valid accepts the
 *   proof, 1/3 or more for invalid rejects it; both can never hold.
 * - A validator is heard once. But its *signed* word "valid" is kept beside an "invalid" it gave elsewhere, and beside a rejection: who hands out approvals
 *   unseen and takes them back when others disagree has still approved. With both words it counts for neither side.
 * - What no longer matters is skipped: validators answer at once and cannot see each other's answers, so that is no fault of theirs.
 */

import type { VerdictReason } from '../../codec/index.ts';
import type { Electorate } from '../../consensus/electorate.ts';
import { electorateNow } from '../bonds/succession.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { acceptProof } from './accept.ts';
import { counted, putReplica, type Replica, type ReplicaProof, type ReplicaRecord, readReplica } from './replica.ts';
import { verdictLastSlot } from './schedule.ts';
import { hasSeat, seatKey, totalWeight, weightOfSeats, withSeat } from './seats.ts';
import { slashValidator } from './validator-faults.ts';

/** One validator's finding. */
export interface Finding {
  readonly seat: number;
  readonly valid: boolean;
  /** For an invalid one. */
  readonly reason: VerdictReason;
  /** Whether the word stands in a packet, where somebody else may have landed it. */
  readonly isSigned: boolean;
}

/** Which proof it is about. */
export type ProofName = Pick<Replica, 'segment' | 'identity'> & { readonly period: number };

/** Applies a finding, or skips it. */
export function applyFinding(context: BlockContext, overlay: Overlay, name: ProofName, finding: Finding): void {
  const record = readReplica(overlay, name.segment, name.identity);
  const proof = record?.proof;
  if (record === undefined || proof === null || proof === undefined) return;
  if (record.nextPeriod !== name.period + 1 || finding.seat >= record.validatorCount) return;
  const heard = withFinding(proof, finding);
  if (heard === undefined) return;
  if (proof.state === 'revealed') punish(context, overlay, finding.seat);
  const isOpen = proof.state === 'pending' && context.slot <= verdictLastSlot(context.rules.replication, name.period);
  const state = isOpen ? settledState(electorateNow(context, overlay), heard) : proof.state;
  const next: ReplicaRecord = { ...record, proof: { ...heard, state } };
  if (state === proof.state) putReplica(overlay, name.segment, name.identity, next);
  else if (state === 'accepted') acceptProof(context, overlay, name, next);
  else putReplica(overlay, name.segment, name.identity, rejected(next, finding.reason));
}

/** A record whose proof has just been rejected. */
export function rejected(record: ReplicaRecord, reason: VerdictReason): ReplicaRecord {
  return { ...record, rejected: counted(record.rejected), reason };
}

/** The proof with a finding noted, or undefined when it is to be skipped. */
function withFinding(proof: ReplicaProof, { seat, valid, isSigned }: Finding): ReplicaProof | undefined {
  const [saidValid, saidInvalid] = [hasSeat(proof.valid, seat), hasSeat(proof.invalid, seat)];
  if (saidValid) return undefined;
  if (proof.state === 'pending' && !saidInvalid)
    return valid
      ? { ...proof, valid: withSeat(proof.valid, seat) }
      : { ...proof, invalid: withSeat(proof.invalid, seat) };
  const isKept = valid && isSigned && proof.state !== 'accepted';
  return isKept ? { ...proof, valid: withSeat(proof.valid, seat) } : undefined;
}

/** Where a proof stands by the weight behind the findings. */
function settledState(electorate: Electorate, { valid, invalid }: ReplicaProof): ReplicaProof['state'] {
  const total = totalWeight(electorate);
  if (weightOfSeats(electorate, without(valid, invalid)) * 3n > total * 2n) return 'accepted';
  if (weightOfSeats(electorate, without(invalid, valid)) * 3n >= total) return 'rejected';
  return 'pending';
}

function without(bits: Uint8Array, others: Uint8Array): Uint8Array {
  return bits.map((byte, index) => byte & ~others[index]!);
}

/** Notes the fault of one seat that approved a fake. */
export function punish(context: BlockContext, overlay: Overlay, seat: number): void {
  const key = seatKey(electorateNow(context, overlay), seat);
  if (key !== undefined) slashValidator(context, overlay, key, context.rules.replication.slashPerFakePermille);
}
