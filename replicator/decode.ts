/**
 * Decoding: any bytes of the segment out of a replica, without the rest of it.
 *
 * One original block needs, in each pass, the block of that pass's output where it stands and the one before: with L layers 2^L blocks of the
 * replica, in 2^(L-1) places. A range of m blocks within one row of the matrix needs (m + 1) * 2^(L-1), because its neighbours share.
 * Nothing here checks the result; `replica-file.ts` does, leaf by leaf.
 */
import type { Kernels } from '../native/index.ts';
import { newBlocks } from './block-copy.ts';
import type { ByteReader } from './chunks.ts';
import { ReplicatorError } from './errors.ts';
import { CIPHER_BLOCK_SIZE_BYTES } from './geometry.ts';
import type { ReplicaCipher } from './key.ts';
import { type BlockMatrix, blockMatrix, type LayerCount, layerCiphers, transposedIndex } from './layers.ts';

const BLOCK = CIPHER_BLOCK_SIZE_BYTES;
/** Reads under way at the same time. */
const READS_MAX = 64;

/** How a replica is decoded. */
export interface ReplicaDecoder {
  readonly kernels: Kernels;
  /** Key and IV of each pass, the first pass's first. */
  readonly ciphers: readonly ReplicaCipher[];
  readonly matrix: BlockMatrix;
}

/** What decides which blocks depend on which. */
export type DecoderShape = Pick<ReplicaDecoder, 'matrix' | 'ciphers'>;

/** The decoder of a replica of `replicaSizeBytes` in `layers` passes. */
export function replicaDecoder(
  kernels: Kernels,
  cipher: ReplicaCipher,
  replicaSizeBytes: number,
  layers: LayerCount,
): ReplicaDecoder {
  const matrix = blockMatrix(replicaSizeBytes / BLOCK, layers);
  return { kernels, ciphers: layerCiphers(cipher, layers), matrix };
}

/** The blocks an original or inner block depends on in the next pass's output: the one before where it stands, and that one. -1: the IV. */
function dependencies(positions: Float64Array): Float64Array {
  const pairs = new Float64Array(2 * positions.length);
  for (let index = 0; index < positions.length; index += 1) {
    pairs[2 * index] = positions[index]! - 1;
    pairs[2 * index + 1] = positions[index]!;
  }
  return pairs;
}

/** Which blocks of each pass's output these original blocks depend on, the first pass's first; -1 where an IV stands instead. */
function dependencyLayers({ matrix, ciphers }: DecoderShape, blocks: Float64Array): Float64Array[] {
  const layers = [dependencies(blocks)];
  for (let layer = 1; layer < ciphers.length; layer += 1)
    layers.push(dependencies(layers[layer - 1]!.map((block) => transposedIndex(matrix, Math.max(0, block)))));
  return layers;
}

/** All replica blocks that these original blocks depend on, 2^L each; -1 where the IV stands instead. */
export function neededBlocks(decoder: DecoderShape, blocks: Float64Array): Float64Array {
  return dependencyLayers(decoder, blocks).at(-1)!;
}

/**
 * The original bytes of single blocks, packed, given the replica blocks that `neededBlocks` names, packed in its order (where it says -1:
 * any bytes). No I/O: what a verifier does with opened leaves. @param needed borrowed
 */
export function decodeNeeded(decoder: ReplicaDecoder, blocks: Float64Array, needed: Uint8Array): Uint8Array {
  const layers = dependencyLayers(decoder, blocks);
  let pairs: Uint8Array = needed.slice();
  for (let layer = layers.length - 1; layer >= 0; layer -= 1)
    pairs = decryptPairs(decoder.kernels, decoder.ciphers[layer]!, layers[layer]!, pairs);
  return pairs;
}

/** Decrypts the second block of each pair behind the first, or behind the IV where the first's number is -1. Changes `pairs`. */
function decryptPairs(
  kernels: Kernels,
  { key, iv }: ReplicaCipher,
  numbers: Float64Array,
  pairs: Uint8Array,
): Uint8Array {
  for (let index = 0; index < numbers.length; index += 2) if (numbers[index]! < 0) pairs.set(iv, index * BLOCK);
  // One call for all pairs: what each first block decrypts to is left alone.
  kernels.aesCbcDecrypt(key, new Uint8Array(BLOCK), pairs, pairs);
  const out = newBlocks(numbers.length / 2);
  for (let index = 0; index < numbers.length; index += 2)
    out.set(pairs.subarray((index + 1) * BLOCK, (index + 2) * BLOCK), (index / 2) * BLOCK);
  return out;
}

/** The first pass's output from block `from` to `to` - 1: read as it lies, or decoded through the layers above. */
async function firstPassBlocks(
  decoder: ReplicaDecoder,
  replica: ByteReader,
  from: number,
  to: number,
): Promise<Uint8Array> {
  const out = newBlocks(to - from);
  if (decoder.ciphers.length === 1) {
    await replica.read(from * BLOCK, out);
    return out;
  }
  const above = { ...decoder, ciphers: decoder.ciphers.slice(1) };
  const blocks = Float64Array.from({ length: to - from }, (_, index) => transposedIndex(decoder.matrix, from + index));
  const needed = neededBlocks(above, blocks);
  return decodeNeeded(above, blocks, await fetchBlocks(replica, needed));
}

/** Single blocks of the replica, packed (zeros for -1): those that lie together in one read, and a few reads at a time. */
async function fetchBlocks(replica: ByteReader, blocks: Float64Array): Promise<Uint8Array> {
  const out = newBlocks(blocks.length);
  let reads: Promise<void>[] = [];
  for (let from = 0; from < blocks.length; ) {
    let to = from + 1;
    while (to < blocks.length && blocks[to] === blocks[to - 1]! + 1) to += 1;
    const first = Math.max(from, from + (blocks[from]! < 0 ? 1 : 0));
    if (first < to) reads.push(replica.read(blocks[first]! * BLOCK, out.subarray(first * BLOCK, to * BLOCK)));
    from = to;
    if (reads.length < READS_MAX) continue;
    await Promise.all(reads);
    reads = [];
  }
  await Promise.all(reads);
  return out;
}

/**
 * Bytes offset .. offset + sizeBytes - 1 of the segment, in a new array. With one layer at most 46 bytes more than that are read; see the
 * head of this file for more. @param replica reads the replica's bytes (not the file's)
 */
export async function decodeRange(
  decoder: ReplicaDecoder,
  replica: ByteReader,
  offset: number,
  sizeBytes: number,
): Promise<Uint8Array> {
  const segmentSizeBytes = decoder.matrix.blockCount * BLOCK;
  if (offset < 0 || sizeBytes < 0 || offset + sizeBytes > segmentSizeBytes)
    throw new ReplicatorError(
      'range',
      `range ${offset} + ${sizeBytes} is outside the segment's ${segmentSizeBytes} bytes`,
    );
  if (sizeBytes === 0) return new Uint8Array(0);
  const from = Math.floor(offset / BLOCK);
  const to = Math.ceil((offset + sizeBytes) / BLOCK);
  const start = Math.max(0, from - 1);
  const blocks = await firstPassBlocks(decoder, replica, start, to);
  const { key, iv } = decoder.ciphers[0]!;
  const before = from === 0 ? iv.slice() : blocks.slice(0, BLOCK);
  const body = blocks.subarray((from - start) * BLOCK);
  decoder.kernels.aesCbcDecrypt(key, before, body, body);
  return body.slice(offset - from * BLOCK, offset - from * BLOCK + sizeBytes);
}
