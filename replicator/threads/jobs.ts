/**
 * What a replicator's threads do: pure work on memory that is shared, or sent along. The same functions run inline where there are no
 * threads.
 */
import type { Kernels } from '../../native/index.ts';
import { type StreamRequest, type StreamRoots, streamRoots } from '../stream-roots.ts';
import { type HashedLeaves, hashLeaves } from '../subtrees.ts';

/** Hash leaves (see `hashLeaves`). */
export interface LeavesJob {
  readonly kind: 'leaves';
  readonly data: Uint8Array;
  readonly leafSizeBytes: number;
}

/** Decrypt in place, and hash the result's leaves when `leafSizeBytes` is given. */
export interface DecryptJob {
  readonly kind: 'decrypt';
  readonly key: Uint8Array;
  /** The cipher block before `data`, 16 bytes. */
  readonly before: Uint8Array;
  readonly data: Uint8Array;
  readonly leafSizeBytes?: number;
}

/** Encrypt a segment under some identities' keys. */
export interface StreamJob {
  readonly kind: 'stream';
  readonly request: StreamRequest & { readonly segment: Uint8Array };
}

export type ReplicaJob = LeavesJob | DecryptJob | StreamJob;

/** What each kind of job yields. */
export interface JobResults {
  readonly leaves: HashedLeaves;
  readonly decrypt: HashedLeaves | undefined;
  readonly stream: StreamRoots;
}

const RUN: { readonly [Kind in ReplicaJob['kind']]: (kernels: Kernels, job: never) => unknown } = {
  leaves: (kernels, { data, leafSizeBytes }: LeavesJob) => hashLeaves(kernels, data, leafSizeBytes),
  decrypt: (kernels, { key, before, data, leafSizeBytes }: DecryptJob) => {
    kernels.aesCbcDecrypt(key, before.slice(), data, data);
    return leafSizeBytes === undefined ? undefined : hashLeaves(kernels, data, leafSizeBytes);
  },
  stream: (kernels, { request }: StreamJob) => streamRoots(kernels, request),
};

/** Does a job on this thread. */
export async function runReplicaJob<Job extends ReplicaJob>(
  kernels: Kernels,
  job: Job,
): Promise<JobResults[Job['kind']]> {
  const run = RUN[job.kind] as (kernels: Kernels, job: Job) => JobResults[Job['kind']];
  return run(kernels, job);
}
