/**
 * Votes that prove something to others: a block's justification, and its finality by the link to its child.
 */
import type { Vote } from '../codec/model.ts';
import { sameBytes } from './hash-key.ts';
import type { TreeNode } from './state.ts';

/** The counted votes for `child` whose source is its parent, when the parent stands in the slot before it. */
export function linkVotes(child: TreeNode): Vote[] {
  const votes: Vote[] = [];
  const parentSlot = child.header.slot - 1;
  const parentHash = child.header.parentHash;
  for (const records of child.votes.values())
    for (const { vote, counted } of records)
      if (counted && vote.sourceSlot === parentSlot && sameBytes(vote.sourceHash, parentHash)) votes.push(vote);
  return votes;
}
