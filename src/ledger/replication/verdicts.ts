/**
 * `verdicts`: a validator's findings on proofs. More than 2/3 of all bonds for valid accepts a proof, 1/3 or more for invalid
 * rejects it; both can never hold. An accepted proof is rewarded from the pool, if that holds enough.
 *
 * A verdict that no longer matters (no such replica, another period, settled already, this validator has spoken already) is skipped: validators
 * answer at once and cannot see each other's answers, so that is no fault of theirs.
 */
import type { PublicKey } from '../../../native/index.ts';
import { VERDICTS_MAX, type Verdict, type VerdictsPayload } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import { payReward } from '../fees.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import type { ValidatorSet } from '../rules.ts';
import { replicaKey } from './record-key.ts';
import { counted, encodeReplica, type ReplicaProof, readReplica } from './replica.ts';

/** Checks of `verdicts`, in order: not-a-validator, verdict-count. */
export function checkVerdicts(context: BlockContext, payload: VerdictsPayload, from: PublicKey): Refusal | null {
  if (context.rules.validators.indexOf(from) < 0)
    return refuse('not-a-validator', 'verdicts count only from genesis validators');
  const count = payload.verdicts.length;
  if (count < 1 || count > VERDICTS_MAX)
    return refuse('verdict-count', `must hold 1 to ${VERDICTS_MAX} verdicts, found ${count}`);
  return null;
}

/** Applies checked `verdicts`, one after another. */
export function applyVerdicts(
  context: BlockContext,
  overlay: Overlay,
  payload: VerdictsPayload,
  from: PublicKey,
): void {
  const validator = context.rules.validators.indexOf(from);
  for (const verdict of payload.verdicts) applyVerdict(context, overlay, verdict, validator);
}

function applyVerdict(context: BlockContext, overlay: Overlay, verdict: Verdict, validator: number): void {
  const record = readReplica(overlay, verdict.segment, verdict.identity);
  const proof = record?.proof;
  if (record === undefined || proof === null || proof === undefined || proof.state !== 'pending') return;
  if (record.nextPeriod !== verdict.period + 1) return;
  if (hasBit(proof.valid, validator) || hasBit(proof.invalid, validator)) return;
  const heard: ReplicaProof = verdict.valid
    ? { ...proof, valid: withBit(proof.valid, validator) }
    : { ...proof, invalid: withBit(proof.invalid, validator) };
  const state = settledState(heard, context.rules.validators);
  const next = {
    ...record,
    accepted: state === 'accepted' ? counted(record.accepted) : record.accepted,
    rejected: state === 'rejected' ? counted(record.rejected) : record.rejected,
    proof: { ...heard, state },
  };
  overlay.putRecord(replicaKey(verdict.segment, verdict.identity), encodeReplica(next));
  const { rewardPool, replication } = context.rules;
  if (state === 'accepted') payReward(overlay, rewardPool, verdict.identity, replication.rewardPerProof);
}

/** Where a proof stands by the bonds behind its verdicts. */
function settledState(proof: ReplicaProof, validators: ValidatorSet): ReplicaProof['state'] {
  if (bondOf(proof.valid, validators) * 3n > validators.totalBond * 2n) return 'accepted';
  if (bondOf(proof.invalid, validators) * 3n >= validators.totalBond) return 'rejected';
  return 'pending';
}

/** The sum of the bonds of the validators in a bit set. */
export function bondOf(bits: Uint8Array, validators: ValidatorSet): bigint {
  let bond = 0n;
  for (const [index, member] of validators.members.entries()) if (hasBit(bits, index)) bond += member.bond;
  return bond;
}

/** Whether validator `index` is in a bit set. */
export function hasBit(bits: Uint8Array, index: number): boolean {
  return ((bits[index >> 3]! >> (index & 7)) & 1) === 1;
}

function withBit(bits: Uint8Array, index: number): Uint8Array {
  const copy = bits.slice();
  copy[index >> 3]! |= 1 << (index & 7);
  return copy;
}
