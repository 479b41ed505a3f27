/**
 * Leaders caught at something: two proposals for one slot, or a block that breaks a rule and is not owned up to as a decoy. From the slot of the offence on such a
 * leader's blocks are not followed, so not voted for either, until somebody else has led on that branch; unless votes of more than 1/3 stand behind them. So the turn
 * passes on after one timeout, and the chain's own verdict (evidence, `deposed`) has time to come.
 *
 * It ends, too, when everybody in line has let a turn go by: an honest leader that died between a decoy and its reveal may be the last one that is left.
 *
 * It decides whom to follow, never what is valid. Bounded: `offencesPerLeaderMax` for each voter known; forgotten `evidenceSlots` below the root.
 */
import type { ConsensusState, TreeNode } from './state.ts';
import { wakeBy } from './state.ts';
import { subtree } from './tree.ts';

/** Remembers an offence of `leader` in `slot`; `mark` names it. */
export function noteOffence(state: ConsensusState, leader: string, mark: string, slot: number): void {
  if (!state.voters.has(leader)) return;
  const marks = state.offences.get(leader) ?? new Map<string, number>();
  marks.set(mark, slot);
  state.offences.set(leader, marks);
  state.forkChoiceDirty = true;
  for (const oldest of marks.keys()) {
    if (marks.size <= state.rules.limits.offencesPerLeaderMax) break;
    marks.delete(oldest);
  }
}

/** An offence turned out to be none. */
export function forgiveOffence(state: ConsensusState, mark: string): void {
  for (const [leader, marks] of state.offences) {
    if (!marks.delete(mark)) continue;
    if (marks.size === 0) state.offences.delete(leader);
    state.forkChoiceDirty = true;
  }
}

/** Whether the block's leader has offended since another last led below it. */
export function isDistrusted(state: ConsensusState, node: TreeNode): boolean {
  const marks = state.offences.get(node.leader);
  if (marks === undefined || node.leader === state.rules.ownKey) return false;
  for (const slot of marks.values()) if (node.ledSinceSlot < slot && slot <= node.header.slot) return true;
  return false;
}

/**
 * When everybody in line has let a turn go by on the best block, and a distrusted leader's blocks are all there is on it: they count as if somebody else had led
 * before them. Later offences, and other branches of that leader, are not forgiven.
 */
export function forgiveIfNobodyLeads(state: ConsensusState): void {
  const { best } = state;
  const held = best.children.filter((node) => node.verification === 'valid' && isDistrusted(state, node));
  if (held.length === 0) return;
  const { slotDurationMs, timeoutSlots } = state.rules.parameters;
  const dueMs = state.bestSinceMs + best.electorate!.members.length * timeoutSlots * slotDurationMs;
  if (state.nowMs < dueMs) {
    wakeBy(state, dueMs);
    return;
  }
  for (const node of held) forgiveAlong(node, node.header.slot);
  state.forkChoiceDirty = true;
}

/** This block and those that its leader has built on it without a break. */
function forgiveAlong(first: TreeNode, slot: number): void {
  for (const node of subtree(first))
    if (node === first || (node.leader === first.leader && node.parent!.ledSinceSlot === slot))
      node.ledSinceSlot = slot;
}

/** Forgets what finality has left behind. */
export function pruneOffences(state: ConsensusState): void {
  const oldest = state.root.header.slot - state.rules.limits.evidenceSlots;
  for (const [leader, marks] of state.offences) {
    for (const [mark, slot] of marks) if (slot < oldest) marks.delete(mark);
    if (marks.size === 0) state.offences.delete(leader);
  }
}
