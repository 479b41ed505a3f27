/**
 * The machine's first state, from the genesis configuration and what the disk holds.
 *
 * After creating, feed in this order: the pending blocks, parents first (`block` with `from` null, each answered by
 * `verified` when asked for), the kept certificates' votes (`vote`), then the network.
 */
import { byteKey } from '../../native/index.ts';
import { limitsOf } from './limits.ts';
import type { ConsensusConfig, ConsensusStart } from './model.ts';
import { adoptOwnVote, freshVoting } from './own-vote.ts';
import { rankValidators } from './ranking.ts';
import type { ConsensusState, Rules, TreeNode, Voter } from './state.ts';
import { newNode } from './tree.ts';
import { receiveVote } from './votes.ts';

function rulesOf(config: ConsensusConfig): Rules {
  const ranking = rankValidators(config.validators);
  const rankByKey = new Map(ranking.map(({ publicKey }, rank) => [byteKey(publicKey), rank]));
  return {
    parameters: config.parameters,
    limits: limitsOf(config.parameters, ranking.length),
    ranking,
    rankByKey,
    totalBond: ranking.reduce((sum, { bond }) => sum + bond, 0n),
    ownRank: config.own === null ? null : (rankByKey.get(byteKey(config.own)) ?? null),
  };
}

function newVoter(rank: number): Voter {
  return {
    rank,
    latest: null,
    placed: null,
    placedSlot: 0,
    records: new Map(),
    unknown: [],
    equivocated: false,
    reported: new Set(),
  };
}

/**
 * Creates the machine's state at local time `nowMs`. It belongs to `step` from now on.
 * Throws `ConsensusError` when validators or parameters cannot be meant.
 */
export function createConsensus(config: ConsensusConfig, start: ConsensusStart, nowMs: number): ConsensusState {
  const rules = rulesOf(config);
  const leader = start.root.height === 0 ? 0 : (rules.rankByKey.get(byteKey(start.root.leader)) ?? 0);
  const root = newNode(start.root, { leader, parent: null, from: null, seenMs: nowMs });
  const state = emptyState(rules, root, nowMs);
  for (const vote of start.ownVotes) {
    adoptOwnVote(state, vote);
    receiveVote(state, vote, null);
  }
  state.leading.highestProducedSlot = start.highestProducedSlot ?? 0;
  return state;
}

function emptyState(rules: Rules, root: TreeNode, nowMs: number): ConsensusState {
  return {
    rules,
    nowMs,
    startedMs: nowMs,
    peersReady: false,
    root,
    trail: new Map(),
    nodes: new Map([[root.key, root]]),
    proposals: new Map(),
    reportedProposals: new Map(),
    invalid: new Map(),
    pending: new Map(),
    voters: rules.ranking.map((_, rank) => newVoter(rank)),
    unknownVotes: new Map(),
    waitingForSource: new Map(),
    wanted: new Map(),
    sync: {
      targetHeight: 0,
      peer: null,
      floorHeight: 0,
      floorTargetHeight: 0,
      askedHeight: 0,
      attempts: 0,
      nextMs: nowMs,
    },
    topHeight: root.header.height,
    validHeight: root.header.height,
    justifiedTip: root,
    best: root,
    bestSinceMs: nowMs,
    forkChoiceDirty: true,
    forkChoiceRetryMs: nowMs,
    schedule: { anchorSlot: root.header.slot, anchorMs: nowMs, anchored: false },
    voting: freshVoting(),
    leading: { highestProducedSlot: 0, tip: null, hadRoom: true, roomSinceMs: nowMs },
    progressMs: nowMs,
    resentMs: nowMs,
    resentCount: 0,
    finalizable: [],
    nextWakeMs: Number.POSITIVE_INFINITY,
    lastWakeMs: Number.POSITIVE_INFINITY,
    effects: [],
  };
}
