/** The storage market as the ledger shows it: identities, replicas, how segments stand. A part of the port in node-api.ts. */
import type { Address, Amount, Hash, PublicKey, Slot } from '../../../native/index.ts';

/** Most rows of one list in `cairn_getReplication`. */
export const REPLICATION_ROWS_MAX = 1000;

/** Sums over the ledger's replication records, and this node's own verification work. */
export interface ReplicationTotals {
  readonly period: number;
  readonly rotation: number;
  readonly identities: number;
  readonly replicas: number;
  /** Resolved on the ledger, since genesis. */
  readonly proofsAccepted: number;
  readonly proofsRejected: number;
  readonly proofsExpired: number;
  /** Re-encrypted by this process. */
  readonly verifiedHere: number;
  readonly invalidHere: number;
  /** Complete segments with fewer proven replicas than the target, and with none. */
  readonly segmentsBelowTarget: number;
  readonly segmentsUnproven: number;
}

export interface ReplicaRow {
  readonly identity: Address;
  readonly segment: number;
  /** Rotation of the current commit. */
  readonly rotation: number;
  /** How many commits this replica has had: 1 + its key rotations. */
  readonly commits: number;
  readonly replicaRoot: Hash;
  readonly accepted: number;
  readonly rejected: number;
  readonly expired: number;
  /** Period of the last proof; null before the first. */
  readonly lastPeriod: number | null;
  /** State of that last proof. */
  readonly proof: 'none' | 'pending' | 'accepted' | 'rejected' | 'revealed';
  /** Why the last rejected proof was; `unstated` when none was or nobody said. */
  readonly reason: string;
  /** Rewards paid for it so far. */
  readonly paid: number;
  /** Slot of its first commit: the oldest are paid. */
  readonly since: number;
  /** Periods missed in a row. */
  readonly misses: number;
  /** More of them than it survives: anybody may report it. */
  readonly isLapsed: boolean;
}

export interface IdentityRow {
  readonly address: Address;
  readonly publicKey: PublicKey;
  readonly deposit: Amount;
  /** Slot in which it registered. */
  readonly slot: Slot;
  /** Replicas it has committed to. */
  readonly replicas: number;
  /** Rewards that are not released yet. */
  readonly locked: Amount;
  /** Rewards since it registered, units. */
  readonly paid: Amount;
  readonly accepted: number;
  readonly fakes: number;
  /** The first period in which the deposit can be withdrawn; null while it is registered. */
  readonly freePeriod: number | null;
}

/** How one completed segment stands against the replication target. */
export interface StandingView {
  readonly segment: number;
  /** Proven replicas wanted. */
  readonly target: number;
  /** Replicas proven now, committed, and with a proof that waits for verdicts. */
  readonly proven: number;
  readonly replicas: number;
  readonly pending: number;
  /** Most periods that one of its replicas has missed in a row. */
  readonly misses: number;
  /** Rewards paid for its present replicas. */
  readonly paid: number;
  /** Identities that are paid for it. */
  readonly places: number;
  /** Periods since the newest accepted proof of it; null when there is none. */
  readonly proofAgePeriods: number | null;
  /** Fewer proven replicas than the target. */
  readonly isBelowTarget: boolean;
  /** No proven replica at all. */
  readonly isAtRisk: boolean;
}

/** `cairn_getStandings`. */
export interface StandingsView {
  readonly slot: Slot;
  readonly period: number;
  readonly target: number;
  /** Complete segments; below the target; without any proven replica. */
  readonly segments: number;
  readonly belowTarget: number;
  readonly atRisk: number;
  readonly standings: readonly StandingView[];
}

/** `cairn_getReplication`'s filter; both absent: all, up to REPLICATION_ROWS_MAX rows a list. */
export interface ReplicationFilter {
  readonly segment?: number;
  readonly identity?: Address;
}

export interface ReplicationView {
  readonly slot: Slot;
  readonly totals: ReplicationTotals;
  readonly identities: readonly IdentityRow[];
  readonly replicas: readonly ReplicaRow[];
  /** True when rows were left out. */
  readonly truncated: boolean;
}
