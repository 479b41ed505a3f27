/**
 * The two-chain rule: a justified block B is final when its child C stands in the very next slot and voters with a quorum (of the electorate after B)
 * voted for C with B as their source.
 *
 * Why the next slot: between B and C no other slot exists, so a later conflicting justified block D either shares a slot with B
 * or C (more than 1/3 voted twice in it), or its voters' sources lie below B: each such vote surrounds the vote B -> C.
 * With a gap there is room for a justified D between B and C, and votes 9 -> 11 and 10 -> 13 break no rule.
 */
import { noteOffChain, watchNewRoot } from './conflict.ts';
import { isQuorumOf } from './electorate.ts';
import { announceJustified, countedVotes, countFromBelow, ranksAbove } from './justify.ts';
import { linkVotes } from './link.ts';
import { prunePools } from './prune.ts';
import { holdElectorate, releaseElectorate } from './registry.ts';
import type { ConsensusState, TreeNode } from './state.ts';
import { emit } from './state.ts';
import { cutSubtree, forgetNodes, pathAbove } from './tree.ts';
import { weighAnew } from './weight.ts';

/**
 * Finalizes everything this step has made final, the lowest first: each block that is final by its own child is told as such, so that no era passes without one (docs/protocol.md, "Hand-overs").
 * The block to be finalized must be verified; else it waits until it is.
 */
export function settleFinality(state: ConsensusState): void {
  while (state.finalizable.length > 0) {
    state.finalizable.sort((a, b) => a.header.slot - b.header.slot);
    const child = state.finalizable.shift()!;
    const block = child.parent;
    if (block === null || block === state.root || state.nodes.get(child.key) !== child) continue;
    if (block.justified && block.verification === 'valid' && isFinalizedBy(child)) finalize(state, block, child);
  }
}

/** Counted votes for `child` with its parent as source, the parent in the slot before (`linkStake` sums only those). */
function isFinalizedBy(child: TreeNode): boolean {
  return child.judge !== null && isQuorumOf(child.judge, child.linkStake);
}

function finalize(state: ConsensusState, block: TreeNode, child: TreeNode): void {
  const path = pathAbove(state.root, block);
  const lost: TreeNode[] = [];
  for (const [i, kept] of path.entries()) {
    const below = i === 0 ? state.root : path[i - 1]!;
    for (const sibling of below.children.filter((node) => node !== kept)) lost.push(...cutSubtree(state, sibling));
  }
  const before = state.root;
  const sunk = [before, ...path.slice(0, -1)];
  state.root = block;
  block.parent = null;
  if (before.electorate!.members !== block.electorate!.members) weighAnew(state);
  state.progressMs = state.nowMs;
  const certificate = { header: child.header, votes: linkVotes(child) };
  emit(state, { kind: 'finalize', hashes: path.map((node) => node.header.hash), certificate });
  if (lost.length > 0) emit(state, { kind: 'prune', hashes: lost.map((node) => node.header.hash) });
  for (const node of sunk) countFromBelow(state, node);
  leaveTrail(state, sunk);
  for (const { header } of lost) if (header.slot > block.header.slot) noteOffChain(state, header);
  prunePools(state);
  refreshJustifiedTip(state);
  watchNewRoot(state, before.header.slot);
}

function leaveTrail(state: ConsensusState, nodes: readonly TreeNode[]): void {
  for (const node of nodes) {
    const electorate = node.electorate!;
    state.trail.set(node.key, { header: node.header, votes: countedVotes(node), judge: node.judge, electorate });
    holdElectorate(state, electorate);
  }
  forgetNodes(state, nodes);
  for (const [key, { electorate }] of state.trail) {
    if (state.trail.size <= state.rules.limits.trailBlocksMax) break;
    state.trail.delete(key);
    releaseElectorate(state, electorate);
  }
}

/** The highest justified block may have been on a lost branch. */
function refreshJustifiedTip(state: ConsensusState): void {
  if (state.nodes.get(state.justifiedTip.key) === state.justifiedTip) return;
  state.justifiedTip = state.root;
  for (const node of state.nodes.values())
    if (node.justified && node.verification === 'valid' && ranksAbove(node, state.justifiedTip)) {
      state.justifiedTip = node;
    }
  announceJustified(state, state.justifiedTip);
}
