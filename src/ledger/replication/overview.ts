/**
 * Readings of the replication records for RPC, dashboards and the validators' checking work. Nothing here changes anything.
 */
import type { Address, PublicKey } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import type { VerdictReason } from '../../codec/index.ts';
import type { Electorate } from '../../consensus/electorate.ts';
import { electorateAfter } from '../bonds/electorate-after.ts';
import type { LedgerState } from '../ledger-state.ts';
import type { LedgerRules } from '../rules.ts';
import { withdrawPeriod } from './deposits.ts';
import { type DesignatedRecord, readDesignated, readRotationHash } from './designated.ts';
import { type IdentityRecord, readIdentities, readIdentity } from './identity.ts';
import { isLapsed, missesOf } from './lapse.ts';
import { type ProofState, type Replica, type ReplicaProof, readReplica, readReplicas } from './replica.ts';
import { periodOfSlot, rotationOfPeriod, sealLastSlot } from './schedule.ts';
import { hasSeat, weightOfSeats } from './seats.ts';

/** Sums over all replicas and identities; proofs since genesis. */
export interface ReplicationSums {
  readonly period: number;
  readonly rotation: number;
  readonly identities: number;
  readonly replicas: number;
  readonly proofsAccepted: number;
  readonly proofsRejected: number;
  readonly proofsExpired: number;
  readonly proofsPending: number;
}

/** One identity. */
export interface IdentityOverview extends IdentityRecord {
  readonly address: Address;
  /** The first period in which its deposit can be withdrawn; null while it is registered. */
  readonly freePeriod: number | null;
}

/** One replica, with the bonds behind the findings on its last proof. */
export interface ReplicaOverview {
  readonly identity: Address;
  readonly segment: number;
  readonly rotation: number;
  /** Commits so far: 1 + key rotations. */
  readonly commits: number;
  readonly replicaRoot: Uint8Array;
  readonly accepted: number;
  readonly rejected: number;
  readonly expired: number;
  /** Period of the last proof under any commit; null before the first. */
  readonly lastPeriod: number | null;
  /** State of the last proof, under the current commit or decided under the one before. */
  readonly proof: ProofState;
  /** Why the last proof that was rejected was. */
  readonly reason: VerdictReason;
  /** Rewards paid so far. */
  readonly paid: number;
  /** Slot of the first commit. */
  readonly since: number;
  /** Periods missed in a row. */
  readonly misses: number;
  /** Whether it has missed more in a row than it survives: anybody may report it. */
  readonly isLapsed: boolean;
  /** Weight of the validators that have sealed a finding on the last proof. */
  readonly spokenBond: bigint;
}

export interface ReplicationOverview {
  readonly sums: ReplicationSums;
  readonly identities: readonly IdentityOverview[];
  readonly replicas: readonly ReplicaOverview[];
  /** True when rows were left out because of `rowsMax`. */
  readonly truncated: boolean;
}

/** Which rows are wanted, and at most how many in each list. */
export interface OverviewFilter {
  readonly segment?: number;
  readonly identity?: Address;
  readonly rowsMax: number;
}

/** Sums, without rows. @param slot of the block whose state is read @throws RecordError */
export function replicationSums(rules: LedgerRules, state: StateReader, slot: number): ReplicationSums {
  const period = periodOfSlot(rules.replication, slot);
  let [replicas, proofsAccepted, proofsRejected, proofsExpired, proofsPending] = [0, 0, 0, 0, 0];
  for (const { record } of readReplicas(state)) {
    replicas++;
    proofsAccepted += record.accepted;
    proofsRejected += record.rejected;
    proofsExpired += record.expired;
    if (record.proof?.state === 'pending') proofsPending++;
  }
  let identities = 0;
  for (const _ of readIdentities(state)) identities++;
  const rotation = rotationOfPeriod(rules.replication, period);
  return { period, rotation, identities, replicas, proofsAccepted, proofsRejected, proofsExpired, proofsPending };
}

/** Sums over all, and the rows a filter wants. @param slot of the block whose state is read @throws RecordError */
export function replicationOverview(
  rules: LedgerRules,
  state: LedgerState,
  slot: number,
  filter: OverviewFilter,
): ReplicationOverview {
  const identities: IdentityOverview[] = [];
  const replicas: ReplicaOverview[] = [];
  const electorate = electorateAfter(rules, state);
  let truncated = false;
  for (const row of wantedIdentities(rules, state, filter.identity)) {
    if (identities.length < filter.rowsMax) identities.push(row);
    else truncated = true;
  }
  for (const replica of wantedReplicas(state, filter)) {
    if (replicas.length < filter.rowsMax) replicas.push(overviewOf(rules, electorate, replica, slot));
    else truncated = true;
  }
  return { sums: replicationSums(rules, state, slot), identities, replicas, truncated };
}

function* wantedIdentities(
  rules: LedgerRules,
  state: StateReader,
  wanted: Address | undefined,
): Iterable<IdentityOverview> {
  const overview = (address: Address, record: IdentityRecord): IdentityOverview => {
    const freePeriod = record.isLeaving ? withdrawPeriod(rules.replication, record.leftPeriod) : null;
    return { address, freePeriod, ...record };
  };
  if (wanted === undefined) {
    for (const { identity, record } of readIdentities(state)) yield overview(identity, record);
    return;
  }
  const record = readIdentity(state, wanted);
  if (record !== undefined) yield overview(wanted, record);
}

function* wantedReplicas(state: StateReader, filter: OverviewFilter): Iterable<Replica> {
  const { segment, identity } = filter;
  if (segment !== undefined && identity !== undefined) {
    const record = readReplica(state, segment, identity);
    if (record !== undefined) yield { segment, identity, record };
    return;
  }
  for (const replica of readReplicas(state, segment))
    if (identity === undefined || Buffer.compare(identity, replica.identity) === 0) yield replica;
}

function overviewOf(
  rules: LedgerRules,
  electorate: Electorate,
  { segment, identity, record }: Replica,
  slot: number,
): ReplicaOverview {
  const { rotation, commits, replicaRoot, accepted, rejected, expired, nextPeriod, proof } = record;
  const { reason, paid, since } = record;
  return {
    ...{ identity, segment, rotation, commits, replicaRoot, accepted, rejected, expired },
    ...{ reason, paid, since, misses: missesOf(rules.replication, record, slot) },
    isLapsed: isLapsed(rules.replication, record, slot),
    lastPeriod: nextPeriod === 0 ? null : nextPeriod - 1,
    proof: proof?.state ?? 'none',
    spokenBond: proof === null ? 0n : weightOfSeats(electorate, proof.spoken),
  };
}

/** A pending proof with all that checking it takes, except the segment's bytes. */
export interface PendingProof extends Replica {
  readonly proof: ReplicaProof;
  /** The period the proof is for. */
  readonly period: number;
  readonly publicKey: PublicKey;
  /** Designated hash of the commit's rotation: the key proof is over it. */
  readonly rotationHash: DesignatedRecord;
  /** Designated hash of the period: the sample proof is over it. */
  readonly periodHash: DesignatedRecord;
}

/**
 * The pending proofs on which a validator has not spoken and still may: its work list, read from a final state. Those whose designated hashes are no longer kept
 * are left out: they can only expire.
 * @param slot of the block whose state is read
 * @throws RecordError
 */
export function* pendingProofs(
  rules: LedgerRules,
  state: StateReader,
  seat: number,
  slot: number,
): Iterable<PendingProof> {
  for (const replica of readReplicas(state)) {
    const { proof, nextPeriod, rotation } = replica.record;
    if (proof?.state !== 'pending' || hasSpoken(proof, seat)) continue;
    const period = nextPeriod - 1;
    if (slot >= sealLastSlot(rules.replication, period)) continue;
    const identity = readIdentity(state, replica.identity);
    const rotationHash = readRotationHash(rules.replication, state, rotation);
    const periodHash = readDesignated(state, period);
    if (identity === undefined || rotationHash === undefined || periodHash === undefined) continue;
    yield { ...replica, proof, period, publicKey: identity.publicKey, rotationHash, periodHash };
  }
}

function hasSpoken({ spoken }: ReplicaProof, seat: number): boolean {
  return seat < spoken.length * 8 && hasSeat(spoken, seat);
}
