/** What the soundness report is about: the parameters asked for, what this machine can do, and what each attack comes to. */
import type { LayerCount } from '../layers.ts';

export interface SoundnessParameters {
  readonly mode: 'open' | 'stream';
  readonly segmentSizeBytes: number;
  readonly leafSizeBytes: number;
  readonly layers: LayerCount;
  /** Mode `open`: leaves drawn, and encodings shown. */
  readonly sampleCount: number;
  readonly checkCount: number;
  /** Mode `stream`: one slice of 32 bytes from each. */
  readonly sampleBlockSizeBytes: number;
  readonly periodMs: number;
  /** Mode `open`: from the period's hash to the proof on the ledger. Mode `stream` has the period. */
  readonly deadlineMs: number;
  /** The cheat's cores, as fast as this machine's. */
  readonly cores: number;
  /** An attack that saves at least this share of a replica, and passes, makes the parameters unsound. */
  readonly savingShare: number;
}

/** What one core of this machine does, measured. */
export interface MachineRates {
  /** One CBC chain, bytes a second: nobody here encodes one replica's layer faster. */
  readonly oneChain: number;
  /** Many chains at once, bytes a second and core: what a cheat with many stretches or identities gets. */
  readonly manyChains: number;
  /** PoH hashes a second. */
  readonly poh: number;
}

export type AttackVerdict =
  /** Fails, with the odds given. */
  | 'caught'
  /** Would pass, but not before the deadline. */
  | 'too late'
  /** Passes, and saves less than the share that counts. */
  | 'saves little'
  /** Passes and saves. */
  | 'PASSES'
  /** The honest node. */
  | 'honest'
  | 'HONEST TOO LATE';

/** One line of the report. */
export interface AttackRow {
  readonly attack: string;
  readonly detail: string;
  /** What is stored for one replica, as a share of it. The history itself is public and not counted. */
  readonly kept: number;
  /** Bytes encrypted for one proof, and seconds on the cores given, at full size. */
  readonly workBytes: number;
  readonly workMs: number;
  /** The same as PoH hashes of this machine. */
  readonly workPoh: number;
  /** log2 of the chance to pass one proof when there is time, calculated. */
  readonly passLog2: number;
  /** Share that passed of those tried, at the scaled size; null when none was run. */
  readonly measured: { readonly passed: number; readonly tried: number; readonly note: string } | null;
  readonly verdict: AttackVerdict;
}

export interface SoundnessReport {
  readonly parameters: SoundnessParameters;
  readonly machine: MachineRates;
  /** Size the attacks were run at. */
  readonly scaledSizeBytes: number;
  readonly rows: readonly AttackRow[];
  readonly sound: boolean;
  /** Longest deadline at which no attack found here passes, and what an honest proof takes: sound only if the first is longer. */
  readonly deadlineMsMax: number;
  readonly honestMs: number;
}

/** Passing chances below this are not chances: 2^-20, a million tries a success. */
export const CAUGHT_LOG2 = -20;
