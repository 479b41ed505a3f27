/**
 * When nothing has been justified for two timeouts, messages may have been lost: a validator sends its votes, the certificates it
 * builds on, and the proofs against those who broke the local rule again (who has not seen one weighs branches differently), and everybody asks a peer for what lies above its best block (above the root every second time, and always
 * when the tree is deep: then certificates are missing, not blocks).
 * Gossip loses messages; this is what makes each of them arrive in the end.
 */
import { countedVotes } from './justify.ts';
import type { ConsensusState } from './state.ts';
import { emit, wakeBy } from './state.ts';
import { pathAbove } from './tree.ts';
import { pollPeers } from './wanted.ts';

/** Own votes sent again at a time. */
const OWN_VOTES_MAX = 4;

/** Blocks above the root from which the tree counts as deep. */
const DEEP_BLOCKS = 16;

/** Sends again what may have been lost, if it is time. */
export function resendIfStalled(state: ConsensusState): void {
  const { slotDurationMs, timeoutSlots } = state.rules.parameters;
  const stalledMs = Math.max(state.progressMs, state.resentMs) + 2 * timeoutSlots * slotDurationMs;
  if (state.nowMs < stalledMs) {
    wakeBy(state, stalledMs);
    return;
  }
  resend(state);
  wakeBy(state, state.nowMs + 2 * timeoutSlots * slotDurationMs);
}

/** Sends again at once, as after a restart. */
export function resend(state: ConsensusState): void {
  state.resentMs = state.nowMs;
  state.resentCount += 1;
  const isDeep = state.best.header.height - state.root.header.height > DEEP_BLOCKS;
  const fromRoot = isDeep || state.resentCount % 2 === 0;
  pollPeers(state, (fromRoot ? state.root : state.best).header.height + 1);
  if (state.rules.own === null || !state.voters.has(state.rules.ownKey!)) return;
  for (const node of [state.root, ...pathAbove(state.root, state.justifiedTip)])
    for (const vote of countedVotes(node)) emit(state, { kind: 'sendVote', vote, again: true });
  for (const { proof } of state.voters.values())
    for (const vote of proof) emit(state, { kind: 'sendVote', vote, again: true });
  for (const vote of state.voting.votes.slice(-OWN_VOTES_MAX)) emit(state, { kind: 'sendVote', vote, again: true });
}
