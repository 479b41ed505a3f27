/**
 * The storage proof of mode `open` as a file: what one period's proof claims, and its openings, to be checked offline against the block
 * headers it refers to and the commitment. Head and checksum bound the parser; the openings' length follows from the head.
 *
 * Invariant: decoding says that a file *is* a proof, never that the proof is right: `verifyOpenFile` (open-check.ts) does.
 *
 * Byte table: docs/format/proofs.md, "Proof file, mode open".
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import { geometryProblem } from './geometry.ts';
import { type LayerCount, layerCount, requireLayers } from './layers.ts';
import { type OpenParameters, openParametersProblem } from './open-plan.ts';
import { type ProofContext, ProofFileError, type StorageProof } from './proof-file.ts';
import { getBlock, PROOF_MAGIC, putBlock } from './proof-parts.ts';

/** Everything about the chain that a proof of mode `open` depends on. */
export interface OpenContext extends Omit<ProofContext, 'sampleBlockSizeBytes' | 'layers'> {
  readonly layers: LayerCount;
  readonly parameters: OpenParameters;
}

/** One period's proof of one replica, mode `open`. */
export interface OpenStorageProof
  extends OpenContext,
    Pick<StorageProof, 'segment' | 'rotation' | 'period' | 'identity' | 'keyProof' | 'sampleProof' | 'replicaRoot'> {
  /** The openings. */
  readonly body: Uint8Array;
}

/** Bytes before the openings. */
export const OPEN_HEAD_SIZE_BYTES = 512;
/** Largest file read: 65,536 leaves of 1 KiB with their paths fit. */
export const OPEN_FILE_SIZE_BYTES_MAX: number = 256 * 1024 * 1024;
const VERSION = 1;
const MODE_OPEN = 2;

const AT = {
  version: 8,
  mode: 10,
  layers: 11,
  segment: 12,
  rotation: 16,
  period: 20,
  leafSize: 24,
  sampleCount: 28,
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
  checkCount: 480,
  reserved: 484,
} as const;

/** The mode a file's head names, by its eleventh byte; undefined when it is no proof file or of another mode. */
export function proofFileMode(bytes: Uint8Array): 'stream' | 'open' | undefined {
  if (bytes.length <= AT.mode || !sameBytes(bytes.subarray(0, PROOF_MAGIC.length), PROOF_MAGIC)) return undefined;
  return bytes[AT.mode] === MODE_OPEN ? 'open' : bytes[AT.mode] === 1 ? 'stream' : undefined;
}

/** Encodes a proof into new bytes. Throws `ProofFileError` 'field' for a proof no decoder would take. */
export function encodeOpenFile(kernels: Kernels, proof: OpenStorageProof): Uint8Array {
  refuseField(fieldProblem(proof));
  const bytes = new Uint8Array(OPEN_HEAD_SIZE_BYTES + proof.body.length + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(PROOF_MAGIC);
  view.setUint16(AT.version, VERSION, true);
  view.setUint8(AT.mode, MODE_OPEN);
  view.setUint8(AT.layers, proof.layers);
  view.setUint32(AT.segment, proof.segment, true);
  view.setUint32(AT.rotation, proof.rotation, true);
  view.setUint32(AT.period, proof.period, true);
  view.setUint32(AT.leafSize, proof.geometry.leafSizeBytes, true);
  view.setUint32(AT.sampleCount, proof.parameters.sampleCount, true);
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
  view.setUint32(AT.checkCount, proof.parameters.checkCount, true);
  bytes.set(proof.body, OPEN_HEAD_SIZE_BYTES);
  const end = bytes.length - 4;
  view.setUint32(end, kernels.crc32c(bytes.subarray(0, end)), true);
  return bytes;
}

/** Reads a proof file of mode `open`. The bytes may hold anything; the body is a view of them. Throws `ProofFileError`. */
export function decodeOpenFile(kernels: Kernels, bytes: Uint8Array): OpenStorageProof {
  refuseEnvelope(kernels, bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const proof: OpenStorageProof = {
    layers: requireLayers(view.getUint8(AT.layers)),
    segment: view.getUint32(AT.segment, true),
    rotation: view.getUint32(AT.rotation, true),
    period: view.getUint32(AT.period, true),
    geometry: {
      segmentSizeBytes: Number(view.getBigUint64(AT.segmentSize, true)),
      leafSizeBytes: view.getUint32(AT.leafSize, true),
    },
    parameters: {
      sampleCount: view.getUint32(AT.sampleCount, true),
      checkCount: view.getUint32(AT.checkCount, true),
    },
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
    replicaRoot: bytes.slice(AT.replicaRoot, AT.checkCount),
    body: bytes.subarray(OPEN_HEAD_SIZE_BYTES, bytes.length - 4),
  };
  refuseField(fieldProblem(proof));
  if (bytes.subarray(AT.reserved, OPEN_HEAD_SIZE_BYTES).some((byte) => byte !== 0))
    throw new ProofFileError('field', 'bytes 484 .. 511 must be zero');
  return proof;
}

function refuseEnvelope(kernels: Kernels, bytes: Uint8Array): void {
  if (bytes.length < OPEN_HEAD_SIZE_BYTES + 4 || bytes.length > OPEN_FILE_SIZE_BYTES_MAX)
    throw new ProofFileError(
      'length',
      `a proof file of mode open has 516 .. ${OPEN_FILE_SIZE_BYTES_MAX} bytes, got ${bytes.length}`,
    );
  if (!sameBytes(bytes.subarray(0, PROOF_MAGIC.length), PROOF_MAGIC))
    throw new ProofFileError('magic', 'not a proof file: it must start with CAIRNPRF');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint16(AT.version, true);
  if (version !== VERSION) throw new ProofFileError('version', `version must be ${VERSION}, got ${version}`);
  const [mode, layers] = [view.getUint8(AT.mode), view.getUint8(AT.layers)];
  if (mode !== MODE_OPEN || layerCount(layers) === undefined)
    throw new ProofFileError('mode', `mode must be 2 (open) with 1, 2 or 4 layers, got mode ${mode} with ${layers}`);
  const end = bytes.length - 4;
  if (view.getUint32(end, true) !== kernels.crc32c(bytes.subarray(0, end)))
    throw new ProofFileError('checksum', 'the checksum does not fit the content: the file is damaged');
}

function fieldProblem({ geometry, parameters, schedule, rotationBlock, periodBlock }: OpenContext): string | undefined {
  const sizes = geometryProblem(geometry) ?? openParametersProblem(parameters);
  if (sizes !== undefined) return sizes;
  if (schedule.slotsPerPeriod < 1 || schedule.periodsPerRotation < 1)
    return `slotsPerPeriod and periodsPerRotation must be at least 1, got ${schedule.slotsPerPeriod} and ${schedule.periodsPerRotation}`;
  if (!Number.isSafeInteger(rotationBlock.height) || !Number.isSafeInteger(periodBlock.height))
    return `heights must be at most 2^53 - 1, got ${rotationBlock.height} and ${periodBlock.height}`;
  return undefined;
}

function refuseField(problem: string | undefined): void {
  if (problem !== undefined) throw new ProofFileError('field', problem);
}
