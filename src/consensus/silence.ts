/**
 * When this node says nothing as a validator, and until when.
 *
 * - `twin`: another process votes with this key. For good.
 * - `conflict`: finality has split. For good, until an operator decides.
 * - `votesLost`: the vote file is gone. Every vote it held was for a slot not far above anything peers know once this node has caught up with them; when a
 *   block above all those slots is final, every new vote has its source above the old targets and can neither double nor surround them. The slot is fixed once, so that
 *   nobody can push it on.
 */
import type { Slot } from '../../native/index.ts';
import { farVoteSlotsOf } from './limits.ts';
import { hasListened } from './listening.ts';
import type { ConsensusState } from './state.ts';

/** Fixes the end of a `votesLost` silence when enough has been heard, and ends it when finality has passed that slot. */
export function reviewSilence(state: ConsensusState): void {
  const { silence } = state.voting;
  if (silence?.reason !== 'votesLost') return;
  if (silence.untilSlot === null) fixEnd(state);
  else if (state.root.header.slot > silence.untilSlot) state.voting.silence = null;
}

function fixEnd(state: ConsensusState): void {
  if (!hasListened(state)) return;
  const untilSlot =
    highestSlotHeard(state) + farVoteSlotsOf(state.rules.parameters, state.best.electorate!.members.length);
  state.voting.silence = { reason: 'votesLost', untilSlot: untilSlot as Slot };
}

function highestSlotHeard(state: ConsensusState): number {
  let highest = state.voting.lastTargetSlot;
  for (const { header } of state.nodes.values()) highest = Math.max(highest, header.slot);
  for (const { latest } of state.voters.values()) highest = Math.max(highest, latest?.targetSlot ?? 0);
  return highest;
}
