/**
 * Encoding: AES-256-CBC over a segment from its first byte to its last, in one pass or, with layers, in several with a transposition
 * between them; the roots of what goes in and of what comes out are computed meanwhile. Memory: eight chunks (four without threads) and, with layers, the
 * transposition's share, whatever the segment's size.
 *
 * An encoding can be interrupted at its checkpoints and go on from there (`EncodeState`), in its last pass.
 *
 * Source: NIST SP 800-38A section 6.2 (CBC), without padding: segments are multiples of 1024 bytes. Layers: docs/format/proofs.md.
 */
import type { Hash, Kernels } from '../native/index.ts';
import { Frontier, HASH_SIZE_BYTES } from '../storage/index.ts';
import type { ByteSource } from './chunks.ts';
import { cipherPass, type PassPiece } from './cipher-pass.ts';
import {
  CIPHER_BLOCK_SIZE_BYTES,
  geometryProblem,
  refuseProblem,
  type SegmentGeometry,
  wholeSubtrees,
} from './geometry.ts';
import type { ReplicaCipher } from './key.ts';
import { type BlockMatrix, blockMatrix, type LayerCount, layerCiphers } from './layers.ts';
import { memoryScratch, type Scratch } from './scratch.ts';
import { SubtreeFrontier } from './subtrees.ts';
import { inlineThreads, type ReplicaThreads } from './threads/threads.ts';
import { scratchSizeBytes, Transposition } from './transposition.ts';

/** Default size of the pieces an encoder works in. */
export const ENCODE_CHUNK_SIZE_BYTES: number = 1024 * 1024;
/** Default share of memory for the transposition between layers. */
export const LAYER_MEMORY_SIZE_BYTES: number = 16 * 1024 * 1024;

/** Where an encoder puts a replica. Calls come in order of offset, one at a time; the arrays are borrowed until the call resolves. */
export interface EncodeSink {
  /** `bytes` of the replica, from `offset` on. */
  writeReplica(offset: number, bytes: Uint8Array): Promise<void>;
  /** Packed hashes of the *segment's* leaves (32 bytes each), from leaf `firstLeaf` on. */
  writeLeafHashes(firstLeaf: number, hashes: Uint8Array): Promise<void>;
  /** Packed roots of subtrees of 16 leaves of either tree, from subtree `first` on. */
  writeSubtrees?(tree: 'segment' | 'replica', first: number, nodes: Uint8Array): Promise<void>;
}

/** What one pass over a segment yields. */
export interface EncodeRoots {
  /** RFC 9162 root of the segment's bytes as they came. */
  readonly segmentRoot: Hash;
  /** RFC 9162 root of the replica. */
  readonly replicaRoot: Hash;
}

/** Where an encoding stands in its last pass: all that is needed to go on. */
export interface EncodeState {
  /** Bytes of the replica that were written. */
  readonly offset: number;
  /** The last cipher block written, or the last pass's IV at offset 0. 16 bytes */
  readonly chain: Uint8Array;
  /** Over subtree roots; whole when there is more than one layer. */
  readonly segment: Frontier;
  readonly replica: Frontier;
}

export interface EncodeOptions {
  readonly cipher: ReplicaCipher;
  readonly geometry: SegmentGeometry;
  /** 1 when absent. */
  readonly layers?: LayerCount;
  /** Called after each chunk with the bytes encoded so far, over all passes together divided by their number. */
  readonly onProgress?: (encodedSizeBytes: number) => void;
  /** Size of the pieces, rounded up to whole subtrees of leaves; 1 MiB by default. */
  readonly chunkSizeBytes?: number;
  /** Where hashing is done; on the caller's thread when absent. */
  readonly threads?: ReplicaThreads;
  /** Gives the scratch between passes: `index` 0 .. layers - 2, each `sizeBytes` at most. In memory when absent. */
  readonly scratch?: (index: number, sizeBytes: number) => Promise<Scratch>;
  /** Memory of a transposition, half of what it takes; 16 MiB by default. */
  readonly layerMemorySizeBytes?: number;
  /** An earlier encoding's state: go on from there. The source then gives the segment from `offset` on; with layers it is not read. */
  readonly resume?: EncodeState;
  /** Told about every `checkpointSizeBytes` written in the last pass; what is told was handed to the sink before. */
  readonly onCheckpoint?: (state: EncodeState) => Promise<void>;
  readonly checkpointSizeBytes?: number;
}

/** One encoding under way. */
class Encoding {
  readonly #threads: ReplicaThreads;
  readonly #options: EncodeOptions;
  readonly #sink: EncodeSink;
  readonly #segment: SubtreeFrontier;
  readonly #replica: SubtreeFrontier;
  readonly #layers: LayerCount;
  readonly #matrix: BlockMatrix;
  readonly #borrowed: Uint8Array[] = [];
  #checkpointed: number;

  constructor(kernels: Kernels, sink: EncodeSink, options: EncodeOptions) {
    this.#threads = options.threads ?? inlineThreads(kernels);
    this.#options = options;
    this.#sink = sink;
    this.#segment = new SubtreeFrontier(kernels, options.resume?.segment ?? Frontier.empty);
    this.#replica = new SubtreeFrontier(kernels, options.resume?.replica ?? Frontier.empty);
    this.#layers = options.layers ?? 1;
    this.#matrix = blockMatrix(options.geometry.segmentSizeBytes / CIPHER_BLOCK_SIZE_BYTES, this.#layers);
    this.#checkpointed = options.resume?.offset ?? 0;
  }

  async run(source: ByteSource): Promise<EncodeRoots> {
    const ciphers = layerCiphers(this.#options.cipher, this.#layers);
    let input = source;
    for (let index = 0; index < this.#layers - 1; index += 1) {
      const transposition = await this.#transposition(index);
      if (this.#options.resume === undefined) await transposition.fill(this.#innerPass(input, ciphers[index]!, index));
      const isLast = index === this.#layers - 2;
      input = transposition.drain(isLast ? (this.#options.resume?.offset ?? 0) : 0);
      if (this.#options.resume !== undefined && !isLast) input = [];
    }
    await this.#lastPass(input, ciphers[this.#layers - 1]!);
    // Only now is it certain that no job and no write uses it any more.
    this.#threads.chunks.giveBack(this.#borrowed);
    return { segmentRoot: this.#segment.root(), replicaRoot: this.#replica.root() };
  }

  async #transposition(index: number): Promise<Transposition> {
    const memorySizeBytes = this.#options.layerMemorySizeBytes ?? LAYER_MEMORY_SIZE_BYTES;
    const sizeBytes = scratchSizeBytes(this.#matrix, memorySizeBytes);
    const scratch = await (this.#options.scratch?.(index, sizeBytes) ?? memoryScratch(sizeBytes));
    return new Transposition(this.#matrix, scratch, memorySizeBytes, 'rows');
  }

  #pass(source: ByteSource, cipher: ReplicaCipher, first: boolean, last: boolean): AsyncGenerator<PassPiece> {
    const { geometry, resume } = this.#options;
    const { segmentSizeBytes, leafSizeBytes } = geometry;
    return cipherPass(this.#threads, {
      source,
      cipher,
      chunkSizeBytes: wholeSubtrees(this.#options.chunkSizeBytes ?? ENCODE_CHUNK_SIZE_BYTES, leafSizeBytes),
      leafSizeBytes,
      sizeBytes: segmentSizeBytes,
      startOffset: resume?.offset ?? 0,
      chain: resume?.chain ?? cipher.iv,
      wantInputHashes: first,
      wantOutputHashes: last,
      borrow: (sizeBytes) => {
        const memory = this.#threads.chunks.borrow(sizeBytes);
        this.#borrowed.push(memory);
        return memory;
      },
    });
  }

  /** A pass whose output goes to the next one; the first also hashes the segment. */
  async *#innerPass(source: ByteSource, cipher: ReplicaCipher, index: number): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#pass(source, cipher, index === 0, false)) {
      await this.#takeSegmentLeaves(piece);
      yield piece.output;
      this.#progress(index, piece);
    }
  }

  /** The pass whose output is the replica: while one chunk is written, the next is encrypted. */
  async #lastPass(source: ByteSource, cipher: ReplicaCipher): Promise<void> {
    let writing: Promise<void> = Promise.resolve();
    try {
      for await (const piece of this.#pass(source, cipher, this.#layers === 1, true)) {
        await writing;
        writing = this.#write(piece);
        // The loop's own `await` reports the failure; until then it must not count as unhandled.
        writing.catch(() => undefined);
        this.#progress(this.#layers - 1, piece);
      }
    } finally {
      await writing;
    }
  }

  async #write(piece: PassPiece): Promise<void> {
    const { offset, output, outputLeaves } = piece;
    await this.#sink.writeReplica(offset, output);
    await this.#takeSegmentLeaves(piece);
    const first = this.#replica.frontier.size;
    this.#replica.append(outputLeaves!.nodes);
    await this.#sink.writeSubtrees?.('replica', first, outputLeaves!.nodes);
    await this.#checkpoint(offset + output.length, output);
  }

  async #takeSegmentLeaves({ offset, inputLeaves }: PassPiece): Promise<void> {
    if (inputLeaves === undefined) return;
    await this.#sink.writeLeafHashes(offset / this.#options.geometry.leafSizeBytes, inputLeaves.hashes);
    const first = this.#segment.frontier.size;
    this.#segment.append(inputLeaves.nodes);
    await this.#sink.writeSubtrees?.('segment', first, inputLeaves.nodes);
  }

  async #checkpoint(offset: number, output: Uint8Array): Promise<void> {
    const { onCheckpoint, checkpointSizeBytes, geometry } = this.#options;
    const due = offset - this.#checkpointed >= (checkpointSizeBytes ?? Number.POSITIVE_INFINITY);
    if (onCheckpoint === undefined || !due || offset === geometry.segmentSizeBytes) return;
    this.#checkpointed = offset;
    await onCheckpoint({
      offset,
      chain: output.slice(-CIPHER_BLOCK_SIZE_BYTES),
      segment: this.#segment.frontier,
      replica: this.#replica.frontier,
    });
  }

  #progress(index: number, { offset, output }: PassPiece): void {
    const done = index * this.#options.geometry.segmentSizeBytes + offset + output.length;
    this.#options.onProgress?.(Math.floor(done / this.#layers));
  }
}

/**
 * Streams a segment through the cipher into a sink. Throws `ReplicatorError` 'source-short' / 'source-long' when the source is not
 * exactly one segment; whatever was written by then is to be thrown away. Comparing `segmentRoot` with the header's is the caller's.
 */
export async function encodeSegment(
  kernels: Kernels,
  source: ByteSource,
  sink: EncodeSink,
  options: EncodeOptions,
): Promise<EncodeRoots> {
  refuseProblem(geometryProblem(options.geometry));
  return new Encoding(kernels, sink, options).run(source);
}

/** Number of bytes the segment's packed leaf hashes take. */
export function leafHashesSizeBytes({ segmentSizeBytes, leafSizeBytes }: SegmentGeometry): number {
  return (segmentSizeBytes / leafSizeBytes) * HASH_SIZE_BYTES;
}
