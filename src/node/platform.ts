/**
 * What a chain node stands on besides its transport: clock, disk, threads, randomness. The machine here; a simulator brings all of it.
 * With this and the transport replaced, nothing of a node touches the machine.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { type Disk, realDisk } from '../../storage/index.ts';
import { type Clock, systemClock } from './clock.ts';
import { type PohPace, type PohService, startPohThread, startVerifyPool, type Verifier } from './threads/index.ts';

export interface Platform {
  readonly clock: Clock;
  readonly disk: Disk;
  /** @param onFatal a thread has failed: the node must end */
  startVerifier(onFatal: (error: Error) => void): Verifier;
  startPoh(pace: PohPace, onFatal: (error: Error) => void): PohService;
  /** Secret bytes, never seen by others. */
  randomBytes(sizeBytes: number): Uint8Array;
  /** Milliseconds since 1970 by the machine's word: only for what must rise over restarts, never in a rule. */
  wallClockMs(): number;
}

/** At least two: with one, a storage proof under way would hold up a block's signatures and so a vote. No more than cores; one is PoH's. */
const VERIFY_THREADS: number = Math.min(16, Math.max(2, availableParallelism() - 1));

/** The machine this process runs on. */
export function machinePlatform(): Platform {
  return {
    clock: systemClock,
    disk: realDisk(),
    startVerifier: (onFatal) => startVerifyPool({ threads: VERIFY_THREADS, onFatal }),
    startPoh: (pace, onFatal) => startPohThread({ ...pace, onFatal }),
    randomBytes: (sizeBytes) => new Uint8Array(randomBytes(sizeBytes)),
    wallClockMs: () => Date.now(),
  };
}
