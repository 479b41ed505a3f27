/**
 * Judging a vote's source: the safety of every count rests on it being justified.
 *
 * In the tree, the source must be a proper ancestor of the target, in the slot the vote says, and justified. In a slot below the
 * root's it is not looked into any more (why that is safe: docs/protocol.md, "Safety").
 */
import { byteKey } from '../../native/index.ts';
import type { Vote } from '../codec/model.ts';
import type { ConsensusState, TreeNode } from './state.ts';
import { isProperAncestor } from './tree.ts';

/** What a vote's source is to this node: good now, perhaps good later, or never to be counted here. */
export type SourceStanding = 'justified' | 'waiting' | 'never';

/** Judges the source of a vote for `target`. */
export function sourceStanding(state: ConsensusState, vote: Vote, target: TreeNode): SourceStanding {
  const key = byteKey(vote.sourceHash);
  const source = state.nodes.get(key);
  if (source !== undefined) {
    if (source.header.slot !== vote.sourceSlot || !isProperAncestor(source, target)) return 'never';
    return source.justified ? 'justified' : 'waiting';
  }
  return vote.sourceSlot < state.root.header.slot ? 'justified' : 'never';
}
