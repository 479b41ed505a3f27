/** Validators, their bonds, and how this node stands to them. A part of the port in node-api.ts. */
import type { Address, Amount, Hash, PublicKey, Slot } from '../../../native/index.ts';

export interface VoteAccount {
  readonly publicKey: PublicKey;
  readonly bond: Amount;
  /** Target slot of its last vote seen; null when none was. */
  readonly lastVoteSlot: Slot | null;
  /** False when it has missed so many votes that tools should show it as delinquent. */
  readonly current: boolean;
}

/** Who judges and leads after the best block, and how this node stands to it. */
export interface ConsensusStatus {
  readonly epoch: number;
  readonly era: number;
  /** Members of the electorate, and how many of them are excluded for absence. */
  readonly members: number;
  readonly excluded: number;
  /** Some are excluded: a quorum needs more than half of all, too. */
  readonly majorityFloor: boolean;
  readonly secondary: PublicKey | null;
  /** Whether this node's key is a member: only then it votes and leads. */
  readonly isMember: boolean;
  /** Why it neither votes nor leads all the same, and which slot must be final before it does again (null: for good, or not known yet). */
  readonly silence: { readonly reason: 'twin' | 'votesLost' | 'conflict'; readonly untilSlot: Slot | null } | null;
  /** Another block of this slot was made final by others: finality has split. */
  readonly conflict: { readonly slot: Slot; readonly hash: Hash } | null;
  /** Misbehaviour found by this process; decoys it has sent out as a leader. */
  readonly evidence: number;
  readonly decoys: number;
  /** Leaders not followed for now. */
  readonly distrusted: readonly PublicKey[];
}

/** A bond as the ledger shows it after the last final block. */
export interface ValidatorRow {
  readonly publicKey: PublicKey;
  readonly address: Address;
  /** What it holds now, and what it weighs (0 unless in a set). */
  readonly units: bigint;
  readonly weight: bigint;
  readonly stage: 'waiting' | 'active' | 'leaving' | 'left';
  readonly slashed: boolean;
  /** It asked to leave. */
  readonly asked: boolean;
  /** Has missed so many epochs that it leaves, or has left, the sets. */
  readonly stale: boolean;
  readonly excluded: boolean;
  readonly missedEpochs: number;
  /** First era in the sets, and the first no more; null: not fixed yet. */
  readonly fromEra: number | null;
  readonly untilEra: number | null;
  /** Epoch from which on it can be withdrawn; null while that is not known. */
  readonly freeEpoch: number | null;
  /** Target slot of its last vote seen here; null when none was. */
  readonly lastVoteSlot: Slot | null;
}

export interface ValidatorsView {
  readonly slot: Slot;
  readonly epoch: number;
  readonly era: number;
  readonly majorityFloor: boolean;
  readonly secondary: PublicKey | null;
  /** Whose key leads the slot after the best block. */
  readonly leader: PublicKey | null;
  /** By weight, the heaviest first. */
  readonly validators: readonly ValidatorRow[];
}
