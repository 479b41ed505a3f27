/**
 * The clock port: local, monotone milliseconds and one-shot timers. Real here; a simulator brings its own.
 * It is never wall time and never leaves the node.
 */
import { performance } from 'node:perf_hooks';

export interface Clock {
  /** Milliseconds since some fixed origin; never goes back. */
  nowMs(): number;
  /** Calls back once when the clock reaches `ms` (at once, but not inside this call, when it has); answers how to cancel. */
  at(ms: number, callback: () => void): () => void;
}

/** Longest delay a Node timer takes: past it, setTimeout fires at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  at(ms, callback) {
    const delayMs = Math.min(DELAY_MS_MAX, Math.max(0, ms - performance.now()));
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Calls back once after `delayMs`; answers how to cancel. */
export function after(clock: Clock, delayMs: number, callback: () => void): () => void {
  return clock.at(clock.nowMs() + delayMs, callback);
}

/** Calls back again and again, `intervalMs` after the last time; answers how to end it. */
export function every(clock: Clock, intervalMs: number, callback: () => void): () => void {
  let cancel: () => void;
  const next = (): void => {
    cancel = after(clock, intervalMs, () => {
      next();
      callback();
    });
  };
  next();
  return () => cancel();
}
