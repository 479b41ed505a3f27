/**
 * Checking a decoded storage proof offline, against what the verifier knows of the chain and the segment's bytes.
 *
 * Invariant: no field of the proof is believed that the verifier did not bring along or recompute.
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import type { ByteSource } from './chunks.ts';
import type { DesignatedBlock, ProofContext, StorageProof } from './proof-file.ts';
import { rotationOf } from './schedule.ts';
import { type RefusalReason, verifyStream } from './verify.ts';

/** Why a proof does not hold; the first that applies, in this order. */
export type ProofRefusal =
  | 'chain'
  | 'parameters'
  | 'period-outside-rotation'
  | 'rotation-block'
  | 'period-block'
  | 'segment-root'
  | RefusalReason;

export type ProofVerdict =
  | { readonly valid: true }
  | { readonly valid: false; readonly reason: ProofRefusal; readonly message: string };

const MESSAGES: Readonly<Record<ProofRefusal, string>> = {
  chain: 'the proof is for another chain',
  parameters: "sizes or schedule are not the chain's",
  'period-outside-rotation': 'the period is not in the rotation the proof names',
  'rotation-block': "the block that designates the rotation's hash is another one on this chain",
  'period-block': "the block that designates the period's hash is another one on this chain",
  'segment-root': "the segment's root is not the one in the chain's headers",
  'key-proof': "the key proof is not the identity's for this segment and rotation",
  'sample-proof': "the sample proof is not the identity's for this segment and period",
  'replica-root': 'the replica root is not that of the replica this identity must hold',
  'samples-root': 'the samples root is not that of the replica this identity must hold',
};

/** Whether two designate the same hash from the same block. */
export const sameBlock = (a: DesignatedBlock, b: DesignatedBlock): boolean =>
  a.height === b.height && sameBytes(a.blockHash, b.blockHash) && sameBytes(a.pohHash, b.pohHash);

function sameParameters(a: ProofContext, b: ProofContext): boolean {
  return (
    a.geometry.segmentSizeBytes === b.geometry.segmentSizeBytes &&
    a.geometry.leafSizeBytes === b.geometry.leafSizeBytes &&
    a.sampleBlockSizeBytes === b.sampleBlockSizeBytes &&
    (a.layers ?? 1) === (b.layers ?? 1) &&
    a.schedule.slotsPerPeriod === b.schedule.slotsPerPeriod &&
    a.schedule.periodsPerRotation === b.schedule.periodsPerRotation
  );
}

/** The first field of the proof that contradicts what the verifier knows. */
function contradiction(proof: StorageProof, trusted: ProofContext): ProofRefusal | undefined {
  if (!sameBytes(proof.chainId, trusted.chainId)) return 'chain';
  if (!sameParameters(proof, trusted)) return 'parameters';
  if (rotationOf(trusted.schedule, proof.period) !== proof.rotation) return 'period-outside-rotation';
  if (!sameBlock(proof.rotationBlock, trusted.rotationBlock)) return 'rotation-block';
  if (!sameBlock(proof.periodBlock, trusted.periodBlock)) return 'period-block';
  if (!sameBytes(proof.segmentRoot, trusted.segmentRoot)) return 'segment-root';
  return undefined;
}

/**
 * Checks a decoded proof against what the verifier knows of the chain, by re-encrypting the segment (mode `stream` cannot do without it).
 * @param trusted from the verifier's own genesis and headers, for `proof.rotation`, `proof.period` and `proof.segment`
 * @param segment the segment's bytes; checked against `trusted.segmentRoot` in the same pass
 * Throws `ReplicatorError` 'segment-root', 'source-short', 'source-long' when `segment` is not that segment: then nothing is known.
 */
export async function verifyProofFile(
  kernels: Kernels,
  proof: StorageProof,
  trusted: ProofContext,
  segment: ByteSource,
): Promise<ProofVerdict> {
  const refuse = (reason: ProofRefusal): ProofVerdict => ({ valid: false, reason, message: MESSAGES[reason] });
  const contradicted = contradiction(proof, trusted);
  if (contradicted !== undefined) return refuse(contradicted);
  const { geometry, sampleBlockSizeBytes, segmentRoot, layers = 1 } = trusted;
  const { period, sampleProof, samplesRoot, keyProof, replicaRoot, identity, rotation } = proof;
  const periodClaim = { period, periodHash: trusted.periodBlock.pohHash, sampleProof, samplesRoot };
  const rotationHash = trusted.rotationBlock.pohHash;
  const claim = {
    identity,
    segment: proof.segment,
    rotation,
    rotationHash,
    keyProof,
    replicaRoot,
    proofs: [periodClaim],
  };
  const request = { segment, geometry, sampleBlockSizeBytes, layers, segmentRoot, claims: [claim] };
  const [verdict] = await verifyStream(kernels, request);
  return verdict!.valid ? { valid: true } : refuse(verdict!.reason);
}
