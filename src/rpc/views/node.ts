/** A node about itself, and what it knows of its peers. A part of the port in node-api.ts. */
import type { Hash, Height, PohCount, PublicKey } from '../../../native/index.ts';
import type { PeerName } from '../../net/transport.ts';
import type { BlockPoint } from './blocks.ts';
import type { HistoryStatus } from './history.ts';
import type { ReplicationTotals } from './replication.ts';
import type { ConsensusStatus } from './stake.ts';

export type NodeRole = 'validator' | 'archive' | 'replicator';

export interface NodeHealth {
  readonly ok: boolean;
  /** Empty when ok; else one sentence, e.g. `finality is 41 slots behind`. */
  readonly reason: string;
}

export interface NodeVersion {
  /** The package's version. */
  readonly version: string;
  readonly kernels: 'native' | 'portable';
}

export interface NodeIdentity {
  readonly role: NodeRole;
  readonly peer: PeerName;
  /** The validator's or replicator's ledger key; null for a node that signs nothing. */
  readonly publicKey: PublicKey | null;
}

export interface ClusterNode {
  readonly peer: PeerName;
  /** Dialable addresses, as far as known. */
  readonly addresses: readonly string[];
  readonly self: boolean;
  /** What the peer's status message said; null when it has said nothing yet. */
  readonly role: NodeRole | null;
  readonly publicKey: PublicKey | null;
  readonly rpc: string | null;
  readonly version: string | null;
  readonly finalizedHeight: Height | null;
}

/** One page of what an operator, a dashboard or the devnet wants to see. Counters count since the process started. */
export interface NodeStatus {
  readonly role: NodeRole;
  readonly peer: PeerName;
  readonly addresses: readonly string[];
  readonly publicKey: PublicKey | null;
  readonly chainId: Hash;
  readonly kernels: 'native' | 'portable';
  readonly uptimeMs: number;
  readonly health: NodeHealth;
  readonly peers: number;
  /** Best, justified and final block, and the state root after the final one. */
  readonly head: BlockPoint;
  readonly justified: BlockPoint;
  readonly finalized: BlockPoint & { readonly stateRoot: Hash };
  /** The generator expected for the next slot; null when not known. */
  readonly leader: PublicKey | null;
  readonly isLeader: boolean;
  readonly consensus: ConsensusStatus;
  readonly poh: {
    readonly count: PohCount;
    /** Steps a second over the last seconds; 0 when this node is not generating. */
    readonly hashesPerSecond: number;
    /** How far the generator is behind its schedule; 0 when on time. */
    readonly behindMs: number;
  };
  readonly transactions: {
    /** In finalized blocks, since genesis (0 .. 2^53 - 1), votes not counted. */
    readonly final: number;
    /** Waiting for a block here. */
    readonly pending: number;
    readonly received: number;
    readonly refused: number;
  };
  readonly blocks: { readonly produced: number; readonly received: number; readonly refused: number };
  /** From a block's first sight here to its finality, over the last blocks; null before there are any. */
  readonly finalityMs: { readonly p50: number; readonly p99: number } | null;
  readonly history: HistoryStatus;
  readonly replication: ReplicationTotals;
  /** Set while this node is catching up or fast-syncing. */
  readonly sync: { readonly fromHeight: Height; readonly targetHeight: Height; readonly bytes: number } | null;
}
