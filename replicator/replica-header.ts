/**
 * The head of a replica's file, 512 bytes, written last: a file without it is no replica.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 8 | magic "CAIRNREP" |
 * | 8 | 2 | version u16 = 1 |
 * | 10 | 1 | mode u8 = 1 |
 * | 11 | 1 | layers u8 = 1, 2 or 4 |
 * | 12 | 4 | segment u32 |
 * | 16 | 4 | rotation u32 |
 * | 20 | 4 | leaf size u32 |
 * | 24 | 8 | segment size u64 |
 * | 32 | 32 | identity (public key) |
 * | 64 | 32 | rotation hash |
 * | 96 | 80 | key proof |
 * | 176 | 32 | segment root |
 * | 208 | 32 | replica root |
 * | 240 | 1 | subtrees u8 = 1; 0 in files written before there were any |
 * | 241 | 267 | zero |
 * | 508 | 4 | CRC-32C of bytes 0 .. 507 |
 *
 * Then the replica (segment size), then the segment's leaf hashes, 32 bytes each, then, with subtrees, the roots of all subtrees of 16 leaves
 * of the segment's tree and of the replica's, 32 bytes each. Nothing follows.
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import { type CorruptionCode, CorruptReplicaError } from './errors.ts';
import { geometryProblem, type SegmentGeometry } from './geometry.ts';
import type { ReplicaSubject } from './key.ts';
import { type LayerCount, layerCount } from './layers.ts';

export interface ReplicaHeader extends ReplicaSubject {
  readonly geometry: SegmentGeometry;
  readonly layers: LayerCount;
  /** Whether the file holds the subtrees' roots, which proofs of mode `open` are made from. */
  readonly hasSubtrees: boolean;
  /** 80 bytes */
  readonly keyProof: Uint8Array;
  /** RFC 9162 root of the segment this is a replica of: the one in the chain's headers. 32 bytes */
  readonly segmentRoot: Uint8Array;
  /** RFC 9162 root of the replica as it was encoded. 32 bytes */
  readonly replicaRoot: Uint8Array;
}

export const REPLICA_HEADER_SIZE_BYTES = 512;
const MAGIC = new TextEncoder().encode('CAIRNREP');
const VERSION = 1;
const MODE = 1;

const AT = {
  version: 8,
  mode: 10,
  layers: 11,
  segment: 12,
  rotation: 16,
  leafSize: 20,
  segmentSize: 24,
  identity: 32,
  rotationHash: 64,
  keyProof: 96,
  segmentRoot: 176,
  replicaRoot: 208,
  subtrees: 240,
  reserved: 241,
  crc: 508,
} as const;

/** Encodes a header into 512 new bytes. */
export function encodeReplicaHeader(kernels: Kernels, header: ReplicaHeader): Uint8Array {
  const bytes = new Uint8Array(REPLICA_HEADER_SIZE_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint16(AT.version, VERSION, true);
  view.setUint8(AT.mode, MODE);
  view.setUint8(AT.layers, header.layers);
  view.setUint32(AT.segment, header.segment, true);
  view.setUint32(AT.rotation, header.rotation, true);
  view.setUint32(AT.leafSize, header.geometry.leafSizeBytes, true);
  view.setBigUint64(AT.segmentSize, BigInt(header.geometry.segmentSizeBytes), true);
  bytes.set(header.identity, AT.identity);
  bytes.set(header.rotationHash, AT.rotationHash);
  bytes.set(header.keyProof, AT.keyProof);
  bytes.set(header.segmentRoot, AT.segmentRoot);
  bytes.set(header.replicaRoot, AT.replicaRoot);
  view.setUint8(AT.subtrees, header.hasSubtrees ? 1 : 0);
  view.setUint32(AT.crc, kernels.crc32c(bytes.subarray(0, AT.crc)), true);
  return bytes;
}

function corrupt(
  path: string,
  code: CorruptionCode,
  offset: number,
  expected: string | number,
  found: string | number,
): CorruptReplicaError {
  return new CorruptReplicaError(code, { path, offset, expected: String(expected), found: String(found) });
}

/** Reads a header. @param path for messages. Throws `CorruptReplicaError` unless it is exactly what `encodeReplicaHeader` writes. */
export function decodeReplicaHeader(kernels: Kernels, bytes: Uint8Array, path: string): ReplicaHeader {
  if (bytes.length !== REPLICA_HEADER_SIZE_BYTES)
    throw corrupt(path, 'replica-truncated', bytes.length, `${REPLICA_HEADER_SIZE_BYTES} bytes`, 'the end of the file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!MAGIC.every((byte, index) => byte === bytes[index]))
    throw corrupt(path, 'replica-magic', 0, 'CAIRNREP', 'other bytes');
  const version = view.getUint16(AT.version, true);
  if (version !== VERSION) throw corrupt(path, 'replica-version', AT.version, VERSION, version);
  const crc = kernels.crc32c(bytes.subarray(0, AT.crc));
  const foundCrc = view.getUint32(AT.crc, true);
  if (crc !== foundCrc) throw corrupt(path, 'replica-header', AT.crc, crc, foundCrc);
  const mode = view.getUint8(AT.mode);
  if (mode !== MODE) throw corrupt(path, 'replica-header', AT.mode, MODE, mode);
  const layers = layerCount(view.getUint8(AT.layers));
  if (layers === undefined)
    throw corrupt(path, 'replica-header', AT.layers, '1, 2 or 4 layers', view.getUint8(AT.layers));
  const geometry = {
    segmentSizeBytes: Number(view.getBigUint64(AT.segmentSize, true)),
    leafSizeBytes: view.getUint32(AT.leafSize, true),
  };
  const problem = geometryProblem(geometry);
  if (problem !== undefined) throw corrupt(path, 'replica-header', AT.leafSize, 'possible sizes', problem);
  const header: ReplicaHeader = {
    segment: view.getUint32(AT.segment, true),
    rotation: view.getUint32(AT.rotation, true),
    geometry,
    layers,
    hasSubtrees: view.getUint8(AT.subtrees) === 1,
    identity: bytes.slice(AT.identity, AT.rotationHash),
    rotationHash: bytes.slice(AT.rotationHash, AT.keyProof),
    keyProof: bytes.slice(AT.keyProof, AT.segmentRoot),
    segmentRoot: bytes.slice(AT.segmentRoot, AT.replicaRoot),
    replicaRoot: bytes.slice(AT.replicaRoot, AT.subtrees),
  };
  if (!sameBytes(encodeReplicaHeader(kernels, header), bytes))
    throw corrupt(path, 'replica-header', AT.subtrees, '0 or 1, then zeros', 'other bytes');
  return header;
}
