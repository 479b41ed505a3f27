/**
 * What the client's calls return. Hashes, ids and keys are base58 text, addresses bech32m text, as a caller shows them or passes them on;
 * amounts are bigint where a call says so, else the wire's decimal strings.
 */

import type { CorruptionReport, ReplicatorStatus } from './replicator-api.ts';
import type { TransactionJson } from './transaction-json.ts';
import type { FinalizedBlock } from './views/blocks.ts';
import type { NodeStatus } from './views/node.ts';
import type { ReplicationView, StandingsView } from './views/replication.ts';
import type { ValidatorsView } from './views/stake.ts';
import type { Wire } from './wire.ts';

export type StatusView = Wire<NodeStatus>;
export type ReplicatorStatusView = Wire<ReplicatorStatus>;
export type ReplicationRows = Wire<ReplicationView>;
export type ValidatorsRows = Wire<ValidatorsView>;
export type StandingRows = Wire<StandingsView>;
export type FinalizedBlockView = Wire<FinalizedBlock>;
export type CorruptionView = Wire<CorruptionReport>;

export interface BlockhashView {
  /** PoH hash at the end of the block, 32 bytes. */
  readonly pohHash: Uint8Array;
  readonly pohCount: number;
  readonly slot: number;
  readonly lastValidSlot: number;
}

export type SubmitResult =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly id: string | null; readonly code: string; readonly message: string };

export interface StatusRow {
  readonly state: 'pending' | 'dropped' | 'processed' | 'confirmed' | 'finalized';
  readonly slot: number | null;
  readonly height: number | null;
  readonly err: { readonly code: string; readonly message: string } | null;
}

export interface TransactionView {
  readonly slot: number;
  readonly height: number;
  readonly blockHash: string;
  readonly entry: number;
  readonly index: number;
  readonly pohCount: number;
  readonly transaction: TransactionJson;
}

export interface BlockView {
  readonly blockhash: string;
  readonly previousBlockhash: string;
  readonly blockHeight: number;
  readonly slot: number;
  readonly pohCount: number;
  readonly pohHash: string;
  readonly stateRoot: string;
  readonly entriesRoot: string;
  readonly leader: string;
  readonly historyLength: number;
  readonly segmentCount: number;
  readonly segmentsRoot: string;
  readonly transactionCount: number;
  readonly signatures?: readonly string[];
  readonly transactions?: readonly TransactionJson[];
}

export interface VoteAccountView {
  readonly publicKey: string;
  readonly bond: bigint;
  readonly lastVoteSlot: number | null;
  readonly current: boolean;
}

export interface SupplyView {
  readonly slot: number;
  readonly total: bigint;
  readonly deposits: bigint;
  readonly bonds: bigint;
  readonly evicted: bigint;
  readonly rewardPool: bigint;
}

export interface EvictionView {
  readonly index: number;
  readonly balance: bigint;
  readonly height: number;
  readonly revived: boolean;
  /** Packed siblings, 32 bytes each, lowest first. */
  readonly path: Uint8Array;
}

export interface EvictionsAnswer {
  readonly evictions: readonly EvictionView[];
  /** Evictions before this number are not known to the node that was asked. */
  readonly keptFrom: number;
}

export interface ClusterNodeView {
  readonly peer: string;
  readonly addresses: readonly string[];
  readonly self: boolean;
  readonly role: string | null;
  readonly publicKey: string | null;
  readonly rpc: string | null;
  readonly version: string | null;
  readonly finalizedHeight: number | null;
}

export interface FinalPlace {
  readonly height: number;
  readonly slot: number;
}
