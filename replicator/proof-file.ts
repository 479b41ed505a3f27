/**
 * The storage proof of mode `stream` as a file: everything one period's proof of one replica claims, 544 bytes, to be checked offline against
 * the block headers it refers to and the segment's bytes.
 *
 * Invariants
 * - One encoding a proof; the decoder takes hostile bytes and refuses anything else, each with its own reason.
 * - Decoding says that a file *is* a proof, never that the proof is right: `verifyProofFile` (proof-check.ts) does.
 *
 * Byte table: docs/format/proofs.md, "Proof file".
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import { geometryProblem, sampleBlockProblem } from './geometry.ts';
import type { LayerCount } from './layers.ts';
import {
  getHead,
  headProblem,
  MODE_FIELD_OFFSET,
  PROOF_HEAD_SIZE_BYTES,
  type ProofChain,
  type ProofClaim,
  ProofFileError,
  putHead,
  refuseField,
  requireHead,
} from './proof-head.ts';

/** Everything about the chain that a proof of mode `stream` depends on. */
export interface ProofContext extends ProofChain {
  readonly sampleBlockSizeBytes: number;
  /** How often replicas are encrypted; once when absent. */
  readonly layers?: LayerCount;
}

/** One period's proof of one replica, mode `stream`. */
export interface StorageProof extends ProofContext, ProofClaim {
  /** 32 bytes */
  readonly samplesRoot: Uint8Array;
}

export const PROOF_FILE_SIZE_BYTES = 544;
const BODY_SIZE_BYTES = 512;
const CHECKSUM_TAG = new TextEncoder().encode('cairn/proof-file/1');

/** The mode's own fields. */
const AT = { sampleBlockSize: MODE_FIELD_OFFSET, samplesRoot: PROOF_HEAD_SIZE_BYTES } as const;

function checksum(kernels: Kernels, body: Uint8Array): Uint8Array {
  const tagged = new Uint8Array(CHECKSUM_TAG.length + BODY_SIZE_BYTES);
  tagged.set(CHECKSUM_TAG);
  tagged.set(body, CHECKSUM_TAG.length);
  return kernels.sha256(tagged);
}

/** Encodes a proof into 544 new bytes. Throws `ProofFileError` 'field' for a proof no decoder would take. */
export function encodeProofFile(kernels: Kernels, proof: StorageProof): Uint8Array {
  refuseField(fieldProblem(proof));
  const bytes = new Uint8Array(PROOF_FILE_SIZE_BYTES);
  putHead(bytes, 'stream', { ...proof, layers: proof.layers ?? 1 });
  new DataView(bytes.buffer).setUint32(AT.sampleBlockSize, proof.sampleBlockSizeBytes, true);
  bytes.set(proof.samplesRoot, AT.samplesRoot);
  bytes.set(checksum(kernels, bytes.subarray(0, BODY_SIZE_BYTES)), BODY_SIZE_BYTES);
  return bytes;
}

/** Reads a proof file. The bytes may hold anything; what is returned is copied. Throws `ProofFileError`. */
export function decodeProofFile(kernels: Kernels, bytes: Uint8Array): StorageProof {
  refuseEnvelope(kernels, bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const proof: StorageProof = {
    ...getHead(bytes),
    sampleBlockSizeBytes: view.getUint32(AT.sampleBlockSize, true),
    samplesRoot: bytes.slice(AT.samplesRoot, BODY_SIZE_BYTES),
  };
  refuseField(fieldProblem(proof));
  return proof;
}

function refuseEnvelope(kernels: Kernels, bytes: Uint8Array): void {
  if (bytes.length !== PROOF_FILE_SIZE_BYTES)
    throw new ProofFileError('length', `a proof file has ${PROOF_FILE_SIZE_BYTES} bytes, got ${bytes.length}`);
  requireHead(bytes, 'stream');
  if (!sameBytes(checksum(kernels, bytes.subarray(0, BODY_SIZE_BYTES)), bytes.subarray(BODY_SIZE_BYTES)))
    throw new ProofFileError('checksum', 'the checksum does not fit the content: the file is damaged');
}

function fieldProblem(proof: StorageProof): string | undefined {
  const { geometry, sampleBlockSizeBytes } = proof;
  return (
    geometryProblem(geometry) ??
    sampleBlockProblem(sampleBlockSizeBytes, geometry.segmentSizeBytes) ??
    headProblem(proof)
  );
}
