/**
 * Which block to build on and vote for: from the highest justified block upwards, at each fork the child with the most stake
 * (newest votes, equivocators aside), then the smallest availability gap (fewest skipped slots), then the lower hash.
 *
 * Only verified blocks are followed, only those the local clock agrees with (schedule.ts), and none of a leader caught at an offence
 * (distrust.ts). Same votes, same blocks, same root: same choice on every node.
 */
import { forgiveIfNobodyLeads, isDistrusted } from './distrust.ts';
import { anchorSchedule, followableAtMs } from './schedule.ts';
import type { ConsensusState, TreeNode } from './state.ts';
import { emit, wakeBy } from './state.ts';
import { holdsHonest } from './weight.ts';

/** Whether child `a` of a fork goes before child `b`. */
export function goesBefore(a: TreeNode, b: TreeNode): boolean {
  if (a.weight !== b.weight) return a.weight > b.weight;
  if (a.header.slot !== b.header.slot) return a.header.slot < b.header.slot;
  return a.key < b.key;
}

/** Looks again for the best block if anything that matters has changed, and says so when it is another one. */
export function chooseBest(state: ConsensusState): void {
  forgiveIfNobodyLeads(state);
  if (!state.forkChoiceDirty && state.nowMs < state.forkChoiceRetryMs) {
    wakeBy(state, state.forkChoiceRetryMs);
    return;
  }
  state.forkChoiceDirty = false;
  state.forkChoiceRetryMs = Number.POSITIVE_INFINITY;
  const best = climb(state);
  wakeBy(state, state.forkChoiceRetryMs);
  if (best === state.best) return;
  state.best = best;
  state.bestSinceMs = state.nowMs;
  anchorSchedule(state, best);
  emit(state, { kind: 'bestChanged', hash: best.header.hash });
}

function climb(state: ConsensusState): TreeNode {
  let at = state.justifiedTip;
  for (let next = bestChild(state, at); next !== null; next = bestChild(state, at)) at = next;
  return at;
}

function bestChild(state: ConsensusState, node: TreeNode): TreeNode | null {
  let best: TreeNode | null = null;
  for (const child of node.children) {
    if (child.verification !== 'valid') continue;
    if (isDistrusted(state, child) && !holdsHonest(state, child.weight)) continue;
    const atMs = followableAtMs(state, child);
    if (atMs > state.nowMs) state.forkChoiceRetryMs = Math.min(state.forkChoiceRetryMs, atMs);
    else if (best === null || goesBefore(child, best)) best = child;
  }
  return best;
}
