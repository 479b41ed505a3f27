/**
 * `commit`: an identity says that it holds a replica of one segment, encoded under its key of the current rotation, with this root.
 * One commit a rotation: the root is what later proofs are judged by, so it is not taken back.
 */
import type { Address } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import type { CommitPayload } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { readIdentity } from './identity.ts';
import { replicaKey } from './record-key.ts';
import { counted, encodeReplica, readReplica } from './replica.ts';
import { rotationOfSlot } from './schedule.ts';

/** Checks of `commit`, in order: identity-unknown, segment-unknown, rotation-not-current, already-committed. */
export function checkCommit(
  context: BlockContext,
  state: StateReader,
  payload: CommitPayload,
  sender: Address,
): Refusal | null {
  const { segment, rotation } = payload;
  if (readIdentity(state, sender) === undefined)
    return refuse('identity-unknown', 'the sender is not a replicator identity: register first');
  if (segment >= context.segmentCount)
    return refuse('segment-unknown', `segment ${segment} is not complete: history has ${context.segmentCount}`);
  const current = rotationOfSlot(context.rules.replication, context.slot);
  if (rotation !== current)
    return refuse('rotation-not-current', `rotation is ${rotation}, slot ${context.slot} is in rotation ${current}`);
  if (readReplica(state, segment, sender)?.rotation === rotation)
    return refuse('already-committed', `segment ${segment} is committed in rotation ${rotation} already`);
  return null;
}

/** Applies a checked `commit`: a proof still pending under the previous commit counts as expired. */
export function applyCommit(context: BlockContext, overlay: Overlay, payload: CommitPayload, sender: Address): void {
  const previous = readReplica(overlay, payload.segment, sender);
  const expired = previous?.expired ?? 0;
  const record = {
    validatorCount: context.rules.validators.count,
    rotation: payload.rotation,
    commitSlot: context.slot,
    keyProof: payload.keyProof,
    replicaRoot: payload.replicaRoot,
    commits: counted(previous?.commits ?? 0),
    accepted: previous?.accepted ?? 0,
    rejected: previous?.rejected ?? 0,
    expired: previous?.proof?.state === 'pending' ? counted(expired) : expired,
    nextPeriod: previous?.nextPeriod ?? 0,
    proof: null,
  };
  overlay.putRecord(replicaKey(payload.segment, sender), encodeReplica(record));
}
