/**
 * The verifier's pass: one reading of a segment re-encrypts it under many identities at once and computes the roots each of them should
 * have published. No replica is ever stored: an identity costs its chain value, a slice and a frontier for each tree, and, where its replica is hashed as
 * well, its share of the output buffer (at most 2 MiB in all, or one leaf an identity when there are more than fit). Only sampled: sampled-pass.ts.
 *
 * Why many at once: a CBC chain waits for itself, so one chain leaves the cipher unit mostly idle (`aesCbcEncryptMany`).
 */
import type { Hash, Kernels } from '../native/index.ts';
import { transposeBlocks, wordsOf } from './block-copy.ts';
import { type ByteSource, exactChunks, PieceReader } from './chunks.ts';
import { RootBuilder, SamplesRootBuilder } from './commit.ts';
import {
  CIPHER_BLOCK_SIZE_BYTES,
  geometryProblem,
  refuseProblem,
  type SegmentGeometry,
  sampleBlockProblem,
  wholeLeaves,
} from './geometry.ts';
import type { ReplicaCipher } from './key.ts';
import { blockMatrix, columnStart, type LayerCount, layerCiphers } from './layers.ts';
import { drawSlice, type SampleLayout, SLICE_SIZE_BYTES, type SliceRun, sampleCount } from './sample.ts';
import { sampledPass } from './sampled-pass.ts';

/** Outputs in all. Smaller pieces cost more in tree levels than they save (measured: 1.7 GB/s against 0.9). */
const HASHED_BUDGET_BYTES = 2 * 1024 * 1024;
const CHUNK_SIZE_BYTES_MAX = 64 * 1024;

/** One period's samples to recompute. */
export interface SampleSet {
  readonly periodHash: Uint8Array;
  readonly seed: Uint8Array;
}

/** One identity to re-encrypt for. */
export interface StreamIdentity {
  readonly cipher: ReplicaCipher;
  /** Whether to hash the whole replica too: needed once, at commit time; costs one SHA-256 over it. */
  readonly wantReplicaRoot: boolean;
  readonly samples: readonly SampleSet[];
}

export interface StreamRequest {
  /** The segment's plaintext. */
  readonly segment: ByteSource;
  readonly geometry: SegmentGeometry;
  readonly sampleBlockSizeBytes: number;
  /** How often replicas are encrypted; once when absent. More layers cost two segments of memory, and one identity at a time. */
  readonly layers?: LayerCount;
  readonly identities: readonly StreamIdentity[];
  /** Whether to hash the plaintext as well. */
  readonly wantSegmentRoot: boolean;
}

/** What one identity should have published. */
export interface IdentityRoots {
  /** Present when it was wanted. */
  readonly replicaRoot?: Hash;
  /** In the order of `samples`. */
  readonly samplesRoots: readonly Hash[];
}

export interface StreamRoots {
  readonly segmentRoot?: Hash;
  /** In the order of `identities`. */
  readonly identities: readonly IdentityRoots[];
}

/** Picks one period's slices out of a replica that passes by in order. */
class SliceCollector {
  readonly #kernels: Kernels;
  readonly #layout: SampleLayout;
  readonly #seed: Uint8Array;
  readonly #builder: SamplesRootBuilder;
  readonly #count: number;
  readonly #slice: Uint8Array = new Uint8Array(SLICE_SIZE_BYTES);
  #block = 0;
  #due = 0;
  #runsEnd = 0;
  #runs: readonly SliceRun[] = [];

  constructor(kernels: Kernels, layout: SampleLayout, samples: SampleSet) {
    this.#kernels = kernels;
    this.#layout = layout;
    this.#seed = samples.seed;
    this.#builder = new SamplesRootBuilder(kernels, samples.periodHash);
    this.#count = sampleCount(layout);
    this.#enter(0);
  }

  /** The first byte of the replica this still waits for; past its end when there is nothing more. */
  get due(): number {
    return this.#due;
  }

  /** The next bytes of the replica, from `offset` on. May be left out where they end at `due` or before. */
  absorb(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    while (this.#due < end) {
      for (const run of this.#runs) this.#copy(run, offset, bytes);
      if (this.#runsEnd > end) return;
      this.#builder.append(this.#slice);
      this.#enter(this.#block + 1);
    }
  }

  root(): Hash {
    return this.#builder.root();
  }

  #enter(block: number): void {
    this.#block = block;
    this.#due = Number.POSITIVE_INFINITY;
    if (block === this.#count) return;
    this.#runs = drawSlice(this.#kernels, this.#seed, this.#layout, block);
    this.#due = Math.min(...this.#runs.map(({ replicaOffset }) => replicaOffset));
    this.#runsEnd = Math.max(...this.#runs.map(({ replicaOffset, sizeBytes }) => replicaOffset + sizeBytes));
  }

  #copy(run: SliceRun, offset: number, bytes: Uint8Array): void {
    const from = Math.max(run.replicaOffset, offset);
    const to = Math.min(run.replicaOffset + run.sizeBytes, offset + bytes.length);
    if (from < to)
      this.#slice.set(bytes.subarray(from - offset, to - offset), run.sliceOffset + from - run.replicaOffset);
  }
}

/** The trees of one identity. */
interface Lane {
  readonly replica: RootBuilder | undefined;
  readonly collectors: readonly SliceCollector[];
}

function laneRoots({ replica, collectors }: Lane): IdentityRoots {
  const samplesRoots = collectors.map((collector) => collector.root());
  return replica === undefined ? { samplesRoots } : { replicaRoot: replica.root(), samplesRoots };
}

/** Bytes of plaintext taken at a time: whole leaves. */
function chunkSize(lanes: number, leafSizeBytes: number): number {
  const share = Math.floor(HASHED_BUDGET_BYTES / Math.max(1, lanes));
  return wholeLeaves(Math.min(CHUNK_SIZE_BYTES_MAX, share), leafSizeBytes);
}

function pack(parts: readonly Uint8Array[], partSizeBytes: number): Uint8Array {
  const packed = new Uint8Array(parts.length * partSizeBytes);
  for (const [index, part] of parts.entries()) packed.set(part, index * partSizeBytes);
  return packed;
}

/**
 * Re-encrypts the segment for every identity in one pass. Throws `ReplicatorError` when the source is not exactly one segment long.
 * A chunk's work runs in one go on the calling thread; a source read from disk gives way between chunks, one in memory does not.
 */
export async function streamRoots(kernels: Kernels, request: StreamRequest): Promise<StreamRoots> {
  const { geometry, sampleBlockSizeBytes, identities } = request;
  refuseProblem(geometryProblem(geometry) ?? sampleBlockProblem(sampleBlockSizeBytes, geometry.segmentSizeBytes));
  const { segmentSizeBytes, leafSizeBytes } = geometry;
  const segmentTree = request.wantSegmentRoot ? new RootBuilder(kernels, leafSizeBytes) : undefined;
  if ((request.layers ?? 1) === 1 && !identities.some(({ wantReplicaRoot }) => wantReplicaRoot)) {
    const roots = (await sampledPass(kernels, request, segmentTree)).map((samplesRoots) => ({ samplesRoots }));
    return segmentTree === undefined ? { identities: roots } : { segmentRoot: segmentTree.root(), identities: roots };
  }
  const layout: SampleLayout = { replicaSizeBytes: segmentSizeBytes, sampleBlockSizeBytes };
  const lanes = identities.map(
    (identity): Lane => ({
      replica: identity.wantReplicaRoot ? new RootBuilder(kernels, leafSizeBytes) : undefined,
      collectors: identity.samples.map((samples) => new SliceCollector(kernels, layout, samples)),
    }),
  );
  if ((request.layers ?? 1) === 1) await onePass(kernels, request, lanes, segmentTree);
  else await layeredPasses(kernels, request, lanes, segmentTree);
  const roots = lanes.map(laneRoots);
  return segmentTree === undefined ? { identities: roots } : { segmentRoot: segmentTree.root(), identities: roots };
}

function absorb(lane: Lane, offset: number, output: Uint8Array): void {
  lane.replica?.append(output);
  for (const collector of lane.collectors) collector.absorb(offset, output);
}

/** Whether a lane needs the bytes up to `end`: of most chunks, sampled lanes need none. */
function isDue({ replica, collectors }: Lane, end: number): boolean {
  if (replica !== undefined) return true;
  for (const collector of collectors) if (collector.due < end) return true;
  return false;
}

/** One layer: all identities' chains side by side, in one reading of the segment. */
async function onePass(
  kernels: Kernels,
  { segment, geometry, identities }: StreamRequest,
  lanes: readonly Lane[],
  segmentTree: RootBuilder | undefined,
): Promise<void> {
  const chunkSizeBytes = chunkSize(lanes.length, geometry.leafSizeBytes);
  const keys = pack(
    identities.map(({ cipher }) => cipher.key),
    32,
  );
  const chains = pack(
    identities.map(({ cipher }) => cipher.iv),
    16,
  );
  const outputs = new Uint8Array(lanes.length * chunkSizeBytes);
  let offset = 0;
  for await (const chunk of exactChunks(segment, geometry.segmentSizeBytes, chunkSizeBytes)) {
    segmentTree?.append(chunk);
    kernels.aesCbcEncryptMany(keys, chains, chunk, outputs.subarray(0, lanes.length * chunk.length));
    const end = offset + chunk.length;
    for (const [index, lane] of lanes.entries())
      if (isDue(lane, end)) absorb(lane, offset, outputs.subarray(index * chunk.length, (index + 1) * chunk.length));
    offset += chunk.length;
  }
}

/** Several layers: the segment in memory, one identity after the other in a second buffer and a third. */
async function layeredPasses(
  kernels: Kernels,
  { segment, geometry, identities, layers }: StreamRequest,
  lanes: readonly Lane[],
  segmentTree: RootBuilder | undefined,
): Promise<void> {
  const { segmentSizeBytes } = geometry;
  const plain = new Uint8Array(segmentSizeBytes);
  const reader = new PieceReader(segment, segmentSizeBytes);
  await reader.fill(plain);
  await reader.end();
  segmentTree?.append(plain);
  const [input, output] = [new Uint8Array(segmentSizeBytes), new Uint8Array(segmentSizeBytes)];
  for (const [index, { cipher }] of identities.entries()) {
    encodeWhole(kernels, layerCiphers(cipher, layers ?? 1), plain, input, output);
    absorb(lanes[index]!, 0, output);
  }
}

/** All passes over a segment that fits in memory. @param input is overwritten @param output gets the replica */
function encodeWhole(
  kernels: Kernels,
  ciphers: readonly ReplicaCipher[],
  plain: Uint8Array,
  input: Uint8Array,
  output: Uint8Array,
): void {
  const matrix = blockMatrix(plain.length / CIPHER_BLOCK_SIZE_BYTES, ciphers.length as LayerCount);
  const { columnCount, rowCount, blockCount } = matrix;
  const inLastRow = blockCount - (rowCount - 1) * columnCount;
  for (const [pass, { key, iv }] of ciphers.entries()) {
    if (pass > 0) {
      const [from, to] = [wordsOf(output), wordsOf(input)];
      const move = (first: number, count: number, length: number): void =>
        transposeBlocks(
          { words: from, start: first, stride: columnCount },
          { words: to, start: columnStart(matrix, first), stride: length },
          length,
          count,
        );
      move(0, inLastRow, rowCount);
      if (inLastRow < columnCount) move(inLastRow, columnCount - inLastRow, rowCount - 1);
    }
    kernels.aesCbcEncrypt(key, iv.slice(), pass === 0 ? plain : input, output);
  }
}
