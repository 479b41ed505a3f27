/**
 * The storage proof of mode `open` as a file: what one period's proof claims, and its openings, to be checked offline against the block
 * headers it refers to and the commitment. Head and checksum bound the parser; the openings' length follows from the head.
 *
 * Invariant: decoding says that a file *is* a proof, never that the proof is right: `verifyOpenFile` (open-check.ts) does.
 *
 * Byte table: docs/format/proofs.md, "Proof file, mode open".
 */
import type { Kernels } from '../native/index.ts';
import { geometryProblem } from './geometry.ts';
import type { LayerCount } from './layers.ts';
import { type OpenParameters, openParametersProblem } from './open-plan.ts';
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

/** Everything about the chain that a proof of mode `open` depends on. */
export interface OpenContext extends ProofChain {
  readonly layers: LayerCount;
  readonly parameters: OpenParameters;
}

/** One period's proof of one replica, mode `open`. */
export interface OpenStorageProof extends OpenContext, ProofClaim {
  /** The openings. */
  readonly body: Uint8Array;
}

/** Bytes before the openings. */
export const OPEN_HEAD_SIZE_BYTES = 512;
/** Largest file read: 65,536 leaves of 1 KiB with their paths fit. */
export const OPEN_FILE_SIZE_BYTES_MAX: number = 256 * 1024 * 1024;
const CHECKSUM_SIZE_BYTES = 4;

/** The mode's own fields: how many leaves are drawn, and how many of them are checked against the segment. */
const AT = { sampleCount: MODE_FIELD_OFFSET, checkCount: PROOF_HEAD_SIZE_BYTES, reserved: 484 } as const;

/** Encodes a proof into new bytes. Throws `ProofFileError` 'field' for a proof no decoder would take. */
export function encodeOpenFile(kernels: Kernels, proof: OpenStorageProof): Uint8Array {
  refuseField(fieldProblem(proof));
  const bytes = new Uint8Array(OPEN_HEAD_SIZE_BYTES + proof.body.length + CHECKSUM_SIZE_BYTES);
  const view = new DataView(bytes.buffer);
  putHead(bytes, 'open', proof);
  view.setUint32(AT.sampleCount, proof.parameters.sampleCount, true);
  view.setUint32(AT.checkCount, proof.parameters.checkCount, true);
  bytes.set(proof.body, OPEN_HEAD_SIZE_BYTES);
  const end = bytes.length - CHECKSUM_SIZE_BYTES;
  view.setUint32(end, kernels.crc32c(bytes.subarray(0, end)), true);
  return bytes;
}

/** Reads a proof file of mode `open`. The bytes may hold anything; the body is a view of them. Throws `ProofFileError`. */
export function decodeOpenFile(kernels: Kernels, bytes: Uint8Array): OpenStorageProof {
  refuseEnvelope(kernels, bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const proof: OpenStorageProof = {
    ...getHead(bytes),
    parameters: {
      sampleCount: view.getUint32(AT.sampleCount, true),
      checkCount: view.getUint32(AT.checkCount, true),
    },
    body: bytes.subarray(OPEN_HEAD_SIZE_BYTES, bytes.length - CHECKSUM_SIZE_BYTES),
  };
  refuseField(fieldProblem(proof));
  if (bytes.subarray(AT.reserved, OPEN_HEAD_SIZE_BYTES).some((byte) => byte !== 0))
    throw new ProofFileError('field', 'bytes 484 .. 511 must be zero');
  return proof;
}

function refuseEnvelope(kernels: Kernels, bytes: Uint8Array): void {
  if (bytes.length < OPEN_HEAD_SIZE_BYTES + CHECKSUM_SIZE_BYTES || bytes.length > OPEN_FILE_SIZE_BYTES_MAX)
    throw new ProofFileError(
      'length',
      `a proof file of mode open has 516 .. ${OPEN_FILE_SIZE_BYTES_MAX} bytes, got ${bytes.length}`,
    );
  requireHead(bytes, 'open');
  const end = bytes.length - CHECKSUM_SIZE_BYTES;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(end, true) !== kernels.crc32c(bytes.subarray(0, end)))
    throw new ProofFileError('checksum', 'the checksum does not fit the content: the file is damaged');
}

function fieldProblem(proof: OpenContext): string | undefined {
  return geometryProblem(proof.geometry) ?? openParametersProblem(proof.parameters) ?? headProblem(proof);
}
