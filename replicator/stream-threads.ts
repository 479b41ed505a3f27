/** The verifier's pass on several cores: the identities are dealt out to the threads, each of which reads the whole segment once. */
import type { Kernels } from '../native/index.ts';
import { PieceReader } from './chunks.ts';
import type { StreamRequest, StreamRoots } from './stream-roots.ts';
import type { ReplicaThreads } from './threads/threads.ts';

/**
 * `streamRoots` on threads. The segment is held in memory that all of them read (copied there unless it came from `threads.allocate`).
 * @returns a function in place of `streamRoots`, for `verifyStream`
 */
export function streamRootsOn(
  threads: ReplicaThreads,
): (kernels: Kernels, request: StreamRequest) => Promise<StreamRoots> {
  return async (_kernels, request) => {
    const segment = await sharedSegment(threads, request);
    const shares = Math.max(1, Math.min(threads.count, request.identities.length));
    const size = Math.ceil(request.identities.length / shares);
    const parts = await Promise.all(
      Array.from({ length: shares }, (_, share) => {
        const identities = request.identities.slice(share * size, (share + 1) * size);
        const wantSegmentRoot = request.wantSegmentRoot && share === shares - 1;
        return threads.run({ kind: 'stream', request: { ...request, segment, identities, wantSegmentRoot } });
      }),
    );
    const identities = parts.flatMap((part) => part.identities);
    const segmentRoot = parts.at(-1)!.segmentRoot;
    return segmentRoot === undefined ? { identities } : { segmentRoot, identities };
  };
}

async function sharedSegment(threads: ReplicaThreads, { segment, geometry }: StreamRequest): Promise<Uint8Array> {
  if (segment instanceof Uint8Array && segment.buffer instanceof SharedArrayBuffer) return segment;
  const shared = threads.allocate(geometry.segmentSizeBytes);
  const reader = new PieceReader(segment, geometry.segmentSizeBytes);
  await reader.fill(shared);
  await reader.end();
  return shared;
}
