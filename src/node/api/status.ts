/** One page about a chain node: status, health, replication totals. Reads only. */

import { height, slot } from '../../../native/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import {
  bestElectorate,
  distrustedLeaders,
  isCatchingUp,
  isStalled,
  leaderFor,
  rankOf,
  silenceOf,
} from '../../consensus/index.ts';
import { type ReplicationSums, replicationSums } from '../../ledger/index.ts';
import type { HistoryStatus } from '../../rpc/views/history.ts';
import type { NodeHealth, NodeStatus } from '../../rpc/views/node.ts';
import type { ReplicationTotals } from '../../rpc/views/replication.ts';
import type { ConsensusStatus } from '../../rpc/views/stake.ts';
import type { ChainParts } from '../chain-parts.ts';
import { breaches, standingsOf } from './standings.ts';

/** Whether others should be sent here; the reason is one sentence. */
export function healthOf({ consensus, transport, tree, effects }: ChainParts): NodeHealth {
  const lag = tree.best.header.height - tree.root.header.height;
  if (effects.conflictFound !== null) return { ok: false, reason: 'finality has split: see cairn status' };
  if (bestElectorate(consensus()).members.length > 1 && transport.peers().length === 0)
    return { ok: false, reason: 'no peer is connected' };
  if (isCatchingUp(consensus())) return { ok: false, reason: 'catching up with the chain' };
  if (isStalled(consensus())) return { ok: false, reason: `finality is ${lag} blocks behind` };
  return { ok: true, reason: '' };
}

/** The replication sums as RPC shows them. */
export function replicationTotals(parts: ChainParts, sums: ReplicationSums): ReplicationTotals {
  const { proofs } = parts;
  const { belowTarget, unproven } = breaches(standingsOf(parts));
  const { period, rotation, identities, replicas, proofsAccepted, proofsRejected, proofsExpired } = sums;
  return {
    period,
    rotation,
    identities,
    replicas,
    proofsAccepted,
    proofsRejected,
    proofsExpired,
    verifiedHere: proofs?.counts.verified ?? 0,
    invalidHere: proofs?.counts.invalid ?? 0,
    segmentsBelowTarget: belowTarget,
    segmentsUnproven: unproven,
  };
}

/** @param justified the highest justified block */
export function nodeStatus(parts: ChainParts, justified: BlockHeader): NodeStatus {
  const { tree, rules, key, transport, submissions, mempool, finality } = parts;
  const { header: best } = tree.best;
  const { header: final, state } = tree.root;
  return {
    role: parts.role,
    peer: transport.self,
    addresses: transport.addresses(),
    publicKey: key?.publicKey ?? null,
    chainId: rules.chainId,
    kernels: parts.kernels.name,
    uptimeMs: parts.clock.nowMs() - parts.startedMs,
    health: healthOf(parts),
    peers: transport.peers().length,
    head: { height: best.height, slot: best.slot, hash: best.hash },
    justified: { height: justified.height, slot: justified.slot, hash: justified.hash },
    finalized: { height: final.height, slot: final.slot, hash: final.hash, stateRoot: final.stateRoot },
    leader: nextLeader(parts, best),
    isLeader: parts.producer?.isLeading ?? false,
    consensus: consensusStatus(parts),
    poh: pohStatus(parts, best),
    transactions: {
      final: tree.root.transactionsTotal,
      pending: mempool.pendingCount,
      received: submissions.counts.received,
      refused: submissions.counts.refused,
    },
    blocks: blockCounts(parts),
    finalityMs: finality.delays(),
    history: historyStatus(parts),
    replication: replicationTotals(parts, replicationSums(rules, state, final.slot)),
    sync: isCatchingUp(parts.consensus()) ? syncStatus(parts) : null,
  };
}

function historyStatus({ tree, store, genesis, pruner }: ChainParts): HistoryStatus {
  const { startHeight, firstSegment, keptBytes, prunedBytes } = store.kept;
  return {
    mode: pruner === null ? 'archive' : 'pruned',
    startHeight: height(startHeight),
    firstSegment,
    lengthBytes: tree.root.cursor.length,
    keptBytes,
    prunedBytes,
    segmentSizeBytes: genesis.history.segmentSizeBytes,
    segments: tree.root.cursor.segmentCount,
    waitingSegments: pruner?.waitingSegments ?? 0,
    segmentsAtRisk: pruner?.segmentsAtRisk ?? 0,
  };
}

function consensusStatus({ consensus, key, effects }: ChainParts): ConsensusStatus {
  const state = consensus();
  const electorate = bestElectorate(state);
  const { epoch, era, members, majorityFloor, secondary } = electorate;
  const { conflictFound: conflict } = effects;
  return {
    epoch,
    era,
    members: members.length,
    excluded: members.filter((member) => member.excluded).length,
    majorityFloor,
    secondary,
    isMember: key !== null && rankOf(electorate, key.publicKey) !== undefined,
    silence: silenceOf(state),
    conflict: conflict === null ? null : { slot: conflict.slot, hash: conflict.hash },
    evidence: effects.counts.evidence,
    decoys: effects.counts.decoys,
    distrusted: distrustedLeaders(state),
  };
}

/** Whose key leads the slot after the best block. */
export function nextLeader({ consensus }: ChainParts, best: BlockHeader): NodeStatus['leader'] {
  return leaderFor(consensus(), best.hash, slot(best.slot + 1));
}

function pohStatus({ poh, producer }: ChainParts, best: BlockHeader): NodeStatus['poh'] {
  const rate = poh?.rate();
  const isGenerating = producer?.isLeading === true && rate !== undefined;
  return {
    count: best.pohCount,
    hashesPerSecond: isGenerating ? rate.hashesPerSecond : 0,
    behindMs: isGenerating ? rate.slippedMs : 0,
  };
}

function blockCounts({ producer, intake, effects }: ChainParts): NodeStatus['blocks'] {
  return {
    produced: producer?.producedCount ?? 0,
    received: intake.counts.received,
    refused: intake.counts.refused + effects.counts.refused,
  };
}

function syncStatus({ tree, peers, blocks }: ChainParts): NodeStatus['sync'] {
  const heights = [...peers.statuses.values()].map(({ bestHeight }) => bestHeight);
  const fromHeight = tree.best.header.height;
  return { fromHeight, targetHeight: height(Math.max(fromHeight, ...heights)), bytes: blocks.bytesFetched };
}
