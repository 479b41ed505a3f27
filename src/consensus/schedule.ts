/**
 * When may a block be followed? PoH shows that slots were computed, not that their time has passed; each node checks that on its
 * own clock, so that a fast machine can neither take the lead early nor run ahead.
 *
 * - Gap: a block that skips slots may be followed once its parent was seen at least (g - 1) * slotDurationMs * 3/4 ago.
 * - Schedule: from an anchor (slot, time) slots may come at up to 4/3 of the nominal pace (clocks differ, links jitter), and
 *   `aheadSlots` early. The anchor moves to each new best block that is late, keeping `scheduleSlackSlots` for a leader
 *   that catches up, and to each justified block, however early: then more than 2/3 agree on the time.
 * - A block is late by the highest slot followed so far, on whatever branch: whose clock has seen that slot come need not wait for it again when
 *   it climbs up another branch from the fork. Else healing a partition would take three times as long as the partition.
 * - A node that has started does not know how long it was away: it has no anchor until it has caught up (listening.ts).
 *
 * These bounds decide whom to follow and vote for, never validity: what carries the votes of more than 1/3 is followed at once
 * (one honest voter's clock agreed), so a wrong local clock costs its owner votes, not the network its progress.
 */
import { hasListened } from './listening.ts';
import type { ConsensusState, TreeNode } from './state.ts';
import { holdsHonest } from './weight.ts';

/** Slots pass at most this much faster than nominal. */
const PACE_TOLERANCE = 3 / 4;

/** The local time from which `node` may be followed (in the past: now). */
export function followableAtMs(state: ConsensusState, node: TreeNode): number {
  const isOwn = node.leader === state.rules.ownKey;
  if (isOwn || holdsHonest(state, node.weight)) return Number.NEGATIVE_INFINITY;
  return Math.max(gapPassedAtMs(state, node), scheduledAtMs(state, node.header.slot));
}

function gapPassedAtMs(state: ConsensusState, node: TreeNode): number {
  const { parent } = node;
  if (parent === null) return Number.NEGATIVE_INFINITY;
  const skippedSlots = node.header.slot - parent.header.slot - 1;
  return parent.seenMs + skippedSlots * state.rules.parameters.slotDurationMs * PACE_TOLERANCE;
}

function scheduledAtMs(state: ConsensusState, slot: number): number {
  const { schedule, rules } = state;
  if (!schedule.anchored) return Number.NEGATIVE_INFINITY;
  const slots = slot - rules.limits.aheadSlots - schedule.anchorSlot;
  return schedule.anchorMs + slots * rules.parameters.slotDurationMs * PACE_TOLERANCE;
}

/** Begins to judge by the local clock, from the best block on, once this node knows where the chain stands and has followed it there. */
export function beginSchedule(state: ConsensusState): void {
  if (state.schedule.anchored || !hasListened(state) || state.forkChoiceRetryMs < Number.POSITIVE_INFINITY) return;
  setAnchor(state, state.best.header.slot);
}

/** The best block is now `node`: brings the schedule back when it has run too far ahead of the chain, and forward to a quorum. */
export function anchorSchedule(state: ConsensusState, node: TreeNode): void {
  const { schedule, rules } = state;
  const slotMs = rules.parameters.slotDurationMs * PACE_TOLERANCE;
  const expected = schedule.anchorSlot + (state.nowMs - schedule.anchorMs) / slotMs;
  schedule.highestSlot = Math.max(schedule.highestSlot, node.header.slot);
  const latest = schedule.highestSlot + rules.limits.scheduleSlackSlots;
  const justifiedSlot = state.justifiedTip.header.slot;
  if (!schedule.anchored) return;
  if (expected > latest) setAnchor(state, latest);
  else if (expected < justifiedSlot) setAnchor(state, justifiedSlot);
}

function setAnchor(state: ConsensusState, slot: number): void {
  state.schedule.anchored = true;
  state.schedule.anchorSlot = slot;
  state.schedule.anchorMs = state.nowMs;
}
