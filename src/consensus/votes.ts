/**
 * A vote arrives: who sent it, does it prove misbehaviour, is its target here, does it count.
 *
 * Order of checks: voter known to some electorate alive (if not, the vote is dropped and nobody is blamed: this node may be behind); source below target; far-future bound; evidence; newest vote of this voter; target known
 * (else it waits, and the block is asked for); fields equal to the target's header (if not, the vote is dropped and nobody is
 * blamed: who forwarded it may not have had the block); source. A vote at or below the root
 * decides nothing any more, but is still compared for evidence, and kept and carried into the chain, which sees by it that its voter is there.
 */
import { byteKey, sameBytes } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../codec/model.ts';
import { watchForConflict } from './conflict.ts';
import { isVoteForDecoy } from './decoys.ts';
import { rankOf } from './electorate.ts';
import { noteVote } from './evidence.ts';
import { addVote } from './justify.ts';
import { farVoteSlotsOf } from './limits.ts';
import type { PeerName } from './model.ts';
import { adoptOwnVote } from './own-vote.ts';
import type { ConsensusState, TreeNode, Voter } from './state.ts';
import { emit, fault } from './state.ts';
import { holdUnknownVote, takeUnknownVotesFor } from './unknown-votes.ts';
import { want } from './wanted.ts';
import { placeVote } from './weight.ts';

/** Takes in one vote whose signature has been checked. */
export function receiveVote(state: ConsensusState, vote: Vote, from: PeerName | null): void {
  if (vote.sourceSlot >= vote.targetSlot) {
    fault(state, from, 'voteOrder');
    return;
  }
  const key = byteKey(vote.voter);
  if (vote.targetSlot > farthestSlot(state)) return;
  if (key === state.rules.ownKey) adoptOwnVote(state, vote);
  const voter = state.voters.get(key);
  if (voter === undefined) return;
  noteVote(state, voter, vote);
  watchForConflict(state, vote);
  if (isVoteForDecoy(state, voter, vote)) return;
  const { root } = state;
  const targetKey = byteKey(vote.targetHash);
  if (vote.targetSlot <= root.header.slot && targetKey !== root.key) {
    noteLateVote(state, targetKey, vote);
    return;
  }
  if (voter.latest === null || vote.targetSlot > voter.latest.targetSlot) voter.latest = vote;
  const target = state.nodes.get(targetKey);
  if (target !== undefined) {
    applyVote(state, target, voter, vote);
    return;
  }
  if (state.invalid.has(targetKey)) return;
  holdUnknownVote(state, voter, vote);
  want(state, vote.targetHash, null, state.rules.parameters.slotDurationMs);
}

function farthestSlot({ best, justifiedTip, root, rules }: ConsensusState): number {
  const known = Math.max(best.header.slot, justifiedTip.header.slot, root.header.slot);
  return known + farVoteSlotsOf(rules.parameters, best.electorate!.members.length);
}

/** A vote for a block that is final already. */
function noteLateVote(state: ConsensusState, targetKey: string, vote: Vote): void {
  const entry = state.trail.get(targetKey);
  if (entry === undefined || entry.judge === null || rankOf(entry.judge, vote.voter) === undefined) return;
  if (!isFor(vote, entry.header) || entry.votes.some(({ voter }) => sameBytes(voter, vote.voter))) return;
  entry.votes.push(vote);
  if (state.leading.tip !== null) emit(state, { kind: 'includeVote', vote });
}

/** Whether a vote's fields are those of its target. */
function isFor(vote: Vote, header: BlockHeader): boolean {
  return (
    vote.targetSlot === header.slot && vote.pohCount === header.pohCount && sameBytes(vote.stateRoot, header.stateRoot)
  );
}

function applyVote(state: ConsensusState, target: TreeNode, voter: Voter, vote: Vote): void {
  if (!isFor(vote, target.header)) return;
  placeVote(state, voter, target);
  addVote(state, target, vote);
}

/** A block has joined the tree: applies the votes that waited for it. */
export function applyWaitingVotes(state: ConsensusState, node: TreeNode): void {
  for (const vote of takeUnknownVotesFor(state, node.key))
    applyVote(state, node, state.voters.get(byteKey(vote.voter))!, vote);
}
