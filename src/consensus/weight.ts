/**
 * Where each voter's bond lies in the tree: at the target of its newest known vote. `weight` of a node sums its subtree and is kept up to date along the two
 * branches a vote moves between. A voter weighs what it does in the current set of the electorate after the root: when the root moves to
 * another electorate, everything is weighed anew. So the fork choice is the same on all nodes with one root.
 */
import { byteKey, type PublicKey } from '../../native/index.ts';
import { holdsHonestOf, rankOf } from './electorate.ts';
import type { ConsensusState, TreeNode, Voter } from './state.ts';

function addAlong(node: TreeNode, weight: bigint): void {
  for (let at: TreeNode | null = node; at !== null; at = at.parent) at.weight += weight;
}

/** What a voter weighs in the fork choice now. */
export function weightOf(state: ConsensusState, key: PublicKey): bigint {
  const { electorate } = state.root;
  const rank = electorate === null ? undefined : rankOf(electorate, key);
  const member = rank === undefined ? undefined : electorate!.members[rank];
  return member?.inCurrent === true && !member.excluded ? member.weight : 0n;
}

/** Takes a voter's bond off the tree. */
export function liftVote(voter: Voter): void {
  if (voter.placed === null) return;
  addAlong(voter.placed, -voter.placedWeight);
  voter.placed = null;
  voter.placedWeight = 0n;
}

/** Moves a voter's bond to `target`, unless a newer vote of it is placed already or it is a proven equivocator. */
export function placeVote(state: ConsensusState, voter: Voter, target: TreeNode): void {
  if (voter.equivocated || target.header.slot <= voter.placedSlot) return;
  liftVote(voter);
  putAt(state, voter, target);
  state.forkChoiceDirty = true;
}

function putAt(state: ConsensusState, voter: Voter, target: TreeNode): void {
  voter.placedWeight = weightOf(state, voter.publicKey);
  addAlong(target, voter.placedWeight);
  voter.placed = target;
  voter.placedSlot = target.header.slot;
}

/** The root stands under another electorate now: every voter weighs what it does there. */
export function weighAnew(state: ConsensusState): void {
  for (const voter of state.voters.values()) {
    const { placed } = voter;
    if (placed === null) continue;
    liftVote(voter);
    putAt(state, voter, placed);
  }
  state.forkChoiceDirty = true;
}

/** Whether a weight in the tree is more than 1/3 of the root's current set: an honest voter stands behind it, as long as less than 1/3 is not. */
export function holdsHonest(state: ConsensusState, weight: bigint): boolean {
  return holdsHonestOf(state.root.electorate!, { current: weight, previous: 0n });
}

/** Weight of the voters with one of `keys`, each once. */
export function weightOfAll(state: ConsensusState, keys: readonly PublicKey[]): bigint {
  const once = new Map(keys.map((key) => [byteKey(key), key]));
  let sum = 0n;
  for (const key of once.values()) sum += weightOf(state, key);
  return sum;
}
