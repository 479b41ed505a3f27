/**
 * The machine's first state, from the genesis configuration and what the disk holds.
 *
 * After creating, feed in this order: the pending blocks, parents first (`block` with `from` null, each answered by
 * `verified` when asked for), the kept certificates' votes (`vote`), then the network.
 */
import { byteKey } from '../../native/index.ts';
import { limitsOf } from './limits.ts';
import { type ConsensusConfig, ConsensusError, type ConsensusStart } from './model.ts';
import { adoptOwnVote, freshVoting } from './own-vote.ts';
import { holdElectorate } from './registry.ts';
import type { ConsensusState, Rules, TreeNode } from './state.ts';
import { newNode } from './tree.ts';
import { receiveVote } from './votes.ts';

function rulesOf(config: ConsensusConfig): Rules {
  const { parameters, own } = config;
  return { parameters, limits: limitsOf(parameters), own, ownKey: own === null ? null : byteKey(own) };
}

/**
 * Creates the machine's state at local time `nowMs`. It belongs to `step` from now on.
 * Throws `ConsensusError` when parameters or an electorate without members cannot be meant.
 */
export function createConsensus(config: ConsensusConfig, start: ConsensusStart, nowMs: number): ConsensusState {
  const rules = rulesOf(config);
  if (start.electorate.members.length === 0)
    throw new ConsensusError('noValidators', 'electorate.members must hold at least one, found none');
  const root = newNode(start.root, { parent: null, from: null, seenMs: nowMs });
  root.electorate = start.electorate;
  const state = emptyState(rules, root, nowMs);
  holdElectorate(state, start.electorate);
  if (start.votesLost && rules.own !== null) state.voting.silence = { reason: 'votesLost', untilSlot: null };
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
    peersReadyMs: nowMs,
    root,
    trail: new Map(),
    nodes: new Map([[root.key, root]]),
    proposals: new Map(),
    reportedProposals: new Map(),
    invalid: new Map(),
    pending: new Map(),
    voters: new Map(),
    electorates: new Map(),
    offences: new Map(),
    suspects: new Map(),
    decoys: new Map(),
    offChain: new Map(),
    conflicted: false,
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
    schedule: { anchorSlot: root.header.slot, anchorMs: nowMs, anchored: false, highestSlot: root.header.slot },
    voting: freshVoting(),
    leading: { highestProducedSlot: 0, tip: null, nextSlot: 0, hadRoom: true, roomSinceMs: nowMs },
    progressMs: nowMs,
    resentMs: nowMs,
    resentCount: 0,
    finalizable: [],
    nextWakeMs: Number.POSITIVE_INFINITY,
    lastWakeMs: Number.POSITIVE_INFINITY,
    effects: [],
  };
}
