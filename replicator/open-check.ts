/**
 * Checking a decoded proof of mode `open` offline, against what the verifier knows of the chain: its genesis, the designated blocks, the
 * segment's root, and the replica root that was committed before the period's hash was known.
 *
 * Invariant: no field of the proof is believed that the verifier did not bring along or recompute. The commitment above all: a root chosen
 * after the samples are known proves nothing.
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import type { OpenContext, OpenStorageProof } from './open-file.ts';
import { type OpenRefusal, verifyOpen } from './open-proof.ts';
import { CHAIN_MESSAGES, type ChainRefusal, chainContradiction } from './proof-chain.ts';

/** Why a proof does not hold; the first that applies, in this order. */
export type OpenProofRefusal = ChainRefusal | 'not-committed' | OpenRefusal;

export type OpenVerdict =
  | { readonly valid: true }
  | { readonly valid: false; readonly reason: OpenProofRefusal; readonly message: string };

const MESSAGES: Readonly<Record<OpenProofRefusal, string>> = {
  ...CHAIN_MESSAGES,
  'not-committed': 'this replica root was not committed before the period began',
  'key-proof': "the key proof is not the identity's for this segment and rotation",
  'sample-proof': "the sample proof is not the identity's for this segment and period",
  length: 'the openings are not those this period asks for',
  'replica-opening': 'the opened leaves are not in the committed replica',
  'segment-opening': 'the opened leaves are not in the segment',
  encoding: "the replica is not the segment encrypted under this identity's key",
};

/** What the verifier knows of the chain, and of this replica. */
export interface OpenTrust extends OpenContext {
  /** The replica root in the identity's commitment for segment and rotation, in a block before the period's; undefined when there is none. */
  readonly committedRoot: Uint8Array | undefined;
}

function contradiction(proof: OpenStorageProof, trusted: OpenTrust): OpenProofRefusal | undefined {
  const sameMode =
    proof.layers === trusted.layers &&
    proof.parameters.sampleCount === trusted.parameters.sampleCount &&
    proof.parameters.checkCount === trusted.parameters.checkCount;
  const contradicted = chainContradiction(proof, trusted, sameMode);
  if (contradicted !== undefined) return contradicted;
  const { committedRoot } = trusted;
  return committedRoot === undefined || !sameBytes(proof.replicaRoot, committedRoot) ? 'not-committed' : undefined;
}

/** Checks a decoded proof. @param trusted from the verifier's own genesis, headers and ledger, for the proof's segment, rotation and period */
export function verifyOpenFile(kernels: Kernels, proof: OpenStorageProof, trusted: OpenTrust): OpenVerdict {
  const { geometry, layers, parameters, segmentRoot } = trusted;
  const claim = {
    ...proof,
    rotationHash: trusted.rotationBlock.pohHash,
    periodHash: trusted.periodBlock.pohHash,
  };
  const reason =
    contradiction(proof, trusted) ??
    verifyOpen(kernels, claim, { geometry, layers, parameters }, { replicaRoot: proof.replicaRoot, segmentRoot });
  return reason === undefined ? { valid: true } : { valid: false, reason, message: MESSAGES[reason] };
}
