/**
 * The clock port of the network: time and delayed calls, so that a simulator can drive the in-memory transport with virtual time.
 */
export interface Timers {
  /** Milliseconds on a clock that never goes back; its zero means nothing. */
  now(): number;
  /** Calls `run` once after `delayMs` (>= 0); returns a function that cancels it. Equal times run in the order asked. */
  after(delayMs: number, run: () => void): () => void;
}

/** The process's own clock. */
export const realTimers: Timers = {
  now: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
