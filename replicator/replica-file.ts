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
import { decodeRange, type ReplicaDecoder, replicaDecoder } from './decode.ts';
import { decodeReplica } from './decode-stream.ts';
import { leafHashesSizeBytes } from './encode.ts';
import { type CorruptionCode, CorruptReplicaError, ReplicatorError } from './errors.ts';
import { type SegmentGeometry, SUBTREE_LEAF_COUNT, wholeSubtrees } from './geometry.ts';
import { deriveCipher, type ReplicaCipher } from './key.ts';
import { makeOpening, type OpenShape, type OpenSource } from './open-proof.ts';
import { samplesRoot } from './prove.ts';
import { decodeReplicaHeader, REPLICA_HEADER_SIZE_BYTES, type ReplicaHeader } from './replica-header.ts';
import type { Scratch } from './scratch.ts';
import { SubtreeFrontier, subtreeCount } from './subtrees.ts';
import { inlineThreads, type ReplicaThreads } from './threads/threads.ts';

/** Most bytes one `read` gives. */
export const REPLICA_READ_SIZE_BYTES_MAX: number = 16 * 1024 * 1024;
const CHUNK_SIZE_BYTES: number = 1024 * 1024;

/** How to read decoded bytes. `unchecked` gives them as they come, wrong or not: for the devnet's fault injection only. */
export interface PlaintextOptions {
  readonly unchecked?: boolean;
  /** Where to decrypt and hash; on the caller's thread when absent. */
  readonly threads?: ReplicaThreads;
  /** Scratch for replicas of several layers; in memory when absent. */
  readonly scratch?: (index: number, sizeBytes: number) => Promise<Scratch>;
}

/** How to make openings. `unchecked`: for the devnet's fault injection only. */
export interface OpeningOptions {
  readonly threads?: Pick<ReplicaThreads, 'open'> | undefined;
  readonly unchecked?: boolean;
}

/** Where the parts of a replica's file lie, in bytes from its start. */
export interface ReplicaFileLayout {
  readonly replica: number;
  readonly leafHashes: number;
  readonly segmentSubtrees: number;
  readonly replicaSubtrees: number;
  readonly end: number;
}

export function replicaFileLayout(geometry: SegmentGeometry, hasSubtrees: boolean): ReplicaFileLayout {
  const { segmentSizeBytes, leafSizeBytes } = geometry;
  const subtreesSizeBytes = hasSubtrees ? subtreeCount(segmentSizeBytes / leafSizeBytes) * HASH_SIZE_BYTES : 0;
  const leafHashes = REPLICA_HEADER_SIZE_BYTES + segmentSizeBytes;
  const segmentSubtrees = leafHashes + leafHashesSizeBytes(geometry);
  const replicaSubtrees = segmentSubtrees + subtreesSizeBytes;
  return {
    replica: REPLICA_HEADER_SIZE_BYTES,
    leafHashes,
    segmentSubtrees,
    replicaSubtrees,
    end: replicaSubtrees + subtreesSizeBytes,
  };
}

export class Replica {
  readonly header: ReplicaHeader;
  /** Key and IV, derived from the header's key proof, which was checked. */
  readonly cipher: ReplicaCipher;
  /** The replica's raw bytes; offset 0 is its first. Throws `CorruptReplicaError` when the file is shorter than it should be. */
  readonly reader: ByteReader;
  readonly #kernels: Kernels;
  readonly #file: StoredFile;
  readonly #layout: ReplicaFileLayout;
  readonly #decoder: ReplicaDecoder;

  private constructor(kernels: Kernels, file: StoredFile, header: ReplicaHeader, cipher: ReplicaCipher) {
    this.#kernels = kernels;
    this.#file = file;
    this.header = header;
    this.cipher = cipher;
    this.#layout = replicaFileLayout(header.geometry, header.hasSubtrees);
    this.#decoder = replicaDecoder(kernels, cipher, header.geometry.segmentSizeBytes, header.layers);
    this.reader = { read: (offset, target) => this.#readAt(this.#layout.replica + offset, target) };
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
      const expected = replicaFileLayout(header.geometry, header.hasSubtrees).end;
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
    const leaves = await decodeRange(this.#decoder, this.reader, from, to - from);
    await this.#checkLeaves(from / leafSizeBytes, this.#hashLeaves(leaves));
    return leaves.slice(offset - from, offset - from + sizeBytes);
  }

  /**
   * The whole original segment, in order, in chunks of about 1 MiB, borrowed until the next: every chunk's leaves are checked before it is
   * given, and the segment root after the last. Throws `CorruptReplicaError`.
   */
  async *plaintext(options: PlaintextOptions = {}): AsyncGenerator<Uint8Array> {
    const { geometry, layers, segmentRoot } = this.header;
    const tree = new SubtreeFrontier(this.#kernels);
    const { unchecked, ...how } = options;
    for await (const { offset, bytes, leaves } of decodeReplica(this.#kernels, this.reader, {
      cipher: this.cipher,
      geometry,
      layers,
      ...how,
    })) {
      if (unchecked !== true) await this.#checkLeaves(offset / geometry.leafSizeBytes, leaves.hashes);
      tree.append(leaves.nodes);
      yield bytes;
    }
    if (unchecked !== true) this.#checkRoot('segment-root', tree.root(), segmentRoot);
  }

  /** This replica's samples root for a period. Proves what lies on disk, right or wrong. */
  samplesRoot(request: { periodHash: Uint8Array; seed: Uint8Array; sampleBlockSizeBytes: number }): Promise<Hash> {
    const layout = {
      replicaSizeBytes: this.header.geometry.segmentSizeBytes,
      sampleBlockSizeBytes: request.sampleBlockSizeBytes,
    };
    return samplesRoot(this.#kernels, this.reader, { layout, periodHash: request.periodHash, seed: request.seed });
  }

  /**
   * What proofs of mode `open` are made from. Reads both tables of subtrees' roots (2 bytes in 1,000 of the replica at 1 KiB leaves); each
   * opened leaf then costs a read of its subtree. Throws `ReplicatorError` 'no-subtrees' for a file from before there were any. A leaf of the segment that does not
   * decode to what was recorded throws `CorruptReplicaError`, unless `unchecked`, for the devnet's fault injection only: then it comes as it is.
   */
  async openSource({ unchecked = false }: { readonly unchecked?: boolean } = {}): Promise<OpenSource> {
    const { leafSizeBytes, segmentSizeBytes } = this.header.geometry;
    if (!this.header.hasSubtrees)
      throw new ReplicatorError('no-subtrees', `${this.#file.path} has no subtrees' roots; encode the replica again`);
    const leafCount = segmentSizeBytes / leafSizeBytes;
    const table = async (offset: number): Promise<Uint8Array> => {
      const nodes = new Uint8Array(this.#layout.replicaSubtrees - this.#layout.segmentSubtrees);
      await this.#readAt(offset, nodes);
      return nodes;
    };
    const leavesIn = (subtree: number): number =>
      Math.min(SUBTREE_LEAF_COUNT, leafCount - subtree * SUBTREE_LEAF_COUNT);
    const hashesAt = async (subtree: number): Promise<Uint8Array> => {
      const hashes = new Uint8Array(leavesIn(subtree) * HASH_SIZE_BYTES);
      await this.#readAt(this.#layout.leafHashes + subtree * SUBTREE_LEAF_COUNT * HASH_SIZE_BYTES, hashes);
      return hashes;
    };
    const replicaHashes = async (subtree: number): Promise<Uint8Array> => {
      const leaves = new Uint8Array(leavesIn(subtree) * leafSizeBytes);
      await this.reader.read(subtree * SUBTREE_LEAF_COUNT * leafSizeBytes, leaves);
      return this.#hashLeaves(leaves);
    };
    const rawLeaf = async (leaf: number): Promise<Uint8Array> => {
      const bytes = new Uint8Array(leafSizeBytes);
      await this.reader.read(leaf * leafSizeBytes, bytes);
      return bytes;
    };
    return {
      cipher: this.cipher,
      replicaTree: { leafCount, subtrees: await table(this.#layout.replicaSubtrees), subtreeLeaves: replicaHashes },
      segmentTree: { leafCount, subtrees: await table(this.#layout.segmentSubtrees), subtreeLeaves: hashesAt },
      replicaLeaf: rawLeaf,
      segmentLeaf: (leaf) =>
        unchecked
          ? decodeRange(this.#decoder, this.reader, leaf * leafSizeBytes, leafSizeBytes)
          : this.read(leaf * leafSizeBytes, leafSizeBytes),
    };
  }

  /**
   * A period's openings of this replica (see `makeOpening`): on a thread, where one is given and the file is the operating system's, since they take some
   * 14 ms and more. Throws as `openSource` and what it gives. @param seed from `deriveSampleSeed`
   */
  async makeOpening(
    shape: OpenShape,
    seed: Uint8Array,
    { threads, unchecked = false }: OpeningOptions = {},
  ): Promise<Uint8Array> {
    try {
      const made = await threads?.open?.({ path: this.#file.path, shape, seed, unchecked });
      if (made !== undefined) return made;
    } catch (error) {
      // Made once more here, so that damage is told as what it is, and a lost thread costs no proof.
      if (!(error instanceof ReplicatorError) || error.code !== 'thread') throw error;
    }
    return makeOpening(this.#kernels, await this.openSource({ unchecked }), shape, seed);
  }

  /** Reads everything once: leaves, segment root, replica root, subtrees. Throws `CorruptReplicaError`. */
  async verify(threads: ReplicaThreads = inlineThreads(this.#kernels)): Promise<void> {
    const segment = new Uint8Array(this.#layout.replicaSubtrees - this.#layout.segmentSubtrees);
    const { segmentSizeBytes, leafSizeBytes } = this.header.geometry;
    const chunkSizeBytes = wholeSubtrees(CHUNK_SIZE_BYTES, leafSizeBytes);
    for await (const _chunk of this.plaintext({ threads }));
    const tree = new SubtreeFrontier(this.#kernels);
    for (let offset = 0; offset < segmentSizeBytes; offset += chunkSizeBytes) {
      const data = threads.allocate(Math.min(chunkSizeBytes, segmentSizeBytes - offset));
      await this.reader.read(offset, data);
      const { nodes } = await threads.run({ kind: 'leaves', data, leafSizeBytes });
      const first = tree.frontier.size;
      tree.append(nodes);
      if (this.header.hasSubtrees) await this.#checkSubtrees(this.#layout.replicaSubtrees, first, nodes);
    }
    this.#checkRoot('replica-root', tree.root(), this.header.replicaRoot);
    if (!this.header.hasSubtrees) return;
    await this.#readAt(this.#layout.segmentSubtrees, segment);
    const segmentTree = new SubtreeFrontier(this.#kernels);
    segmentTree.append(segment);
    this.#checkRoot('segment-root', segmentTree.root(), this.header.segmentRoot);
  }

  /** Closes the file. Reads under way fail. */
  close(): Promise<void> {
    return this.#file.close();
  }

  async #checkSubtrees(tableOffset: number, first: number, nodes: Uint8Array): Promise<void> {
    const recorded = new Uint8Array(nodes.length);
    const offset = tableOffset + first * HASH_SIZE_BYTES;
    await this.#readAt(offset, recorded);
    if (!sameBytes(nodes, recorded))
      throw corrupt(this.#file, 'replica-root', offset, "the leaves' subtrees", 'others');
  }

  #hashLeaves(leaves: Uint8Array): Uint8Array {
    const { leafSizeBytes } = this.header.geometry;
    const hashes = new Uint8Array((leaves.length / leafSizeBytes) * HASH_SIZE_BYTES);
    this.#kernels.sha256Leaves(LEAF_PREFIX, leaves, leafSizeBytes, hashes);
    return hashes;
  }

  async #checkLeaves(firstLeaf: number, hashes: Uint8Array): Promise<void> {
    const { leafSizeBytes } = this.header.geometry;
    const recorded = new Uint8Array(hashes.length);
    await this.#readAt(this.#layout.leafHashes + firstLeaf * HASH_SIZE_BYTES, recorded);
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
