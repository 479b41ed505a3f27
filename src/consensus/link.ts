/**
 * The finalizing link: a vote from a block to its child in the very next slot. Why the next slot: finalize.ts.
 */
import { sameBytes } from '../../native/index.ts';
import type { Vote } from '../codec/model.ts';
import type { TreeNode } from './state.ts';

/** Whether a vote for `target` has the target's parent as source, and that parent stands in the slot right before. */
export function isFinalizingLink(target: TreeNode, vote: Vote): boolean {
  const { parent } = target;
  if (parent === null || parent.header.slot + 1 !== target.header.slot) return false;
  return sameBytes(vote.sourceHash, parent.header.hash);
}

/** The counted votes for `child` that link it to its parent so: they show the parent final. */
export function linkVotes(child: TreeNode): Vote[] {
  const votes: Vote[] = [];
  for (const records of child.votes.values())
    for (const { vote, counted } of records) if (counted && isFinalizingLink(child, vote)) votes.push(vote);
  return votes;
}
