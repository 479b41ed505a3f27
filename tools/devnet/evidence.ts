/** What a run found out: plain figures, gathered by the scenario, judged by checks.ts, written by report.ts. */
import type { ConsensusReading } from './consensus-watch.ts';
import type { PartitionEvidence } from './partition.ts';
import type { ReplicaLife } from './replicas.ts';

/** One comparison of a node's balances with the independent recomputation. */
export interface BalanceComparison {
  readonly node: string;
  readonly checked: number;
  readonly mismatched: number;
  /** A few of the differences, for the report. */
  readonly examples: readonly { readonly account: string; readonly expected: string; readonly found: string }[];
}

export interface FastSyncEvidence {
  /** The validator asked, and the first block it still kept then. */
  readonly from: string;
  readonly fromKeeps: number;
  readonly ms: number;
  readonly bytes: number;
  readonly height: number;
  /** The root it reached by itself equals the one in the trusted block, and later those of the others at equal heights. */
  readonly stateRootEqual: boolean;
}

export interface RestartEvidence {
  readonly node: string;
  /** From the start of the new process until it had caught up. */
  readonly ms: number;
  readonly caughtUp: boolean;
  /** Blocks that became final while it was down. */
  readonly blocksMissed: number;
}

export interface CorruptionEvidence {
  readonly node: string;
  /** The replicator's identity, bech32m. */
  readonly identity: string;
  readonly segment: number;
  readonly offset: number;
}

/** What a validator or archive still keeps of history. */
export interface HistoryReading {
  readonly node: string;
  readonly mode: 'archive' | 'pruned';
  readonly startHeight: number;
  readonly keptBytes: number;
  readonly prunedBytes: number;
  /** Segments kept only because too few replicas are proven. */
  readonly waitingSegments: number;
}

export interface SupplyReading {
  readonly node: string;
  readonly total: bigint;
}

export interface RootReading {
  readonly node: string;
  readonly height: number;
  readonly stateRoot: string;
}

/** A validator that misbehaved on purpose. */
export interface MischiefEvidence {
  readonly kind: string;
  readonly node: string;
  /** What it does leaves proof behind: it must be slashed. */
  readonly isProvable: boolean;
}

export interface Evidence {
  readonly transfers: {
    /** Handed to the network. */
    readonly submitted: number;
    readonly final: number;
    readonly open: number;
    readonly refused: readonly { readonly index: number; readonly code: string; readonly message: string }[];
    /** False when a file's transfers were not all submitted in time. */
    readonly planExhausted: boolean;
  };
  readonly balances: readonly BalanceComparison[];
  /** Final height of each running validator and archive, read at one moment. */
  readonly heights: readonly { readonly node: string; readonly height: number }[];
  /** Readings at one and the same height. */
  readonly roots: readonly RootReading[];
  readonly supply: { readonly genesis: bigint; readonly readings: readonly SupplyReading[] };
  readonly histories: readonly HistoryReading[];
  readonly replicas: readonly ReplicaLife[];
  readonly corruption: CorruptionEvidence | null;
  readonly fastSync: FastSyncEvidence | null;
  readonly restart: RestartEvidence | null;
  readonly consensus: ConsensusReading;
  readonly mischief: MischiefEvidence | null;
  /** Null when none was asked for. */
  readonly partition: PartitionEvidence | null;
  /** Children that ended without being asked to. */
  readonly unexpectedExits: readonly string[];
  /** Steps of the scenario that could not be done, with the reason. */
  readonly stepFailures: readonly string[];
  /** Ended early by the user: what was not reached is not held against the run, but it is not `ok` either. */
  readonly interrupted: boolean;
}
