/**
 * Verification (mode `stream`): claims as they stand on the ledger, against the verifier's own copy of the segment. First the VRF
 * proofs, which need no data; then one pass over the segment for all claims that are left.
 *
 * A claim's proofs and roots are hostile input: whatever is in them, the answer is a verdict. (Numbers and designated hashes are the
 * verifier's own: out of range, they throw `RangeError`.) The verifier's copy of the segment is not: when it is not the one the
 * header names, nothing can be said about anybody's proof, and this throws instead of blaming them.
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import type { ByteSource } from './chunks.ts';
import { ReplicatorError } from './errors.ts';
import type { SegmentGeometry } from './geometry.ts';
import { deriveCipher, deriveSampleSeed, type ReplicaCipher, type ReplicaSubject } from './key.ts';
import type { LayerCount } from './layers.ts';
import {
  type IdentityRoots,
  type SampleSet,
  type StreamIdentity,
  type StreamRequest,
  type StreamRoots,
  streamRoots,
} from './stream-roots.ts';

/** One period's proof of a replica. */
export interface PeriodClaim {
  readonly period: number;
  /** The period's designated hash, from the verifier's own chain. */
  readonly periodHash: Uint8Array;
  /** 80 bytes */
  readonly sampleProof: Uint8Array;
  /** 32 bytes */
  readonly samplesRoot: Uint8Array;
}

/** One replica: its commit, and the proofs of it to check. `rotationHash` comes from the verifier's own chain. */
export interface ReplicaClaim extends ReplicaSubject {
  /** 80 bytes */
  readonly keyProof: Uint8Array;
  /** The committed root, checked when present: once, at commit time. 32 bytes */
  readonly replicaRoot?: Uint8Array;
  readonly proofs: readonly PeriodClaim[];
}

/** Why a claim is refused; the first that applies, in this order. */
export type RefusalReason = 'key-proof' | 'sample-proof' | 'replica-root' | 'samples-root';

export type ClaimVerdict =
  | { readonly valid: true }
  | {
      readonly valid: false;
      readonly reason: RefusalReason;
      /** The period whose proof is wrong, for 'sample-proof' and 'samples-root'. */
      readonly period?: number;
    };

export interface VerifyRequest {
  /** The segment's plaintext: the verifier's own copy. */
  readonly segment: ByteSource;
  readonly geometry: SegmentGeometry;
  readonly sampleBlockSizeBytes: number;
  /** How often replicas are encrypted; once when absent. */
  readonly layers?: LayerCount;
  /** When given, the verifier's copy is checked against it in the same pass. */
  readonly segmentRoot?: Uint8Array;
  readonly claims: readonly ReplicaClaim[];
  /** Computes the roots; `streamRoots` on this thread when absent, `streamRootsOn(threads)` for several cores. */
  readonly roots?: (kernels: Kernels, request: StreamRequest) => Promise<StreamRoots>;
}

const VALID: ClaimVerdict = { valid: true };

/** A claim whose VRF proofs hold, ready for the pass. */
interface PreparedClaim {
  readonly claim: ReplicaClaim;
  readonly cipher: ReplicaCipher;
  readonly samples: readonly SampleSet[];
}

function prepare(claim: ReplicaClaim): PreparedClaim | ClaimVerdict {
  const cipher = deriveCipher(claim, claim.keyProof);
  if (cipher === false) return { valid: false, reason: 'key-proof' };
  const samples: SampleSet[] = [];
  for (const { period, periodHash, sampleProof } of claim.proofs) {
    const seed = deriveSampleSeed(
      { identity: claim.identity, segment: claim.segment, period, periodHash },
      sampleProof,
    );
    if (seed === false) return { valid: false, reason: 'sample-proof', period };
    samples.push({ periodHash, seed });
  }
  return { claim, cipher, samples };
}

/** The first reason to refuse a claim, given the roots its identity should have published. */
function judge(claim: ReplicaClaim, roots: IdentityRoots): ClaimVerdict {
  if (claim.replicaRoot !== undefined && !sameBytes(claim.replicaRoot, roots.replicaRoot!))
    return { valid: false, reason: 'replica-root' };
  const wrong = claim.proofs.find((proof, index) => !sameBytes(proof.samplesRoot, roots.samplesRoots[index]!));
  return wrong === undefined ? VALID : { valid: false, reason: 'samples-root', period: wrong.period };
}

function streamIdentity({ claim, cipher, samples }: PreparedClaim): StreamIdentity {
  return { cipher, samples, wantReplicaRoot: claim.replicaRoot !== undefined };
}

/**
 * A verdict for each claim, in order. All claims are about the one segment given. Costs about 1.6 ms a VRF proof, then one pass over
 * the segment, which is not read when no claim survives its VRF proofs.
 * Throws `ReplicatorError`: 'segment-root', 'source-short' or 'source-long' when the verifier's copy is not the segment it should be.
 */
export async function verifyStream(kernels: Kernels, request: VerifyRequest): Promise<ClaimVerdict[]> {
  const outcomes = request.claims.map(prepare);
  const prepared = outcomes.filter((outcome) => 'cipher' in outcome);
  if (prepared.length === 0) return outcomes.filter((outcome) => 'valid' in outcome);
  const roots = await (request.roots ?? streamRoots)(kernels, {
    segment: request.segment,
    geometry: request.geometry,
    sampleBlockSizeBytes: request.sampleBlockSizeBytes,
    layers: request.layers ?? 1,
    identities: prepared.map(streamIdentity),
    wantSegmentRoot: request.segmentRoot !== undefined,
  });
  if (request.segmentRoot !== undefined && !sameBytes(request.segmentRoot, roots.segmentRoot!))
    throw new ReplicatorError(
      'segment-root',
      "the verifier's copy of the segment does not have the segment root given; fetch the segment again",
    );
  let next = 0;
  return outcomes.map((outcome) => ('valid' in outcome ? outcome : judge(outcome.claim, roots.identities[next++]!)));
}
