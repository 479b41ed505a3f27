/**
 * The op log: every block's batch of ops, in order, durable before it is acknowledged. The truth from which all state is rebuilt.
 *
 * Owns: the folder with its segments (segment.ts), superblocks (superblock.ts) and lock file.
 *
 * Invariants
 * - `append` resolves only after the batch's frame, its segment's name and a superblock are synced. Batches waiting together
 *   share one write and one sync (a group); a group lies in one segment, and the next begins when it is done.
 * - The files depend on the batches alone, not on groups, crashes or restarts (superblocks apart).
 * - Every batch's head says the place that follows from the batch before; heights are contiguous, one batch a height.
 * - A segment goes when all its ops lie below the floor in the head of the batch `retainHeights` before the acknowledged tip, oldest
 *   first, and no pin holds it. Nothing goes after a failure.
 * - After any failed write, sync or removal nothing more is written or acknowledged; what was acknowledged stays readable. Opening
 *   again recovers.
 */
import type { Hash, Kernels } from '../../native/index.ts';
import type { Frontier } from '../commitment/frontier.ts';
import { assertInvariant, StorageError } from '../errors.ts';
import { type FileLock, type Files, FilesError, makeDurableDirectory } from '../files/files.ts';
import { opOffsets, readBatchHead } from './batch.ts';
import { SegmentDeletion } from './deletion.ts';
import { type FrameKernels, frameSize, writeFrame } from './frame.ts';
import { AppendGroup, BufferPool, QUEUE_SIZE_BYTES_MAX } from './group.ts';
import { type LogPosition, placeFault, positionAfter, startOfLog } from './log-position.ts';
import { LogReader } from './log-reader.ts';
import type { LogVisitor } from './log-visitor.ts';
import type { LogPositions, OpRange } from './positions.ts';
import { type RecoveredLog, recoverLog } from './recovery.ts';
import { encodeSegmentHeader, opensSegment, segmentOfFrame } from './segment.ts';
import { SegmentList } from './segment-list.ts';
import { SegmentWriter } from './segment-writer.ts';
import { identityOf, type LogIdentity, SuperblockFile } from './superblock.ts';

export interface OpLogOptions extends Partial<LogVisitor> {
  readonly directory: string;
  readonly files: Files;
  readonly kernels: Pick<Kernels, 'sha256' | 'crc32c'>;
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  /** Where segments are cut; fixed when the log is made. 4 KiB .. 1 GiB, 64 MiB unless given. */
  readonly segmentSizeBytes?: number;
  /** How far behind the tip the floor is taken below which segments go; fixed when the log is made. 32 unless given, to 2^32 - 1. */
  readonly retainHeights?: number;
  /** Where a log that is made begins, the first batch of a segment: with batch 0 unless given. A log that is there already keeps its own. */
  readonly start?: LogPosition;
  /** Runs once this process holds the log, before the first batch is read. */
  readonly locked?: () => Promise<void>;
  /** Runs when the last batch was read, before anything goes that deletion has not come to. */
  readonly recovered?: () => Promise<void>;
}

/** A batch on its way to the disk. */
export interface Appending {
  /** SHA-256('cairn/batch/1' || batch). */
  readonly digest: Hash;
  /** Number of the batch's head over the whole log. */
  readonly firstOp: number;
  /** Resolves when the batch is durable; rejects with `StorageError` when it may not be. */
  readonly durable: Promise<void>;
}

/** What the caller of `append` may know of a batch already. Trusted. */
export interface KnownBatch {
  readonly digest?: Hash;
  /** `opOffsets` of it: then its ops are not walked again. */
  readonly offsets?: Uint32Array;
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
  readonly #segments: SegmentList;
  readonly #positions: LogPositions;
  readonly #deletion: SegmentDeletion;
  readonly #reader: LogReader;
  readonly #writer: SegmentWriter;
  readonly #pool = new BufferPool();
  readonly #groups: AppendGroup[] = [];
  /** Where the next appended batch goes, queued ones counted; the floor in the head before it. */
  #next: LogPosition;
  #nextFloor: number;
  /** The segment that the last batch went into and its bytes, queued ones counted; -1 and 0 when there is none. */
  #nextSegment: number;
  #nextEnd: number;
  /** The acknowledged end. */
  #tip: LogPosition;
  #queuedBytes = 0;
  #writing: Promise<void> | undefined;
  #failure: StorageError | undefined;
  /** No more appends; then, when those queued are done, no more removals. */
  #closed = false;
  #ended = false;

  private constructor(parts: Parts, { segments, positions, tip }: RecoveredLog) {
    const { files, directory, kernels } = parts;
    this.#parts = parts;
    this.#segments = new SegmentList(files, directory, segments);
    this.#positions = positions;
    this.#writer = new SegmentWriter(files, this.#segments);
    this.#tip = tip;
    this.#next = tip;
    this.#nextFloor = positions.floor(tip.height - 1) ?? 0;
    this.#nextSegment = segments.at(-1)?.index ?? -1;
    this.#nextEnd = segments.at(-1)?.end ?? 0;
    const host = {
      tip: () => this.#tip,
      hasStopped: () => this.#failure !== undefined || this.#ended,
      fail: (error: unknown) => this.#fail(error),
    };
    this.#deletion = new SegmentDeletion(host, this.#segments, positions, parts.identity.retainHeights);
    this.#reader = new LogReader(kernels, this.#segments, positions, this.#deletion, () => this.#tip);
  }

  /**
   * Opens the log in `directory`, recovering it, or makes an empty one. Segments that deletion had not come to are gone when resolved.
   * Throws `CorruptionError` for damage, `FilesError` ('locked' when another process has it), `StorageError` for a wrong chain or format.
   */
  static async open(options: OpLogOptions): Promise<OpLog> {
    const { directory, files, kernels } = options;
    const identity = identityOf(options);
    const { start = startOfLog(identity.chainId) } = options;
    if (!opensSegment(start, identity.segmentSizeBytes))
      throw new StorageError('wrong-place', `a log cannot begin at offset ${start.frameOffset}, inside a segment`);
    await makeDurableDirectory(files, directory);
    const lock = await files.lock(`${directory}/lock`);
    let superblock: SuperblockFile | undefined;
    let log: OpLog | undefined;
    try {
      await options.locked?.();
      superblock = await SuperblockFile.open(files, kernels, directory, identity, start);
      const visitor = { visit: () => {}, visitSegment: () => undefined, ...options };
      const recovered = await recoverLog({ ...visitor, identity, superblock });
      log = new OpLog({ directory, files, kernels, identity, superblock, lock }, recovered);
      await options.recovered?.();
      await log.#deletion.run();
      if (log.#failure !== undefined) throw log.#failure.cause;
      return log;
    } catch (error) {
      if (log !== undefined) await log.#segments.close();
      await superblock?.close();
      await lock.release();
      throw error;
    }
  }

  /** Height of the next batch among acknowledged ones: 0 for an empty log. */
  get height(): number {
    return this.#tip.height;
  }

  /** Ops in all acknowledged batches, heads included: the number of the next batch's head. */
  get opCount(): number {
    return this.#tip.opCount;
  }

  /** Where the acknowledged log ends: what the next batch's head must say (but for the floor). Its digest is borrowed. */
  get tip(): LogPosition {
    return this.#tip;
  }

  /** Where the kept log begins. */
  get first(): LogPosition {
    return this.#reader.first;
  }

  /** Number of the first op kept. */
  get firstOp(): number {
    return this.#reader.first.opCount;
  }

  /** Why the log takes no more batches, or undefined while it does. */
  get failure(): StorageError | undefined {
    return this.#failure;
  }

  /**
   * Queues a batch; its bytes are copied before this returns. Batches become durable in the order of the calls.
   * Throws `BatchError` for a malformed batch, `StorageError` 'wrong-place' (a field of its head does not follow from the batch before,
   * or the frontier is of another place) / 'queue-full' / 'failed' / 'disk-full' / 'closed'.
   * @param frontier of the ops tree over all ops before the batch; written when the batch opens a segment
   */
  append(batch: Uint8Array, frontier: Frontier, known: KnownBatch = {}): Appending {
    this.#checkWritable();
    const head = readBatchHead(batch);
    const fault = placeFault(head, this.#next, this.#nextFloor);
    if (fault !== undefined)
      throw new StorageError('wrong-place', `batch ${head.height}: ${fault.expected} expected, got ${fault.found}`);
    if (frontier.size !== this.#next.opCount)
      throw new StorageError(
        'wrong-place',
        `batch ${head.height}: frontier of ${this.#next.opCount} ops expected, got one of ${frontier.size}`,
      );
    const offsets = known.offsets ?? opOffsets(batch);
    assertInvariant(offsets.length === head.opCount + 2, 'offsets are of this batch');
    const size = frameSize(batch.length);
    if (this.#groups.length > 0 && this.#queuedBytes + size > QUEUE_SIZE_BYTES_MAX)
      throw new StorageError('queue-full', `${this.#queuedBytes} bytes wait to be written; wait for earlier appends`);
    const group = this.#groupFor(frontier);
    const digest = writeFrame(this.#parts.kernels, group, batch, known.digest);
    const firstOp = this.#next.opCount;
    this.#positions.add(head, firstOp, offsets);
    this.#next = positionAfter(this.#next, head.opCount, size, digest);
    this.#nextFloor = head.floor;
    this.#nextEnd += size;
    this.#queuedBytes += size;
    const durable = group.add(this.#next);
    this.#writing ??= this.#writeGroups();
    return { digest, firstOp, durable };
  }

  #checkWritable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw new StorageError('closed', 'the op log is closed');
  }

  /** The group that the next frame joins: the last waiting one, unless the frame opens a segment. */
  #groupFor(frontier: Frontier): AppendGroup {
    const { kernels, identity } = this.#parts;
    const segment = segmentOfFrame(this.#next.frameOffset, identity.segmentSizeBytes);
    const opens = segment !== this.#nextSegment;
    const last = this.#groups.at(-1);
    if (!opens && last !== undefined && !last.sealed) return last;
    if (last !== undefined) last.sealed = true;
    const header = opens ? encodeSegmentHeader(kernels, identity.chainId, this.#next, frontier) : new Uint8Array(0);
    if (opens) [this.#nextSegment, this.#nextEnd] = [segment, header.length];
    const start = opens ? 0 : this.#nextEnd;
    const headerSizeBytes = header.length;
    const group = new AppendGroup(this.#pool, { segment, start, headerSizeBytes, position: this.#next });
    const at = group.reserve(header.length);
    group.buffer.set(header, at);
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
      }
      if (this.#failure !== undefined) break;
      this.#groups.shift();
      this.#queuedBytes -= group.frameBytes;
      this.#acknowledge(group);
      group.finish();
    }
    this.#writing = undefined;
  }

  /** Writes and syncs a group's frames and its superblock side by side. Settles only when both have. */
  async #writeGroup({ place, buffer, size }: AppendGroup): Promise<void> {
    const { superblock, directory, files } = this.#parts;
    const { segment, start, position } = place;
    const marked = superblock.write({ segment, start, end: start + size, position });
    const written = this.#writer.write(segment, start, buffer.subarray(0, size));
    const results = await Promise.allSettled([written, marked]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    if (start === 0) await files.syncDirectory(directory);
  }

  #acknowledge({ place, size, last }: AppendGroup): void {
    this.#writer.acknowledge(place, size);
    this.#tip = last;
    void this.#deletion.run();
  }

  /**
   * Keeps the segments with ops from `fromOp` on, until the result is called (once or more): while a peer reads them.
   * Throws `StorageError` 'not-found' for an op that is not kept any more, or is behind the tip.
   */
  pin(fromOp: number): () => void {
    return this.#deletion.pin(fromOp);
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    const full = error instanceof FilesError && error.code === 'no-space';
    this.#failure = new StorageError(
      full ? 'disk-full' : 'failed',
      `${full ? 'the disk is full' : 'a write, sync or removal failed'}; nothing more is written to ${this.#parts.directory} until it is opened again (reads go on)`,
      { cause: error },
    );
    for (const group of this.#groups.splice(0)) group.fail(this.#failure);
  }

  /** Where the kept segment that holds an op begins: what a fast sync to that op starts from. Throws `StorageError` 'not-found'. */
  startOfSegment(op: number): LogPosition {
    SegmentList.checkRange('op', op, this.firstOp, this.opCount);
    return this.#segments.last === undefined ? this.#tip : this.#segments.find('opCount', op).first;
  }

  /** Height of the batch that holds an op. Throws `StorageError` 'not-found' when the op is not kept. */
  heightOf(op: number): number {
    return this.#reader.heightOf(op);
  }

  /** The kept ops of one twig (`TWIG_OPS`), in one synchronous read. Throws `StorageError` 'not-found', `CorruptionError`, `FilesError`. */
  readTwig(index: number): OpRange {
    return this.#reader.readTwig(index);
  }

  /**
   * Ops `from` .. `to` (excluded), at most `READ_OPS_MAX` of them; their segments stay meanwhile.
   * Rejects with `StorageError` 'not-found' for ops that are not kept or too many, `CorruptionError`, `FilesError`.
   */
  readOps(from: number, to: number): Promise<OpRange> {
    return this.#reader.readOps(from, to);
  }

  /**
   * The acknowledged batches from `fromHeight` on, in order, copied. Batches acknowledged while reading are included.
   * Throws `StorageError` 'not-found' for a height that is not kept (any more: `pin` them) or past the tip, `CorruptionError`.
   */
  read(fromHeight: number): AsyncGenerator<Uint8Array> {
    return this.#reader.read(fromHeight);
  }

  /** Waits for queued batches and removals, marks the log as cleanly ended, and lets go of the folder. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing;
    await this.#deletion.run();
    this.#ended = true;
    const { superblock, lock } = this.#parts;
    try {
      const { start, end } = superblock.latest;
      const { last } = this.#segments;
      if (this.#failure === undefined && start !== end && last !== undefined)
        await superblock.write({ segment: last.index, start: last.end, end: last.end, position: this.#tip });
    } finally {
      await this.#writer.close();
      await this.#segments.close();
      await superblock.close();
      await lock.release();
    }
  }
}
