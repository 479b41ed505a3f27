/**
 * `commit`: an identity says that it holds a replica of one segment, encoded under its key of the current rotation, with this root.
 * One commit a rotation: the root is what later proofs are judged by, so it is not taken back. Each replica ties up a part of the deposit.
 */
import type { Address } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import type { CommitPayload } from '../../codec/index.ts';
import { electorateNow } from '../bonds/succession.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { type IdentityRecord, putIdentity, readIdentity } from './identity.ts';
import { depositAfterEnd, endReplica, isLapsed } from './lapse.ts';
import { releaseDue } from './lockout.ts';
import type { MarketRules } from './market-rules.ts';
import { counted, putReplica, type ReplicaRecord, readReplica } from './replica.ts';
import { periodOfSlot, rotationOfSlot } from './schedule.ts';
import { seatCount } from './seats.ts';

/** Checks of `commit`, in order: identity-unknown, identity-leaving, segment-unknown, rotation-not-current, already-committed, deposit-short. */
export function checkCommit(
  context: BlockContext,
  state: StateReader,
  payload: CommitPayload,
  sender: Address,
): Refusal | null {
  const { segment, rotation } = payload;
  const identity = readIdentity(state, sender);
  if (identity === undefined)
    return refuse('identity-unknown', 'the sender is not a replicator identity: register first');
  if (identity.isLeaving) return refuse('identity-leaving', 'the sender has unregistered');
  if (segment >= context.segmentCount)
    return refuse('segment-unknown', `segment ${segment} is not complete: history has ${context.segmentCount}`);
  const current = rotationOfSlot(context.rules.replication, context.slot);
  if (rotation !== current)
    return refuse('rotation-not-current', `rotation is ${rotation}, slot ${context.slot} is in rotation ${current}`);
  const previous = readReplica(state, segment, sender);
  if (previous?.rotation === rotation)
    return refuse('already-committed', `segment ${segment} is committed in rotation ${rotation} already`);
  return checkDeposit(context, identity, previous);
}

/** The deposit must cover one replica more, or the one that begins anew after it lapsed. */
function checkDeposit(
  context: BlockContext,
  identity: IdentityRecord,
  previous: ReplicaRecord | undefined,
): Refusal | null {
  const rules = context.rules.replication;
  const hasLapsed = previous !== undefined && isLapsed(rules, previous, context.slot);
  if (previous !== undefined && !hasLapsed) return null;
  const deposit = hasLapsed ? depositAfterEnd(context, identity, previous) : identity.deposit;
  const needed = depositFor(rules, identity.replicas + (hasLapsed ? 0 : 1));
  if (deposit >= needed) return null;
  return refuse('deposit-short', `the deposit is ${deposit}, with this replica ${needed} are needed: add to it`);
}

/** The deposit that so many replicas need. */
export function depositFor({ minimumDeposit, depositPerReplica }: MarketRules, replicas: number): bigint {
  return minimumDeposit + depositPerReplica * BigInt(replicas);
}

/** Applies a checked `commit`: a proof still pending under the previous commit counts as expired, a decided one stays; a replica that lapsed ends first. */
export function applyCommit(context: BlockContext, overlay: Overlay, payload: CommitPayload, sender: Address): void {
  const before = readReplica(overlay, payload.segment, sender);
  const hasLapsed = before !== undefined && isLapsed(context.rules.replication, before, context.slot);
  if (hasLapsed) endReplica(context, overlay, payload.segment, sender);
  const previous = hasLapsed ? undefined : before;
  const identity = readIdentity(overlay, sender)!;
  if (previous === undefined) {
    const released = releaseDue(context, overlay, sender, identity);
    putIdentity(overlay, sender, { ...released, replicas: identity.replicas + 1 });
  }
  const record =
    previous === undefined
      ? firstRecord(context, overlay, payload, identity)
      : nextRecord(context, overlay, payload, previous);
  putReplica(overlay, payload.segment, sender, record);
}

/** What a commit says, in a record without a proof. */
function committed(context: BlockContext, overlay: Overlay, { rotation, keyProof, replicaRoot }: CommitPayload) {
  const { slot } = context;
  const validatorCount = seatCount(electorateNow(context, overlay));
  return { validatorCount, rotation, commitSlot: slot, keyProof, replicaRoot, proof: null };
}

function nextRecord(
  context: BlockContext,
  overlay: Overlay,
  payload: CommitPayload,
  previous: ReplicaRecord,
): ReplicaRecord {
  const { commits, expired, proof, validatorCount } = previous;
  const next = { ...previous, ...committed(context, overlay, payload), commits: counted(commits) };
  if (proof === null) return next;
  if (proof.state === 'pending') return { ...next, expired: counted(expired) };
  // What was decided stays, with its seats: a fake of a rotation's last period is revealed only after the next one's commit.
  return { ...next, validatorCount, proof };
}

function firstRecord(
  context: BlockContext,
  overlay: Overlay,
  payload: CommitPayload,
  { provableFrom }: IdentityRecord,
): ReplicaRecord {
  return {
    ...committed(context, overlay, payload),
    commits: 1,
    accepted: 0,
    rejected: 0,
    expired: 0,
    nextPeriod: provableFrom,
    provenNext: periodOfSlot(context.rules.replication, context.slot) + 1,
    since: context.slot,
    paid: 0,
    reason: 'unstated',
  };
}
