/**
 * Checking a decoded storage proof offline, against what the verifier knows of the chain and the segment's bytes.
 *
 * Invariant: no field of the proof is believed that the verifier did not bring along or recompute.
 */
import type { Kernels } from '../native/index.ts';
import type { ByteSource } from './chunks.ts';
import { CHAIN_MESSAGES, type ChainRefusal, chainContradiction } from './proof-chain.ts';
import type { ProofContext, StorageProof } from './proof-file.ts';
import { type RefusalReason, verifyStream } from './verify.ts';

/** Why a proof does not hold; the first that applies, in this order. */
export type ProofRefusal = ChainRefusal | RefusalReason;

export type ProofVerdict =
  | { readonly valid: true }
  | { readonly valid: false; readonly reason: ProofRefusal; readonly message: string };

const MESSAGES: Readonly<Record<ProofRefusal, string>> = {
  ...CHAIN_MESSAGES,
  'key-proof': "the key proof is not the identity's for this segment and rotation",
  'sample-proof': "the sample proof is not the identity's for this segment and period",
  'replica-root': 'the replica root is not that of the replica this identity must hold',
  'samples-root': 'the samples root is not that of the replica this identity must hold',
};

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
  const sameMode =
    proof.sampleBlockSizeBytes === trusted.sampleBlockSizeBytes && (proof.layers ?? 1) === (trusted.layers ?? 1);
  const contradicted = chainContradiction(proof, trusted, sameMode);
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
