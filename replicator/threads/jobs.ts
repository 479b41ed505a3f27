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

/** The next piece of a chain, to be encrypted, and the leaves of what goes in and comes out to be hashed, where wanted. */
export interface EncryptChunk {
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

/** Encrypt one piece, or a piece of each of several chains side by side: then all hashes are wanted, and sizes are equal. */
export interface EncryptJob {
  readonly kind: 'encrypt';
  readonly chunks: readonly EncryptChunk[];
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
  readonly encrypt: readonly Encrypted[];
  readonly decrypt: HashedLeaves | undefined;
  readonly stream: StreamRoots;
}

const RUN: { readonly [Kind in ReplicaJob['kind']]: (kernels: Kernels, job: never) => unknown } = {
  leaves: (kernels, { data, leafSizeBytes }: LeavesJob) => hashLeaves(kernels, data, leafSizeBytes),
  encrypt: (kernels, { chunks }: EncryptJob) => encrypt(kernels, chunks),
  decrypt: (kernels, { key, before, data, leafSizeBytes }: DecryptJob) => {
    kernels.aesCbcDecrypt(key, before.slice(), data, data);
    return leafSizeBytes === undefined ? undefined : hashLeaves(kernels, data, leafSizeBytes);
  },
  stream: (kernels, { request }: StreamJob) => streamRoots(kernels, request),
};

function encrypt(kernels: Kernels, chunks: readonly EncryptChunk[]): readonly Encrypted[] {
  const [first] = chunks;
  if (first === undefined) return [];
  if (first.wantInputHashes && first.wantOutputHashes) return encryptBoth(kernels, chunks, first);
  return chunks.map(({ key, before, input, output, leafSizeBytes, wantInputHashes, wantOutputHashes }) => {
    const chain = before.slice();
    kernels.aesCbcEncrypt(key, chain, input, output);
    return {
      chain,
      inputLeaves: wantInputHashes ? hashLeaves(kernels, input, leafSizeBytes) : undefined,
      outputLeaves: wantOutputHashes ? hashLeaves(kernels, output, leafSizeBytes) : undefined,
    };
  });
}

/** Encrypts chunks of one size, with all leaves hashed in the same breath. */
function encryptBoth(
  kernels: Kernels,
  chunks: readonly EncryptChunk[],
  { leafSizeBytes, input }: EncryptChunk,
): readonly Encrypted[] {
  const joined = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
  const hashesSizeBytes = (input.length / leafSizeBytes) * HASH_SIZE_BYTES;
  const chains = joined(chunks.map(({ before }) => before));
  const inputHashes = new Uint8Array(chunks.length * hashesSizeBytes);
  const outputHashes = new Uint8Array(chunks.length * hashesSizeBytes);
  kernels.aesCbcEncryptLeaves(
    joined(chunks.map(({ key }) => key)),
    chains,
    chunks.map((chunk) => chunk.input),
    chunks.map((chunk) => chunk.output),
    LEAF_PREFIX,
    leafSizeBytes,
    inputHashes,
    outputHashes,
  );
  const part = (of: Uint8Array, i: number): Uint8Array => {
    const sizeBytes = of.length / chunks.length;
    return of.subarray(i * sizeBytes, (i + 1) * sizeBytes);
  };
  return chunks.map((_, i) => ({
    chain: part(chains, i),
    inputLeaves: leavesOf(kernels, part(inputHashes, i)),
    outputLeaves: leavesOf(kernels, part(outputHashes, i)),
  }));
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
