/** Opens the replicator role with what it owns besides its parts: the folder of replicas, and the threads that hash and decode. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { inlineThreads, ReplicaStore, type ReplicaThreads, startReplicaThreads } from '../../../replicator/index.ts';
import { diskFiles } from '../../../storage/index.ts';
import { signingKey } from '../../codec/index.ts';
import type { RoleContext } from '../run.ts';
import { type OpenedReplicator, openReplicator } from './open-replicator.ts';

/** More bring nothing: one chain is encrypted by one core, and hashing what goes in and out keeps two busy. */
const THREADS_DEFAULT_MAX = 3;
/** Smaller segments are done before a thread has begun. */
const THREADED_SEGMENT_SIZE_BYTES: number = 4 * 1024 * 1024;

/** Opens replicas and process. Throws `FilesError` 'locked' when another process has them. */
export async function openReplicatorRole(context: RoleContext, seed: Uint8Array): Promise<OpenedReplicator> {
  const { config, kernels, genesis } = context;
  const { segmentSizeBytes, leafSizeBytes } = genesis.history;
  const threads = threadsFor(context);
  const store = await ReplicaStore.open({
    kernels,
    files: diskFiles(),
    directory: join(config.dataDirectory, 'replicas'),
    identity: signingKey(seed).publicKey,
    geometry: { segmentSizeBytes, leafSizeBytes },
    layers: genesis.replication.layers,
    threads,
  });
  const node = await openReplicator(context, seed, store);
  return {
    ...node,
    stop: async () => {
      await node.stop();
      await store.close();
      await threads.stop();
    },
  };
}

function threadsFor({ config, kernels, genesis }: RoleContext): ReplicaThreads {
  const wanted = config.replicator?.threads;
  const isWorth = genesis.history.segmentSizeBytes >= THREADED_SEGMENT_SIZE_BYTES;
  const count = wanted ?? (isWorth ? Math.min(THREADS_DEFAULT_MAX, availableParallelism() - 1) : 0);
  return count === 0 ? inlineThreads(kernels) : startReplicaThreads(count);
}
