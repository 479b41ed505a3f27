/**
 * Writes groups of frames into segment files.
 *
 * Owns: the file being written, until it is a segment of the list (which reads from it, too).
 * Invariant: a segment joins the list when its first group is acknowledged.
 */
import { assertInvariant } from '../errors.ts';
import type { Files, StoredFile } from '../files/files.ts';
import type { GroupPlace } from './group.ts';
import type { SegmentList } from './segment-list.ts';

export class SegmentWriter {
  readonly #files: Files;
  readonly #segments: SegmentList;
  #file: StoredFile | undefined;
  #index = -1;

  constructor(files: Files, segments: SegmentList) {
    this.#files = files;
    this.#segments = segments;
  }

  /** Writes and syncs bytes at `start` of a segment; 0 makes its file, whose name is not durable yet. */
  async write(index: number, start: number, bytes: Uint8Array): Promise<void> {
    const file = await this.#open(index, start === 0);
    await file.write(start, bytes);
    await file.sync();
  }

  async #open(index: number, create: boolean): Promise<StoredFile> {
    if (this.#file !== undefined && this.#index === index) return this.#file;
    await this.close();
    this.#file = await this.#files.open(this.#segments.path(index), create ? 'create' : 'write');
    this.#index = index;
    return this.#file;
  }

  /** Notes that a group is durable: readers may have it. */
  acknowledge({ segment: index, start, headerSizeBytes, position }: GroupPlace, sizeBytes: number): void {
    const { last } = this.#segments;
    if (start === 0) {
      assertInvariant(this.#file !== undefined && this.#index === index, 'a segment that was made is open');
      this.#segments.push({ index, first: position, headerSizeBytes, file: this.#file, end: sizeBytes });
      return;
    }
    assertInvariant(
      last !== undefined && last.index === index && last.end === start,
      'groups are acknowledged in order',
    );
    last.end = start + sizeBytes;
  }

  /** Closes the file, unless the list has it. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined && this.#segments.last?.file !== file) await file.close();
  }
}
