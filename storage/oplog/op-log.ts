/**
 * The op log: every block's batch of ops, in order, durable before it is acknowledged. The truth from which all state is rebuilt.
 *
 * Owns: the folder with its segments (segment.ts), superblocks (superblock.ts) and lock file.
 *
 * Invariants
 * - `append` resolves only after the batch's frame, its segment's name and a superblock are synced. Batches waiting together
 *   share one write and one sync (a group); a group lies in one segment, and the next begins when it is done.
 * - The files depend on the batches alone, not on groups, crashes or restarts (superblocks apart).
 * - After any failed write or sync nothing more is written or acknowledged; what was acknowledged stays readable. Opening again
 *   recovers.
 * - Heights are contiguous: one batch a height, from 0.
 */
import type { Hash, Kernels } from '../../native/index.ts';
import { assertInvariant, CorruptionError, StorageError } from '../errors.ts';
import { type FileLock, type Files, FilesError, makeDurableDirectory, type StoredFile } from '../files/files.ts';
import { readBatchHead } from './batch.ts';
import { type FrameKernels, frameSize, writeFrame } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import { AppendGroup, BufferPool, QUEUE_SIZE_BYTES_MAX } from './group.ts';
import { type RecoveredBatch, recoverLog, type SegmentInfo } from './recovery.ts';
import {
  type LogPosition,
  needsNewSegment,
  SEGMENT_HEADER_SIZE_BYTES,
  SEGMENT_SIZE_BYTES_DEFAULT,
  segmentName,
  writeSegmentHeader,
} from './segment.ts';
import { type LogIdentity, SuperblockFile } from './superblock.ts';

export interface OpLogOptions {
  readonly directory: string;
  readonly files: Files;
  readonly kernels: Pick<Kernels, 'sha256' | 'crc32c'>;
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  /** Where segments are cut; fixed when the log is made. 4 KiB .. 1 GiB, 64 MiB unless given. */
  readonly segmentSizeBytes?: number;
  /** Runs once this process holds the log, before the first batch is read. */
  readonly locked?: () => Promise<void>;
  /** Sees every batch of the log in order while it is opened. */
  readonly visit?: (batch: RecoveredBatch) => void;
}

/** A batch on its way to the disk. */
export interface Appending {
  /** SHA-256('cairn/batch/1' || batch). */
  readonly digest: Hash;
  /** Number of the batch's first op over the whole log. */
  readonly firstOp: number;
  /** Resolves when the batch is durable; rejects with `StorageError` when it may not be. */
  readonly durable: Promise<void>;
}

interface Parts {
  readonly directory: string;
  readonly files: Files;
  readonly kernels: FrameKernels;
  readonly identity: LogIdentity;
  readonly superblock: SuperblockFile;
  readonly lock: FileLock;
}

export class OpLog {
  readonly #parts: Parts;
  readonly #segments: SegmentInfo[];
  readonly #pool = new BufferPool();
  readonly #groups: AppendGroup[] = [];
  /** Where the next appended batch goes, queued ones counted. */
  #next: LogPosition;
  #nextSegment: number;
  #nextEnd: number;
  /** The acknowledged end. */
  #tip: LogPosition;
  #queuedBytes = 0;
  #writing: Promise<void> | undefined;
  #tailFile: StoredFile | undefined;
  #failure: StorageError | undefined;
  #closed = false;

  private constructor(parts: Parts, segments: SegmentInfo[], tip: LogPosition) {
    this.#parts = parts;
    this.#segments = segments;
    this.#tip = tip;
    this.#next = tip;
    const last = segments.at(-1);
    this.#nextSegment = last?.index ?? 0;
    this.#nextEnd = last?.end ?? 0;
  }

  /**
   * Opens the log in `directory`, recovering it, or makes an empty one.
   * Throws `CorruptionError` for damage, `FilesError` ('locked' when another process has it), `StorageError` for a wrong chain or format.
   */
  static async open(options: OpLogOptions): Promise<OpLog> {
    const { directory, files, kernels, chainId } = options;
    const segmentSizeBytes = options.segmentSizeBytes ?? SEGMENT_SIZE_BYTES_DEFAULT;
    assertInvariant(segmentSizeBytes >= 4096 && segmentSizeBytes <= 2 ** 30, 'segment size within 4 KiB .. 1 GiB');
    assertInvariant(chainId.length === 32, 'a chain id has 32 bytes');
    await makeDurableDirectory(files, directory);
    const lock = await files.lock(`${directory}/lock`);
    const identity = { chainId: chainId.slice(), segmentSizeBytes };
    let superblock: SuperblockFile | undefined;
    try {
      await options.locked?.();
      superblock = await SuperblockFile.open(files, kernels, directory, identity);
      const visit = options.visit ?? (() => {});
      const { segments, tip } = await recoverLog({ files, kernels, directory, identity, superblock, visit });
      return new OpLog({ directory, files, kernels, identity, superblock, lock }, segments, tip);
    } catch (error) {
      await superblock?.close();
      await lock.release();
      throw error;
    }
  }

  /** Height of the next batch among acknowledged ones: 0 for an empty log. */
  get height(): number {
    return this.#tip.height;
  }

  /** Ops in all acknowledged batches. */
  get opCount(): number {
    return this.#tip.opCount;
  }

  /** Chain over all acknowledged batches (the chain id when there are none). Borrowed. */
  get chain(): Uint8Array {
    return this.#tip.chain;
  }

  /** Why the log takes no more batches, or undefined while it does. */
  get failure(): StorageError | undefined {
    return this.#failure;
  }

  /**
   * Queues a batch; its bytes are copied before this returns. Batches become durable in the order of the calls.
   * Throws `BatchError` for a malformed head, `StorageError` 'wrong-height' / 'queue-full' / 'failed' / 'disk-full' / 'closed'.
   * The caller answers for the ops' structure (`checkBatch`): a log never opens again over a batch that does not decode.
   */
  append(batch: Uint8Array): Appending {
    this.#checkWritable();
    const { height, opCount } = readBatchHead(batch);
    if (height !== this.#next.height)
      throw new StorageError('wrong-height', `next batch must have height ${this.#next.height}, got ${height}`);
    const size = frameSize(batch.length);
    if (this.#groups.length > 0 && this.#queuedBytes + size > QUEUE_SIZE_BYTES_MAX)
      throw new StorageError('queue-full', `${this.#queuedBytes} bytes wait to be written; wait for earlier appends`);
    const group = this.#groupFor(size);
    const at = group.reserve(size);
    const links = writeFrame(this.#parts.kernels, group.buffer, at, batch, this.#next.chain);
    const firstOp = this.#next.opCount;
    this.#next = {
      height: height + 1,
      opCount: firstOp + opCount,
      frameOffset: this.#next.frameOffset + size,
      chain: links.chain,
    };
    this.#nextEnd += size;
    this.#queuedBytes += size;
    const durable = group.add(this.#nextEnd - size, this.#next);
    this.#writing ??= this.#writeGroups();
    return { digest: links.digest, firstOp, durable };
  }

  #checkWritable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw new StorageError('closed', 'the op log is closed');
  }

  /** The group that a frame of `size` bytes joins: the last waiting one, unless the frame opens a segment. */
  #groupFor(size: number): AppendGroup {
    const opens = needsNewSegment(this.#nextEnd, size, this.#parts.identity.segmentSizeBytes);
    const last = this.#groups.at(-1);
    if (!opens && last !== undefined && !last.sealed) return last;
    if (opens && this.#nextEnd > 0) this.#nextSegment += 1;
    const start = opens ? 0 : this.#nextEnd;
    const group = new AppendGroup(this.#pool, { segment: this.#nextSegment, start, position: this.#next });
    if (last !== undefined) last.sealed = true;
    if (opens) {
      const { kernels, identity } = this.#parts;
      const at = group.reserve(SEGMENT_HEADER_SIZE_BYTES);
      writeSegmentHeader(kernels, group.buffer.subarray(at), identity.chainId, this.#next);
      this.#nextEnd = SEGMENT_HEADER_SIZE_BYTES;
    }
    this.#groups.push(group);
    return group;
  }

  async #writeGroups(): Promise<void> {
    // One turn of the event loop's queue, so that batches appended in the same turn share the first group too.
    await Promise.resolve();
    for (let group = this.#groups[0]; group !== undefined && this.#failure === undefined; group = this.#groups[0]) {
      group.sealed = true;
      try {
        await this.#writeGroup(group);
      } catch (error) {
        this.#fail(error);
        break;
      }
      this.#groups.shift();
      this.#queuedBytes -= group.frameBytes;
      this.#acknowledge(group);
      group.finish();
    }
    this.#writing = undefined;
  }

  /** Writes and syncs a group's frames and its superblock side by side. Settles only when both have. */
  async #writeGroup(group: AppendGroup): Promise<void> {
    const { superblock, directory, files } = this.#parts;
    const { segment, start, position } = group.place;
    const end = start + group.size;
    const marked = superblock.write({ segment, start, end, position });
    const results = await Promise.allSettled([this.#writeFrames(group), marked]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    if (start === 0) await files.syncDirectory(directory);
  }

  async #writeFrames(group: AppendGroup): Promise<void> {
    const { segment, start } = group.place;
    const file = await this.#fileFor(segment, start === 0);
    await file.write(start, group.buffer.subarray(0, group.size));
    await file.sync();
  }

  async #fileFor(segment: number, create: boolean): Promise<StoredFile> {
    const path = `${this.#parts.directory}/${segmentName(segment)}`;
    if (this.#tailFile?.path === path) return this.#tailFile;
    await this.#tailFile?.close();
    this.#tailFile = await this.#parts.files.open(path, create ? 'create' : 'write');
    return this.#tailFile;
  }

  #acknowledge(group: AppendGroup): void {
    const { segment: index, start, position } = group.place;
    if (start === 0) this.#segments.push({ index, first: position, offsets: [], end: 0 });
    const segment = this.#segments.at(-1)!;
    assertInvariant(segment.index === index, 'groups are acknowledged in the order of segments');
    for (const offset of group.offsets) segment.offsets.push(offset);
    segment.end = start + group.size;
    this.#tip = group.last;
  }

  #fail(error: unknown): void {
    const full = error instanceof FilesError && error.code === 'no-space';
    const why = full ? 'the disk is full' : 'a write or sync failed';
    this.#failure = new StorageError(
      full ? 'disk-full' : 'failed',
      `${why}; nothing more is written to ${this.#parts.directory} until it is opened again (reads go on)`,
      { cause: error },
    );
    for (const group of this.#groups.splice(0)) group.fail(this.#failure);
  }

  /**
   * The acknowledged batches from `fromHeight` on, in order, copied. Batches acknowledged while reading are included.
   * Throws `StorageError` 'not-found' for a height past the tip, `CorruptionError` for a damaged frame.
   */
  async *read(fromHeight: number): AsyncGenerator<Uint8Array> {
    if (!Number.isSafeInteger(fromHeight) || fromHeight < 0 || fromHeight > this.#tip.height)
      throw new StorageError('not-found', `height must be within 0 .. ${this.#tip.height}, got ${fromHeight}`);
    let height = fromHeight;
    while (height < this.#tip.height) {
      for await (const batch of this.#readSegment(this.#segmentOf(height), height)) {
        yield batch;
        height += 1;
      }
    }
  }

  #segmentOf(height: number): SegmentInfo {
    let [low, high] = [0, this.#segments.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#segments[middle]!.first.height <= height) low = middle;
      else high = middle - 1;
    }
    return this.#segments[low]!;
  }

  async *#readSegment(segment: SegmentInfo, height: number): AsyncGenerator<Uint8Array> {
    const path = `${this.#parts.directory}/${segmentName(segment.index)}`;
    const file = await this.#parts.files.open(path, 'read');
    try {
      const offset = segment.offsets[height - segment.first.height]!;
      const reader = new FrameReader(this.#parts.kernels, file, offset, segment.end);
      for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
        if (frame.kind === 'fault') throw new CorruptionError(path, frame.offset, frame.expected, frame.found);
        yield frame.batch.slice();
      }
    } finally {
      await file.close();
    }
  }

  /** Waits for queued batches, marks the log as cleanly ended, and lets go of the folder. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing;
    const { superblock, lock } = this.#parts;
    try {
      const { start, end } = superblock.latest;
      const last = this.#segments.at(-1);
      if (this.#failure === undefined && start !== end && last !== undefined)
        await superblock.write({ segment: last.index, start: last.end, end: last.end, position: this.#tip });
    } finally {
      await this.#tailFile?.close();
      await superblock.close();
      await lock.release();
    }
  }
}
