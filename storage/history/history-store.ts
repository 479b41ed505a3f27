/**
 * History: every finalized block, as one byte stream in segment files, with an index.
 *
 * Owns: a folder with `stream/` (stream-files.ts), `index/` (lmdb) and a lock file.
 *
 * Invariants
 * - `append` resolves when the block's bytes and then its index entries are synced. So the index never points past what is on disk;
 *   bytes behind its last block were never acknowledged, and opening cuts them.
 * - Heights are contiguous from `startHeight`. The held stream begins on a segment border.
 * - A block is given out only with the checksum it was stored with; the cursor is rebuilt from checked bytes.
 * - After a failed write or sync nothing more is taken until the store is opened again.
 */
import {
  type Hash,
  type Height,
  hash as hashOf,
  height as heightOf,
  type Kernels,
  type Slot,
} from '../../native/index.ts';
import { assertInvariant, CorruptionError, StorageError } from '../errors.ts';
import { diskFiles } from '../files/disk-files.ts';
import { type FileLock, type Files, FilesError, makeDurableDirectory } from '../files/files.ts';
import { FRAME_LENGTH_SIZE_BYTES, frameBlock, HistoryCursor, type HistoryShape } from './cursor.ts';
import { type BlockPlace, HistoryIndex, type TransactionKey, type TransactionPlace } from './history-index.ts';
import { StreamFiles } from './stream-files.ts';

/** Where a history begins that does not begin at block 1 (a fast-synced node). */
export interface HistoryStart {
  /** Height of the first block that will be appended. */
  readonly height: number;
  /** Roots of all complete segments before, packed, 32 bytes each. */
  readonly segmentRoots: Uint8Array;
  /** Bytes of the unfinished segment, from its border to where that block begins. */
  readonly unfinished: Uint8Array;
}

export interface HistoryOptions extends HistoryShape {
  readonly directory: string;
  readonly kernels: Kernels;
  /** The real disk unless given; the index is always on the real disk. */
  readonly files?: Files;
  /** Used when the folder holds no history yet; block 1 unless given. */
  readonly start?: HistoryStart;
}

/** A finalized block to keep. */
export interface HistoryBlock {
  readonly height: Height;
  readonly slot: Slot;
  readonly hash: Hash;
  /** Borrowed until `append` resolves. */
  readonly bytes: Uint8Array;
  readonly transactions: readonly TransactionKey[];
}

/** One whole segment of the stream. */
export interface SegmentReader {
  readonly index: number;
  readonly sizeBytes: number;
  readonly root: Hash;
  /** Bytes from `offset` within the segment, fewer at its end (copied). At most 64 MiB a call. */
  read(offset: number, sizeBytes: number): Promise<Uint8Array>;
}

const READ_SIZE_BYTES_MAX: number = 64 * 1024 * 1024;

export class HistoryStore {
  readonly #kernels: Kernels;
  readonly #shape: HistoryShape;
  readonly #stream: StreamFiles;
  readonly #index: HistoryIndex;
  readonly #lock: FileLock;
  /** Height of the first block held (or to come). */
  readonly startHeight: number;
  /** First byte of the stream held: a segment border. */
  readonly startOffset: number;
  #cursor: HistoryCursor;
  #tip: BlockPlace | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #failure: StorageError | undefined;
  #closed = false;

  private constructor(parts: HistoryParts) {
    this.#kernels = parts.kernels;
    this.#shape = parts.shape;
    this.#stream = parts.stream;
    this.#index = parts.index;
    this.#lock = parts.lock;
    this.startHeight = parts.startHeight;
    this.startOffset = parts.startOffset;
    this.#cursor = parts.cursor;
    this.#tip = parts.tip;
  }

  /**
   * Opens or makes a history. Throws `StorageError` 'wrong-format' when it was made with another shape, `CorruptionError`, `FilesError`.
   */
  static async open(options: HistoryOptions): Promise<HistoryStore> {
    const { directory } = options;
    const files = options.files ?? diskFiles();
    await makeDurableDirectory(files, directory);
    const lock = await files.lock(`${directory}/lock`);
    const index = new HistoryIndex(`${directory}/index`);
    try {
      const shape = { segmentSizeBytes: options.segmentSizeBytes, leafSizeBytes: options.leafSizeBytes };
      const stream = new StreamFiles(files, `${directory}/stream`, shape.segmentSizeBytes);
      await files.syncDirectory(`${directory}/index`);
      await files.syncDirectory(directory);
      return new HistoryStore(await recoverHistory({ options, shape, stream, index, lock }));
    } catch (error) {
      await index.close();
      await lock.release();
      throw error;
    }
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
    const done = this.#queue.then(() => this.#append(block));
    this.#queue = done.catch(() => {});
    return done;
  }

  async #append(block: HistoryBlock): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw new StorageError('closed', 'the history is closed');
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
      const full = error instanceof FilesError && error.code === 'no-space';
      this.#failure = new StorageError(
        full ? 'disk-full' : 'failed',
        `${full ? 'the disk is full' : 'writing history failed'}; nothing more is kept until it is opened again (reads go on)`,
        { cause: error },
      );
      throw this.#failure;
    }
    this.#cursor = cursor;
    this.#tip = place;
  }

  /** Where a block is, or undefined when it is not held. */
  block(height: number): BlockPlace | undefined {
    return this.#index.block(height);
  }

  /** A block's bytes (copied), or undefined when it is not held. Throws `CorruptionError` when its checksum is wrong. */
  async readBlock(height: number): Promise<Uint8Array | undefined> {
    const place = this.#index.block(height);
    if (place === undefined) return undefined;
    const framed = await this.#stream.read(place.offset, place.sizeBytes);
    checkFramed(this.#kernels, framed, place);
    return framed.subarray(FRAME_LENGTH_SIZE_BYTES);
  }

  /** Height of the block with that hash (32 bytes). */
  heightOf(hash: Uint8Array): Height | undefined {
    const height = this.#index.heightOf(hash);
    return height === undefined ? undefined : heightOf(height);
  }

  /** Where a transaction (32-byte id) is. */
  transaction(id: Uint8Array): TransactionPlace | undefined {
    return this.#index.transaction(id);
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
    const read = (offset: number, sizeBytes: number): Promise<Uint8Array> => {
      assertInvariant(offset >= 0 && sizeBytes >= 0 && sizeBytes <= READ_SIZE_BYTES_MAX, 'a read within a segment');
      return this.#stream.read(begin + offset, Math.max(0, Math.min(sizeBytes, segmentSizeBytes - offset)));
    };
    return { index: segment, sizeBytes: segmentSizeBytes, root, read };
  }

  /** Bytes of the segment that is not complete yet (copied). */
  async unfinishedBytes(): Promise<Uint8Array> {
    const begin = this.#cursor.segmentCount * this.#shape.segmentSizeBytes;
    return this.#stream.read(begin, this.#cursor.length - begin);
  }

  /** Waits for queued blocks, then lets go of the folder. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#queue;
    this.#closed = true;
    await this.#stream.close();
    await this.#index.close();
    await this.#lock.release();
  }
}

interface HistoryParts {
  readonly kernels: Kernels;
  readonly shape: HistoryShape;
  readonly stream: StreamFiles;
  readonly index: HistoryIndex;
  readonly lock: FileLock;
  readonly startHeight: number;
  readonly startOffset: number;
  readonly cursor: HistoryCursor;
  readonly tip: BlockPlace | undefined;
}

interface Opening {
  readonly options: HistoryOptions;
  readonly shape: HistoryShape;
  readonly stream: StreamFiles;
  readonly index: HistoryIndex;
  readonly lock: FileLock;
}

/** Brings stream and index together: the index's last block is where the stream ends. */
async function recoverHistory({ options, shape, stream, index, lock }: Opening): Promise<HistoryParts> {
  const { kernels } = options;
  const { segmentSizeBytes } = shape;
  if (index.facts === undefined) await createHistory(options, stream, index);
  const facts = index.facts!;
  if (facts.segmentSizeBytes !== segmentSizeBytes || facts.leafSizeBytes !== shape.leafSizeBytes)
    throw new StorageError(
      'wrong-format',
      `history was made with segments of ${facts.segmentSizeBytes} and leaves of ${facts.leafSizeBytes} bytes, not ${segmentSizeBytes} and ${shape.leafSizeBytes}`,
    );
  const tip = index.last;
  const end = tip === undefined ? facts.startOffset : tip.offset + tip.sizeBytes;
  const startOffset = Math.floor(facts.startOffset / segmentSizeBytes) * segmentSizeBytes;
  await stream.cutTo(startOffset, end);
  const segmentCount = Math.floor(end / segmentSizeBytes);
  const roots = new Uint8Array(segmentCount * 32);
  for (let segment = 0; segment < segmentCount; segment++) {
    const root = index.segmentRoot(segment);
    if (root === undefined)
      throw new CorruptionError(`${options.directory}/index`, segment, `a root of segment ${segment}`, 'none');
    roots.set(root, segment * 32);
  }
  const begin = segmentCount * segmentSizeBytes;
  await checkUnfinished(kernels, index, stream, begin);
  const unfinished = await stream.read(begin, end - begin);
  const cursor = HistoryCursor.rebuild(kernels, shape, roots, unfinished);
  return { kernels, shape, stream, index, lock, startHeight: facts.startHeight, startOffset, cursor, tip };
}

async function createHistory(options: HistoryOptions, stream: StreamFiles, index: HistoryIndex): Promise<void> {
  const { segmentSizeBytes, leafSizeBytes } = options;
  const start = options.start ?? { height: 1, segmentRoots: new Uint8Array(0), unfinished: new Uint8Array(0) };
  assertInvariant(start.segmentRoots.length % 32 === 0, 'segment roots have 32 bytes each');
  assertInvariant(start.unfinished.length < segmentSizeBytes, 'an unfinished segment is shorter than a segment');
  const begin = (start.segmentRoots.length / 32) * segmentSizeBytes;
  // An earlier, interrupted start may have left bytes: only the facts make a history.
  await stream.cutTo(begin, begin);
  await stream.append(begin, start.unfinished);
  const startOffset = begin + start.unfinished.length;
  const facts = {
    format: 1,
    segmentSizeBytes,
    leafSizeBytes,
    startHeight: start.height,
    startOffset,
    startCrc: options.kernels.crc32c(start.unfinished),
  } as const;
  await index.create(facts, start.segmentRoots);
}

/** Checks every byte of the unfinished segment: the cursor is made from them. */
async function checkUnfinished(
  kernels: Kernels,
  index: HistoryIndex,
  stream: StreamFiles,
  begin: number,
): Promise<void> {
  for (let place = index.last; place !== undefined; place = index.block(place.height - 1)) {
    if (place.offset + place.sizeBytes <= begin) return;
    checkFramed(kernels, await stream.read(place.offset, place.sizeBytes), place);
  }
  const { startOffset, startCrc, segmentSizeBytes } = index.facts!;
  const border = Math.floor(startOffset / segmentSizeBytes) * segmentSizeBytes;
  if (border < begin) return;
  const crc = kernels.crc32c(await stream.read(border, startOffset - border));
  if (crc !== startCrc)
    throw new CorruptionError('history stream (before its first block)', border, `checksum ${startCrc}`, `${crc}`);
}

function checkFramed(kernels: Kernels, framed: Uint8Array, place: BlockPlace): void {
  const crc = kernels.crc32c(framed);
  const what = `history stream (block ${place.height})`;
  if (crc !== place.crc) throw new CorruptionError(what, place.offset, `checksum ${place.crc}`, `${crc}`);
  const length = new DataView(framed.buffer, framed.byteOffset).getUint32(0, true);
  if (length !== framed.length - FRAME_LENGTH_SIZE_BYTES)
    throw new CorruptionError(what, place.offset, `length ${framed.length - FRAME_LENGTH_SIZE_BYTES}`, `${length}`);
}
