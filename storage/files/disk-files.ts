/**
 * The real adapter of `Files`: node:fs.
 *
 * Owns: the descriptors it opened. A file's `sync` is fdatasync, which on Linux also flushes a changed size.
 */
import { readSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type FileLock, type Files, FilesError, type FilesErrorCode, type OpenMode, type StoredFile } from './files.ts';
import { takeLock } from './lock-file.ts';

const CODES: Readonly<Record<string, FilesErrorCode>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  EEXIST: 'exists',
  ENOTEMPTY: 'not-empty',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EBADF: 'closed',
};

function asFilesError(error: unknown, path: string, what: string): FilesError {
  if (error instanceof FilesError) return error;
  const system = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return new FilesError(CODES[system] ?? 'io', path, `cannot ${what} (${system})`, { cause: error });
}

async function attempt<T>(path: string, what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw asFilesError(error, path, what);
  }
}

const FLAGS: Readonly<Record<OpenMode, string>> = { read: 'r', write: 'r+', create: 'wx+' };

class DiskFile implements StoredFile {
  readonly path: string;
  readonly #handle: FileHandle;
  #open = true;

  constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    return attempt(this.path, 'read', async () => {
      let done = 0;
      while (done < target.length) {
        const { bytesRead } = await this.#handle.read(target, done, target.length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  readSync(offset: number, target: Uint8Array): number {
    if (!this.#open) throw new FilesError('closed', this.path, 'file is closed');
    try {
      let done = 0;
      while (done < target.length) {
        const got = readSync(this.#handle.fd, target, done, target.length - done, offset + done);
        if (got === 0) break;
        done += got;
      }
      return done;
    } catch (error) {
      throw asFilesError(error, this.path, 'read');
    }
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await attempt(this.path, 'write', async () => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, offset + done);
        done += bytesWritten;
      }
    });
  }

  truncate(sizeBytes: number): Promise<void> {
    return attempt(this.path, 'truncate', () => this.#handle.truncate(sizeBytes));
  }

  sync(): Promise<void> {
    return attempt(this.path, 'sync', () => this.#handle.datasync());
  }

  async sizeBytes(): Promise<number> {
    return attempt(this.path, 'stat', async () => (await this.#handle.stat()).size);
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await attempt(this.path, 'close', () => this.#handle.close());
  }
}

class DiskFiles implements Files {
  readonly isSystem = true;

  async open(path: string, mode: OpenMode): Promise<StoredFile> {
    return attempt(path, 'open', async () => new DiskFile(path, await open(path, FLAGS[mode], 0o644)));
  }

  async exists(path: string): Promise<boolean> {
    return attempt(path, 'stat', async () => {
      try {
        await stat(path);
        return true;
      } catch (error) {
        if (asFilesError(error, path, 'stat').code === 'not-found') return false;
        throw error;
      }
    });
  }

  async list(directory: string): Promise<string[]> {
    return attempt(directory, 'list', async () => (await readdir(directory)).sort());
  }

  async makeDirectory(path: string): Promise<void> {
    await attempt(path, 'make folder', () => mkdir(path, { recursive: true }));
  }

  rename(from: string, to: string): Promise<void> {
    return attempt(from, `rename to ${to}`, () => rename(from, to));
  }

  remove(path: string): Promise<void> {
    return attempt(path, 'remove', () => rm(path, { recursive: true, force: true }));
  }

  async syncDirectory(path: string): Promise<void> {
    await attempt(path, 'sync folder', async () => {
      const handle = await open(path, 'r');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }

  async lock(path: string): Promise<FileLock> {
    return attempt(path, 'lock', async () => takeLock(resolve(path)));
  }
}

/** The real disk. */
export function diskFiles(): Files {
  return new DiskFiles();
}
