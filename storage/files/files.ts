/**
 * The port through which everything in this floor touches a disk (lmdb apart): small enough to be simulated whole.
 *
 * What a caller may rely on, and no more
 * - A write is durable once `sync` of that file resolved after it; before, any part of it may be lost or kept, by sectors of 512
 *   bytes, in any order. A sector that was durable before is afterwards either as it was or as it was last written, never a mixture.
 * - A file's growth and truncation are durable once `sync` of that file resolved.
 * - A file's name (create, rename, remove) is durable once `syncDirectory` of its folder resolved. A rename is all or nothing.
 * - After a failed `sync` the pages involved may be lost although later reads show them, and a later `sync` may succeed without them.
 *
 * Adapters: `disk-files.ts` (the real thing) and `simulated-disk.ts` (power cuts and faults); one contract suite runs over both.
 */
import { dirname } from 'node:path';

/** The grain in which unsynced bytes may be kept or lost. */
export const SECTOR_SIZE_BYTES = 512;

/** How to open: an existing file for reading, an existing file for both, a new file for both (refused when it exists). */
export type OpenMode = 'read' | 'write' | 'create';

export type FilesErrorCode =
  | 'not-found'
  | 'exists'
  | 'no-space'
  | 'io'
  | 'locked'
  | 'closed'
  | 'not-empty'
  | 'bad-path'
  | 'power-cut';

/** An operation on the disk failed. `code` is coarse and equal for every adapter; `cause` holds the system's error. */
export class FilesError extends Error {
  override readonly name = 'FilesError';
  readonly code: FilesErrorCode;
  readonly path: string;
  constructor(code: FilesErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(`${message}: ${path}`, options);
    this.code = code;
    this.path = path;
  }
}

/** An open file. Calls on one file may overlap; overlapping writes to the same bytes are the caller's mistake. */
export interface StoredFile {
  readonly path: string;
  /** Fills `target` from `offset`; resolves with how many bytes there were, fewer than asked only at the end of the file. */
  read(offset: number, target: Uint8Array): Promise<number>;
  /** `read`, done when it returns: for a few kilobytes, mostly in the page cache, in the middle of something that cannot wait. */
  readSync(offset: number, target: Uint8Array): number;
  /** Writes all of `bytes` (borrowed until resolved) at `offset`, extending the file when needed. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Cuts or extends (with zeros) to `sizeBytes`. */
  truncate(sizeBytes: number): Promise<void>;
  /** Makes contents and size durable. Never retry it after a failure. */
  sync(): Promise<void>;
  sizeBytes(): Promise<number>;
  /** Idempotent; does not sync. */
  close(): Promise<void>;
}

/** A held lock; `release` is idempotent. */
export interface FileLock {
  release(): Promise<void>;
}

export interface Files {
  /** True when paths are the operating system's, so that another thread can open the same files by itself. */
  readonly isSystem?: boolean;
  open(path: string, mode: OpenMode): Promise<StoredFile>;
  /** True when there is a file or folder of that name. */
  exists(path: string): Promise<boolean>;
  /** Names in a folder, in ascending order; 'not-found' when there is no such folder. */
  list(directory: string): Promise<string[]>;
  /** Creates a folder and those above it; nothing happens when it is there. */
  makeDirectory(path: string): Promise<void>;
  /** Renames a file or folder; replaces a file of that name, refuses ('not-empty') a folder that holds something. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, or a folder with all in it; nothing happens when it is not there. */
  remove(path: string): Promise<void>;
  /** Makes the names in a folder durable. */
  syncDirectory(path: string): Promise<void>;
  /** Takes the lock file at `path` for this process; 'locked' when a living process (this one included) holds it. */
  lock(path: string): Promise<FileLock>;
}

/** Reads a whole file of at most `sizeBytesMax` bytes. Throws `FilesError` ('io') when it is larger. */
export async function readWhole(files: Files, path: string, sizeBytesMax: number): Promise<Uint8Array> {
  const file = await files.open(path, 'read');
  try {
    const size = await file.sizeBytes();
    if (size > sizeBytesMax)
      throw new FilesError('io', path, `file of ${size} bytes, at most ${sizeBytesMax} expected`);
    const bytes = new Uint8Array(size);
    const got = await file.read(0, bytes);
    return got === size ? bytes : bytes.subarray(0, got);
  } finally {
    await file.close();
  }
}

/** Writes a small file so that it is there whole or not at all: beside its place, synced, renamed into it, folder synced. */
export async function writeWhole(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  const beside = `${path}.new`;
  await files.remove(beside);
  const file = await files.open(beside, 'create');
  try {
    await file.write(0, bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(beside, path);
  await files.syncDirectory(dirname(path));
}

/** Makes a folder and those above it, with names that are durable when resolved. */
export async function makeDurableDirectory(files: Files, path: string): Promise<void> {
  if (!(await files.exists(path))) {
    await makeDurableDirectory(files, dirname(path));
    await files.makeDirectory(path);
  }
  await files.syncDirectory(dirname(path));
}
