/**
 * Reading the machine's state. Everything returned is borrowed and must not be changed.
 */

import type { Hash, PublicKey, Slot } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../codec/model.ts';
import type { Electorate, Tally } from './electorate.ts';
import { countedVotes } from './justify.ts';
import { isStalledAt } from './room.ts';
import type { ConsensusState, Silence } from './state.ts';
import { leaderOf } from './succession.ts';

/** How a block in the tree stands with the voters. */
export interface VoteTally {
  /** Weight of all active voters with a counted vote for it. */
  readonly tally: Tally;
  /** By whom they are judged: null while the parent is not verified (and for the root this node started from). */
  readonly judge: Electorate | null;
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
/** Whether production is down to a block an epoch because finality is too far behind. */
export const isStalled = (state: ConsensusState): boolean => isStalledAt(state, state.best);
/** Whether a higher chain is known of than the one verified here. */
export const isCatchingUp = (state: ConsensusState): boolean =>
  state.sync.targetHeight > state.best.header.height || state.topHeight > state.validHeight;
/** Who judges and leads the children of the best block. */
export const bestElectorate = (state: ConsensusState): Electorate => state.best.electorate!;
/** Who judges and leads the children of the newest finalized block. */
export const finalizedElectorate = (state: ConsensusState): Electorate => state.root.electorate!;
/** Who judges and leads a block's children; null when the block is not in the tree or not verified. */
export const electorateOf = (state: ConsensusState, hash: Hash): Electorate | null =>
  state.nodes.get(byteKey(hash))?.electorate ?? null;
/** Why this node neither votes nor leads, and until which slot must be final (null: for good, or not settled yet); null when it may. */
export const silenceOf = (state: ConsensusState): Silence | null => state.voting.silence;
/** Whether finality has split (`conflict`). */
export const isConflicted = (state: ConsensusState): boolean => state.conflicted;
/** Whether some electorate alive knows this key: votes of others are not taken. */
export const knowsVoter = (state: ConsensusState, key: PublicKey): boolean => state.voters.has(byteKey(key));
/** Leaders that are not followed until somebody else has led (or more than 1/3 voted for them all the same). */
export const distrustedLeaders = (state: ConsensusState): PublicKey[] =>
  [...state.offences.keys()].flatMap((key) => state.voters.get(key)?.publicKey ?? []);

/** The counted votes for an unfinalized block (or the root), or null when it is not in the tree. */
export function voteTally(state: ConsensusState, hash: Hash): VoteTally | null {
  const node = state.nodes.get(byteKey(hash));
  if (node === undefined) return null;
  let voterCount = 0;
  for (const records of node.votes.values()) if (records.some((record) => record.counted)) voterCount += 1;
  return { tally: node.stake, judge: node.judge, voterCount, justified: node.justified };
}

/** The validator that may lead `slot` on `parentHash`, or null: parent not in the tree or not verified, or slot not above it. */
export function leaderFor(state: ConsensusState, parentHash: Hash, slot: Slot): PublicKey | null {
  const parent = state.nodes.get(byteKey(parentHash));
  if (parent === undefined || parent.electorate === null) return null;
  return leaderOf(parent.electorate, parent.header, slot, state.rules.parameters);
}

/** The counted votes for a block in the tree or among the newest finalized ones; empty when it is neither. */
export function certificateVotes(state: ConsensusState, hash: Hash): readonly Vote[] {
  const key = byteKey(hash);
  const node = state.nodes.get(key);
  return node === undefined ? (state.trail.get(key)?.votes ?? []) : countedVotes(node);
}
