/**
 * What a proof earns: the period counts as proven, and if the identity holds one of the segment's places it is paid, once.
 */
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { type IdentityRecord, putIdentity, readIdentity } from './identity.ts';
import { payReward, releaseDue } from './lockout.ts';
import { counted, putReplica, type Replica, type ReplicaRecord } from './replica.ts';
import { paidFor, putPlaces, readSegmentPlaces, withClaim, withReward } from './segment-places.ts';

type ProofName = Pick<Replica, 'segment' | 'identity'> & { readonly period: number };

/** Writes all that follows from an accepted proof. @param record with the proof's new state */
export function acceptProof(context: BlockContext, overlay: Overlay, name: ProofName, record: ReplicaRecord): void {
  earn(context, overlay, name, { ...record, accepted: counted(record.accepted) }, (identity) => ({
    ...identity,
    accepted: counted(identity.accepted),
  }));
}

/** Writes all that follows from a revealed fake: as an accepted proof, but counted among the fakes. */
export function acceptFake(context: BlockContext, overlay: Overlay, name: ProofName, record: ReplicaRecord): void {
  earn(context, overlay, name, record, (identity) => ({ ...identity, fakes: counted(identity.fakes) }));
}

function earn(
  context: BlockContext,
  overlay: Overlay,
  { segment, identity, period }: ProofName,
  record: ReplicaRecord,
  count: (identity: IdentityRecord) => IdentityRecord,
): void {
  const { replication } = context.rules;
  const claim = { identity, provenPeriod: period, since: record.since };
  const { record: places, hasPlace } = withClaim(replication, context.slot, readSegmentPlaces(overlay, segment), claim);
  const before = count(readIdentity(overlay, identity)!);
  const mayBePaid = hasPlace && paidFor(places, period) < replication.replicasPerSegment;
  const { paid, record: after } = mayBePaid
    ? payReward(context, overlay, identity, before)
    : { paid: false, record: releaseDue(context, overlay, identity, before) };
  putIdentity(overlay, identity, after);
  const proven = { ...record, provenNext: Math.max(record.provenNext, period + 1) };
  putReplica(overlay, segment, identity, paid ? { ...proven, paid: counted(proven.paid) } : proven);
  if (hasPlace) putPlaces(overlay, segment, paid ? withReward(places, period) : places);
}
