/**
 * The storage proof as a file: everything one period's proof of one replica claims, 544 bytes, to be checked offline against the block
 * headers it refers to and (mode `stream`) the segment's bytes.
 *
 * Invariants
 * - One encoding a proof; the decoder takes hostile bytes and refuses anything else, each with its own reason.
 * - Decoding says that a file *is* a proof, never that the proof is right: `verifyProofFile` (proof-check.ts) does.
 *
 * Byte table: docs/format/proofs.md, "Proof file".
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import { geometryProblem, type SegmentGeometry, sampleBlockProblem } from './geometry.ts';
import { type LayerCount, layerCount, requireLayers } from './layers.ts';
import { getBlock, PROOF_MAGIC, putBlock } from './proof-parts.ts';
import type { ReplicationSchedule } from './schedule.ts';

/** A block that designates: the final block with the greatest slot up to the period's or rotation's first. */
export interface DesignatedBlock {
  readonly height: number;
  /** The block's hash, 32 bytes. */
  readonly blockHash: Uint8Array;
  /** The PoH hash in its header: the designated hash, 32 bytes. */
  readonly pohHash: Uint8Array;
}

/** Everything about the chain that a proof depends on. */
export interface ProofContext {
  /** 32 bytes */
  readonly chainId: Uint8Array;
  readonly geometry: SegmentGeometry;
  readonly sampleBlockSizeBytes: number;
  /** How often replicas are encrypted; once when absent. */
  readonly layers?: LayerCount;
  readonly schedule: ReplicationSchedule;
  /** Designates the rotation's hash. */
  readonly rotationBlock: DesignatedBlock;
  /** Designates the period's hash. */
  readonly periodBlock: DesignatedBlock;
  /** RFC 9162 root of the segment, 32 bytes. */
  readonly segmentRoot: Uint8Array;
}

/** One period's proof of one replica, mode `stream`. */
export interface StorageProof extends ProofContext {
  readonly segment: number;
  readonly rotation: number;
  readonly period: number;
  /** Ed25519 public key, 32 bytes. */
  readonly identity: Uint8Array;
  /** 80 bytes */
  readonly keyProof: Uint8Array;
  /** 80 bytes */
  readonly sampleProof: Uint8Array;
  /** The committed root of the replica, 32 bytes. */
  readonly replicaRoot: Uint8Array;
  /** 32 bytes */
  readonly samplesRoot: Uint8Array;
}

export type ProofFileErrorCode = 'length' | 'magic' | 'version' | 'mode' | 'checksum' | 'field';

/** Bytes that are not a proof file. */
export class ProofFileError extends Error {
  override readonly name = 'ProofFileError';
  readonly code: ProofFileErrorCode;

  constructor(code: ProofFileErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const PROOF_FILE_SIZE_BYTES = 544;
const BODY_SIZE_BYTES = 512;
const CHECKSUM_TAG = new TextEncoder().encode('cairn/proof-file/1');
const VERSION = 1;
const MODE_STREAM = 1;

const AT = {
  version: 8,
  mode: 10,
  layers: 11,
  segment: 12,
  rotation: 16,
  period: 20,
  leafSize: 24,
  sampleBlockSize: 28,
  segmentSize: 32,
  slotsPerPeriod: 40,
  periodsPerRotation: 44,
  chainId: 48,
  identity: 80,
  rotationBlock: 112,
  periodBlock: 184,
  keyProof: 256,
  sampleProof: 336,
  segmentRoot: 416,
  replicaRoot: 448,
  samplesRoot: 480,
} as const;

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
  const view = new DataView(bytes.buffer);
  bytes.set(PROOF_MAGIC);
  view.setUint16(AT.version, VERSION, true);
  view.setUint8(AT.mode, MODE_STREAM);
  view.setUint8(AT.layers, proof.layers ?? 1);
  view.setUint32(AT.segment, proof.segment, true);
  view.setUint32(AT.rotation, proof.rotation, true);
  view.setUint32(AT.period, proof.period, true);
  view.setUint32(AT.leafSize, proof.geometry.leafSizeBytes, true);
  view.setUint32(AT.sampleBlockSize, proof.sampleBlockSizeBytes, true);
  view.setBigUint64(AT.segmentSize, BigInt(proof.geometry.segmentSizeBytes), true);
  view.setUint32(AT.slotsPerPeriod, proof.schedule.slotsPerPeriod, true);
  view.setUint32(AT.periodsPerRotation, proof.schedule.periodsPerRotation, true);
  bytes.set(proof.chainId, AT.chainId);
  bytes.set(proof.identity, AT.identity);
  putBlock(bytes, view, AT.rotationBlock, proof.rotationBlock);
  putBlock(bytes, view, AT.periodBlock, proof.periodBlock);
  bytes.set(proof.keyProof, AT.keyProof);
  bytes.set(proof.sampleProof, AT.sampleProof);
  bytes.set(proof.segmentRoot, AT.segmentRoot);
  bytes.set(proof.replicaRoot, AT.replicaRoot);
  bytes.set(proof.samplesRoot, AT.samplesRoot);
  bytes.set(checksum(kernels, bytes.subarray(0, BODY_SIZE_BYTES)), BODY_SIZE_BYTES);
  return bytes;
}

/** Reads a proof file. The bytes may hold anything; what is returned is copied. Throws `ProofFileError`. */
export function decodeProofFile(kernels: Kernels, bytes: Uint8Array): StorageProof {
  refuseEnvelope(kernels, bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const proof: StorageProof = {
    segment: view.getUint32(AT.segment, true),
    rotation: view.getUint32(AT.rotation, true),
    period: view.getUint32(AT.period, true),
    geometry: {
      segmentSizeBytes: Number(view.getBigUint64(AT.segmentSize, true)),
      leafSizeBytes: view.getUint32(AT.leafSize, true),
    },
    sampleBlockSizeBytes: view.getUint32(AT.sampleBlockSize, true),
    layers: requireLayers(view.getUint8(AT.layers)),
    schedule: {
      slotsPerPeriod: view.getUint32(AT.slotsPerPeriod, true),
      periodsPerRotation: view.getUint32(AT.periodsPerRotation, true),
    },
    chainId: bytes.slice(AT.chainId, AT.identity),
    identity: bytes.slice(AT.identity, AT.rotationBlock),
    rotationBlock: getBlock(bytes, view, AT.rotationBlock),
    periodBlock: getBlock(bytes, view, AT.periodBlock),
    keyProof: bytes.slice(AT.keyProof, AT.sampleProof),
    sampleProof: bytes.slice(AT.sampleProof, AT.segmentRoot),
    segmentRoot: bytes.slice(AT.segmentRoot, AT.replicaRoot),
    replicaRoot: bytes.slice(AT.replicaRoot, AT.samplesRoot),
    samplesRoot: bytes.slice(AT.samplesRoot, BODY_SIZE_BYTES),
  };
  refuseField(fieldProblem(proof));
  return proof;
}

function refuseEnvelope(kernels: Kernels, bytes: Uint8Array): void {
  if (bytes.length !== PROOF_FILE_SIZE_BYTES)
    throw new ProofFileError('length', `a proof file has ${PROOF_FILE_SIZE_BYTES} bytes, got ${bytes.length}`);
  if (!sameBytes(bytes.subarray(0, PROOF_MAGIC.length), PROOF_MAGIC))
    throw new ProofFileError('magic', 'not a proof file: it must start with CAIRNPRF');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint16(AT.version, true);
  if (version !== VERSION) throw new ProofFileError('version', `version must be ${VERSION}, got ${version}`);
  const [mode, layers] = [view.getUint8(AT.mode), view.getUint8(AT.layers)];
  if (mode !== MODE_STREAM || layerCount(layers) === undefined)
    throw new ProofFileError('mode', `mode must be 1 (stream) with 1, 2 or 4 layers, got mode ${mode} with ${layers}`);
  if (!sameBytes(checksum(kernels, bytes.subarray(0, BODY_SIZE_BYTES)), bytes.subarray(BODY_SIZE_BYTES)))
    throw new ProofFileError('checksum', 'the checksum does not fit the content: the file is damaged');
}

/** What makes a proof impossible to state, whoever is right; undefined when nothing does. */
function fieldProblem(proof: StorageProof): string | undefined {
  const sizes =
    geometryProblem(proof.geometry) ?? sampleBlockProblem(proof.sampleBlockSizeBytes, proof.geometry.segmentSizeBytes);
  if (sizes !== undefined) return sizes;
  const { slotsPerPeriod, periodsPerRotation } = proof.schedule;
  if (slotsPerPeriod < 1 || periodsPerRotation < 1)
    return `slotsPerPeriod and periodsPerRotation must be at least 1, got ${slotsPerPeriod} and ${periodsPerRotation}`;
  const { rotationBlock, periodBlock } = proof;
  if (!Number.isSafeInteger(rotationBlock.height) || !Number.isSafeInteger(periodBlock.height))
    return `heights must be at most 2^53 - 1, got ${rotationBlock.height} and ${periodBlock.height}`;
  return undefined;
}

function refuseField(problem: string | undefined): void {
  if (problem !== undefined) throw new ProofFileError('field', problem);
}
