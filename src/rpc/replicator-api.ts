/**
 * The port of a replicator process's own small RPC: status, reads of history from replicas, and (only when its
 * configuration allows faults) one injected corruption. Same rules as node-api.ts: bytes and bigint here, text in the server.
 */
import type { Address, Amount, PublicKey } from '../../native/index.ts';
import type { PeerName } from '../net/transport.ts';
import type { Answer } from './node-api.ts';
import type { NodeHealth } from './views/node.ts';

/** Most bytes of one `cairn_readHistory`. */
export const READ_HISTORY_SIZE_BYTES_MAX: number = 1024 * 1024;

export interface HeldReplica {
  readonly segment: number;
  readonly rotation: number;
  readonly sizeBytes: number;
  readonly state: 'fetching' | 'encoding' | 'committing' | 'proving' | 'failed';
  /** 0 .. 1 while fetching or encoding. */
  readonly progress: number;
  /** Period of the last proof sent; null before the first. */
  readonly lastPeriod: number | null;
}

/** Sums over an identity's present replicas, and its balances in units. */
export interface MarketRecord {
  readonly registered: boolean;
  readonly balance: Amount;
  readonly deposit: Amount;
  /** Rewards that are not released yet. */
  readonly locked: Amount;
  /** Proofs accepted and fakes revealed since it registered. */
  readonly accepted: number;
  readonly fakes: number;
  readonly rejected: number;
  readonly expired: number;
  readonly paid: number;
  /** Periods missed in a row, all replicas together. */
  readonly misses: number;
}

export interface ReplicatorStatus {
  readonly role: 'replicator';
  readonly peer: PeerName;
  readonly addresses: readonly string[];
  readonly publicKey: PublicKey;
  readonly identity: Address;
  readonly uptimeMs: number;
  readonly health: NodeHealth;
  readonly peers: number;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly replicas: readonly HeldReplica[];
  /** Since the process started. */
  /** Segment bytes given to others. */
  readonly bytesServed: number;
  readonly segmentsFetched: number;
  readonly encodes: number;
  readonly rotations: number;
  readonly proofsSent: number;
  readonly fakesSent: number;
  readonly reveals: number;
  /** Validation packets. */
  readonly packetsSent: number;
  /** What the ledger records of this identity; null before the first answer. */
  readonly market: MarketRecord | null;
  /** True once a corruption was injected. */
  readonly corrupted: boolean;
}

export interface CorruptionReport {
  readonly segment: number;
  /** Byte of the stored replica that was flipped. */
  readonly offset: number;
}

/** Throws `ApiError` as `NodeApi` does. */
export interface ReplicatorApi {
  health(): Answer<NodeHealth>;
  status(): Answer<ReplicatorStatus>;
  /** Original history bytes, decoded from a replica: `sizeBytes` in 1 .. READ_HISTORY_SIZE_BYTES_MAX, inside the segment. */
  readHistory(segment: number, offset: number, sizeBytes: number): Answer<Uint8Array>;
  /** Flips one stored byte; `not-supported` unless the configuration allows faults. Null segment: any. */
  injectCorruption(segment: number | null): Answer<CorruptionReport>;
}
