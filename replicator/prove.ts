/**
 * Making a period's proof out of a stored replica: read one slice from each sample block, root them with the period's hash. The reads
 * are of the replica as it lies on disk; nothing is decoded, and nothing is checked: a wrong byte gives a wrong proof.
 */
import type { Hash, Kernels } from '../native/index.ts';
import type { ByteReader } from './chunks.ts';
import { SamplesRootBuilder } from './commit.ts';
import { drawSlice, type SampleLayout, SLICE_SIZE_BYTES, sampleCount } from './sample.ts';

/** Slices read at the same time. */
const READS_MAX = 32;

export interface SamplesRequest {
  readonly layout: SampleLayout;
  /** The period's designated hash, 32 bytes. */
  readonly periodHash: Uint8Array;
  /** From `deriveSampleSeed`, 32 bytes. */
  readonly seed: Uint8Array;
}

async function readSlice(
  kernels: Kernels,
  replica: ByteReader,
  request: SamplesRequest,
  block: number,
): Promise<Uint8Array> {
  const slice = new Uint8Array(SLICE_SIZE_BYTES);
  for (const run of drawSlice(kernels, request.seed, request.layout, block))
    await replica.read(run.replicaOffset, slice.subarray(run.sliceOffset, run.sliceOffset + run.sizeBytes));
  return slice;
}

/** The samples root of a replica for one period. @param replica reads the replica's bytes (not the file's) */
export async function samplesRoot(kernels: Kernels, replica: ByteReader, request: SamplesRequest): Promise<Hash> {
  const builder = new SamplesRootBuilder(kernels, request.periodHash);
  const count = sampleCount(request.layout);
  for (let first = 0; first < count; first += READS_MAX) {
    const blocks = Array.from({ length: Math.min(READS_MAX, count - first) }, (_, index) => first + index);
    const slices = await Promise.all(blocks.map((block) => readSlice(kernels, replica, request, block)));
    for (const slice of slices) builder.append(slice);
  }
  return builder.root();
}
