/**
 * The job a verify thread runs for storage proofs: one segment, the claims on it, a finding each. Structured-cloneable in and out.
 *
 * Mode `stream`: all claims' encryptions in one pass over the segment. Mode `open`: milliseconds a claim, without the segment. Mode `both`: the openings, and the
 * pass as well where the segment is at hand.
 */
import type { Kernels } from '../../../native/index.ts';
import {
  type ClaimVerdict,
  type LayerCount,
  type OpenRefusal,
  type ReplicaClaim,
  type SegmentGeometry,
  verifyOpen,
  verifyStream,
} from '../../../replicator/index.ts';
import type { VerdictReason } from '../../codec/index.ts';

export interface StorageProofJob {
  readonly geometry: SegmentGeometry;
  readonly layers: LayerCount;
  /** The verifier's own copy of the segment, for the pass; absent where claims are checked by their openings alone. */
  readonly segment?: Uint8Array;
  readonly segmentRoot: Uint8Array;
  /** Whether the pass makes sure that the copy has that root: one of the jobs on a copy is enough. */
  readonly checksCopy: boolean;
  readonly sampleBlockSizeBytes: number;
  /** Draws of an opening; absent in mode `stream`. */
  readonly openings?: { readonly sampleCount: number; readonly checkCount: number };
  readonly claims: readonly StorageClaim[];
}

/** One proof to check. */
export interface StorageClaim {
  /** With exactly one proof. The replica root is present when the pass is to check it too. */
  readonly replica: ReplicaClaim;
  /** As committed: what openings lead to. */
  readonly replicaRoot: Uint8Array;
  /** Present in modes `open` and `both`. */
  readonly opening?: Uint8Array;
}

export interface StorageProofFinding {
  readonly valid: boolean;
  /** `unstated` when valid. */
  readonly reason: VerdictReason;
}

const VALID: StorageProofFinding = { valid: true, reason: 'unstated' };

/** A finding for each claim, in order. Throws when this node's own copy is not the segment it should be: then nothing can be said about the claims. */
export async function verifyMany(kernels: Kernels, job: StorageProofJob): Promise<StorageProofFinding[]> {
  const findings = job.claims.map((claim) => openFinding(kernels, job, claim));
  const { segment } = job;
  if (segment === undefined) return findings;
  const left = job.claims.filter((_, index) => findings[index]!.valid);
  if (left.length === 0) return findings;
  const verdicts = await verifyStream(kernels, {
    segment,
    geometry: job.geometry,
    layers: job.layers,
    sampleBlockSizeBytes: job.sampleBlockSizeBytes,
    ...(job.checksCopy ? { segmentRoot: job.segmentRoot } : {}),
    claims: left.map(({ replica }) => replica),
  });
  let next = 0;
  return findings.map((finding) => (finding.valid ? streamFinding(verdicts[next++]!) : finding));
}

function openFinding(kernels: Kernels, job: StorageProofJob, claim: StorageClaim): StorageProofFinding {
  const { openings, geometry, layers, segmentRoot } = job;
  if (openings === undefined) return VALID;
  const { replica, replicaRoot, opening } = claim;
  if (opening === undefined) return { valid: false, reason: 'not-available' };
  const shape = { geometry, layers, parameters: openings };
  const proof = { ...replica, ...replica.proofs[0]!, body: opening };
  const refusal = verifyOpen(kernels, proof, shape, { replicaRoot, segmentRoot });
  return refusal === undefined ? VALID : { valid: false, reason: reasonOf(refusal) };
}

function streamFinding(verdict: ClaimVerdict): StorageProofFinding {
  return verdict.valid ? VALID : { valid: false, reason: verdict.reason };
}

function reasonOf(refusal: OpenRefusal): VerdictReason {
  return refusal === 'length' ? 'opening-length' : refusal;
}
