/**
 * What the node asks of its PoH generator in real time. A port: the real adapter is poh-thread.ts; inline-poh.ts does the same on the
 * caller's thread with the caller's clock, for tests and the simulator.
 */
import type { Hash, PohCount, Slot } from '../../../native/index.ts';
import type { PohPoint } from '../../poh/index.ts';

/** Where to take the sequence over. */
export interface PohStart {
  /** Count and hash at the parent block's end. */
  readonly count: PohCount;
  readonly hash: Hash;
  /** First slot to lead; slots between the parent's and this one are hashed through at full speed. */
  readonly slot: Slot;
  /** The parent block's hash, mixed in first. */
  readonly parentHash: Hash;
}

/** How the generator does, for status, metrics and logs. */
export interface PohRate {
  /** Steps made a second, over the last second or so; what the genesis pace asks for when all is well. */
  readonly hashesPerSecond: number;
  /** Steps a second this machine reaches while it hashes: measured, smoothed. */
  readonly capacityPerSecond: number;
  /** Ticks that came more than one tick's time late because this machine could not hold the pace. */
  readonly ticksBehind: number;
  /** Milliseconds spent waiting for `openSlot` just before a slot's first tick. */
  readonly heldMs: number;
  /** Milliseconds of schedule given up for good, after falling more than four slots behind. */
  readonly slippedMs: number;
}

/** @param slot the slot the tick belongs to: the one it ends, when it is a final tick */
export type PohListener = (slot: Slot, count: PohCount, hash: Hash) => void;

/**
 * A generator in real time.
 *
 * Replies and events come in the order of the sequence: everything that awaits a reply has run before any later event's listener.
 * After a new `start` nothing of the sequence before is heard any more.
 */
export interface PohService {
  /**
   * Starts the sequence there and opens `at.slot`. A sequence before it ends: its pending mixins give null, its other pending calls are
   * rejected with `stopped`.
   * @returns the parent entry's point
   * @throws ThreadError `start-invalid`, `stopped`, `worker-failed`
   */
  start(at: PohStart): Promise<PohPoint>;
  /**
   * Opens the slot after the one that ended; the sequence waits for this call just before the slot's first tick.
   * @returns the parent entry's point @throws ThreadError `slot-order`, `not-started`, `stopped`, `worker-failed`
   */
  openSlot(slot: Slot, parentHash: Hash): Promise<PohPoint>;
  /**
   * Mixes 32 bytes in (copied), within a millisecond while hashing.
   * @returns the entry's point, or null when that slot has ended or the sequence was left by a new `start`
   * @throws ThreadError `slot-not-open`, `not-started`, `queue-full`, `worker-failed`
   */
  mixin(slot: Slot, digest: Uint8Array): Promise<PohPoint | null>;
  /** Every tick, skipped slots' included. @returns removes the listener */
  onTick(listener: PohListener): () => void;
  /** The final tick of each slot led, after its `onTick`. @returns removes the listener */
  onSlotEnd(listener: PohListener): () => void;
  rate(): PohRate;
  /** Ends the thread for good; pending and later calls are rejected with `stopped`. Idempotent. */
  stop(): Promise<void>;
}
