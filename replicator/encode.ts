/**
 * Encoding (mode `stream`, one layer): AES-256-CBC over a segment from its first byte to its last, with the roots of what goes in and
 * of what comes out computed in the same pass. Memory: three chunks, whatever the segment's size; while one chunk is being written,
 * the next is read and encrypted.
 *
 * Source: NIST SP 800-38A section 6.2 (CBC), without padding: segments are multiples of 1024 bytes.
 */
import type { Hash, Kernels } from '../native/index.ts';
import { HASH_SIZE_BYTES } from '../storage/index.ts';
import { type ByteSource, exactChunks } from './chunks.ts';
import { RootBuilder } from './commit.ts';
import { geometryProblem, refuseProblem, type SegmentGeometry } from './geometry.ts';
import type { ReplicaCipher } from './key.ts';

/** Default size of the pieces an encoder works in. */
export const ENCODE_CHUNK_SIZE_BYTES: number = 256 * 1024;

/** Where an encoder puts a replica. Calls come in order of offset, one at a time; the arrays are borrowed until the call resolves. */
export interface EncodeSink {
  /** `bytes` of the replica, from `offset` on. */
  writeReplica(offset: number, bytes: Uint8Array): Promise<void>;
  /** Packed hashes of the *segment's* leaves (32 bytes each), from leaf `firstLeaf` on. */
  writeLeafHashes(firstLeaf: number, hashes: Uint8Array): Promise<void>;
}

/** What one pass over a segment yields. */
export interface EncodeRoots {
  /** RFC 9162 root of the segment's bytes as they came. */
  readonly segmentRoot: Hash;
  /** RFC 9162 root of the replica. */
  readonly replicaRoot: Hash;
}

export interface EncodeOptions {
  readonly cipher: ReplicaCipher;
  readonly geometry: SegmentGeometry;
  /** Called after each chunk with the bytes encoded so far. */
  readonly onProgress?: (encodedSizeBytes: number) => void;
  /** Size of the pieces, rounded down to whole leaves; 256 KiB by default. */
  readonly chunkSizeBytes?: number;
}

/** The running state of one encoding: chain value and two trees. No I/O. */
export class SegmentEncoder {
  readonly #kernels: Kernels;
  readonly #key: Uint8Array;
  readonly #chain: Uint8Array;
  readonly #segment: RootBuilder;
  readonly #replica: RootBuilder;

  constructor(kernels: Kernels, cipher: ReplicaCipher, leafSizeBytes: number) {
    this.#kernels = kernels;
    this.#key = cipher.key;
    this.#chain = cipher.iv.slice();
    this.#segment = new RootBuilder(kernels, leafSizeBytes);
    this.#replica = new RootBuilder(kernels, leafSizeBytes);
  }

  /**
   * Encodes the next whole leaves of the segment. @param output as long as `input`, and not the same array
   * @returns the packed hashes of the input's leaves
   */
  encode(input: Uint8Array, output: Uint8Array): Uint8Array {
    const leafHashes = this.#segment.append(input);
    this.#kernels.aesCbcEncrypt(this.#key, this.#chain, input, output);
    this.#replica.append(output);
    return leafHashes;
  }

  /** The roots over everything encoded so far. */
  roots(): EncodeRoots {
    return { segmentRoot: this.#segment.root(), replicaRoot: this.#replica.root() };
  }
}

/** `wanted` bytes rounded down to whole leaves, at least one. */
export function wholeLeaves(wanted: number, leafSizeBytes: number): number {
  return Math.max(1, Math.floor(wanted / leafSizeBytes)) * leafSizeBytes;
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
  const { cipher, geometry } = options;
  refuseProblem(geometryProblem(geometry));
  const { segmentSizeBytes, leafSizeBytes } = geometry;
  const chunkSizeBytes = wholeLeaves(options.chunkSizeBytes ?? ENCODE_CHUNK_SIZE_BYTES, leafSizeBytes);
  const encoder = new SegmentEncoder(kernels, cipher, leafSizeBytes);
  const outputs = [new Uint8Array(chunkSizeBytes), new Uint8Array(chunkSizeBytes)] as const;
  let encoded = 0;
  let turn = 0;
  let writing: Promise<void> = Promise.resolve();
  const write = async (offset: number, output: Uint8Array, leafHashes: Uint8Array): Promise<void> => {
    await sink.writeReplica(offset, output);
    await sink.writeLeafHashes(offset / leafSizeBytes, leafHashes);
  };
  try {
    for await (const chunk of exactChunks(source, segmentSizeBytes, chunkSizeBytes)) {
      const output = outputs[turn === 0 ? 0 : 1].subarray(0, chunk.length);
      turn = 1 - turn;
      const leafHashes = encoder.encode(chunk, output);
      await writing;
      writing = write(encoded, output, leafHashes);
      // The loop's own `await` reports the failure; until then it must not count as unhandled.
      writing.catch(() => undefined);
      encoded += chunk.length;
      options.onProgress?.(encoded);
    }
  } finally {
    await writing;
  }
  return encoder.roots();
}

/** Number of bytes the segment's packed leaf hashes take. */
export function leafHashesSizeBytes({ segmentSizeBytes, leafSizeBytes }: SegmentGeometry): number {
  return (segmentSizeBytes / leafSizeBytes) * HASH_SIZE_BYTES;
}
