/**
 * One stored replica, opened for reading: raw for proofs, decoded for readers of history.
 *
 * Invariant: decoded bytes leave here only after the leaf they lie in hashed to what was recorded when the replica was encoded, so one
 * wrong byte on disk, in the replica or in the table of leaf hashes, is an error and never a wrong answer. (Whoever received the bytes can
 * check them further, against the segment root in the chain's headers.) The one exception is asked for by name: `unchecked`.
 */
import { bytesToHex } from '@noble/hashes/utils.js';
import { type Hash, type Kernels, sameBytes } from '../native/index.ts';
import { HASH_SIZE_BYTES, LEAF_PREFIX, type StoredFile } from '../storage/index.ts';
import type { ByteReader } from './chunks.ts';
import { RootBuilder } from './commit.ts';
import { decodeRange } from './decode.ts';
import { leafHashesSizeBytes, wholeLeaves } from './encode.ts';
import { type CorruptionCode, CorruptReplicaError, ReplicatorError } from './errors.ts';
import { deriveCipher, type ReplicaCipher } from './key.ts';
import { samplesRoot } from './prove.ts';
import { decodeReplicaHeader, REPLICA_HEADER_SIZE_BYTES, type ReplicaHeader } from './replica-header.ts';

/** Most bytes one `read` gives. */
export const REPLICA_READ_SIZE_BYTES_MAX: number = 16 * 1024 * 1024;
const CHUNK_SIZE_BYTES: number = 256 * 1024;

/** How to read decoded bytes. `unchecked` gives them as they come, wrong or not: for the devnet's fault injection only. */
export interface PlaintextOptions {
  readonly unchecked?: boolean;
}

/** Exact size of a replica's file. */
export function replicaFileSizeBytes({ geometry }: Pick<ReplicaHeader, 'geometry'>): number {
  return REPLICA_HEADER_SIZE_BYTES + geometry.segmentSizeBytes + leafHashesSizeBytes(geometry);
}

export class Replica {
  readonly header: ReplicaHeader;
  /** Key and IV, derived from the header's key proof, which was checked. */
  readonly cipher: ReplicaCipher;
  /** The replica's raw bytes; offset 0 is its first. Throws `CorruptReplicaError` when the file is shorter than it should be. */
  readonly reader: ByteReader;
  readonly #kernels: Kernels;
  readonly #file: StoredFile;

  private constructor(kernels: Kernels, file: StoredFile, header: ReplicaHeader, cipher: ReplicaCipher) {
    this.#kernels = kernels;
    this.#file = file;
    this.header = header;
    this.cipher = cipher;
    this.reader = { read: (offset, target) => this.#readAt(REPLICA_HEADER_SIZE_BYTES + offset, target) };
  }

  /**
   * Reads and checks head, length and key proof (about 2 ms; the body is not read). Takes over `file`: closes it when this throws.
   * Throws `CorruptReplicaError`.
   */
  static async open(kernels: Kernels, file: StoredFile): Promise<Replica> {
    try {
      const head = new Uint8Array(REPLICA_HEADER_SIZE_BYTES);
      const headSizeBytes = await file.read(0, head);
      const header = decodeReplicaHeader(kernels, head.subarray(0, headSizeBytes), file.path);
      const expected = replicaFileSizeBytes(header);
      const found = await file.sizeBytes();
      if (found !== expected) throw corrupt(file, 'replica-truncated', found, `${expected} bytes`, `${found} bytes`);
      const cipher = deriveCipher(header, header.keyProof);
      if (cipher === false) throw corrupt(file, 'replica-header', 96, "the identity's key proof", 'another');
      return new Replica(kernels, file, header, cipher);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Bytes offset .. offset + sizeBytes - 1 of the original segment, checked leaf by leaf, in a new array. At most 16 MiB.
   * Throws `ReplicatorError` 'range', `CorruptReplicaError` 'replica-leaf'.
   */
  async read(offset: number, sizeBytes: number): Promise<Uint8Array> {
    const { segmentSizeBytes, leafSizeBytes } = this.header.geometry;
    const integers = Number.isSafeInteger(offset) && Number.isSafeInteger(sizeBytes);
    if (!integers || offset < 0 || sizeBytes < 0 || offset + sizeBytes > segmentSizeBytes)
      throw new ReplicatorError(
        'range',
        `range ${offset} + ${sizeBytes} is outside the segment's ${segmentSizeBytes} bytes`,
      );
    if (sizeBytes > REPLICA_READ_SIZE_BYTES_MAX)
      throw new ReplicatorError(
        'range',
        `one read gives at most ${REPLICA_READ_SIZE_BYTES_MAX} bytes, asked for ${sizeBytes}`,
      );
    const from = Math.floor(offset / leafSizeBytes) * leafSizeBytes;
    const to = Math.min(Math.ceil((offset + sizeBytes) / leafSizeBytes) * leafSizeBytes, segmentSizeBytes);
    const leaves = await this.#decode(from, to - from);
    await this.#checkLeaves(from / leafSizeBytes, this.#hashLeaves(leaves));
    return leaves.slice(offset - from, offset - from + sizeBytes);
  }

  /**
   * The whole original segment, in order, in chunks of at most 256 KiB or one leaf: every chunk's leaves are checked before it is given,
   * and the segment root after the last. Throws `CorruptReplicaError`.
   */
  async *plaintext(options: PlaintextOptions = {}): AsyncGenerator<Uint8Array> {
    const { segmentSizeBytes, leafSizeBytes } = this.header.geometry;
    const chunkSizeBytes = wholeLeaves(CHUNK_SIZE_BYTES, leafSizeBytes);
    const tree = new RootBuilder(this.#kernels, leafSizeBytes);
    for (let offset = 0; offset < segmentSizeBytes; offset += chunkSizeBytes) {
      const chunk = await this.#decode(offset, Math.min(chunkSizeBytes, segmentSizeBytes - offset));
      if (options.unchecked !== true) await this.#checkLeaves(offset / leafSizeBytes, tree.append(chunk));
      yield chunk;
    }
    if (options.unchecked !== true) this.#checkRoot('segment-root', tree.root(), this.header.segmentRoot);
  }

  /** This replica's samples root for a period. Proves what lies on disk, right or wrong. */
  samplesRoot(request: { periodHash: Uint8Array; seed: Uint8Array; sampleBlockSizeBytes: number }): Promise<Hash> {
    const layout = {
      replicaSizeBytes: this.header.geometry.segmentSizeBytes,
      sampleBlockSizeBytes: request.sampleBlockSizeBytes,
    };
    return samplesRoot(this.#kernels, this.reader, { layout, periodHash: request.periodHash, seed: request.seed });
  }

  /** Reads everything once: leaves, segment root, replica root. Throws `CorruptReplicaError` at the first that is wrong. */
  async verify(): Promise<void> {
    for await (const _chunk of this.plaintext());
    const { segmentSizeBytes, leafSizeBytes } = this.header.geometry;
    const chunkSizeBytes = wholeLeaves(CHUNK_SIZE_BYTES, leafSizeBytes);
    const tree = new RootBuilder(this.#kernels, leafSizeBytes);
    for (let offset = 0; offset < segmentSizeBytes; offset += chunkSizeBytes) {
      const chunk = new Uint8Array(Math.min(chunkSizeBytes, segmentSizeBytes - offset));
      await this.reader.read(offset, chunk);
      tree.append(chunk);
    }
    this.#checkRoot('replica-root', tree.root(), this.header.replicaRoot);
  }

  /** Closes the file. Reads under way fail. */
  close(): Promise<void> {
    return this.#file.close();
  }

  #decode(offset: number, sizeBytes: number): Promise<Uint8Array> {
    const { segmentSizeBytes } = this.header.geometry;
    return decodeRange(this.#kernels, this.cipher, this.reader, segmentSizeBytes, offset, sizeBytes);
  }

  #hashLeaves(leaves: Uint8Array): Uint8Array {
    const { leafSizeBytes } = this.header.geometry;
    const hashes = new Uint8Array((leaves.length / leafSizeBytes) * HASH_SIZE_BYTES);
    this.#kernels.sha256Leaves(LEAF_PREFIX, leaves, leafSizeBytes, hashes);
    return hashes;
  }

  async #checkLeaves(firstLeaf: number, hashes: Uint8Array): Promise<void> {
    const { segmentSizeBytes, leafSizeBytes } = this.header.geometry;
    const recorded = new Uint8Array(hashes.length);
    const tableOffset = REPLICA_HEADER_SIZE_BYTES + segmentSizeBytes;
    await this.#readAt(tableOffset + firstLeaf * HASH_SIZE_BYTES, recorded);
    if (sameBytes(hashes, recorded)) return;
    const wrong = Math.floor(hashes.findIndex((byte, index) => byte !== recorded[index]) / HASH_SIZE_BYTES);
    const at = (bytes: Uint8Array): string =>
      bytesToHex(bytes.subarray(wrong * HASH_SIZE_BYTES, (wrong + 1) * HASH_SIZE_BYTES));
    const offset = REPLICA_HEADER_SIZE_BYTES + (firstLeaf + wrong) * leafSizeBytes;
    throw corrupt(this.#file, 'replica-leaf', offset, `a leaf that decodes to ${at(recorded)}`, at(hashes));
  }

  #checkRoot(code: CorruptionCode, found: Uint8Array, expected: Uint8Array): void {
    if (!sameBytes(found, expected))
      throw corrupt(this.#file, code, REPLICA_HEADER_SIZE_BYTES, bytesToHex(expected), bytesToHex(found));
  }

  async #readAt(offset: number, target: Uint8Array): Promise<void> {
    const found = await this.#file.read(offset, target);
    if (found !== target.length)
      throw corrupt(this.#file, 'replica-truncated', offset + found, `${target.length - found} more bytes`, 'the end');
  }
}

function corrupt(
  file: StoredFile,
  code: CorruptionCode,
  offset: number,
  expected: string,
  found: string,
): CorruptReplicaError {
  return new CorruptReplicaError(code, { path: file.path, offset, expected, found });
}
