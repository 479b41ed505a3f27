/**
 * The tree of blocks above the newest finalized one: adding, walking, removing.
 *
 * Invariants: every node's parent is in the tree (the root has none); `nodes`, `proposals`, weights and the waiting sets
 * change here together, so that a removed node is referred to by nothing that lives on.
 */

import type { Hash } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { BlockHeader } from '../codec/model.ts';
import { NO_TALLY } from './electorate.ts';
import type { PeerName } from './model.ts';
import { releaseElectorate } from './registry.ts';
import type { ConsensusState, TreeNode } from './state.ts';
import { liftVote } from './weight.ts';

/** A node without votes, not yet linked to anything. */
export function newNode(
  header: BlockHeader,
  { parent, from, seenMs }: { parent: TreeNode | null; from: PeerName | null; seenMs: number },
): TreeNode {
  const leader = byteKey(header.leader);
  return {
    header,
    key: byteKey(header.hash),
    leader,
    ledSinceSlot: ledSince(header.slot, leader, parent),
    parent,
    children: [],
    seenMs,
    from,
    verification: parent === null ? 'valid' : 'waiting',
    judge: null,
    electorate: null,
    votes: new Map(),
    stake: NO_TALLY,
    linkStake: NO_TALLY,
    justified: parent === null,
    announced: parent === null,
    weight: 0n,
  };
}

/** Nothing is known below the first root: its leader counts as having just begun. */
function ledSince(slot: number, leader: string, parent: TreeNode | null): number {
  if (parent === null) return slot - 1;
  return parent.leader === leader ? parent.ledSinceSlot : parent.header.slot;
}

/** Links a new block under its parent. */
export function addNode(state: ConsensusState, header: BlockHeader, parent: TreeNode, from: PeerName | null): TreeNode {
  const node = newNode(header, { parent, from, seenMs: state.nowMs });
  parent.children.push(node);
  state.nodes.set(node.key, node);
  const proposals = state.proposals.get(header.slot);
  if (proposals === undefined) state.proposals.set(header.slot, [header]);
  else proposals.push(header);
  if (header.height > state.topHeight) state.topHeight = header.height;
  return node;
}

export function nodeOf(state: ConsensusState, hash: Hash): TreeNode | undefined {
  return state.nodes.get(byteKey(hash));
}

/** Whether `ancestor` lies strictly below `node` on its branch. */
export function isProperAncestor(ancestor: TreeNode, node: TreeNode): boolean {
  let at = node.parent;
  while (at !== null && at.header.height > ancestor.header.height) at = at.parent;
  return at === ancestor;
}

/** The nodes above `ancestor` up to and with `node`, lowest first; empty when they are the same. `ancestor` must be one. */
export function pathAbove(ancestor: TreeNode, node: TreeNode): TreeNode[] {
  const path: TreeNode[] = [];
  for (let at: TreeNode | null = node; at !== null && at !== ancestor; at = at.parent) path.push(at);
  return path.reverse();
}

/** `top` and everything above it, parents first. */
export function subtree(top: TreeNode): TreeNode[] {
  const found = [top];
  for (let i = 0; i < found.length; i++) for (const child of found[i]!.children) found.push(child);
  return found;
}

/** Takes these nodes out of every index. Their links to each other are left to the garbage collector. */
export function forgetNodes(state: ConsensusState, removed: readonly TreeNode[]): void {
  const gone = new Set(removed);
  for (const voter of state.voters.values()) if (voter.placed !== null && gone.has(voter.placed)) liftVote(voter);
  for (const node of removed) {
    state.nodes.delete(node.key);
    state.waitingForSource.delete(node.key);
    forgetProposal(state, node.header);
    if (node.electorate !== null) releaseElectorate(state, node.electorate);
  }
  state.forkChoiceDirty = true;
}

function forgetProposal(state: ConsensusState, header: BlockHeader): void {
  const rest = state.proposals.get(header.slot)?.filter((other) => other !== header) ?? [];
  if (rest.length === 0) state.proposals.delete(header.slot);
  else state.proposals.set(header.slot, rest);
}

/** Cuts `top` and all above it out of the tree; returns them. `top` must not be the root. */
export function cutSubtree(state: ConsensusState, top: TreeNode): TreeNode[] {
  const removed = subtree(top);
  forgetNodes(state, removed);
  const siblings = top.parent?.children;
  siblings?.splice(siblings.indexOf(top), 1);
  state.topHeight = state.root.header.height;
  for (const node of state.nodes.values()) state.topHeight = Math.max(state.topHeight, node.header.height);
  return removed;
}
