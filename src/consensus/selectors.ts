/**
 * Reading the machine's state. Everything returned is borrowed and must not be changed.
 */

import type { Hash, Slot } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../codec/model.ts';
import { countedVotes } from './justify.ts';
import { leaderRank } from './ranking.ts';
import { roomOpensAtMs } from './room.ts';
import type { ConsensusState, RankedValidator } from './state.ts';

/** How a block in the tree stands with the voters. */
export interface VoteTally {
  /** Bond of all voters with a counted vote for it, and of all validators. */
  readonly stake: bigint;
  readonly totalBond: bigint;
  readonly voterCount: number;
  readonly justified: boolean;
}

/** Newest finalized block. */
export const finalizedHeader = (state: ConsensusState): BlockHeader => state.root.header;
/** Highest justified (and verified) block. */
export const justifiedHeader = (state: ConsensusState): BlockHeader => state.justifiedTip.header;
/** The block to build on. */
export const bestHeader = (state: ConsensusState): BlockHeader => state.best.header;
/** Blocks between the finalized and the best one. */
export const unfinalizedCount = (state: ConsensusState): number => state.best.header.height - state.root.header.height;
/** Whether this node is producing. */
export const isLeading = (state: ConsensusState): boolean => state.leading.tip !== null;
/** Whether production is stopped because finality is too far behind. */
export const isStalled = (state: ConsensusState): boolean => roomOpensAtMs(state, state.best) > state.nowMs;
/** Whether a higher chain is known of than the one verified here. */
export const isCatchingUp = (state: ConsensusState): boolean =>
  state.sync.targetHeight > state.best.header.height || state.topHeight > state.validHeight;
/** The validators by rank. */
export const validatorRanking = (state: ConsensusState): readonly RankedValidator[] => state.rules.ranking;

/** The counted votes for an unfinalized block (or the root), or null when it is not in the tree. */
export function voteTally(state: ConsensusState, hash: Hash): VoteTally | null {
  const node = state.nodes.get(byteKey(hash));
  if (node === undefined) return null;
  let voterCount = 0;
  for (const records of node.votes.values()) if (records.some((record) => record.counted)) voterCount += 1;
  return { stake: node.stake, totalBond: state.rules.totalBond, voterCount, justified: node.justified };
}

/** Rank of the validator that may lead `slot` on `parentHash`, or null: parent not in the tree, or slot not above it. */
export function leaderFor(state: ConsensusState, parentHash: Hash, slot: Slot): number | null {
  const parent = state.nodes.get(byteKey(parentHash));
  if (parent === undefined || slot <= parent.header.slot) return null;
  return leaderRank(parent, slot, state.rules.parameters.timeoutSlots, state.rules.ranking.length);
}

/** The counted votes for a block in the tree or among the newest finalized ones; empty when it is neither. */
export function certificateVotes(state: ConsensusState, hash: Hash): readonly Vote[] {
  const key = byteKey(hash);
  const node = state.nodes.get(key);
  return node === undefined ? (state.trail.get(key)?.votes ?? []) : countedVotes(node);
}
