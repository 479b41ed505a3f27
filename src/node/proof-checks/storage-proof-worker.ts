/**
 * The job a verify thread runs for storage proofs: one segment, the claims on it, a verdict each. Structured-cloneable in and out.
 */
import type { Kernels } from '../../../native/index.ts';
import { type ReplicaClaim, verifyStream } from '../../../replicator/index.ts';

export interface StorageProofJob {
  /** The verifier's own copy of the segment. */
  readonly segment: Uint8Array;
  readonly segmentRoot: Uint8Array;
  readonly segmentSizeBytes: number;
  readonly leafSizeBytes: number;
  readonly sampleBlockSizeBytes: number;
  readonly claims: readonly ReplicaClaim[];
}

export interface StorageProofFinding {
  readonly valid: boolean;
  /** Empty when valid. */
  readonly reason: string;
}

/** Throws when this node's own copy is not the segment it should be: then nothing can be said about the claims. */
export async function checkStorageProofs(kernels: Kernels, job: StorageProofJob): Promise<StorageProofFinding[]> {
  const verdicts = await verifyStream(kernels, {
    segment: job.segment,
    geometry: { segmentSizeBytes: job.segmentSizeBytes, leafSizeBytes: job.leafSizeBytes },
    sampleBlockSizeBytes: job.sampleBlockSizeBytes,
    segmentRoot: job.segmentRoot,
    claims: job.claims,
  });
  return verdicts.map((verdict) => ({ valid: verdict.valid, reason: verdict.valid ? '' : verdict.reason }));
}
