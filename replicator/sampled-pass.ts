/**
 * The verifier's pass when only samples are wanted: all identities' chains run through the segment side by side and nothing but the sampled cipher blocks is
 * written. Memory: one piece of the segment, 16 bytes for each sampled block in it, a frontier an identity.
 */
import type { Hash, Kernels } from '../native/index.ts';
import { exactChunks } from './chunks.ts';
import { type RootBuilder, SamplesRootBuilder } from './commit.ts';
import { CIPHER_BLOCK_SIZE_BYTES, wholeLeaves } from './geometry.ts';
import { drawSlice, type SampleLayout, SLICE_SIZE_BYTES, type SliceRun, sampleCount } from './sample.ts';
import type { SampleSet, StreamRequest } from './stream-roots.ts';

/** Plaintext taken at a time: what is done for each identity and piece costs little beside it (in the kernel 256 KiB to 8 MiB are equally fast). */
const PIECE_SIZE_BYTES: number = 1024 * 1024;

/** Bytes of a slice that lie in the piece at hand. */
interface SlicePart {
  readonly slice: Uint8Array;
  readonly lane: number;
  readonly run: SliceRun;
}

/** One period's slices of one identity, in order. */
class SampledSlices {
  readonly #kernels: Kernels;
  readonly #layout: SampleLayout;
  readonly #samples: SampleSet;
  readonly #lane: number;
  readonly #builder: SamplesRootBuilder;
  readonly #count: number;
  #block = 0;
  #runs: readonly SliceRun[] = [];
  #slice: Uint8Array = new Uint8Array(SLICE_SIZE_BYTES);
  /** Slices whose last bytes lie in the piece at hand. */
  #whole: Uint8Array[] = [];

  constructor(kernels: Kernels, layout: SampleLayout, samples: SampleSet, lane: number) {
    this.#kernels = kernels;
    this.#layout = layout;
    this.#samples = samples;
    this.#lane = lane;
    this.#builder = new SamplesRootBuilder(kernels, samples.periodHash);
    this.#count = sampleCount(layout);
    this.#draw();
  }

  #draw(): void {
    if (this.#block < this.#count) this.#runs = drawSlice(this.#kernels, this.#samples.seed, this.#layout, this.#block);
  }

  /** Adds what is wanted of the bytes `from` .. `end - 1`, which follow those asked about before. */
  collect(from: number, end: number, wanted: WantedBlock[]): void {
    while (this.#block < this.#count) {
      let isWhole = true;
      for (const { replicaOffset, sliceOffset, sizeBytes } of this.#runs) {
        const first = Math.max(replicaOffset, from);
        const length = Math.min(replicaOffset + sizeBytes, end) - first;
        if (replicaOffset + sizeBytes > end) isWhole = false;
        if (length <= 0) continue;
        const run = { replicaOffset: first, sliceOffset: sliceOffset + first - replicaOffset, sizeBytes: length };
        addBlocks({ slice: this.#slice, lane: this.#lane, run }, from, wanted);
      }
      if (!isWhole) return;
      this.#whole.push(this.#slice);
      this.#slice = new Uint8Array(SLICE_SIZE_BYTES);
      this.#block += 1;
      this.#draw();
    }
  }

  /** The parts last asked for have been filled in. */
  take(): void {
    for (const slice of this.#whole.splice(0)) this.#builder.append(slice);
  }

  root(): Hash {
    return this.#builder.root();
  }
}

/** One cipher block of a part. */
interface WantedBlock {
  readonly part: SlicePart;
  /** In the piece at hand. */
  readonly block: number;
}

/** The samples roots of every identity, in order. Throws `ReplicatorError` when the source is not exactly one segment long. */
export async function sampledPass(
  kernels: Kernels,
  { segment, geometry, identities, sampleBlockSizeBytes }: StreamRequest,
  segmentTree: RootBuilder | undefined,
): Promise<Hash[][]> {
  const { segmentSizeBytes, leafSizeBytes } = geometry;
  const layout = { replicaSizeBytes: segmentSizeBytes, sampleBlockSizeBytes };
  const slices = identities.map(({ samples }, lane) =>
    samples.map((one) => new SampledSlices(kernels, layout, one, lane)),
  );
  const keys = Buffer.concat(identities.map(({ cipher }) => cipher.key));
  const chains = Buffer.concat(identities.map(({ cipher }) => cipher.iv));
  const all = slices.flat();
  let offset = 0;
  for await (const piece of exactChunks(segment, segmentSizeBytes, wholeLeaves(PIECE_SIZE_BYTES, leafSizeBytes))) {
    segmentTree?.append(piece);
    const end = offset + piece.length;
    const wanted: WantedBlock[] = [];
    for (const one of all) one.collect(offset, end, wanted);
    sampleBlocks(kernels, { keys, chains, piece, offset }, wanted);
    for (const one of all) one.take();
    offset = end;
  }
  return slices.map((ofIdentity) => ofIdentity.map((one) => one.root()));
}

interface PieceOfPass {
  readonly keys: Uint8Array;
  readonly chains: Uint8Array;
  readonly piece: Uint8Array;
  /** Of the piece in the segment. */
  readonly offset: number;
}

/** Brings all chains over a piece and fills in what is wanted of it. */
function sampleBlocks(
  kernels: Pick<Kernels, 'aesCbcSampleMany'>,
  { keys, chains, piece, offset }: PieceOfPass,
  wanted: WantedBlock[],
): void {
  wanted.sort((a, b) => a.block - b.block);
  const pairs = new Uint32Array(2 * wanted.length);
  for (let index = 0; index < wanted.length; index += 1) {
    pairs[2 * index] = wanted[index]!.block;
    pairs[2 * index + 1] = wanted[index]!.part.lane;
  }
  const out = new Uint8Array(wanted.length * CIPHER_BLOCK_SIZE_BYTES);
  kernels.aesCbcSampleMany(keys, chains, piece, pairs, out);
  for (const [index, { part, block }] of wanted.entries())
    fill(part, offset + block * CIPHER_BLOCK_SIZE_BYTES, out.subarray(index * CIPHER_BLOCK_SIZE_BYTES));
}

/** The cipher blocks of a part. @param offset of the piece at hand */
function addBlocks(part: SlicePart, offset: number, wanted: WantedBlock[]): void {
  const { replicaOffset, sizeBytes } = part.run;
  const last = Math.floor((replicaOffset - offset + sizeBytes - 1) / CIPHER_BLOCK_SIZE_BYTES);
  for (let block = Math.floor((replicaOffset - offset) / CIPHER_BLOCK_SIZE_BYTES); block <= last; block += 1)
    wanted.push({ part, block });
}

/** Copies what a cipher block holds of a part. @param at its first byte in the replica */
function fill({ slice, run }: SlicePart, at: number, bytes: Uint8Array): void {
  const from = Math.max(run.replicaOffset, at);
  const to = Math.min(run.replicaOffset + run.sizeBytes, at + CIPHER_BLOCK_SIZE_BYTES);
  slice.set(bytes.subarray(from - at, to - at), run.sliceOffset + from - run.replicaOffset);
}
