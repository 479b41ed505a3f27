/**
 * The shared vectors of replication: keys, encoded bytes, samples, roots and proof files of both modes, for 1, 2 and 4 layers. Another
 * implementation can be checked against test/vectors/replication.json, which `tools/build/write-replication-vectors.mjs` writes with
 * the portable twin.
 *
 * Segment bytes, secrets and hashes come from labels: SHA-256(label || " " || n) for n = 0, 1, ... in decimal, concatenated and cut.
 */
import { createHash } from 'node:crypto';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Kernels } from '../../native/index.ts';
import { memoryReader } from '../../replicator/chunks.ts';
import { replicaDecoder } from '../../replicator/decode.ts';
import { encodeSegment } from '../../replicator/encode.ts';
import { deriveCipher, deriveSampleSeed, proveKey, proveSamples } from '../../replicator/key.ts';
import { type LayerCount, layerCiphers } from '../../replicator/layers.ts';
import { encodeOpenFile, type OpenStorageProof } from '../../replicator/open-file.ts';
import { openPlan } from '../../replicator/open-plan.ts';
import { makeOpening } from '../../replicator/open-proof.ts';
import { memorySource } from '../../replicator/open-source.ts';
import { encodeProofFile, type StorageProof } from '../../replicator/proof-file.ts';
import { samplesRoot } from '../../replicator/prove.ts';
import { drawOffset, sampleBlock, sampleCount } from '../../replicator/sample.ts';
import { createVrfKey } from '../../replicator/vrf.ts';

/** Sizes chosen for their edges: only block, last block short, last block shorter than a slice, blocks of one byte, whole blocks. */
const SIZES = [
  { name: 'only block', segmentSizeBytes: 1024, leafSizeBytes: 1024, sampleBlockSizeBytes: 1_048_576 },
  { name: 'last block short', segmentSizeBytes: 5120, leafSizeBytes: 1024, sampleBlockSizeBytes: 1000 },
  { name: 'last block shorter than a slice', segmentSizeBytes: 2048, leafSizeBytes: 256, sampleBlockSizeBytes: 1010 },
  { name: 'blocks of one byte', segmentSizeBytes: 1024, leafSizeBytes: 64, sampleBlockSizeBytes: 1 },
  { name: 'whole blocks', segmentSizeBytes: 262_144, leafSizeBytes: 1024, sampleBlockSizeBytes: 32_768 },
] as const;
const OPEN = { sampleCount: 20, checkCount: 3 } as const;

interface VectorCase {
  readonly name: string;
  readonly segmentSizeBytes: number;
  readonly leafSizeBytes: number;
  readonly sampleBlockSizeBytes: number;
  readonly layers: LayerCount;
}

/** Every size in one layer, then in two and in four. */
const VECTOR_CASES: readonly VectorCase[] = ([1, 2, 4] as const).flatMap((layers) =>
  SIZES.map((sizes) => ({ ...sizes, layers })),
);

/** One vector. Bytes in hexadecimal. */
export interface ReplicationVector {
  readonly name: string;
  readonly input: Omit<VectorCase, 'name'> & {
    readonly segmentLabel: string;
    readonly secret: string;
    readonly segment: number;
    readonly rotation: number;
    readonly rotationHash: string;
    readonly period: number;
    readonly periodHash: string;
  };
  readonly identity: string;
  readonly keyProof: string;
  /** Of each pass, the first's first. */
  readonly ciphers: readonly { readonly key: string; readonly iv: string }[];
  readonly segmentSha256: string;
  readonly replicaSha256: string;
  readonly replicaFirst32: string;
  readonly replicaLast32: string;
  readonly segmentRoot: string;
  readonly replicaRoot: string;
  readonly sampleProof: string;
  readonly sampleSeed: string;
  readonly sampleOffsetsFirst16: readonly number[];
  readonly samplesRoot: string;
  readonly proofFile: string;
  readonly open: {
    readonly sampleCount: number;
    readonly checkCount: number;
    readonly replicaLeaves: readonly number[];
    readonly checkedBlocks: readonly number[];
    readonly neededBlocks: readonly number[];
    readonly bodySizeBytes: number;
    readonly proofFileSha256: string;
    /** Whole where the file has at most 8 KiB. */
    readonly proofFile: string | null;
  };
}

/** The bytes a label stands for. */
export function labelBytes(label: string, sizeBytes: number): Uint8Array {
  const out = new Uint8Array(sizeBytes);
  for (let at = 0, counter = 0; at < sizeBytes; at += 32, counter += 1) {
    const digest = createHash('sha256').update(`${label} ${counter}`).digest();
    out.set(digest.subarray(0, sizeBytes - at), at);
  }
  return out;
}

const hashOf = (label: string): Uint8Array => labelBytes(label, 32);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const CHAIN = { schedule: { slotsPerPeriod: 20, periodsPerRotation: 4 }, chainId: hashOf('chain') };

/** Numbers, names and hashes of one vector. */
function subjectOf(index: number) {
  const [segment, rotation, period] = [index, index + 1, 4 * (index + 1) + 2];
  return {
    key: createVrfKey(hashOf(`secret ${index}`)),
    segment,
    rotation,
    period,
    rotationHash: hashOf(`rotation ${rotation}`),
    periodHash: hashOf(`period ${period}`),
    rotationBlock: { height: 100 + index, blockHash: hashOf(`block ${100 + index}`) },
    periodBlock: { height: 200 + index, blockHash: hashOf(`block ${200 + index}`) },
  };
}

async function encoded(kernels: Kernels, segment: Uint8Array, options: Parameters<typeof encodeSegment>[3]) {
  const replica = new Uint8Array(segment.length);
  const sink = {
    writeReplica: async (offset: number, bytes: Uint8Array) => replica.set(bytes, offset),
    writeLeafHashes: async () => undefined,
  };
  return { replica, ...(await encodeSegment(kernels, segment, sink, options)) };
}

function must<T>(value: T | false): T {
  if (value === false) throw new RangeError('an own VRF proof does not verify');
  return value;
}

/** Builds vector `index` of `VECTOR_CASES`. */
async function buildVector(kernels: Kernels, index: number): Promise<ReplicationVector> {
  const { name, ...sizes } = VECTOR_CASES[index]!;
  const { segmentSizeBytes, leafSizeBytes, sampleBlockSizeBytes, layers } = sizes;
  const geometry = { segmentSizeBytes, leafSizeBytes };
  const layout = { replicaSizeBytes: segmentSizeBytes, sampleBlockSizeBytes };
  const subject = subjectOf(index);
  const { key, segment, rotation, rotationHash, period, periodHash } = subject;
  const identity = key.publicKey;
  const bytes = labelBytes(`vector ${index}`, segmentSizeBytes);
  const keyProof = proveKey(key, subject);
  const cipher = must(deriveCipher({ ...subject, identity }, keyProof));
  const { replica, segmentRoot, replicaRoot } = await encoded(kernels, bytes, { cipher, geometry, layers });
  const sampleProof = proveSamples(key, subject);
  const seed = must(deriveSampleSeed({ ...subject, identity }, sampleProof));
  const root = await samplesRoot(kernels, memoryReader(replica), { layout, periodHash, seed });
  const common = {
    ...CHAIN,
    geometry,
    layers,
    segment,
    rotation,
    period,
    identity,
    rotationBlock: { ...subject.rotationBlock, pohHash: rotationHash },
    periodBlock: { ...subject.periodBlock, pohHash: periodHash },
    keyProof,
    sampleProof,
    segmentRoot,
    replicaRoot,
  };
  const stream: StorageProof = { ...common, sampleBlockSizeBytes, samplesRoot: root };
  const source = memorySource(kernels, { segment: bytes, replica, cipher }, geometry);
  const body = await makeOpening(kernels, source, { geometry, layers, parameters: OPEN }, seed);
  const open: OpenStorageProof = { ...common, parameters: OPEN, body };
  const file = encodeOpenFile(kernels, open);
  const plan = openPlan(kernels, replicaDecoder(kernels, cipher, segmentSizeBytes, layers), geometry, OPEN, seed);
  const blocks = Array.from({ length: Math.min(16, sampleCount(layout)) }, (_, block) => block);
  return {
    name: `${name}, layers ${layers}`,
    input: {
      ...sizes,
      segmentLabel: `vector ${index}`,
      secret: bytesToHex(hashOf(`secret ${index}`)),
      segment,
      rotation,
      rotationHash: bytesToHex(rotationHash),
      period,
      periodHash: bytesToHex(periodHash),
    },
    identity: bytesToHex(identity),
    keyProof: bytesToHex(keyProof),
    ciphers: layerCiphers(cipher, layers).map((each) => ({ key: bytesToHex(each.key), iv: bytesToHex(each.iv) })),
    segmentSha256: sha256(bytes),
    replicaSha256: sha256(replica),
    replicaFirst32: bytesToHex(replica.subarray(0, 32)),
    replicaLast32: bytesToHex(replica.subarray(-32)),
    segmentRoot: bytesToHex(segmentRoot),
    replicaRoot: bytesToHex(replicaRoot),
    sampleProof: bytesToHex(sampleProof),
    sampleSeed: bytesToHex(seed),
    sampleOffsetsFirst16: blocks.map((block) => drawOffset(kernels, seed, block, sampleBlock(layout, block).length)),
    samplesRoot: bytesToHex(root),
    proofFile: bytesToHex(encodeProofFile(kernels, stream)),
    open: {
      ...OPEN,
      replicaLeaves: [...plan.replicaLeaves],
      checkedBlocks: [...plan.checkedBlocks],
      neededBlocks: [...plan.neededBlocks],
      bodySizeBytes: body.length,
      proofFileSha256: sha256(file),
      proofFile: file.length <= 8192 ? bytesToHex(file) : null,
    },
  };
}

/** The whole file's content. */
export async function replicationVectors(
  kernels: Kernels,
): Promise<{ note: string; vectors: readonly ReplicationVector[] }> {
  const vectors: ReplicationVector[] = [];
  for (const index of VECTOR_CASES.keys()) vectors.push(await buildVector(kernels, index));
  const note =
    'Written by the portable twin (tools/build/write-replication-vectors.mjs). Segment bytes: SHA-256(label || " " || n) for n = 0, 1, ... in decimal, concatenated and cut. Everything else: docs/format/proofs.md.';
  return { note, vectors };
}
