/**
 * A directory of one identity's replicas: list, open, encode, encode again from an own replica, drop.
 *
 * Invariants
 * - A replica is written under a temporary name, synced, and renamed; its head is written last. So a file under a replica's name is whole,
 *   whatever byte the process died at. Leftovers with a checkpoint stay for `encode` to go on with; others are removed when the store opens.
 * - A replica is kept only if the bytes that went in have the segment root they should have.
 * - One process a directory (a lock file sees to that), and one encoding of a segment at a time (the caller sees to that).
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import { makeDurableDirectory } from '../storage/files/files.ts';
import { type FileLock, type Files, FilesError, type StoredFile } from '../storage/index.ts';
import { ENCODE_CHUNK_SIZE_BYTES } from './encode.ts';
import { CorruptReplicaError, ReplicatorError } from './errors.ts';
import type { SegmentGeometry } from './geometry.ts';
import { deriveCipher } from './key.ts';
import type { LayerCount } from './layers.ts';
import { Replica } from './replica-file.ts';
import { REPLICA_HEADER_SIZE_BYTES, type ReplicaHeader } from './replica-header.ts';
import {
  CHECKPOINT_SIZE_BYTES,
  PARTIAL_SUFFIX,
  PROGRESS_SUFFIX,
  ReplicaWriter,
  removeUnfinished,
  type SegmentSource,
  unfinishedPaths,
} from './replica-writer.ts';
import { fileScratch, type Scratch } from './scratch.ts';
import { inlineThreads, type ReplicaThreads } from './threads/threads.ts';

export interface ReplicaStoreOptions {
  readonly kernels: Kernels;
  readonly files: Files;
  /** Created when missing; one process at a time. */
  readonly directory: string;
  /** The identity all replicas here belong to: 32 bytes. */
  readonly identity: Uint8Array;
  readonly geometry: SegmentGeometry;
  /** How often segments are encrypted; once when absent. */
  readonly layers?: LayerCount;
  /** Where hashing and decoding are done; on the caller's thread when absent. The caller stops them. */
  readonly threads?: ReplicaThreads;
  /** Bytes between two checkpoints of an encoding; 64 MiB when absent. */
  readonly checkpointSizeBytes?: number;
  /** Size of an encoding's pieces; 1 MiB when absent. */
  readonly chunkSizeBytes?: number;
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
  /** The segment; a function can be asked for the rest of it when an earlier encoding is gone on with. */
  readonly source: SegmentSource;
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
const LOCK_NAME = 'lock';

function nameOf({ segment, rotation }: ReplicaId): string {
  const digits = (value: number): string => String(value).padStart(10, '0');
  return `segment-${digits(segment)}.rotation-${digits(rotation)}.replica`;
}

/** Files between the passes of a decoding; a kill leaves them for the next open to remove. */
class ScratchFiles {
  readonly #files: Files;
  readonly #prefix: string;
  readonly #open: StoredFile[] = [];

  constructor(files: Files, prefix: string) {
    this.#files = files;
    this.#prefix = prefix;
  }

  async open(index: number): Promise<Scratch> {
    const path = `${this.#prefix}-${index}${PARTIAL_SUFFIX}`;
    await this.#files.remove(path);
    const file = await this.#files.open(path, 'create');
    this.#open.push(file);
    return fileScratch(file);
  }

  async remove(): Promise<void> {
    for (const file of this.#open) {
      await file.close();
      await this.#files.remove(file.path);
    }
  }
}

export class ReplicaStore {
  readonly #options: ReplicaStoreOptions;
  readonly #lock: FileLock;
  readonly #threads: ReplicaThreads;

  private constructor(options: ReplicaStoreOptions, lock: FileLock) {
    this.#options = options;
    this.#lock = lock;
    this.#threads = options.threads ?? inlineThreads(options.kernels);
  }

  /** Opens a directory, removing what earlier encodings left unfinished. Throws `FilesError` 'locked' when another process has it open. */
  static async open(options: ReplicaStoreOptions): Promise<ReplicaStore> {
    const { files, directory } = options;
    await makeDurableDirectory(files, directory);
    const store = new ReplicaStore(options, await files.lock(`${directory}/${LOCK_NAME}`));
    try {
      await store.#removeLeftovers();
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Removes what unfinished encodings left, but for those with a checkpoint. */
  async #removeLeftovers(): Promise<void> {
    const { files, directory } = this.#options;
    const names = await files.list(directory);
    const kept = names
      .filter((name) => name.endsWith(PROGRESS_SUFFIX))
      .map((name) => name.slice(0, -PROGRESS_SUFFIX.length))
      .filter((name) => NAME.test(name) && names.includes(`${name}${PARTIAL_SUFFIX}`))
      .flatMap((name) => unfinishedPaths(name));
    const isLeftover = (name: string): boolean => /\.(partial|progress|progress\.new)$/.test(name);
    const leftovers = names.filter((name) => isLeftover(name) && !kept.includes(name));
    for (const name of leftovers) await files.remove(`${directory}/${name}`);
    if (leftovers.length > 0) await files.syncDirectory(directory);
  }

  /** How many encodings are worth having under way: the second brings most where two chains go through a thread's cipher side by side. */
  get encodingsAtOnce(): number {
    return this.#threads.isInline ? 1 : 2;
  }

  /** Threads that can open this store's replicas by themselves; undefined where there are none. */
  get openingThreads(): ReplicaThreads | undefined {
    return this.#options.files.isSystem === true && !this.#threads.isInline ? this.#threads : undefined;
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
    const scratch = new ScratchFiles(this.#options.files, `${this.#pathOf(request)}.decode`);
    try {
      const source = old.plaintext({ unchecked, threads: this.#threads, scratch: (index) => scratch.open(index) });
      return await this.#encode({ ...request, source, segmentRoot: old.header.segmentRoot }, unchecked);
    } finally {
      await scratch.remove();
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

  /** Removes what unfinished encodings of other segments than these left: nobody would go on with it. */
  async forgetUnfinished(kept: readonly number[]): Promise<void> {
    const { files, directory } = this.#options;
    for (const name of await files.list(directory)) {
      const segment = /^segment-(\d{10})\..*\.(partial|progress|progress\.new)$/.exec(name)?.[1];
      if (segment !== undefined && !kept.includes(Number(segment))) await files.remove(`${directory}/${name}`);
    }
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

  /** Overwrites leaves of a stored replica with zeros. For the devnet's fault injection and tests only. @param leaves their indexes */
  async eraseLeaves(id: ReplicaId, leaves: readonly number[]): Promise<void> {
    const { segmentSizeBytes, leafSizeBytes } = this.#options.geometry;
    const wrong = leaves.find(
      (leaf) => !Number.isInteger(leaf) || leaf < 0 || leaf >= segmentSizeBytes / leafSizeBytes,
    );
    if (wrong !== undefined) throw new ReplicatorError('range', `leaf must be within the replica, got ${wrong}`);
    const file = await this.#openFile(id, 'write');
    try {
      const zeros = new Uint8Array(leafSizeBytes);
      for (const leaf of leaves) await file.write(REPLICA_HEADER_SIZE_BYTES + leaf * leafSizeBytes, zeros);
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
    const { kernels, files, identity, geometry, layers, checkpointSizeBytes, chunkSizeBytes } = this.#options;
    const cipher = deriveCipher({ ...request, identity }, request.keyProof);
    if (cipher === false)
      throw new ReplicatorError(
        'key-proof',
        `keyProof is not this identity's for segment ${request.segment}, rotation ${request.rotation}`,
      );
    const { segment, rotation, rotationHash, keyProof, segmentRoot, source, onProgress } = request;
    await this.#removeOtherRotations(request);
    const root = new Uint8Array(32) as ReplicaHeader['replicaRoot'];
    const shape = { geometry, layers: layers ?? 1, hasSubtrees: true } as const;
    const writer = new ReplicaWriter({
      kernels,
      files,
      path: this.#pathOf(request),
      header: { identity, segment, rotation, rotationHash, ...shape, keyProof, segmentRoot, replicaRoot: root },
      cipher,
      source,
      unchecked,
      threads: this.#threads,
      checkpointSizeBytes: checkpointSizeBytes ?? CHECKPOINT_SIZE_BYTES,
      chunkSizeBytes: chunkSizeBytes ?? ENCODE_CHUNK_SIZE_BYTES,
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    return writer.write();
  }

  /** Unfinished encodings of the same segment under another key are of no more use. */
  async #removeOtherRotations({ segment, rotation }: ReplicaId): Promise<void> {
    const { files, directory } = this.#options;
    const prefix = nameOf({ segment, rotation: 0 }).slice(0, 'segment-0000000000'.length);
    for (const name of await files.list(directory))
      if (name.endsWith(PARTIAL_SUFFIX) && name.startsWith(prefix) && !name.startsWith(nameOf({ segment, rotation })))
        await removeUnfinished(files, `${directory}/${name.replace(/\.replica\..*$/, '.replica')}`);
  }
}
