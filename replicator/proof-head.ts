/**
 * What storage proofs of both modes have in common, as a file: the first 480 bytes, which say whose proof of what it is and which blocks it
 * refers to. What a mode adds stands in proof-file.ts (stream) and open-file.ts.
 *
 * Invariant: what is decoded here was written by `putHead`, byte for byte, or is refused with its own reason.
 *
 * Byte table: docs/format/proofs.md, "Proof file".
 */
import { sameBytes } from '../native/index.ts';
import type { SegmentGeometry } from './geometry.ts';
import { type LayerCount, layerCount, requireLayers } from './layers.ts';
import type { ReplicationSchedule } from './schedule.ts';

/** A block that designates: the final block with the greatest slot up to the period's or rotation's first. */
export interface DesignatedBlock {
  readonly height: number;
  /** The block's hash, 32 bytes. */
  readonly blockHash: Uint8Array;
  /** The PoH hash in its header: the designated hash, 32 bytes. */
  readonly pohHash: Uint8Array;
}

/** What of the chain every proof depends on. */
export interface ProofChain {
  /** 32 bytes */
  readonly chainId: Uint8Array;
  readonly geometry: SegmentGeometry;
  readonly schedule: ReplicationSchedule;
  /** Designates the rotation's hash. */
  readonly rotationBlock: DesignatedBlock;
  /** Designates the period's hash. */
  readonly periodBlock: DesignatedBlock;
  /** RFC 9162 root of the segment, 32 bytes. */
  readonly segmentRoot: Uint8Array;
}

/** What one identity claims for one period. */
export interface ProofClaim {
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
}

export interface ProofHead extends ProofChain, ProofClaim {
  readonly layers: LayerCount;
}

/** Modes as files name them. */
export const PROOF_MODES = { stream: 1, open: 2 } as const;
export type ProofMode = keyof typeof PROOF_MODES;

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

/** Where the four bytes stand that mean something else in each mode. */
export const MODE_FIELD_OFFSET = 28;
/** Bytes of the head; what a mode adds comes after. */
export const PROOF_HEAD_SIZE_BYTES = 480;
const MAGIC = new TextEncoder().encode('CAIRNPRF');
const VERSION = 1;

const AT = {
  version: 8,
  mode: 10,
  layers: 11,
  segment: 12,
  rotation: 16,
  period: 20,
  leafSize: 24,
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
} as const;

/** The mode a file's head names, by its eleventh byte; undefined when it is no proof file or of another mode. */
export function proofFileMode(bytes: Uint8Array): ProofMode | undefined {
  if (bytes.length <= AT.mode || !isMagic(bytes)) return undefined;
  return bytes[AT.mode] === PROOF_MODES.open ? 'open' : bytes[AT.mode] === PROOF_MODES.stream ? 'stream' : undefined;
}

/** Writes the head; the four bytes at `MODE_FIELD_OFFSET` and those from `PROOF_HEAD_SIZE_BYTES` on are the mode's own. */
export function putHead(bytes: Uint8Array, mode: ProofMode, head: ProofHead): void {
  const view = viewOf(bytes);
  bytes.set(MAGIC);
  view.setUint16(AT.version, VERSION, true);
  view.setUint8(AT.mode, PROOF_MODES[mode]);
  view.setUint8(AT.layers, head.layers);
  view.setUint32(AT.segment, head.segment, true);
  view.setUint32(AT.rotation, head.rotation, true);
  view.setUint32(AT.period, head.period, true);
  view.setUint32(AT.leafSize, head.geometry.leafSizeBytes, true);
  view.setBigUint64(AT.segmentSize, BigInt(head.geometry.segmentSizeBytes), true);
  view.setUint32(AT.slotsPerPeriod, head.schedule.slotsPerPeriod, true);
  view.setUint32(AT.periodsPerRotation, head.schedule.periodsPerRotation, true);
  bytes.set(head.chainId, AT.chainId);
  bytes.set(head.identity, AT.identity);
  putBlock(bytes, view, AT.rotationBlock, head.rotationBlock);
  putBlock(bytes, view, AT.periodBlock, head.periodBlock);
  bytes.set(head.keyProof, AT.keyProof);
  bytes.set(head.sampleProof, AT.sampleProof);
  bytes.set(head.segmentRoot, AT.segmentRoot);
  bytes.set(head.replicaRoot, AT.replicaRoot);
}

/** Copies the head out of bytes that `requireHead` has let pass. */
export function getHead(bytes: Uint8Array): ProofHead {
  const view = viewOf(bytes);
  return {
    layers: requireLayers(view.getUint8(AT.layers)),
    segment: view.getUint32(AT.segment, true),
    rotation: view.getUint32(AT.rotation, true),
    period: view.getUint32(AT.period, true),
    geometry: {
      segmentSizeBytes: Number(view.getBigUint64(AT.segmentSize, true)),
      leafSizeBytes: view.getUint32(AT.leafSize, true),
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
    replicaRoot: bytes.slice(AT.replicaRoot, PROOF_HEAD_SIZE_BYTES),
  };
}

/** Refuses what is not the head of a file of this mode. @param bytes a head at least. Throws `ProofFileError` 'magic', 'version', 'mode' */
export function requireHead(bytes: Uint8Array, mode: ProofMode): void {
  if (!isMagic(bytes)) throw new ProofFileError('magic', 'not a proof file: it must start with CAIRNPRF');
  const view = viewOf(bytes);
  const version = view.getUint16(AT.version, true);
  if (version !== VERSION) throw new ProofFileError('version', `version must be ${VERSION}, got ${version}`);
  const [found, layers] = [view.getUint8(AT.mode), view.getUint8(AT.layers)];
  if (found === PROOF_MODES[mode] && layerCount(layers) !== undefined) return;
  const wanted = `mode must be ${PROOF_MODES[mode]} (${mode}) with 1, 2 or 4 layers`;
  throw new ProofFileError('mode', `${wanted}, got mode ${found} with ${layers}`);
}

/** What makes a head impossible to state, whoever is right; undefined when nothing does. Sizes are looked at by the modes. */
export function headProblem({ schedule, rotationBlock, periodBlock }: ProofChain): string | undefined {
  const { slotsPerPeriod, periodsPerRotation } = schedule;
  if (slotsPerPeriod < 1 || periodsPerRotation < 1)
    return `slotsPerPeriod and periodsPerRotation must be at least 1, got ${slotsPerPeriod} and ${periodsPerRotation}`;
  if (!Number.isSafeInteger(rotationBlock.height) || !Number.isSafeInteger(periodBlock.height))
    return `heights must be at most 2^53 - 1, got ${rotationBlock.height} and ${periodBlock.height}`;
  return undefined;
}

export function refuseField(problem: string | undefined): void {
  if (problem !== undefined) throw new ProofFileError('field', problem);
}

const isMagic = (bytes: Uint8Array): boolean => sameBytes(bytes.subarray(0, MAGIC.length), MAGIC);

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

function putBlock(bytes: Uint8Array, view: DataView, at: number, block: DesignatedBlock): void {
  view.setBigUint64(at, BigInt(block.height), true);
  bytes.set(block.blockHash, at + 8);
  bytes.set(block.pohHash, at + 40);
}

function getBlock(bytes: Uint8Array, view: DataView, at: number): DesignatedBlock {
  return {
    height: Number(view.getBigUint64(at, true)),
    blockHash: bytes.slice(at + 8, at + 40),
    pohHash: bytes.slice(at + 40, at + 72),
  };
}
