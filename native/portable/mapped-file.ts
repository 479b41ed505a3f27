/**
 * A "mapped" file of the portable twin: its bytes held in memory, written back at `sync`.
 *
 * Owns: one file descriptor from `mapFile` to `close`.
 * - `sync` compares memory with the file piece by piece, writes the pieces that differ, then fsyncs. So it needs no second copy and no
 *   dirty tracking, but it reads the whole file (from the page cache, as a rule).
 * - Unlike a real mapping, changes reach the file at `sync` only, and two mappings of one file do not see each other's changes
 *   before one syncs and the other is opened. One process and one thread own a table shard, so nothing relies on more.
 * - A new file is sparse: ENOSPC shows at `sync`, as an error.
 */
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { MappedFile } from '../kernels.ts';
import { MappedFileError, tooShort } from '../mapped-file-error.ts';

const PIECE_BYTES = 256 * 1024;

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EIO';
}

/** Runs a step on the file; whatever the system says becomes a MappedFileError. */
function attempt<T>(path: string, what: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof MappedFileError) throw error;
    throw new MappedFileError(codeOf(error), path, what, { cause: error });
  }
}

function readFully(descriptor: number, target: Uint8Array, position: number): void {
  for (let done = 0; done < target.length; ) {
    const got = readSync(descriptor, target, done, target.length - done, position + done);
    if (got === 0) throw new RangeError(`the file ends at ${position + done}`);
    done += got;
  }
}

function writeFully(descriptor: number, source: Uint8Array, position: number): void {
  for (let done = 0; done < source.length; )
    done += writeSync(descriptor, source, done, source.length - done, position + done);
}

/** Makes a new file's name durable. */
function syncDirectory(path: string): void {
  const descriptor = openSync(dirname(path), constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function prepare(descriptor: number, path: string, sizeBytes: number, create: boolean): Uint8Array {
  const found = fstatSync(descriptor).size;
  if (found < sizeBytes) {
    if (!create) throw tooShort(path, found, sizeBytes);
    ftruncateSync(descriptor, sizeBytes);
    fsyncSync(descriptor);
    syncDirectory(path);
  }
  const bytes = new Uint8Array(sizeBytes);
  if (found > 0) readFully(descriptor, bytes.subarray(0, Math.min(found, sizeBytes)), 0);
  return bytes;
}

function writeBack(descriptor: number, bytes: Uint8Array): void {
  const stored = Buffer.allocUnsafe(Math.min(PIECE_BYTES, bytes.length));
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    const old = stored.subarray(0, piece.length);
    readFully(descriptor, old, at);
    if (old.compare(piece) !== 0) writeFully(descriptor, piece, at);
  }
  fsyncSync(descriptor);
}

/** The kernel `mapFile`. */
export function mapFile(path: string, sizeBytes: number, options: { create: boolean }): MappedFile {
  const flags = constants.O_RDWR | (options.create ? constants.O_CREAT : 0);
  const descriptor = attempt(path, 'cannot open', () => openSync(path, flags, 0o644));
  let open = true;
  const close = (): void => {
    if (open) closeSync(descriptor);
    open = false;
  };
  try {
    const bytes = attempt(path, 'cannot prepare', () => prepare(descriptor, path, sizeBytes, options.create));
    const sync = (): void => {
      if (!open) throw new MappedFileError('EBADF', path, 'sync after close');
      attempt(path, 'cannot write back', () => writeBack(descriptor, bytes));
    };
    return { bytes, sync, close };
  } catch (error) {
    close();
    throw error;
  }
}
