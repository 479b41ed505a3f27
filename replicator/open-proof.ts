/**
 * Mode `open`: a period's proof that anybody can check in milliseconds, without the segment, against the two roots: the replica's, committed
 * before the period's hash was known, and the segment's.
 *
 * Body: opened replica leaves || nodes of their multi-proof || opened segment leaves || nodes of theirs. Which leaves: `open-plan.ts`.
 * Byte layout: docs/format/proofs.md, "Openings".
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import { HASH_SIZE_BYTES, LEAF_PREFIX } from '../storage/index.ts';
import { newBlocks } from './block-copy.ts';
import { decodeNeeded, type ReplicaDecoder, replicaDecoder } from './decode.ts';
import { CIPHER_BLOCK_SIZE_BYTES, type SegmentGeometry } from './geometry.ts';
import { deriveCipher, deriveSampleSeed, type ReplicaCipher, type ReplicaSubject } from './key.ts';
import type { LayerCount } from './layers.ts';
import { makeMultiproof, multiproofNodeCount, type ProvableTree, verifyMultiproof } from './multiproof.ts';
import { type OpenParameters, type OpenPlan, openPlan } from './open-plan.ts';

const BLOCK = CIPHER_BLOCK_SIZE_BYTES;

/** What prover and verifier must agree on, besides the seed. */
export interface OpenShape {
  readonly geometry: SegmentGeometry;
  readonly layers: LayerCount;
  readonly parameters: OpenParameters;
}

/** What a prover can read: both trees, and their leaves. */
export interface OpenSource {
  readonly cipher: ReplicaCipher;
  readonly replicaTree: ProvableTree;
  readonly segmentTree: ProvableTree;
  /** A leaf of the replica, as it lies. */
  replicaLeaf(leaf: number): Promise<Uint8Array>;
  /** A leaf of the segment, decoded. */
  segmentLeaf(leaf: number): Promise<Uint8Array>;
}

const planOf = (kernels: Kernels, decoder: ReplicaDecoder, { geometry, parameters }: OpenShape, seed: Uint8Array) =>
  openPlan(kernels, decoder, geometry, parameters, seed);

async function leavesOf(
  leaves: Float64Array,
  sizeBytes: number,
  read: (leaf: number) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(leaves.length * sizeBytes);
  for (let at = 0; at < leaves.length; at += 1) bytes.set(await read(leaves[at]!), at * sizeBytes);
  return bytes;
}

/** Makes a period's openings. Proves what is there, right or wrong. @param seed from `deriveSampleSeed` */
export async function makeOpening(
  kernels: Kernels,
  source: OpenSource,
  shape: OpenShape,
  seed: Uint8Array,
): Promise<Uint8Array> {
  const { segmentSizeBytes, leafSizeBytes } = shape.geometry;
  const decoder = replicaDecoder(kernels, source.cipher, segmentSizeBytes, shape.layers);
  const plan = planOf(kernels, decoder, shape, seed);
  const parts = [
    await leavesOf(plan.replicaLeaves, leafSizeBytes, (leaf) => source.replicaLeaf(leaf)),
    await makeMultiproof(kernels, source.replicaTree, plan.replicaLeaves),
    await leavesOf(plan.segmentLeaves, leafSizeBytes, (leaf) => source.segmentLeaf(leaf)),
    plan.segmentLeaves.length === 0
      ? new Uint8Array(0)
      : await makeMultiproof(kernels, source.segmentTree, plan.segmentLeaves),
  ];
  return new Uint8Array(Buffer.concat(parts));
}

/** Sizes of a body's four parts, in order. */
function partSizes(plan: OpenPlan, leafSizeBytes: number): [number, number, number, number] {
  const nodes = (leaves: Float64Array): number =>
    leaves.length === 0 ? 0 : multiproofNodeCount(leaves, plan.leafCount) * HASH_SIZE_BYTES;
  return [
    plan.replicaLeaves.length * leafSizeBytes,
    nodes(plan.replicaLeaves),
    plan.segmentLeaves.length * leafSizeBytes,
    nodes(plan.segmentLeaves),
  ];
}

/** Why openings are refused; the first that applies, in this order. */
export type OpeningRefusal = 'length' | 'replica-opening' | 'segment-opening' | 'encoding';

/** The roots openings are checked against, and the key the encoding is. */
export interface OpeningTarget {
  readonly cipher: ReplicaCipher;
  /** As committed. 32 bytes */
  readonly replicaRoot: Uint8Array;
  /** From the chain's headers. 32 bytes */
  readonly segmentRoot: Uint8Array;
}

/** Checks a period's openings. @param body hostile @returns undefined when they hold, else the first reason */
export function checkOpening(
  kernels: Kernels,
  { cipher, replicaRoot, segmentRoot }: OpeningTarget,
  shape: OpenShape,
  seed: Uint8Array,
  body: Uint8Array,
): OpeningRefusal | undefined {
  const { segmentSizeBytes, leafSizeBytes } = shape.geometry;
  const decoder = replicaDecoder(kernels, cipher, segmentSizeBytes, shape.layers);
  const plan = planOf(kernels, decoder, shape, seed);
  const sizes = partSizes(plan, leafSizeBytes);
  if (body.length !== sizes.reduce((sum, size) => sum + size)) return 'length';
  let at = 0;
  const [replicaLeaves, replicaNodes, segmentLeaves, segmentNodes] = sizes.map((size) => {
    at += size;
    return body.subarray(at - size, at);
  }) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const opens = (leaves: Float64Array, bytes: Uint8Array, nodes: Uint8Array, root: Uint8Array): boolean => {
    const hashes = new Uint8Array(leaves.length * HASH_SIZE_BYTES);
    kernels.sha256Leaves(LEAF_PREFIX, bytes, leafSizeBytes, hashes);
    return verifyMultiproof(kernels, leaves, plan.leafCount, { hashes, nodes }, root);
  };
  if (!opens(plan.replicaLeaves, replicaLeaves, replicaNodes, replicaRoot)) return 'replica-opening';
  if (plan.checkedBlocks.length === 0) return undefined;
  if (!opens(plan.segmentLeaves, segmentLeaves, segmentNodes, segmentRoot)) return 'segment-opening';
  const needed = blocksFrom(plan.neededBlocks, plan.replicaLeaves, replicaLeaves, leafSizeBytes);
  const original = blocksFrom(plan.checkedBlocks, plan.segmentLeaves, segmentLeaves, leafSizeBytes);
  return sameBytes(decodeNeeded(decoder, plan.checkedBlocks, needed), original) ? undefined : 'encoding';
}

/** Blocks out of opened leaves, packed; zeros for -1. */
function blocksFrom(blocks: Float64Array, leaves: Float64Array, bytes: Uint8Array, leafSizeBytes: number): Uint8Array {
  const perLeaf = leafSizeBytes / BLOCK;
  const places = new Map<number, number>();
  for (const [place, leaf] of leaves.entries()) places.set(leaf, place);
  const out = newBlocks(blocks.length);
  for (const [index, block] of blocks.entries()) {
    if (block < 0) continue;
    const from = places.get(Math.floor(block / perLeaf))! * leafSizeBytes + (block % perLeaf) * BLOCK;
    out.set(bytes.subarray(from, from + BLOCK), index * BLOCK);
  }
  return out;
}

/** One period's claim. `rotationHash` and `periodHash` come from the verifier's own chain. */
export interface OpenClaim extends ReplicaSubject {
  /** 80 bytes */
  readonly keyProof: Uint8Array;
  readonly period: number;
  readonly periodHash: Uint8Array;
  /** 80 bytes */
  readonly sampleProof: Uint8Array;
  readonly body: Uint8Array;
}

/** Why a claim is refused; the first that applies, in this order. */
export type OpenRefusal = 'key-proof' | 'sample-proof' | OpeningRefusal;

/**
 * Checks a claim against the committed replica root. About 1.6 ms for each of the two VRF proofs; a verifier that kept the key since the
 * commit uses `checkOpening`. The claim's bytes may be hostile. @returns undefined when it holds
 */
export function verifyOpen(
  kernels: Kernels,
  claim: OpenClaim,
  shape: OpenShape,
  roots: Pick<OpeningTarget, 'replicaRoot' | 'segmentRoot'>,
): OpenRefusal | undefined {
  const cipher = deriveCipher(claim, claim.keyProof);
  if (cipher === false) return 'key-proof';
  const seed = deriveSampleSeed(claim, claim.sampleProof);
  if (seed === false) return 'sample-proof';
  return checkOpening(kernels, { cipher, ...roots }, shape, seed, claim.body);
}
