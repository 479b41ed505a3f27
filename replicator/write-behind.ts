/**
 * A file whose bytes go to the disk while more of them are made, so that little is left to wait for when it is synced: a sync in the background for every so
 * many bytes, one at a time.
 *
 * Invariant: `sync` promises what it promises of any file. It waits for the one in the background, and when that failed it fails too, every time: what such a failure
 * lost is not known, and a later sync would hide it. Nothing is written any more either.
 */
import type { StoredFile } from '../storage/index.ts';

/** Bytes between two syncs in the background. */
export const WRITE_BEHIND_SIZE_BYTES: number = 8 * 1024 * 1024;

/** Puts it in front of a file. The file stays the caller's; writes under way must be done before `close`. */
export function writeBehind(file: StoredFile, stepSizeBytes: number = WRITE_BEHIND_SIZE_BYTES): StoredFile {
  return new WriteBehind(file, stepSizeBytes);
}

class WriteBehind implements StoredFile {
  readonly path: string;
  readonly #file: StoredFile;
  readonly #stepSizeBytes: number;
  #unsyncedSizeBytes = 0;
  #syncing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(file: StoredFile, stepSizeBytes: number) {
    this.path = file.path;
    this.#file = file;
    this.#stepSizeBytes = stepSizeBytes;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#throwFailure();
    await this.#file.write(offset, bytes);
    this.#unsyncedSizeBytes += bytes.length;
    if (this.#unsyncedSizeBytes < this.#stepSizeBytes || this.#syncing !== undefined) return;
    this.#unsyncedSizeBytes = 0;
    this.#syncing = this.#file
      .sync()
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(() => {
        this.#syncing = undefined;
      });
  }

  async sync(): Promise<void> {
    await this.#syncing;
    this.#throwFailure();
    this.#unsyncedSizeBytes = 0;
    await this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#syncing;
    await this.#file.close();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  read(offset: number, target: Uint8Array): Promise<number> {
    return this.#file.read(offset, target);
  }

  readSync(offset: number, target: Uint8Array): number {
    return this.#file.readSync(offset, target);
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#file.truncate(sizeBytes);
  }

  sizeBytes(): Promise<number> {
    return this.#file.sizeBytes();
  }
}
