/**
 * History: every finalized block, as one byte stream in segment files, with an index.
 *
 * Owns: a folder with `stream/` (stream-files.ts), `index/` (key-value) and a lock file.
 *
 * Invariants
 * - `append` resolves when the block's bytes and then its index entries are synced; `prune` takes index entries out, synced, and then the bytes. So the
 *   index never points at what is not on disk; bytes before its first and behind its last block are taken away by opening.
 * - Heights are contiguous from `startHeight`, which only pruning moves. The held stream begins on a segment border.
 * - A block is given out only with the checksum it was stored with; the cursor is rebuilt from checked bytes.
 * - After a failed write or sync nothing more is taken until the store is opened again.
 */
import { type Hash, type Height, hash as hashOf, height as heightOf, type Kernels } from '../../native/index.ts';
import { assertInvariant, PrunedError, StorageError } from '../errors.ts';
import { diskFiles } from '../files/disk-files.ts';
import { type FileLock, FilesError, makeDurableDirectory } from '../files/files.ts';
import { lmdbKeyValues } from '../key-value/lmdb-key-values.ts';
import { FRAME_LENGTH_SIZE_BYTES, frameBlock, HistoryCursor, type HistoryShape } from './cursor.ts';
import { readFramed } from './framed-block.ts';
import { type BlockPlace, type HistoryFacts, HistoryIndex, type TransactionPlace } from './history-index.ts';
import type { HistoryBlock, HistoryOptions, SegmentReader } from './history-model.ts';
import { type RecoveredHistory, recoverHistory } from './history-recovery.ts';
import {
  type PruneOptions,
  type PruneResult,
  type PruneStep,
  planPrune,
  preparePruneStep,
  segmentOf,
} from './pruning.ts';
import { StreamFiles } from './stream-files.ts';

const READ_SIZE_BYTES_MAX: number = 64 * 1024 * 1024;

export class HistoryStore {
  readonly #kernels: Kernels;
  readonly #shape: HistoryShape;
  readonly #stream: StreamFiles;
  readonly #index: HistoryIndex;
  readonly #lock: FileLock;
  #facts: HistoryFacts;
  #cursor: HistoryCursor;
  #tip: BlockPlace | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #pruning: Promise<unknown> = Promise.resolve();
  #failure: StorageError | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  private constructor(parts: HistoryParts) {
    this.#kernels = parts.kernels;
    this.#shape = parts.shape;
    this.#stream = parts.stream;
    this.#index = parts.index;
    this.#lock = parts.lock;
    this.#facts = parts.facts;
    this.#cursor = parts.cursor;
    this.#tip = parts.tip;
  }

  /**
   * Opens or makes a history. Throws `StorageError` 'wrong-format' when it was made with another shape, `CorruptionError`, `FilesError`.
   */
  static async open(options: HistoryOptions): Promise<HistoryStore> {
    const { directory, kernels } = options;
    const files = options.files ?? diskFiles();
    await makeDurableDirectory(files, directory);
    const lock = await files.lock(`${directory}/lock`);
    let index: HistoryIndex | undefined;
    try {
      const disk = { files, keyValues: options.keyValues ?? lmdbKeyValues };
      index = await HistoryIndex.open(`${directory}/index`, disk);
      const shape = { segmentSizeBytes: options.segmentSizeBytes, leafSizeBytes: options.leafSizeBytes };
      const stream = new StreamFiles(files, `${directory}/stream`, shape.segmentSizeBytes);
      const opening = { kernels, directory, shape, stream, index, start: options.start };
      return new HistoryStore({ kernels, shape, stream, index, lock, ...(await recoverHistory(opening)) });
    } catch (error) {
      await index?.close();
      await lock.release();
      throw error;
    }
  }

  /** Height of the first block held (or to come). */
  get startHeight(): number {
    return this.#facts.startHeight;
  }

  /** First byte of the stream held: a segment border. */
  get startOffset(): number {
    return this.firstSegment * this.#shape.segmentSizeBytes;
  }

  /** Bytes of the stream taken away by pruning since the history was made. */
  get prunedBytes(): number {
    return this.#facts.prunedBytes ?? 0;
  }

  /** The segment in which the first block held begins. */
  get firstSegment(): number {
    return segmentOf(this.#facts, this.#facts.startOffset);
  }

  /** The last block held, or undefined while there is none. */
  get tip(): BlockPlace | undefined {
    return this.#tip;
  }

  /** The stream behind the last block: what the next block's header must say. */
  get cursor(): HistoryCursor {
    return this.#cursor;
  }

  /**
   * Appends the block of the next height; durable when resolved. Calls queue up in order.
   * Rejects with `StorageError` 'wrong-height', 'disk-full', 'failed', 'closed'.
   */
  append(block: HistoryBlock): Promise<void> {
    return this.#queued(() => this.#append(block));
  }

  #queued<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(() => {
      this.#requireWritable();
      return work();
    });
    this.#queue = done.catch(() => {});
    return done;
  }

  #requireWritable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw new StorageError('closed', 'the history is closed');
  }

  async #append(block: HistoryBlock): Promise<void> {
    const next = this.#tip === undefined ? this.startHeight : this.#tip.height + 1;
    if (block.height !== next)
      throw new StorageError('wrong-height', `next block must have height ${next}, got ${block.height}`);
    const framed = frameBlock(block.bytes);
    const cursor = this.#cursor.append(this.#kernels, framed);
    const place: BlockPlace = {
      height: block.height,
      slot: block.slot,
      hash: hashOf(block.hash.slice()),
      offset: this.#cursor.length,
      sizeBytes: framed.length,
      crc: this.#kernels.crc32c(framed),
    };
    try {
      await this.#stream.append(place.offset, framed);
      await this.#index.add(place, block.transactions, cursor.segmentCount - cursor.completed.length, cursor.completed);
    } catch (error) {
      throw this.#stop(error);
    }
    this.#cursor = cursor;
    this.#tip = place;
  }

  /** Nothing more is written: what a failed write or sync left is known only after opening again. */
  #stop(cause: unknown): StorageError {
    const full = cause instanceof FilesError && cause.code === 'no-space';
    this.#failure = new StorageError(
      full ? 'disk-full' : 'failed',
      `${full ? 'the disk is full' : 'writing history failed'}; nothing more is kept until it is opened again (reads go on)`,
      { cause },
    );
    return this.#failure;
  }

  /**
   * Takes away the oldest segments and the blocks in them (pruning.ts has the rules). Blocks go on being appended and read meanwhile; prunes queue
   * up behind one another. Durable when resolved; ends early, in good order, when the history is closed.
   * Rejects with `StorageError` 'failed', 'disk-full', 'closed', or with what `onDrop` and `transactionIds` throw.
   */
  prune(options: PruneOptions): Promise<PruneResult> {
    const done = this.#pruning.then(() => this.#prune(options));
    this.#pruning = done.catch(() => {});
    return done;
  }

  async #prune(options: PruneOptions): Promise<PruneResult> {
    this.#requireWritable();
    const tip = this.#tip;
    if (tip === undefined) return { droppedBlocks: 0, damagedBlocks: 0, droppedSegments: 0, waitingSegments: 0 };
    const firstSegment = this.firstSegment;
    const { startHeight, waitingSegments } = planPrune(this.#index, this.#facts, tip, options);
    let [droppedBlocks, damagedBlocks] = [0, 0];
    while (this.startHeight < startHeight && this.#closing === undefined) {
      const { blocks, damagedCount } = await this.#queued(() => this.#pruneStep(startHeight, options));
      droppedBlocks += blocks.length;
      damagedBlocks += damagedCount;
    }
    return { droppedBlocks, damagedBlocks, droppedSegments: this.firstSegment - firstSegment, waitingSegments };
  }

  /** Index first, then files: see pruning.ts. */
  async #pruneStep(startHeight: number, options: PruneOptions): Promise<PruneStep> {
    const parts = { kernels: this.#kernels, stream: this.#stream, index: this.#index };
    const before = this.firstSegment;
    const step = await preparePruneStep(parts, this.#facts, startHeight, options);
    await options.onDrop?.(step.blocks.map(({ hash }) => hash));
    try {
      await this.#index.drop(step.facts, step.blocks);
      this.#facts = step.facts;
      if (this.firstSegment > before) await this.#stream.removeBefore(this.firstSegment);
    } catch (error) {
      throw this.#stop(error);
    }
    return step;
  }

  #requireHeld(height: number): void {
    if (height >= 1 && height < this.startHeight) throw new PrunedError(`block ${height}`, this.startHeight);
  }

  /** Where a block is, or undefined when it is not held. */
  block(height: number): BlockPlace | undefined {
    return this.#index.block(height);
  }

  /**
   * A block's bytes (copied), or undefined when there is none of that height yet. Throws `PrunedError` for one before the start,
   * `CorruptionError` when its checksum is wrong.
   */
  async readBlock(height: number): Promise<Uint8Array | undefined> {
    this.#requireHeld(height);
    const place = this.#index.block(height);
    if (place === undefined) return undefined;
    try {
      return (await readFramed(this.#kernels, this.#stream, place)).subarray(FRAME_LENGTH_SIZE_BYTES);
    } catch (error) {
      // It may have been pruned while it was read.
      this.#requireHeld(height);
      throw error;
    }
  }

  /** Height of the block with that hash (32 bytes). */
  heightOf(hash: Uint8Array): Height | undefined {
    const height = this.#index.heightOf(hash);
    return height === undefined ? undefined : heightOf(height);
  }

  /** Where a transaction (32-byte id) is. */
  transaction(id: Uint8Array): TransactionPlace | undefined {
    const place = this.#index.transaction(id);
    return place !== undefined && place.height < this.startHeight ? undefined : place;
  }

  /** Root of a complete segment; also known for those before the history's start. */
  segmentRoot(segment: number): Hash | undefined {
    return this.#index.segmentRoot(segment);
  }

  /** Roots of all complete segments, packed, 32 bytes each: with `unfinishedBytes`, what another node starts from. */
  segmentRoots(): Uint8Array {
    const roots = new Uint8Array(this.#cursor.segmentCount * 32);
    for (let segment = 0; segment < this.#cursor.segmentCount; segment++)
      roots.set(this.#index.segmentRoot(segment)!, segment * 32);
    return roots;
  }

  /** A complete segment, or undefined when it is not complete or lies before the start. Its bytes are as on disk: check them by root. */
  segment(segment: number): SegmentReader | undefined {
    const root = this.#index.segmentRoot(segment);
    const { segmentSizeBytes } = this.#shape;
    const begin = segment * segmentSizeBytes;
    if (root === undefined || begin < this.startOffset) return undefined;
    const read = async (offset: number, sizeBytes: number): Promise<Uint8Array> => {
      assertInvariant(offset >= 0 && sizeBytes >= 0 && sizeBytes <= READ_SIZE_BYTES_MAX, 'a read within a segment');
      try {
        return await this.#stream.read(begin + offset, Math.max(0, Math.min(sizeBytes, segmentSizeBytes - offset)));
      } catch (error) {
        if (begin < this.startOffset) throw new PrunedError(`segment ${segment}`, this.startHeight);
        throw error;
      }
    };
    return { index: segment, sizeBytes: segmentSizeBytes, root, read };
  }

  /** The stream as it was before a block that is held. */
  async cursorBefore(height: number): Promise<HistoryCursor> {
    this.#requireHeld(height);
    const place = this.#index.block(height);
    if (place === undefined) return this.#cursor;
    const segment = segmentOf(this.#facts, place.offset);
    const border = segment * this.#shape.segmentSizeBytes;
    const roots = this.segmentRoots().subarray(0, segment * 32);
    const unfinished = await this.#stream.read(border, place.offset - border);
    return HistoryCursor.rebuild(this.#kernels, this.#shape, roots, unfinished);
  }

  /** Bytes of the segment that is not complete yet (copied). */
  async unfinishedBytes(): Promise<Uint8Array> {
    const begin = this.#cursor.segmentCount * this.#shape.segmentSizeBytes;
    return this.#stream.read(begin, this.#cursor.length - begin);
  }

  /** Waits for queued blocks and the step a prune is at, then lets go of the folder. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#pruning;
    await this.#queue;
    this.#closed = true;
    await this.#stream.close();
    await this.#index.close();
    await this.#lock.release();
  }
}

interface HistoryParts extends RecoveredHistory {
  readonly kernels: Kernels;
  readonly shape: HistoryShape;
  readonly stream: StreamFiles;
  readonly index: HistoryIndex;
  readonly lock: FileLock;
}
