/**
 * Decoding a whole replica in order, in bounded memory: pass by pass from the last to the first, with the transposition undone between
 * them. Chunks of a pass are independent of each other, so several are decrypted at the same time where there are threads.
 */
import type { Kernels } from '../native/index.ts';
import { type ByteReader, type ByteSource, PieceReader, readerChunks } from './chunks.ts';
import { ENCODE_CHUNK_SIZE_BYTES, LAYER_MEMORY_SIZE_BYTES } from './encode.ts';
import { CIPHER_BLOCK_SIZE_BYTES, type SegmentGeometry, wholeSubtrees } from './geometry.ts';
import type { ReplicaCipher } from './key.ts';
import { blockMatrix, type LayerCount, layerCiphers } from './layers.ts';
import { memoryScratch, type Scratch } from './scratch.ts';
import type { HashedLeaves } from './subtrees.ts';
import { inlineThreads, type ReplicaThreads } from './threads/threads.ts';
import { scratchSizeBytes, Transposition } from './transposition.ts';

export interface DecodeOptions {
  readonly cipher: ReplicaCipher;
  readonly geometry: SegmentGeometry;
  readonly layers: LayerCount;
  /** On the caller's thread when absent. */
  readonly threads?: ReplicaThreads;
  /** Scratch between passes; in memory when absent. */
  readonly scratch?: (index: number, sizeBytes: number) => Promise<Scratch>;
  readonly layerMemorySizeBytes?: number;
  /** Whole subtrees of leaves; 1 MiB by default. */
  readonly chunkSizeBytes?: number;
}

/** A run of the original, with its leaves' hashes. */
export interface DecodedPiece {
  readonly offset: number;
  /** Borrowed until the next piece is asked for. */
  readonly bytes: Uint8Array;
  readonly leaves: HashedLeaves;
}

/** Chunks whose decryption is under way, for each thread. */
const AHEAD_PER_THREAD = 2;

interface DecryptedPiece {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly leaves: HashedLeaves | undefined;
}

async function* decryptPass(
  source: ByteSource,
  cipher: ReplicaCipher,
  options: DecodeOptions & { readonly threads: ReplicaThreads },
  wantHashes: boolean,
): AsyncGenerator<DecryptedPiece> {
  const { segmentSizeBytes, leafSizeBytes } = options.geometry;
  const { threads } = options;
  const wanted = wholeSubtrees(options.chunkSizeBytes ?? ENCODE_CHUNK_SIZE_BYTES, leafSizeBytes);
  const chunkSizeBytes = Math.min(segmentSizeBytes, wanted);
  const reader = new PieceReader(source, segmentSizeBytes);
  const aheadMax = AHEAD_PER_THREAD * threads.count;
  const slots = Array.from({ length: aheadMax + 2 }, () => threads.allocate(chunkSizeBytes));
  const ahead: Promise<DecryptedPiece>[] = [];
  let before = cipher.iv;
  for (let offset = 0; offset < segmentSizeBytes; offset += chunkSizeBytes) {
    const length = Math.min(chunkSizeBytes, segmentSizeBytes - offset);
    const data = slots[(offset / chunkSizeBytes) % slots.length]!.subarray(0, length);
    await reader.fill(data);
    const job = { kind: 'decrypt', key: cipher.key, before, data } as const;
    // Copied before the job may run: it decrypts in place.
    before = data.slice(-CIPHER_BLOCK_SIZE_BYTES);
    const piece = threads
      .run(wantHashes ? { ...job, leafSizeBytes } : job)
      .then((leaves) => ({ offset, bytes: data, leaves }));
    // The generator's own `await` reports a failure; until then it must not count as unhandled.
    piece.catch(() => undefined);
    ahead.push(piece);
    if (ahead.length > aheadMax) yield await ahead.shift()!;
  }
  for (const piece of ahead) yield await piece;
}

async function* bytesOf(pieces: AsyncIterable<DecryptedPiece>): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of pieces) yield bytes;
}

/** Gives the whole original in order. Checks nothing. @param replica reads the replica's bytes (not the file's) */
export async function* decodeReplica(
  kernels: Kernels,
  replica: ByteReader,
  options: DecodeOptions,
): AsyncGenerator<DecodedPiece> {
  const withThreads = { ...options, threads: options.threads ?? inlineThreads(kernels) };
  const { segmentSizeBytes } = options.geometry;
  const ciphers = layerCiphers(options.cipher, options.layers);
  const matrix = blockMatrix(segmentSizeBytes / CIPHER_BLOCK_SIZE_BYTES, options.layers);
  const memorySizeBytes = options.layerMemorySizeBytes ?? LAYER_MEMORY_SIZE_BYTES;
  const sizeBytes = scratchSizeBytes(matrix, memorySizeBytes);
  let source: ByteSource = readerChunks(replica, segmentSizeBytes, ENCODE_CHUNK_SIZE_BYTES);
  for (let layer = ciphers.length - 1; layer > 0; layer -= 1) {
    const scratch = await (options.scratch?.(ciphers.length - 1 - layer, sizeBytes) ?? memoryScratch(sizeBytes));
    const transposition = new Transposition(matrix, scratch, memorySizeBytes, 'columns');
    await transposition.fill(bytesOf(decryptPass(source, ciphers[layer]!, withThreads, false)));
    source = transposition.drain();
  }
  for await (const { offset, bytes, leaves } of decryptPass(source, ciphers[0]!, withThreads, true))
    yield { offset, bytes, leaves: leaves! };
}
