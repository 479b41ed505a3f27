/**
 * Writing one replica's file: from where a killed encoding stood when that is known and what it left is whole, else from the beginning.
 *
 * Files, beside the replica's own name: `.partial` (the replica so far), `.scratch-0.partial` .. (between layers), `.progress`.
 *
 * Invariants
 * - Nothing that an earlier process wrote is built upon before it was read again and hashed to what was recorded: the replica so far, the leaf
 *   hashes, and with layers the scratch. Anything else is thrown away and encoded afresh.
 * - The head is written last, and the replica's name given after the sync. So there is never a replica that is not whole.
 */
import { dirname } from 'node:path';
import { type Kernels, sameBytes } from '../native/index.ts';
import { readWhole } from '../storage/files/files.ts';
import { type Files, HASH_SIZE_BYTES, type StoredFile, writeWhole } from '../storage/index.ts';
import type { ByteSource } from './chunks.ts';
import { type EncodeSink, type EncodeState, encodeSegment } from './encode.ts';
import { decodeProgress, encodeProgress, isProgressOf, PROGRESS_SIZE_BYTES_MAX } from './encode-progress.ts';
import { ReplicatorError } from './errors.ts';
import { wholeSubtrees } from './geometry.ts';
import type { ReplicaCipher } from './key.ts';
import { type ReplicaFileLayout, replicaFileLayout } from './replica-file.ts';
import { encodeReplicaHeader, type ReplicaHeader } from './replica-header.ts';
import { fileScratch, type Scratch } from './scratch.ts';
import { SubtreeFrontier, subtreeRoots } from './subtrees.ts';
import type { ReplicaThreads } from './threads/threads.ts';
import { WRITE_BEHIND_SIZE_BYTES, writeBehind } from './write-behind.ts';

const READ_SIZE_BYTES = 1024 * 1024;
/** Bytes between two checkpoints: each costs a sync, and a kill at most this much work. */
export const CHECKPOINT_SIZE_BYTES: number = 64 * 1024 * 1024;

/** A segment's bytes: from the beginning only, or from any offset, so that an encoding can go on. */
export type SegmentSource = ByteSource | ((offset: number) => ByteSource);

export interface WriteRequest {
  readonly kernels: Kernels;
  readonly files: Files;
  /** The replica's own name. */
  readonly path: string;
  /** What is encoded; `replicaRoot` zero. */
  readonly header: ReplicaHeader;
  readonly cipher: ReplicaCipher;
  readonly source: SegmentSource;
  /** Keep whatever the source holds, whether it has the segment root or not. */
  readonly unchecked: boolean;
  readonly threads: ReplicaThreads;
  readonly checkpointSizeBytes: number;
  readonly chunkSizeBytes: number;
  readonly onProgress?: (encodedSizeBytes: number) => void;
}

export const PARTIAL_SUFFIX = '.partial';
export const PROGRESS_SUFFIX = '.progress';
const scratchPath = (path: string, index: number): string => `${path}.scratch-${index}${PARTIAL_SUFFIX}`;

/** Names an encoding of `path` leaves while it is under way. */
export function unfinishedPaths(path: string): string[] {
  const scratch = [0, 1, 2].map((index) => scratchPath(path, index));
  return [`${path}${PROGRESS_SUFFIX}`, `${path}${PROGRESS_SUFFIX}.new`, `${path}${PARTIAL_SUFFIX}`, ...scratch];
}

/** Removes whatever an unfinished encoding left. */
export async function removeUnfinished(files: Files, path: string): Promise<void> {
  for (const each of unfinishedPaths(path)) await files.remove(each);
}

/** One replica being written. */
export class ReplicaWriter {
  readonly #request: WriteRequest;
  readonly #layout: ReplicaFileLayout;
  readonly #open: StoredFile[] = [];
  /** CRC-32C of the scratch that the last pass reads, as it was written. */
  #scratchCrc = 0;
  #saving: Promise<void> = Promise.resolve();
  #isSaving = false;
  #hasSaved = false;

  constructor(request: WriteRequest) {
    this.#request = request;
    this.#layout = replicaFileLayout(request.header.geometry, true);
  }

  /** Encodes, syncs and names the replica. When it throws, nothing is kept but what can be gone on with. */
  async write(): Promise<ReplicaHeader> {
    const { files, path } = this.#request;
    try {
      const resumed = await this.#resume();
      const file = resumed?.file ?? (await this.#create());
      const header = await this.#encode(file, resumed?.state);
      await this.#close();
      await files.rename(`${path}${PARTIAL_SUFFIX}`, path);
      await files.syncDirectory(dirname(path));
      await removeUnfinished(files, path);
      return header;
    } catch (error) {
      await this.#close().catch(() => undefined);
      // Wrong input is no use again; a source that broke off, or a failing disk, may be gone on from. Best effort: the first error counts.
      const mayGoOn = this.#hasSaved && !(error instanceof ReplicatorError);
      if (!mayGoOn) await removeUnfinished(files, path).catch(() => undefined);
      throw error;
    }
  }

  async #create(): Promise<StoredFile> {
    const { files, path } = this.#request;
    await removeUnfinished(files, path);
    return this.#keep(this.#behind(await files.open(`${path}${PARTIAL_SUFFIX}`, 'create')));
  }

  /** The disk writes while the next chunks are encrypted. */
  #behind(file: StoredFile): StoredFile {
    return writeBehind(file, Math.min(WRITE_BEHIND_SIZE_BYTES, this.#request.checkpointSizeBytes));
  }

  #keep(file: StoredFile): StoredFile {
    this.#open.push(file);
    return file;
  }

  async #close(): Promise<void> {
    await this.#saving.catch(() => undefined);
    for (const file of this.#open.splice(0)) await file.close();
  }

  async #encode(file: StoredFile, state: EncodeState | undefined): Promise<ReplicaHeader> {
    const { kernels, cipher, header, source, threads, onProgress, unchecked } = this.#request;
    const roots = await encodeSegment(kernels, sourceFrom(source, state?.offset ?? 0), this.#sink(file), {
      cipher,
      geometry: header.geometry,
      layers: header.layers,
      threads,
      scratch: (index) => this.#scratch(index),
      checkpointSizeBytes: this.#request.checkpointSizeBytes,
      chunkSizeBytes: this.#request.chunkSizeBytes,
      onCheckpoint: async (reached) => this.#save(file, reached),
      ...(onProgress === undefined ? {} : { onProgress }),
      ...(state === undefined ? {} : { resume: state }),
    });
    if (!unchecked && !sameBytes(roots.segmentRoot, header.segmentRoot))
      throw new ReplicatorError(
        'segment-root',
        `the bytes of segment ${header.segment} do not have its root; fetch it again`,
      );
    const whole = { ...header, replicaRoot: roots.replicaRoot };
    await this.#saving;
    await file.write(0, encodeReplicaHeader(kernels, whole));
    await file.sync();
    return whole;
  }

  #sink(file: StoredFile): EncodeSink {
    const { replica, leafHashes, segmentSubtrees, replicaSubtrees } = this.#layout;
    return {
      writeReplica: (offset, bytes) => file.write(replica + offset, bytes),
      writeLeafHashes: (firstLeaf, hashes) => file.write(leafHashes + firstLeaf * HASH_SIZE_BYTES, hashes),
      writeSubtrees: (tree, first, nodes) =>
        file.write((tree === 'segment' ? segmentSubtrees : replicaSubtrees) + first * HASH_SIZE_BYTES, nodes),
    };
  }

  async #scratch(index: number): Promise<Scratch> {
    const { files, path, kernels, header } = this.#request;
    const name = scratchPath(path, index);
    const exists = await files.exists(name);
    const file = this.#keep(await files.open(name, exists ? 'write' : 'create'));
    const scratch = fileScratch(file);
    if (index !== header.layers - 2 || exists) return scratch;
    return {
      ...scratch,
      // A transposition writes from the first byte to the last.
      write: async (offset, bytes) => {
        await scratch.write(offset, bytes);
        this.#scratchCrc = kernels.crc32c(bytes, this.#scratchCrc);
      },
    };
  }

  /** Makes a checkpoint durable in the background; skips one while another is under way. */
  #save(file: StoredFile, state: EncodeState): void {
    if (this.#isSaving) return;
    this.#isSaving = true;
    const { kernels, files, path, header } = this.#request;
    this.#saving = (async () => {
      for (const each of this.#open) await each.sync();
      if (!this.#open.includes(file)) return;
      const bytes = encodeProgress(kernels, { header, state, scratchCrc: this.#scratchCrc });
      await writeWhole(files, `${path}${PROGRESS_SUFFIX}`, bytes);
      this.#hasSaved = true;
    })().finally(() => {
      this.#isSaving = false;
    });
    // A failing sync fails the encoding: `#encode` awaits it before the head is written.
    this.#saving.catch(() => undefined);
  }

  /** The unfinished replica of an earlier process, when it can be gone on with and is whole. */
  async #resume(): Promise<{ file: StoredFile; state: EncodeState } | undefined> {
    const { kernels, files, path, header, source } = this.#request;
    if (!(await files.exists(`${path}${PROGRESS_SUFFIX}`)) || !(await files.exists(`${path}${PARTIAL_SUFFIX}`)))
      return undefined;
    const bytes = await readWhole(files, `${path}${PROGRESS_SUFFIX}`, PROGRESS_SIZE_BYTES_MAX);
    const progress = decodeProgress(kernels, bytes);
    const canSeek = header.layers > 1 || typeof source === 'function' || source instanceof Uint8Array;
    if (progress === undefined || !canSeek || !isProgressOf(progress, header, kernels)) return undefined;
    const { segmentSizeBytes, leafSizeBytes } = header.geometry;
    const { state } = progress;
    const step = wholeSubtrees(1, leafSizeBytes);
    if (state.offset <= 0 || state.offset >= segmentSizeBytes || state.offset % step !== 0) return undefined;
    const file = this.#keep(this.#behind(await files.open(`${path}${PARTIAL_SUFFIX}`, 'write')));
    const isWhole = (await this.#isBodyWhole(file, state)) && (await this.#isScratchWhole(progress.scratchCrc));
    if (isWhole) {
      this.#hasSaved = true;
      this.#scratchCrc = progress.scratchCrc;
      return { file, state };
    }
    await this.#close();
    return undefined;
  }

  /** Reads again what was written, and compares it with the frontiers recorded. Writes the subtrees' roots anew. */
  async #isBodyWhole(file: StoredFile, state: EncodeState): Promise<boolean> {
    const { kernels, threads, header } = this.#request;
    const { segmentSizeBytes, leafSizeBytes } = header.geometry;
    const sink = this.#sink(file);
    const trees = { replica: new SubtreeFrontier(kernels), segment: new SubtreeFrontier(kernels) };
    const add = async (tree: 'segment' | 'replica', nodes: Uint8Array): Promise<void> => {
      const first = trees[tree].frontier.size;
      trees[tree].append(nodes);
      await sink.writeSubtrees?.(tree, first, nodes);
    };
    const chunkSizeBytes = wholeSubtrees(READ_SIZE_BYTES, leafSizeBytes);
    for (let offset = 0; offset < state.offset; offset += chunkSizeBytes) {
      const data = threads.allocate(Math.min(chunkSizeBytes, state.offset - offset));
      if ((await file.read(this.#layout.replica + offset, data)) !== data.length) return false;
      await add('replica', (await threads.run({ kind: 'leaves', data, leafSizeBytes })).nodes);
    }
    const tableSizeBytes = ((header.layers > 1 ? segmentSizeBytes : state.offset) / leafSizeBytes) * HASH_SIZE_BYTES;
    for (let offset = 0; offset < tableSizeBytes; offset += READ_SIZE_BYTES) {
      const hashes = new Uint8Array(Math.min(READ_SIZE_BYTES, tableSizeBytes - offset));
      if ((await file.read(this.#layout.leafHashes + offset, hashes)) !== hashes.length) return false;
      await add('segment', subtreeRoots(kernels, hashes));
    }
    return (
      sameBytes(trees.replica.frontier.encode(), state.replica.encode()) &&
      sameBytes(trees.segment.frontier.encode(), state.segment.encode())
    );
  }

  async #isScratchWhole(expectedCrc: number): Promise<boolean> {
    const { files, path, header, kernels } = this.#request;
    if (header.layers === 1) return true;
    const name = scratchPath(path, header.layers - 2);
    if (!(await files.exists(name))) return false;
    const file = await files.open(name, 'read');
    try {
      const sizeBytes = await file.sizeBytes();
      const buffer = new Uint8Array(READ_SIZE_BYTES);
      let crc = 0;
      for (let offset = 0; offset < sizeBytes; offset += READ_SIZE_BYTES) {
        const found = await file.read(offset, buffer);
        crc = kernels.crc32c(buffer.subarray(0, found), crc);
      }
      return crc === expectedCrc;
    } finally {
      await file.close();
    }
  }
}

function sourceFrom(source: SegmentSource, offset: number): ByteSource {
  if (typeof source === 'function') return source(offset);
  return source instanceof Uint8Array ? source.subarray(offset) : source;
}
