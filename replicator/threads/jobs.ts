/**
 * What a replicator's threads do: pure work on memory that is shared, or sent along. The same functions run inline where there are no
 * threads.
 */
import type { Kernels } from '../../native/index.ts';
import { HASH_SIZE_BYTES, LEAF_PREFIX } from '../../storage/index.ts';
import { type StreamRequest, type StreamRoots, streamRoots } from '../stream-roots.ts';
import { type HashedLeaves, hashLeaves, subtreeRoots } from '../subtrees.ts';

/** Hash leaves (see `hashLeaves`). */
export interface LeavesJob {
  readonly kind: 'leaves';
  readonly data: Uint8Array;
  readonly leafSizeBytes: number;
}

/** Encrypt the next piece of a chain, and hash the leaves of what goes in and comes out, where wanted. */
export interface EncryptJob {
  readonly kind: 'encrypt';
  readonly key: Uint8Array;
  /** The cipher block before, 16 bytes. */
  readonly before: Uint8Array;
  readonly input: Uint8Array;
  /** Written; apart from the input. */
  readonly output: Uint8Array;
  readonly leafSizeBytes: number;
  readonly wantInputHashes: boolean;
  readonly wantOutputHashes: boolean;
}

/** An encrypted piece. */
export interface Encrypted {
  /** The last cipher block. */
  readonly chain: Uint8Array;
  readonly inputLeaves: HashedLeaves | undefined;
  readonly outputLeaves: HashedLeaves | undefined;
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

export type ReplicaJob = LeavesJob | EncryptJob | DecryptJob | StreamJob;

/** What each kind of job yields. */
export interface JobResults {
  readonly leaves: HashedLeaves;
  readonly encrypt: Encrypted;
  readonly decrypt: HashedLeaves | undefined;
  readonly stream: StreamRoots;
}

const RUN: { readonly [Kind in ReplicaJob['kind']]: (kernels: Kernels, job: never) => unknown } = {
  leaves: (kernels, { data, leafSizeBytes }: LeavesJob) => hashLeaves(kernels, data, leafSizeBytes),
  encrypt: (kernels, job: EncryptJob) => encrypt(kernels, job),
  decrypt: (kernels, { key, before, data, leafSizeBytes }: DecryptJob) => {
    kernels.aesCbcDecrypt(key, before.slice(), data, data);
    return leafSizeBytes === undefined ? undefined : hashLeaves(kernels, data, leafSizeBytes);
  },
  stream: (kernels, { request }: StreamJob) => streamRoots(kernels, request),
};

function encrypt(kernels: Kernels, job: EncryptJob): Encrypted {
  const { key, before, input, output, leafSizeBytes, wantInputHashes, wantOutputHashes } = job;
  const chain = before.slice();
  if (wantInputHashes && wantOutputHashes) {
    const hashes = [0, 1].map(() => new Uint8Array((input.length / leafSizeBytes) * HASH_SIZE_BYTES));
    const [inputHashes, outputHashes] = hashes as [Uint8Array, Uint8Array];
    kernels.aesCbcEncryptLeaves(key, chain, [input], [output], LEAF_PREFIX, leafSizeBytes, inputHashes, outputHashes);
    return { chain, inputLeaves: leavesOf(kernels, inputHashes), outputLeaves: leavesOf(kernels, outputHashes) };
  }
  kernels.aesCbcEncrypt(key, chain, input, output);
  return {
    chain,
    inputLeaves: wantInputHashes ? hashLeaves(kernels, input, leafSizeBytes) : undefined,
    outputLeaves: wantOutputHashes ? hashLeaves(kernels, output, leafSizeBytes) : undefined,
  };
}

const leavesOf = (kernels: Kernels, hashes: Uint8Array): HashedLeaves => ({
  hashes,
  nodes: subtreeRoots(kernels, hashes),
});

/** Does a job on this thread. */
export async function runReplicaJob<Job extends ReplicaJob>(
  kernels: Kernels,
  job: Job,
): Promise<JobResults[Job['kind']]> {
  const run = RUN[job.kind] as (kernels: Kernels, job: Job) => JobResults[Job['kind']];
  return run(kernels, job);
}
