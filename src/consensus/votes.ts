/**
 * A vote arrives: who sent it, does it prove misbehaviour, is its target here, does it count.
 *
 * Order of checks: voter bonded; source below target; far-future bound; evidence; newest vote of this voter; target known
 * (else it waits, and the block is asked for); fields equal to the target's header (if not, the vote is dropped and nobody is
 * blamed: who forwarded it may not have had the block); source. A vote at or below the root
 * changes nothing any more, but is still compared for evidence.
 */
import { byteKey, sameBytes } from '../../native/index.ts';
import type { Vote } from '../codec/model.ts';
import { noteVote } from './evidence.ts';
import { addVote } from './justify.ts';
import type { PeerName } from './model.ts';
import { adoptOwnVote } from './own-vote.ts';
import type { ConsensusState, TreeNode } from './state.ts';
import { emit, fault } from './state.ts';
import { holdUnknownVote, takeUnknownVotes } from './unknown-votes.ts';
import { want } from './wanted.ts';
import { placeVote } from './weight.ts';

/** Takes in one vote whose signature has been checked. */
export function receiveVote(state: ConsensusState, vote: Vote, from: PeerName | null): void {
  const rank = state.rules.rankByKey.get(byteKey(vote.voter));
  if (rank === undefined) {
    fault(state, from, 'unknownVoter');
    return;
  }
  if (vote.sourceSlot >= vote.targetSlot) {
    fault(state, from, 'voteOrder');
    return;
  }
  if (vote.targetSlot > highestSlotKnown(state) + state.rules.limits.farVoteSlots) return;
  const voter = state.voters[rank]!;
  noteVote(state, voter, vote);
  if (rank === state.rules.ownRank) adoptOwnVote(state, vote);
  if (vote.targetSlot <= state.root.header.slot) return;
  if (voter.latest === null || vote.targetSlot > voter.latest.targetSlot) voter.latest = vote;
  const target = state.nodes.get(byteKey(vote.targetHash));
  if (target !== undefined) {
    applyVote(state, target, rank, vote);
    return;
  }
  if (state.invalid.has(byteKey(vote.targetHash))) return;
  holdUnknownVote(state, voter, vote);
  want(state, vote.targetHash, null, state.rules.parameters.slotDurationMs);
}

function highestSlotKnown(state: ConsensusState): number {
  return Math.max(state.best.header.slot, state.justifiedTip.header.slot, state.root.header.slot);
}

function applyVote(state: ConsensusState, target: TreeNode, rank: number, vote: Vote): void {
  const { header } = target;
  const matches =
    vote.targetSlot === header.slot && vote.pohCount === header.pohCount && sameBytes(vote.stateRoot, header.stateRoot);
  if (!matches) return;
  placeVote(state, state.voters[rank]!, target);
  const added = addVote(state, target, rank, vote);
  if (added && state.leading.tip !== null) emit(state, { kind: 'includeVote', vote });
}

/** A block has joined the tree: applies the votes that waited for it. */
export function applyWaitingVotes(state: ConsensusState, node: TreeNode): void {
  for (const vote of takeUnknownVotes(state, node))
    applyVote(state, node, state.rules.rankByKey.get(byteKey(vote.voter))!, vote);
}
