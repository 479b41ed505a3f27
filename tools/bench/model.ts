/** What a benchmark is made of: cases, their contestants, and the results. */

import type { LimitLoop } from '../../native/binding.ts';
import type { Kernels } from '../../native/index.ts';
import type { Peers } from './peers.ts';

/** One contestant's work. */
export interface Work {
  /** Units done by a call: hashes, bytes, operations. */
  readonly units: number;
  readonly call: () => void | Promise<void>;
}

/** How much data the cases work on: `tiny` only shows that they run. */
export type Size = 'tiny' | 'quick' | 'full';

export interface Context {
  readonly size: Size;
  readonly peers: Peers;
  /** The native twin, or null; for cases that run it in another way as well. */
  readonly native: Kernels | null;
  readonly limits: Readonly<Record<string, LimitLoop>>;
  /** Memory for the limit loops: a power of two. */
  readonly memory: Uint8Array;
  /** An existing folder for files, on the disk to be measured. */
  readonly directory: string;
}

/** A case made ready to run. */
export interface Prepared {
  /** The same work on either twin. */
  readonly ours: (kernels: Kernels) => Work | Promise<Work>;
  readonly peers: Readonly<Record<string, Work | undefined>>;
  readonly limit: Work | undefined;
  /** What a twin computes on a small fixed input: equal bytes from both, or the bench fails. */
  readonly result: (kernels: Kernels) => Uint8Array | Promise<Uint8Array>;
  readonly close?: () => void | Promise<void>;
  /** What else is worth knowing, asked for after measuring. */
  readonly note?: () => string;
}

export interface BenchCase {
  readonly name: string;
  /** Plural, for `per second`. */
  readonly unit: string;
  /** What the limit is, in a few words. */
  readonly limitIs: string;
  /** True when it waits for a disk, so that processor time would say nothing. */
  readonly waits?: boolean;
  /** Fewer rounds, for work whose every call takes long. */
  readonly rounds?: number;
  /** Runs only when it is named: it takes minutes or gigabytes. */
  readonly onRequest?: boolean;
  readonly prepare: (context: Context) => Prepared | Promise<Prepared>;
}

/** Rates are units a second, medians of interleaved samples; null: not there. */
export interface BenchResult {
  readonly name: string;
  readonly unit: string;
  readonly native: number | null;
  readonly portable: number;
  readonly peers: Readonly<Record<string, number | null>>;
  readonly limit: number | null;
  /** native / limit. */
  readonly ofLimit: number | null;
  /** Hexadecimal SHA-256 of what both twins computed. */
  readonly resultHash: string;
  /** What else the case found, in a few words; often empty. */
  readonly note: string;
}
