/**
 * The history stream on disk: one file a segment, `segment-00000000`, holding exactly the stream's bytes.
 *
 * Owns: the folder. The stream may begin at a later segment (a fast-synced or pruned node).
 * Invariants: every file but the last holds `segmentSizeBytes`; `append` resolves when the bytes and the names of new files are synced.
 */
import { CorruptionError } from '../errors.ts';
import { type Files, makeDurableDirectory, type StoredFile } from '../files/files.ts';
import { segmentIndex, segmentName } from '../oplog/segment.ts';

export class StreamFiles {
  readonly #files: Files;
  readonly #directory: string;
  readonly #segmentSizeBytes: number;
  #writer: StoredFile | undefined;

  constructor(files: Files, directory: string, segmentSizeBytes: number) {
    this.#files = files;
    this.#directory = directory;
    this.#segmentSizeBytes = segmentSizeBytes;
  }

  #path(segment: number): string {
    return `${this.#directory}/${segmentName(segment)}`;
  }

  /**
   * Makes the stream begin in the segment of byte `start`, and end at byte `end`: what lies before was pruned, what lies behind never acknowledged.
   * Throws `CorruptionError` when a file in between is missing or shorter than the stream says.
   */
  async cutTo(start: number, end: number): Promise<void> {
    await makeDurableDirectory(this.#files, this.#directory);
    const firstSegment = Math.floor(start / this.#segmentSizeBytes);
    const lastSegment = Math.floor(end / this.#segmentSizeBytes);
    await this.removeBefore(firstSegment);
    for (const name of (await this.#files.list(this.#directory)).reverse())
      if ((segmentIndex(name) ?? -1) > lastSegment) await this.#files.remove(`${this.#directory}/${name}`);
    await this.#files.syncDirectory(this.#directory);
    for (let segment = firstSegment; segment <= lastSegment; segment++)
      await this.#cutSegment(segment, Math.min(this.#segmentSizeBytes, end - segment * this.#segmentSizeBytes));
  }

  /** Removes the files of all segments before one, the oldest first; their names are durably gone when resolved. */
  async removeBefore(segment: number): Promise<void> {
    const before = (await this.#files.list(this.#directory)).filter(
      (name) => (segmentIndex(name) ?? segment) < segment,
    );
    for (const name of before) await this.#files.remove(`${this.#directory}/${name}`);
    if (before.length > 0) await this.#files.syncDirectory(this.#directory);
  }

  async #cutSegment(segment: number, sizeBytes: number): Promise<void> {
    const path = this.#path(segment);
    const found = (await this.#files.exists(path)) ? await this.#sizeOf(path) : 0;
    if (found < sizeBytes) throw new CorruptionError(path, found, `${sizeBytes} bytes`, `${found}`);
    if (found === sizeBytes) return;
    const file = await this.#files.open(path, 'write');
    try {
      await file.truncate(sizeBytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #sizeOf(path: string): Promise<number> {
    const file = await this.#files.open(path, 'read');
    try {
      return await file.sizeBytes();
    } finally {
      await file.close();
    }
  }

  /** Writes bytes (borrowed) at `offset`, the stream's end, and syncs them. */
  async append(offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const at = offset + done;
      const within = at % this.#segmentSizeBytes;
      const piece = bytes.subarray(done, done + this.#segmentSizeBytes - within);
      const file = await this.#writerFor(Math.floor(at / this.#segmentSizeBytes));
      await file.write(within, piece);
      await file.sync();
      done += piece.length;
    }
  }

  async #writerFor(segment: number): Promise<StoredFile> {
    const path = this.#path(segment);
    if (this.#writer?.path === path) return this.#writer;
    await this.#writer?.close();
    this.#writer = undefined;
    const isNew = !(await this.#files.exists(path));
    this.#writer = await this.#files.open(path, isNew ? 'create' : 'write');
    if (isNew) await this.#files.syncDirectory(this.#directory);
    return this.#writer;
  }

  /** Reads `sizeBytes` of the stream from `offset`, over segment borders. Throws `CorruptionError` when a file is too short. */
  async read(offset: number, sizeBytes: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(sizeBytes);
    for (let done = 0; done < sizeBytes; ) {
      const at = offset + done;
      const within = at % this.#segmentSizeBytes;
      const part = Math.min(this.#segmentSizeBytes - within, sizeBytes - done);
      await this.#readPiece(Math.floor(at / this.#segmentSizeBytes), within, bytes.subarray(done, done + part));
      done += part;
    }
    return bytes;
  }

  async #readPiece(segment: number, within: number, target: Uint8Array): Promise<void> {
    const path = this.#path(segment);
    const file = await this.#files.open(path, 'read');
    try {
      const got = await file.read(within, target);
      if (got < target.length)
        throw new CorruptionError(path, within + got, `${target.length - got} more bytes`, 'the end of the file');
    } finally {
      await file.close();
    }
  }

  async close(): Promise<void> {
    await this.#writer?.close();
  }
}
