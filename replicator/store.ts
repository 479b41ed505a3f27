/**
 * A directory of one identity's replicas: list, open, encode, encode again from an own replica, drop.
 *
 * Invariants
 * - A replica is written under a temporary name, synced, and renamed; its head is written last. So a file under a replica's name is whole,
 *   whatever byte the process died at; leftovers under temporary names are removed when the store opens, and encoded again.
 * - A replica is kept only if the bytes that went in have the segment root they should have.
 * - One process a directory (a lock file sees to that), and one encoding of a replica at a time (the caller sees to that).
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import { makeDurableDirectory } from '../storage/files/files.ts';
import { type FileLock, type Files, FilesError, type StoredFile } from '../storage/index.ts';
import type { ByteSource } from './chunks.ts';
import { type EncodeSink, encodeSegment } from './encode.ts';
import { CorruptReplicaError, ReplicatorError } from './errors.ts';
import type { SegmentGeometry } from './geometry.ts';
import { deriveCipher, type ReplicaCipher } from './key.ts';
import { Replica } from './replica-file.ts';
import { encodeReplicaHeader, REPLICA_HEADER_SIZE_BYTES, type ReplicaHeader } from './replica-header.ts';

export interface ReplicaStoreOptions {
  readonly kernels: Kernels;
  readonly files: Files;
  /** Created when missing; one process at a time. */
  readonly directory: string;
  /** The identity all replicas here belong to: 32 bytes. */
  readonly identity: Uint8Array;
  readonly geometry: SegmentGeometry;
}

/** Names one replica. */
export interface ReplicaId {
  readonly segment: number;
  readonly rotation: number;
}

export interface EncodeRequest extends ReplicaId {
  readonly rotationHash: Uint8Array;
  /** This identity's key proof for segment and rotation, 80 bytes. */
  readonly keyProof: Uint8Array;
  readonly onProgress?: (encodedSizeBytes: number) => void;
}

export interface EncodeSourceRequest extends EncodeRequest {
  /** The segment. */
  readonly source: ByteSource;
  /** The segment's root from the chain's headers, 32 bytes. */
  readonly segmentRoot: Uint8Array;
}

export interface ReencodeRequest extends EncodeRequest {
  /** The rotation of the own replica to read from; it is kept. */
  readonly fromRotation: number;
  /** Encode whatever the old replica decodes to, wrong or not. For the devnet's fault injection only: the result proves nothing. */
  readonly unchecked?: boolean;
}

/** A file under a replica's name that is none. */
export interface DamagedReplica extends ReplicaId {
  readonly error: CorruptReplicaError;
}

export interface ReplicaListing {
  /** Ascending by segment, then rotation. */
  readonly replicas: readonly ReplicaHeader[];
  /** Drop these and encode them again. */
  readonly damaged: readonly DamagedReplica[];
}

const NAME = /^segment-(\d{10})\.rotation-(\d{10})\.replica$/;
const PARTIAL_SUFFIX = '.partial';
const LOCK_NAME = 'lock';

function nameOf({ segment, rotation }: ReplicaId): string {
  const digits = (value: number): string => String(value).padStart(10, '0');
  return `segment-${digits(segment)}.rotation-${digits(rotation)}.replica`;
}

/** A sink that writes body and leaf table of a replica's file, each at its place. */
function fileSink(file: StoredFile, { segmentSizeBytes }: SegmentGeometry): EncodeSink {
  const tableOffset = REPLICA_HEADER_SIZE_BYTES + segmentSizeBytes;
  return {
    writeReplica: (offset, bytes) => file.write(REPLICA_HEADER_SIZE_BYTES + offset, bytes),
    writeLeafHashes: (firstLeaf, hashes) => file.write(tableOffset + firstLeaf * 32, hashes),
  };
}

export class ReplicaStore {
  readonly #options: ReplicaStoreOptions;
  readonly #lock: FileLock;

  private constructor(options: ReplicaStoreOptions, lock: FileLock) {
    this.#options = options;
    this.#lock = lock;
  }

  /** Opens a directory, removing what earlier encodings left unfinished. Throws `FilesError` 'locked' when another process has it open. */
  static async open(options: ReplicaStoreOptions): Promise<ReplicaStore> {
    const { files, directory } = options;
    await makeDurableDirectory(files, directory);
    const store = new ReplicaStore(options, await files.lock(`${directory}/${LOCK_NAME}`));
    try {
      const leftovers = (await files.list(directory)).filter((name) => name.endsWith(PARTIAL_SUFFIX));
      for (const name of leftovers) await files.remove(`${directory}/${name}`);
      if (leftovers.length > 0) await files.syncDirectory(directory);
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Gives the directory free. Close what `get` opened first. */
  close(): Promise<void> {
    return this.#lock.release();
  }

  /** Every replica here. Heads, lengths and key proofs are checked (about 2 ms each); bodies are not read. */
  async list(): Promise<ReplicaListing> {
    const replicas: ReplicaHeader[] = [];
    const damaged: DamagedReplica[] = [];
    for (const name of await this.#options.files.list(this.#options.directory)) {
      const match = NAME.exec(name);
      if (match === null) continue;
      const id = { segment: Number(match[1]), rotation: Number(match[2]) };
      try {
        const replica = await this.get(id);
        replicas.push(replica.header);
        await replica.close();
      } catch (error) {
        if (!(error instanceof CorruptReplicaError)) throw error;
        damaged.push({ ...id, error });
      }
    }
    return { replicas, damaged };
  }

  /** Opens a replica; the caller closes it. Throws `ReplicatorError` 'replica-missing', `CorruptReplicaError`. */
  async get(id: ReplicaId): Promise<Replica> {
    const replica = await Replica.open(this.#options.kernels, await this.#openFile(id, 'read'));
    const { segment, rotation, identity } = replica.header;
    if (segment === id.segment && rotation === id.rotation && sameBytes(identity, this.#options.identity))
      return replica;
    await replica.close();
    throw new CorruptReplicaError('replica-header', {
      path: this.#pathOf(id),
      offset: 12,
      expected: `segment ${id.segment}, rotation ${id.rotation}, of this store's identity`,
      found: `segment ${segment}, rotation ${rotation}, of ${sameBytes(identity, this.#options.identity) ? 'it' : 'another'}`,
    });
  }

  /**
   * Encodes a segment and keeps the replica; durable when it resolves. Replaces a replica of the same name. When it throws, nothing was
   * kept: `ReplicatorError` 'key-proof', 'segment-root', 'source-short', 'source-long', or the source's or the disk's error.
   */
  encode(request: EncodeSourceRequest): Promise<ReplicaHeader> {
    return this.#encode(request, false);
  }

  /**
   * Encodes a segment under a new rotation's key, reading it out of an own older replica, every leaf and the segment root checked.
   * Throws as `encode`, and `CorruptReplicaError` when the old replica is wrong: then fetch the segment and `encode`.
   */
  async reencode(request: ReencodeRequest): Promise<ReplicaHeader> {
    const unchecked = request.unchecked === true;
    const old = await this.get({ segment: request.segment, rotation: request.fromRotation });
    try {
      const source = old.plaintext({ unchecked });
      return await this.#encode({ ...request, source, segmentRoot: old.header.segmentRoot }, unchecked);
    } finally {
      await old.close();
    }
  }

  /** Removes a replica, damaged or not; durable when it resolves. Throws `ReplicatorError` 'replica-missing'. */
  async drop(id: ReplicaId): Promise<void> {
    const file = await this.#openFile(id, 'read');
    await file.close();
    await this.#options.files.remove(this.#pathOf(id));
    await this.#options.files.syncDirectory(this.#options.directory);
  }

  /** Flips every bit of one byte of a stored replica. For the devnet's fault injection and tests only. @param offset within the replica */
  async injectCorruption(id: ReplicaId, offset: number): Promise<void> {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset >= this.#options.geometry.segmentSizeBytes)
      throw new ReplicatorError('range', `offset must be within the replica, got ${offset}`);
    const file = await this.#openFile(id, 'write');
    try {
      const byte = new Uint8Array(1);
      await file.read(REPLICA_HEADER_SIZE_BYTES + offset, byte);
      await file.write(REPLICA_HEADER_SIZE_BYTES + offset, Uint8Array.of(byte[0]! ^ 0xff));
      await file.sync();
    } finally {
      await file.close();
    }
  }

  #pathOf(id: ReplicaId): string {
    return `${this.#options.directory}/${nameOf(id)}`;
  }

  async #openFile(id: ReplicaId, mode: 'read' | 'write'): Promise<StoredFile> {
    try {
      return await this.#options.files.open(this.#pathOf(id), mode);
    } catch (error) {
      if (!(error instanceof FilesError) || error.code !== 'not-found') throw error;
      throw new ReplicatorError('replica-missing', `no replica of segment ${id.segment}, rotation ${id.rotation}`);
    }
  }

  async #encode(request: EncodeSourceRequest, unchecked: boolean): Promise<ReplicaHeader> {
    const { files, identity, directory } = this.#options;
    const cipher = deriveCipher({ ...request, identity }, request.keyProof);
    if (cipher === false)
      throw new ReplicatorError(
        'key-proof',
        `keyProof is not this identity's for segment ${request.segment}, rotation ${request.rotation}`,
      );
    const path = this.#pathOf(request);
    const partial = `${path}${PARTIAL_SUFFIX}`;
    await files.remove(partial);
    const file = await files.open(partial, 'create');
    try {
      const header = await this.#write(file, request, cipher, unchecked);
      await file.close();
      await files.rename(partial, path);
      await files.syncDirectory(directory);
      return header;
    } catch (error) {
      // Best effort: what cannot be removed now is removed at the next open. The first error is the one to report.
      await file.close().catch(() => undefined);
      await files.remove(partial).catch(() => undefined);
      throw error;
    }
  }

  async #write(
    file: StoredFile,
    request: EncodeSourceRequest,
    cipher: ReplicaCipher,
    unchecked: boolean,
  ): Promise<ReplicaHeader> {
    const { kernels, identity, geometry } = this.#options;
    const { segment, rotation, rotationHash, keyProof, segmentRoot, onProgress } = request;
    const options = onProgress === undefined ? { cipher, geometry } : { cipher, geometry, onProgress };
    const roots = await encodeSegment(kernels, request.source, fileSink(file, geometry), options);
    if (!unchecked && !sameBytes(roots.segmentRoot, segmentRoot))
      throw new ReplicatorError('segment-root', `the bytes of segment ${segment} do not have its root; fetch it again`);
    const { replicaRoot } = roots;
    const header = { identity, segment, rotation, rotationHash, geometry, keyProof, segmentRoot, replicaRoot };
    await file.write(0, encodeReplicaHeader(kernels, header));
    await file.sync();
    return header;
  }
}
