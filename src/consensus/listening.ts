/** Whether a node that has started knows by now where the chain stands: it was away for it cannot say how long, so it must have been told. */
import type { ConsensusState } from './state.ts';
import { wakeBy } from './state.ts';

/** Peers have said how far they are, two timeouts have passed since for more of them to speak, and all that was told of is here and verified. */
export function hasListened(state: ConsensusState): boolean {
  if (!state.peersReady) return false;
  const { slotDurationMs, timeoutSlots } = state.rules.parameters;
  const heardMs = state.peersReadyMs + 2 * timeoutSlots * slotDurationMs;
  if (state.nowMs < heardMs) {
    wakeBy(state, heardMs);
    return false;
  }
  return state.sync.targetHeight <= state.best.header.height && state.topHeight <= state.validHeight;
}
