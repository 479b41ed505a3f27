/**
 * The leader's duty: when to start producing, on what, and when to stop.
 *
 * - Who leads stays the leader and builds on its own blocks without waiting for votes (pipelined), until another branch is best or
 *   there is no room.
 * - Everyone else waits for its first turn on the best block (ranking.ts), counted on its own clock from the moment that block
 *   became best, and never uses a slot it has produced in before, in this life or an earlier one.
 * - Nobody leads before its peers have told it where the chain stands, or one timeout has passed; nor while it
 *   knows of a higher chain and is still fetching it (for two timeouts at most: the claim may be a lie).
 * - Nobody produces where there is no room (room.ts).
 */
import type { Slot } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../codec/model.ts';
import { firstOwnSlot } from './ranking.ts';
import { roomOpensAtMs } from './room.ts';
import type { ConsensusState, TreeNode } from './state.ts';
import { assertInvariant, emit, wakeBy } from './state.ts';
import { pathAbove } from './tree.ts';

/** Starts or stops producing when due. */
export function leadIfDue(state: ConsensusState): void {
  if (state.rules.ownRank === null) return;
  const roomAtMs = roomOpensAtMs(state, state.best);
  const room = roomAtMs <= state.nowMs;
  if (!room) wakeBy(state, roomAtMs);
  if (room && !state.leading.hadRoom) state.leading.roomSinceMs = state.nowMs;
  state.leading.hadRoom = room;
  const goesOn = state.leading.tip === state.best && room && !state.voting.silenced;
  if (state.leading.tip !== null && !goesOn) stopLeading(state);
  if (state.leading.tip === null && room && !state.voting.silenced) startIfDue(state, state.rules.ownRank);
}

function stopLeading(state: ConsensusState): void {
  state.leading.tip = null;
  emit(state, { kind: 'stopLeading' });
}

function startIfDue(state: ConsensusState, ownRank: number): void {
  const { best, rules } = state;
  const { slotDurationMs, timeoutSlots } = rules.parameters;
  const slot = firstOwnSlot(best, ownRank, state.leading.highestProducedSlot, {
    timeoutSlots,
    validatorCount: rules.ranking.length,
    gapSlotsMax: rules.limits.gapSlotsMax,
  });
  if (slot === null) return;
  const sinceMs = Math.max(state.bestSinceMs, state.leading.roomSinceMs);
  const turnMs = sinceMs + (slot - best.header.slot - 1) * slotDurationMs;
  const dueMs = Math.max(turnMs, graceUntilMs(state), fetchingUntilMs(state));
  if (state.nowMs < dueMs) {
    wakeBy(state, dueMs);
    return;
  }
  state.leading.tip = best;
  emit(state, { kind: 'lead', parentHash: best.header.hash, slot: slot as Slot, votes: openVotes(state, best) });
}

function graceUntilMs(state: ConsensusState): number {
  const { slotDurationMs, timeoutSlots } = state.rules.parameters;
  return state.peersReady ? state.startedMs : state.startedMs + timeoutSlots * slotDurationMs;
}

/** While a higher chain is said to exist: at most two timeouts after the best block last changed. */
function fetchingUntilMs(state: ConsensusState): number {
  const { slotDurationMs, timeoutSlots } = state.rules.parameters;
  const behind = state.sync.targetHeight > state.best.header.height || state.topHeight > state.validHeight;
  return behind ? state.bestSinceMs + 2 * timeoutSlots * slotDurationMs : Number.NEGATIVE_INFINITY;
}

/**
 * Everything a new leader puts into its first block: the votes for the open blocks below it and for the newest final
 * ones. Some may stand in earlier blocks already; what counts is that the chain holds what shows it final.
 */
function openVotes(state: ConsensusState, tip: TreeNode): Vote[] {
  const votes: Vote[] = [];
  for (const past of state.trail.values()) votes.push(...past.votes);
  for (const node of [state.root, ...pathAbove(state.root, tip)])
    for (const records of node.votes.values()) votes.push(...records.map((record) => record.vote));
  return votes;
}

/** This node's own block is done: the slot is used up, and while leading the next one goes on top. */
export function noteProduced(state: ConsensusState, header: BlockHeader): void {
  if (header.slot > state.leading.highestProducedSlot) state.leading.highestProducedSlot = header.slot;
}

/** Moves the leading tip to a block just produced on it. */
export function extendLead(state: ConsensusState, node: TreeNode): void {
  assertInvariant(node.verification === 'valid', 'an own block must be valid before it is built upon');
  if (state.leading.tip === node.parent) state.leading.tip = node;
}
