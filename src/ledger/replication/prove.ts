/**
 * `prove`: an identity's proof, for one period, that it holds the replica it committed to. One a period, pending until the validators' verdicts
 * settle it (verdicts.ts) or the next proof or commit replaces it, which counts it as expired.
 */
import type { Address } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import type { ProvePayload } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { replicaKey } from './record-key.ts';
import { bitsSizeBytes, counted, encodeReplica, type ReplicaProof, readReplica } from './replica.ts';
import { isProofOpen, periodOfSlot, rotationOfPeriod } from './schedule.ts';

/** Checks of `prove`, in order: replica-unknown, period-not-open, rotation-mismatch, already-proven. */
export function checkProve(
  context: BlockContext,
  state: StateReader,
  payload: ProvePayload,
  sender: Address,
): Refusal | null {
  const { segment, period } = payload;
  const rules = context.rules.replication;
  const record = readReplica(state, segment, sender);
  if (record === undefined) return refuse('replica-unknown', `the sender has not committed to segment ${segment}`);
  if (!isProofOpen(rules, period, context.slot))
    return refuse(
      'period-not-open',
      `period is ${period}, slot ${context.slot} is in period ${periodOfSlot(rules, context.slot)}`,
    );
  const rotation = rotationOfPeriod(rules, period);
  if (rotation !== record.rotation)
    return refuse(
      'rotation-mismatch',
      `period ${period} is in rotation ${rotation}, the commit is for ${record.rotation}`,
    );
  if (period < record.nextPeriod)
    return refuse('already-proven', `a proof for period ${record.nextPeriod - 1} stands already, found ${period}`);
  return null;
}

/** Applies a checked `prove`. */
export function applyProve(context: BlockContext, overlay: Overlay, payload: ProvePayload, sender: Address): void {
  const record = readReplica(overlay, payload.segment, sender)!;
  const bitsSize = bitsSizeBytes(record.validatorCount);
  const proof: ReplicaProof = {
    state: 'pending',
    slot: context.slot,
    sampleProof: payload.sampleProof,
    samplesRoot: payload.samplesRoot,
    valid: new Uint8Array(bitsSize),
    invalid: new Uint8Array(bitsSize),
  };
  const expired = record.proof?.state === 'pending' ? counted(record.expired) : record.expired;
  const next = { ...record, expired, nextPeriod: payload.period + 1, proof };
  overlay.putRecord(replicaKey(payload.segment, sender), encodeReplica(next));
}
