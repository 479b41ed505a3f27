/**
 * Where ticks and slots lie in the count of PoH steps (docs: 2-ledger "Proof of History").
 *
 * Slot s ends at count s * hashesPerTick * ticksPerSlot; a tick is a plain step at every multiple of hashesPerTick. Genesis is
 * count 0, slot 0.
 */
import { type Hash, type PohCount, pohCount, type Slot } from '../../native/index.ts';

/** The genesis parameters PoH depends on. */
export interface PohParameters {
  /** Steps from one tick to the next, 2 .. 2^31 - 1: one at least must be free for a mixin. */
  readonly hashesPerTick: number;
  /** Ticks in a slot, at least 1. */
  readonly ticksPerSlot: number;
}

/** A recorded point of the sequence: the hash after `count` steps. */
export interface PohPoint {
  readonly count: PohCount;
  readonly hash: Hash;
}

/** Thrown when a caller breaks this folder's contract: an error of the program, not of its input. */
export class PohError extends Error {
  override readonly name = 'PohError';
  readonly code: 'parameters' | 'boundary' | 'steps' | 'hash';
  constructor(code: PohError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** Checks the parameters' ranges. @throws PohError `parameters` */
export function checkPohParameters({ hashesPerTick, ticksPerSlot }: PohParameters): void {
  if (!Number.isInteger(hashesPerTick) || hashesPerTick < 2 || hashesPerTick > 0x7fff_ffff)
    throw new PohError('parameters', `hashesPerTick must be within 2 .. 2^31 - 1, found ${hashesPerTick}`);
  if (!Number.isInteger(ticksPerSlot) || ticksPerSlot < 1 || !Number.isSafeInteger(ticksPerSlot * hashesPerTick))
    throw new PohError('parameters', `ticksPerSlot must be an integer >= 1, found ${ticksPerSlot}`);
}

/** Steps in one slot. */
export function hashesPerSlot(parameters: PohParameters): number {
  return parameters.hashesPerTick * parameters.ticksPerSlot;
}

/** The count at which a slot ends (and the next one begins). */
export function slotEndCount(parameters: PohParameters, slot: Slot): PohCount {
  return pohCount(slot * hashesPerSlot(parameters));
}

/** True where only a tick may stand. */
export function isTickCount(parameters: PohParameters, count: number): boolean {
  return count % parameters.hashesPerTick === 0;
}

/** The first tick's count after `count`. */
export function nextTickCount(parameters: PohParameters, count: number): number {
  return (Math.floor(count / parameters.hashesPerTick) + 1) * parameters.hashesPerTick;
}
