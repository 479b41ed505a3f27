/** Deterministic segments, identities and sizes shared by the tests of this folder. */
import { createHash } from 'node:crypto';
import { type Kernels, loadKernels } from '../../native/index.ts';
import { memoryReader } from '../../replicator/chunks.ts';
import { type EncodeRoots, encodeSegment } from '../../replicator/encode.ts';
import type { SegmentGeometry } from '../../replicator/geometry.ts';
import { deriveCipher, deriveSampleSeed, proveKey, proveSamples, type ReplicaCipher } from '../../replicator/key.ts';
import { samplesRoot } from '../../replicator/prove.ts';
import type { ReplicaClaim } from '../../replicator/verify.ts';
import { createVrfKey, type VrfKey } from '../../replicator/vrf.ts';

export const kernels: Kernels = loadKernels();

/** Bytes that look random and are the same in every run: SHA-256(label || counter), concatenated. */
export function noise(label: string, sizeBytes: number): Uint8Array {
  const out = new Uint8Array(sizeBytes);
  for (let at = 0, counter = 0; at < sizeBytes; at += 32, counter += 1)
    out.set(
      createHash('sha256')
        .update(`${label} ${counter}`)
        .digest()
        .subarray(0, sizeBytes - at),
      at,
    );
  return out;
}

export const hashOf = (label: string): Uint8Array => noise(label, 32);

export function identity(index: number): VrfKey {
  return createVrfKey(hashOf(`identity ${index}`));
}

/** A number generator (mulberry32) for statistics: same seed, same numbers. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface MemoryReplica extends EncodeRoots {
  readonly bytes: Uint8Array;
  readonly leafHashes: Uint8Array;
}

/** Encodes a segment into memory. */
export async function encodeToMemory(
  segment: Uint8Array,
  cipher: ReplicaCipher,
  geometry: SegmentGeometry,
  chunkSizeBytes = 4096,
): Promise<MemoryReplica> {
  const bytes = new Uint8Array(segment.length);
  const leafHashes = new Uint8Array((segment.length / geometry.leafSizeBytes) * 32);
  const roots = await encodeSegment(
    kernels,
    segment,
    {
      async writeReplica(offset, piece) {
        bytes.set(piece, offset);
      },
      async writeLeafHashes(firstLeaf, hashes) {
        leafHashes.set(hashes, firstLeaf * 32);
      },
    },
    { cipher, geometry, chunkSizeBytes },
  );
  return { ...roots, bytes, leafHashes };
}

export interface ClaimOptions {
  readonly identity: VrfKey;
  readonly segment: Uint8Array;
  readonly geometry: SegmentGeometry;
  readonly sampleBlockSizeBytes: number;
  readonly periods?: readonly number[];
  readonly segmentIndex?: number;
  readonly rotation?: number;
}

/** An honest replicator's whole claim, and the replica behind it. */
export async function honestClaim(
  options: ClaimOptions,
): Promise<{ claim: ReplicaClaim; cipher: ReplicaCipher; replica: MemoryReplica }> {
  const { identity: key, segment, geometry, sampleBlockSizeBytes } = options;
  const segmentIndex = options.segmentIndex ?? 3;
  const rotation = options.rotation ?? 1;
  const subject = {
    identity: key.publicKey,
    segment: segmentIndex,
    rotation,
    rotationHash: hashOf(`rotation ${rotation}`),
  };
  const keyProof = proveKey(key, subject);
  const cipher = deriveCipher(subject, keyProof);
  if (cipher === false) throw new TypeError('an honest key proof was refused');
  const replica = await encodeToMemory(segment, cipher, geometry);
  const proofs = [];
  for (const period of options.periods ?? [4]) {
    const periodHash = hashOf(`period ${period}`);
    const samples = { identity: key.publicKey, segment: segmentIndex, period, periodHash };
    const sampleProof = proveSamples(key, samples);
    const seed = deriveSampleSeed(samples, sampleProof);
    if (seed === false) throw new TypeError('an honest sample proof was refused');
    const layout = { replicaSizeBytes: segment.length, sampleBlockSizeBytes };
    const root = await samplesRoot(kernels, memoryReader(replica.bytes), { layout, periodHash, seed });
    proofs.push({ period, periodHash, sampleProof, samplesRoot: root });
  }
  return { claim: { ...subject, keyProof, replicaRoot: replica.replicaRoot, proofs }, cipher, replica };
}
