/**
 * Where each voter's bond lies in the tree: at the target of its newest known vote. `weight` of a node sums its subtree and
 * is kept up to date along the two branches a vote moves between.
 */
import type { ConsensusState, Rules, TreeNode, Voter } from './state.ts';

function addAlong(node: TreeNode, bond: bigint): void {
  for (let at: TreeNode | null = node; at !== null; at = at.parent) at.weight += bond;
}

function bondOf(voter: Voter, rules: Rules): bigint {
  return rules.ranking[voter.rank]!.bond;
}

/** Takes a voter's bond off the tree. */
export function liftVote(voter: Voter, rules: Rules): void {
  if (voter.placed === null) return;
  addAlong(voter.placed, -bondOf(voter, rules));
  voter.placed = null;
}

/** Moves a voter's bond to `target`, unless a newer vote of it is placed already or it is a proven equivocator. */
export function placeVote(state: ConsensusState, voter: Voter, target: TreeNode): void {
  if (voter.equivocated || target.header.slot <= voter.placedSlot) return;
  liftVote(voter, state.rules);
  addAlong(target, bondOf(voter, state.rules));
  voter.placed = target;
  voter.placedSlot = target.header.slot;
  state.forkChoiceDirty = true;
}
