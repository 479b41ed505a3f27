/** What a replicator and its threads send each other. */
import type { OpenShape } from '../open-proof.ts';
import type { ReplicaJob } from './jobs.ts';

/** Make a period's openings of the replica in a file, which the thread opens by itself. */
export interface OpenJob {
  readonly kind: 'open';
  /** The operating system's. */
  readonly path: string;
  readonly shape: OpenShape;
  /** 32 bytes. */
  readonly seed: Uint8Array;
  readonly unchecked: boolean;
}

/** A job with a number to answer under. */
export interface JobMessage {
  readonly id: number;
  readonly job: ReplicaJob | OpenJob;
}

export type JobReply =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string };
