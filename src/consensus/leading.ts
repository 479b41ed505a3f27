/**
 * The leader's duty: when to start producing, on what, and when to stop.
 *
 * - Who leads stays the leader and builds on its own blocks without waiting for votes (pipelined), until another branch is best, the next slot is
 *   another's (its term has ended, it has handed over, it is deposed), or there is no room.
 * - Everyone else waits for its first turn on the best block (succession.ts), counted on its own clock from the moment that block
 *   became best, and never uses a slot it has produced in before, in this life or an earlier one.
 * - Nobody leads before its peers have told it where the chain stands, or one timeout has passed; nor while it
 *   knows of a higher chain and is still fetching it (for two timeouts at most: the claim may be a lie).
 * - Nobody produces where there is no room (room.ts).
 */
import type { PublicKey, Slot } from '../../native/index.ts';
import { byteKey, sameBytes } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../codec/model.ts';
import { countedVotes } from './justify.ts';
import { gapSlotsMaxOf } from './limits.ts';
import type { Room } from './room.ts';
import { roomOn } from './room.ts';
import type { ConsensusState, TreeNode } from './state.ts';
import { assertInvariant, emit, wakeBy } from './state.ts';
import { firstOwnSlot, leaderOf } from './succession.ts';
import { pathAbove } from './tree.ts';

/** Starts or stops producing when due. */
export function leadIfDue(state: ConsensusState): void {
  const { own } = state.rules;
  if (own === null) return;
  const { leading, voting } = state;
  const room = roomOn(state, state.best);
  const isOpen = room.opensAtMs <= state.nowMs;
  if (!isOpen) wakeBy(state, room.opensAtMs);
  if (isOpen && !leading.hadRoom) leading.roomSinceMs = state.nowMs;
  leading.hadRoom = isOpen;
  const mayLead = isOpen && voting.silence === null;
  if (leading.tip !== null && !(mayLead && goesOn(state, own, room))) stopLeading(state);
  if (leading.tip === null && mayLead) startIfDue(state, own, room);
}

/** Whether the slot in production still is this node's, on the best block, and there is room for it. */
function goesOn({ leading, best, rules }: ConsensusState, own: PublicKey, { fromSlot }: Room): boolean {
  if (leading.tip !== best || leading.nextSlot < fromSlot) return false;
  return sameBytes(leaderOf(best.electorate!, best.header, leading.nextSlot, rules.parameters)!, own);
}

function stopLeading(state: ConsensusState): void {
  state.leading.tip = null;
  emit(state, { kind: 'stopLeading' });
}

function startIfDue(state: ConsensusState, own: PublicKey, room: Room): void {
  const { best, rules } = state;
  const { parameters } = rules;
  const { slotDurationMs } = parameters;
  const electorate = best.electorate!;
  const slot = firstOwnSlot(electorate, best.header, {
    own,
    timeoutSlots: parameters.timeoutSlots,
    termSlots: parameters.termSlots,
    fromSlot: Math.max(room.fromSlot, state.leading.highestProducedSlot + 1),
    gapSlotsMax: gapSlotsMaxOf(parameters, electorate.members.length),
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
  state.leading.nextSlot = slot;
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
 * Everything a new leader puts into its first block: the counted votes for the open blocks below it and for the newest final
 * ones. Some may stand in earlier blocks already; what counts is that the chain holds what shows it final. In the order in which the chain can count them:
 * by target upwards, and for one target the newest source first (a link makes final what older sources then lie below).
 */
function openVotes(state: ConsensusState, tip: TreeNode): Vote[] {
  const path = [state.root, ...pathAbove(state.root, tip)].map(countedVotes);
  const past = [...state.trail.values()].map(({ votes }) => [...votes]);
  return [...past, ...path].flatMap((votes) => votes.sort((a, b) => b.sourceSlot - a.sourceSlot));
}

/** This node has signed a block for a slot, in this life or another: the slot is used up. */
export function noteProduced(state: ConsensusState, header: BlockHeader): void {
  const { leading } = state;
  if (header.slot > leading.highestProducedSlot) leading.highestProducedSlot = header.slot;
}

/** The slot in production ended in a decoy: the next one goes on the same parent. */
export function skipDecoySlot({ leading }: ConsensusState, header: BlockHeader): void {
  if (leading.tip !== null && byteKey(header.parentHash) === leading.tip.key) leading.nextSlot = header.slot + 1;
}

/** Moves the leading tip to a block just produced on it. */
export function extendLead(state: ConsensusState, node: TreeNode): void {
  assertInvariant(node.verification === 'valid', 'an own block must be valid before it is built upon');
  if (state.leading.tip !== node.parent) return;
  state.leading.tip = node;
  state.leading.nextSlot = node.header.slot + 1;
}
