/**
 * Completed segments on their way into a history: one file each, kept across attempts.
 *
 * Files: `segment-INDEX` (10 digits) is whole and had its root when it was named; `segment-INDEX.partial` is what came so far.
 *
 * Invariants
 * - A file gets its name only after its bytes hashed to the root they must have, and were synced. It is hashed again before it is taken from an earlier
 *   attempt: a disk may forget.
 * - Memory: one chunk, whatever the segment's size.
 */
import { type Kernels, sameBytes } from '../../../native/index.ts';
import { type Files, HistoryCursor, type HistoryShape, type StoredFile } from '../../../storage/index.ts';

const CHUNK_SIZE_BYTES: number = 1024 * 1024;

export interface SegmentShelfOptions {
  readonly kernels: Kernels;
  readonly files: Files;
  /** Made when missing; the caller sees to it that one process uses it. */
  readonly directory: string;
  readonly shape: HistoryShape;
}

export class SegmentShelf {
  readonly #options: SegmentShelfOptions;

  private constructor(options: SegmentShelfOptions) {
    this.#options = options;
  }

  static async open(options: SegmentShelfOptions): Promise<SegmentShelf> {
    await options.files.makeDirectory(options.directory);
    return new SegmentShelf(options);
  }

  /** Whether a segment is here with this root. What is here with another is thrown away. */
  async has(index: number, root: Uint8Array): Promise<boolean> {
    const { files } = this.#options;
    const path = this.#pathOf(index);
    if (!(await files.exists(path))) return false;
    const file = await files.open(path, 'read');
    let isWhole: boolean;
    try {
      isWhole = await this.#hasRoot(file, root);
    } finally {
      await file.close();
    }
    if (!isWhole) await files.remove(path);
    return isWhole;
  }

  async #hasRoot(file: StoredFile, root: Uint8Array): Promise<boolean> {
    const { segmentSizeBytes } = this.#options.shape;
    if ((await file.sizeBytes()) !== segmentSizeBytes) return false;
    const check = new RootCheck(this.#options);
    for await (const chunk of chunksOf(file, segmentSizeBytes)) check.add(chunk);
    return check.is(root);
  }

  /** Begins to write a segment, behind what an earlier attempt left of it. */
  async begin(index: number): Promise<SegmentWriter> {
    const { files, shape } = this.#options;
    const partial = `${this.#pathOf(index)}.partial`;
    const file = await files.open(partial, (await files.exists(partial)) ? 'write' : 'create');
    try {
      const found = await file.sizeBytes();
      // A whole one whose name never came is as good as none: who gave it is not known.
      const kept = found < shape.segmentSizeBytes ? found : 0;
      const check = new RootCheck(this.#options);
      for await (const chunk of chunksOf(file, kept)) check.add(chunk);
      if (found > kept) await file.truncate(kept);
      return new SegmentWriter(this.#options, { file, partial, path: this.#pathOf(index), check, kept });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A segment's bytes in order, in chunks borrowed until the next. It must be here (`has`). */
  async *read(index: number): AsyncGenerator<Uint8Array> {
    const file = await this.#options.files.open(this.#pathOf(index), 'read');
    try {
      yield* chunksOf(file, this.#options.shape.segmentSizeBytes);
    } finally {
      await file.close();
    }
  }

  /** Removes everything. */
  remove(): Promise<void> {
    return this.#options.files.remove(this.#options.directory);
  }

  #pathOf(index: number): string {
    return `${this.#options.directory}/segment-${String(index).padStart(10, '0')}`;
  }
}

interface WriterParts {
  readonly file: StoredFile;
  readonly partial: string;
  readonly path: string;
  readonly check: RootCheck;
  readonly kept: number;
}

/** One segment being written. `close` it whatever happens. */
export class SegmentWriter {
  readonly #options: SegmentShelfOptions;
  readonly #parts: WriterParts;
  #offset: number;

  constructor(options: SegmentShelfOptions, parts: WriterParts) {
    this.#options = options;
    this.#parts = parts;
    this.#offset = parts.kept;
  }

  /** Bytes that are here: where to go on from. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes that were here from an earlier attempt. */
  get resumedBytes(): number {
    return this.#parts.kept;
  }

  get isFull(): boolean {
    return this.#offset === this.#options.shape.segmentSizeBytes;
  }

  /** Adds the next bytes (borrowed); no more than the segment has. */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#parts.file.write(this.#offset, bytes);
    this.#parts.check.add(bytes);
    this.#offset += bytes.length;
  }

  /** Names the segment when it has its root, durable when resolved; else throws everything away. */
  async finish(root: Uint8Array): Promise<boolean> {
    const { files, directory } = this.#options;
    const { file, partial, path, check } = this.#parts;
    if (!this.isFull || !check.is(root)) {
      await files.remove(partial);
      return false;
    }
    await file.sync();
    await files.rename(partial, path);
    await files.syncDirectory(directory);
    return true;
  }

  close(): Promise<void> {
    return this.#parts.file.close();
  }
}

/** The root of a segment whose bytes come in pieces. */
class RootCheck {
  readonly #kernels: Kernels;
  #cursor: HistoryCursor;

  constructor({ kernels, shape }: SegmentShelfOptions) {
    this.#kernels = kernels;
    this.#cursor = HistoryCursor.start(kernels, shape);
  }

  add(bytes: Uint8Array): void {
    this.#cursor = this.#cursor.append(this.#kernels, bytes);
  }

  /** Whether exactly one segment came, with this root. */
  is(root: Uint8Array): boolean {
    const { completed, length, shape } = this.#cursor;
    return length === shape.segmentSizeBytes && completed.length === 1 && sameBytes(completed[0]!, root);
  }
}

async function* chunksOf(file: StoredFile, sizeBytes: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(CHUNK_SIZE_BYTES, sizeBytes));
  for (let offset = 0; offset < sizeBytes; offset += buffer.length) {
    const chunk = buffer.subarray(0, Math.min(buffer.length, sizeBytes - offset));
    const found = await file.read(offset, chunk);
    yield chunk.subarray(0, found);
    if (found < chunk.length) return;
  }
}
