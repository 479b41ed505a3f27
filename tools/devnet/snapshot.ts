/** Gathers what a frame shows from the observer and the driver. */
import type { Driver } from '../workload/driver.ts';
import { finalHeight, type ObservedNode, type Observer } from './observe.ts';
import type { Snapshot, ViewNode } from './view.ts';

/** Finality is shown over this many latest transfers. */
const RECENT_TRANSFERS = 2_000;

export interface RunProgress {
  readonly elapsedMs: number;
  readonly durationMs: number | null;
  readonly phase: string;
  readonly events: readonly string[];
}

export function takeSnapshot(progress: RunProgress, observer: Observer, driver: Driver | null): Snapshot {
  const [best] = observer.validators;
  const status = best?.status ?? null;
  const replicators = observer.nodes.flatMap(({ replicator }) => (replicator === null ? [] : [replicator]));
  return {
    ...progress,
    height: status?.finalized.height ?? 0,
    slot: status?.finalized.slot ?? 0,
    leader: observer.leader?.name ?? null,
    pohHashesPerSecond: observer.leader?.status?.poh.hashesPerSecond ?? 0,
    transfersFinal: driver?.final.length ?? 0,
    transfersSubmitted: driver?.submittedCount ?? 0,
    transfersPerSecond: observer.finalPerSecond,
    finalityP50Ms: driver?.latency.summary(RECENT_TRANSFERS)?.p50 ?? null,
    segments: status?.history.segments ?? 0,
    historyBytes: status?.history.lengthBytes ?? 0,
    replicasEncoded: replicators.reduce((sum, each) => sum + each.encodes, 0),
    proofsAccepted: status?.replication.proofsAccepted ?? 0,
    proofsRejected: status?.replication.proofsRejected ?? 0,
    rotations: Math.max(0, ...observer.replicas.lives.map((life) => life.commits - 1)),
    nodes: observer.nodes.map(nodeRow),
  };
}

function nodeRow(node: ObservedNode): ViewNode {
  return { name: node.name, state: node.state, detail: detail(node) };
}

function detail(node: ObservedNode): string {
  const { status, replicator } = node;
  if (replicator !== null) {
    const { replicas, proofsSent, peers, corrupted } = replicator;
    return `${replicas.length} replicas, ${proofsSent} proofs sent, ${peers} peers${corrupted ? ', corrupted' : ''}`;
  }
  if (status === null) return '';
  const part = status.isLeader ? ', generator' : '';
  const verified = node.role === 'validator' ? `, ${status.replication.verifiedHere} proofs checked` : '';
  return `height ${finalHeight(node)}, ${status.peers} peers, ${status.transactions.pending} waiting${verified}${part}`;
}
