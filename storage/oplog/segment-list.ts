/**
 * The segments of an open log: which there are, their files kept open for reading, and the removal of the oldest.
 *
 * Owns: one open file a segment (a read in the middle of execution cannot wait for an open).
 * Invariants
 * - Segments lie one behind the other in frame bytes, ascending; all hold acknowledged frames only, up to `end`.
 * - A file goes out of the list first, then is removed, then the folder is synced; only then the next one. So after a crash the files
 *   there are still stand one behind the other.
 * - A file that is being read is closed when its last reader is done.
 */
import { assertInvariant, CorruptionError, StorageError } from '../errors.ts';
import type { Files, StoredFile } from '../files/files.ts';
import type { LogPosition } from './log-position.ts';
import { segmentName } from './segment.ts';

/** A segment as the open log knows it. */
export interface KeptSegment {
  readonly index: number;
  readonly first: LogPosition;
  readonly headerSizeBytes: number;
  /** Open for reading at least. */
  readonly file: StoredFile;
  /** Bytes of the file that hold acknowledged frames, the header included. */
  end: number;
}

/** A stretch of frame bytes within one segment's file. */
interface Part {
  readonly segment: KeptSegment;
  /** Byte of the file. */
  readonly offset: number;
  /** Where it goes in what is read. */
  readonly from: number;
  readonly to: number;
}

export class SegmentList {
  readonly #files: Files;
  readonly #directory: string;
  readonly #segments: KeptSegment[];
  readonly #readers = new Map<KeptSegment, number>();

  /** @param segments taken over, with their open files */
  constructor(files: Files, directory: string, segments: KeptSegment[]) {
    this.#files = files;
    this.#directory = directory;
    this.#segments = segments;
  }

  get first(): KeptSegment | undefined {
    return this.#segments[0];
  }

  get last(): KeptSegment | undefined {
    return this.#segments.at(-1);
  }

  path(index: number): string {
    return `${this.#directory}/${segmentName(index)}`;
  }

  push(segment: KeptSegment): void {
    this.#segments.push(segment);
  }

  /** The last segment whose first position is at most `value` in that field; the first segment when none is. */
  find(field: 'height' | 'opCount' | 'frameOffset', value: number): KeptSegment {
    let [low, high] = [0, this.#segments.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#segments[middle]!.first[field] <= value) low = middle;
      else high = middle - 1;
    }
    const segment = this.#segments[low];
    assertInvariant(segment !== undefined, 'a log with acknowledged batches has segments');
    return segment;
  }

  /** Where a frame byte stands. */
  place(frameByte: number): { readonly path: string; readonly offset: number } {
    const { index, first, headerSizeBytes } = this.find('frameOffset', frameByte);
    return { path: this.path(index), offset: headerSizeBytes + frameByte - first.frameOffset };
  }

  /** Reads frame bytes `from` .. `to` (excluded), all acknowledged. Throws `CorruptionError` when a file is too short, `FilesError`. */
  readSync(from: number, to: number): Uint8Array {
    const bytes = new Uint8Array(to - from);
    for (const part of this.#parts(from, to))
      this.#check(part, part.segment.file.readSync(part.offset, bytes.subarray(part.from, part.to)));
    return bytes;
  }

  /** `readSync` for more than a few kilobytes. The caller sees to it that the segments stay. */
  async read(from: number, to: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(to - from);
    for (const part of this.#parts(from, to))
      this.#check(part, await part.segment.file.read(part.offset, bytes.subarray(part.from, part.to)));
    return bytes;
  }

  #check({ segment, offset, from, to }: Part, got: number): void {
    if (got < to - from)
      throw new CorruptionError(this.path(segment.index), offset + got, `${to - from - got} more bytes`, 'the end');
  }

  #parts(from: number, to: number): Part[] {
    const parts: Part[] = [];
    for (let at = from; at < to; ) {
      const segment = this.find('frameOffset', at);
      const { first, headerSizeBytes, end } = segment;
      const stop = Math.min(to, first.frameOffset + end - headerSizeBytes);
      assertInvariant(at >= first.frameOffset && stop > at, 'frame bytes that are read are kept and acknowledged');
      parts.push({ segment, offset: headerSizeBytes + at - first.frameOffset, from: at - from, to: stop - from });
      at = stop;
    }
    return parts;
  }

  /** Keeps a segment's file open while it is read, deleted or not. @returns lets go of it; call it once */
  hold(segment: KeptSegment): () => void {
    this.#readers.set(segment, (this.#readers.get(segment) ?? 0) + 1);
    return () => {
      const left = this.#readers.get(segment)! - 1;
      if (left > 0) {
        this.#readers.set(segment, left);
        return;
      }
      this.#readers.delete(segment);
      if (!this.#segments.includes(segment)) void segment.file.close().catch(() => {});
    };
  }

  /** The oldest segment's successor, when all of the oldest lies before op `floor`; undefined when it must stay. */
  nextAfterDeletable(floor: number): KeptSegment | undefined {
    const next = this.#segments[1];
    return next !== undefined && next.first.opCount <= floor ? next : undefined;
  }

  /** Removes the oldest segment; durable when resolved. */
  async removeOldest(): Promise<void> {
    assertInvariant(this.#segments.length > 1, 'the last segment is never removed');
    const segment = this.#segments.shift()!;
    if (!this.#readers.has(segment)) await segment.file.close();
    await this.#files.remove(this.path(segment.index));
    await this.#files.syncDirectory(this.#directory);
  }

  /** Throws `StorageError` 'not-found' unless `found` lies within `first` .. `end`. */
  static checkRange(what: string, found: number, first: number, end: number): void {
    if (!Number.isSafeInteger(found) || found < first || found > end)
      throw new StorageError('not-found', `${what} must be within ${first} .. ${end}, got ${found}`);
  }

  /** Closes every file. */
  async close(): Promise<void> {
    for (const { file } of this.#segments) await file.close();
    for (const { file } of this.#readers.keys()) await file.close();
  }
}
