/**
 * The machine: one event in, effects out.
 *
 * `step` is the only writer of the state and changes it in place (a copy of the tree for each of thousands of events would
 * cost more than all rules together); callers pass the state on and read it through selectors. Nothing here reads a clock, a random
 * source or anything outside its arguments: the same events at the same times give the same effects.
 *
 * Every step: take the event in; finalize what became final; choose the best block; vote, lead, request, resend if due; say
 * when to wake. All duties look at the state, not at the event, so none depends on which message came last.
 */
import { acceptBlock, receiveBlock, receiveDecoy, receiveOwnBlock, rejectBlock } from './arrival.ts';
import { blameIfDue } from './decoys.ts';
import { settleFinality } from './finalize.ts';
import { chooseBest } from './fork-choice.ts';
import { leadIfDue } from './leading.ts';
import type { ConsensusEffect, ConsensusEvent } from './model.ts';
import { checkPersisted } from './own-vote.ts';
import { resend, resendIfStalled } from './resend.ts';
import { beginSchedule } from './schedule.ts';
import { reviewSilence } from './silence.ts';
import type { ConsensusState } from './state.ts';
import { emit } from './state.ts';
import { nodeOf } from './tree.ts';
import { receiveVote } from './votes.ts';
import { voteIfDue } from './voting.ts';
import { requestIfDue, wantRange } from './wanted.ts';

/**
 * Takes one event at local time `nowMs` (milliseconds; a value below an earlier one counts as that one), changes the state, and
 * returns the effects, to be carried out in this order.
 * Throws `ConsensusError` on a call that cannot be meant and `ConsensusInvariantError` on a broken invariant: stop then.
 */
export function step(state: ConsensusState, event: ConsensusEvent, nowMs: number): readonly ConsensusEffect[] {
  state.nowMs = Math.max(state.nowMs, nowMs);
  state.effects = [];
  state.nextWakeMs = Number.POSITIVE_INFINITY;
  takeIn(state, event);
  settleFinality(state);
  chooseBest(state);
  beginSchedule(state);
  reviewSilence(state);
  blameIfDue(state);
  voteIfDue(state);
  leadIfDue(state);
  resendIfStalled(state);
  requestIfDue(state);
  sayWhenToWake(state, event);
  return state.effects;
}

function takeIn(state: ConsensusState, event: ConsensusEvent): void {
  switch (event.kind) {
    case 'block':
      receiveBlock(state, event.header, event.from);
      return;
    case 'produced':
      receiveOwnBlock(state, event.header, event);
      return;
    case 'decoyed':
      receiveDecoy(state, event.header);
      return;
    case 'verified': {
      const node = nodeOf(state, event.hash);
      if (node === undefined) return;
      if (event.valid) acceptBlock(state, node, event);
      else rejectBlock(state, node, event.reason, event.decoyLike);
      return;
    }
    case 'vote':
      receiveVote(state, event.vote, event.from);
      return;
    case 'ownVotePersisted':
      checkPersisted(state, event.vote);
      state.voting.inFlight = null;
      receiveVote(state, event.vote, null);
      emit(state, { kind: 'sendVote', vote: event.vote, again: false });
      return;
    case 'peerTip':
      wantRange(state, event.height, event.peer);
      return;
    case 'peersReady':
      if (!state.peersReady) state.peersReadyMs = state.nowMs;
      state.peersReady = true;
      resend(state);
      return;
    case 'wake':
      return;
  }
}

/** The node keeps one timer: it is told when that must change, or has just gone off. */
function sayWhenToWake(state: ConsensusState, event: ConsensusEvent): void {
  if (event.kind === 'wake') state.lastWakeMs = Number.POSITIVE_INFINITY;
  if (state.nextWakeMs === state.lastWakeMs || state.nextWakeMs === Number.POSITIVE_INFINITY) return;
  state.lastWakeMs = state.nextWakeMs;
  emit(state, { kind: 'wakeAt', ms: state.nextWakeMs });
}
