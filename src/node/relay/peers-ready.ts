/** Watches until enough validators have said how far they are, and says so once: with this node they could make a quorum, or the wait is over. */

import { type Clock, every } from '../clock.ts';

/** How often to look, and how long to wait at the most. */
const LOOK_INTERVAL_MS = 100;
const WAIT_MS_MAX = 15_000;

export interface PeersReadyDeps {
  readonly clock: Clock;
  /** Validators of the chain. */
  readonly validatorCount: number;
  /** Validators connected that have told their tips. */
  readonly validatorsHeard: () => number;
  readonly onReady: () => void;
}

/** Starts to watch. @returns ends it */
export function watchPeersReady({ clock, validatorCount, validatorsHeard, onReady }: PeersReadyDeps): () => void {
  const startedMs = clock.nowMs();
  const stop = every(clock, LOOK_INTERVAL_MS, () => {
    const isQuorum = 3 * (validatorsHeard() + 1) > 2 * validatorCount;
    if (!isQuorum && clock.nowMs() - startedMs <= WAIT_MS_MAX) return;
    stop();
    onReady();
  });
  return stop;
}
