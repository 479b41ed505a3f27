/**
 * A durable record: one small value that must never be lost or go back, such as a validator's last vote or its last own slot.
 *
 *   file: two slots, each the same copy twice, so that one bad sector loses nothing: 4 copies
 *   copy: 0   8  magic 'CAIRNREC'
 *         8   8  sequence u64, 1 more with every write; slot = sequence mod 2
 *         16  4  size u32 of the value
 *         20  4  CRC-32C of bytes 0 .. 19 and the value
 *         24     the value, then zeros up to the next multiple of 4096, then whatever longer value stood there before
 *   A copy's room is a multiple of 4096; a write touches only the pages its value needs.
 *
 * Owns: the file and `PATH.lock`, so that no second process can write it.
 *
 * Invariants
 * - `write` resolves when the value is synced; after a failed write or sync it takes nothing more.
 * - The file's name is durable before the first value is taken, whoever made the file.
 * - A cut during a write leaves the value before it (the other slot) or the new one, whole.
 * - One bad sector anywhere loses nothing. A slot with both copies bad counts as a torn write that was never acknowledged.
 * - Opening writes the newest slot again and syncs it: after a failed sync the page cache may show what the disk does not have.
 */
import { dirname } from 'node:path';
import { type Kernels, sameBytes } from '../native/index.ts';
import { CorruptionError, StorageError } from './errors.ts';
import { diskFiles } from './files/disk-files.ts';
import { type FileLock, type Files, readWhole, type StoredFile, writeWhole } from './files/files.ts';

const MAGIC: Uint8Array = new TextEncoder().encode('CAIRNREC');
const HEAD_SIZE_BYTES = 24;
const PAGE_SIZE_BYTES = 4096;
/** Largest value a record may be made for. */
export const RECORD_SIZE_BYTES_MAX: number = 1024 * 1024;

export interface DurableRecordOptions {
  readonly kernels: Pick<Kernels, 'crc32c'>;
  /** Largest value, bytes; fixed when the file is made; 4072 (one page a copy) unless given. */
  readonly valueSizeBytesMax?: number;
  readonly files?: Files;
}

interface Stored {
  readonly sequence: number;
  readonly value: Uint8Array;
}

export class DurableRecord {
  readonly #kernels: Pick<Kernels, 'crc32c'>;
  readonly #file: StoredFile;
  readonly #lock: FileLock;
  readonly #copySize: number;
  #latest: Stored;
  #queue: Promise<unknown> = Promise.resolve();
  #failure: StorageError | undefined;
  #closed = false;

  private constructor(
    kernels: Pick<Kernels, 'crc32c'>,
    file: StoredFile,
    lock: FileLock,
    copySize: number,
    latest: Stored,
  ) {
    this.#kernels = kernels;
    this.#file = file;
    this.#lock = lock;
    this.#copySize = copySize;
    this.#latest = latest;
  }

  /**
   * Opens or makes the record at `path`, whose folder must exist.
   * Throws `FilesError` ('locked', ...), `CorruptionError` when no newest value can be trusted.
   */
  static async open(path: string, options: DurableRecordOptions): Promise<DurableRecord> {
    const files = options.files ?? diskFiles();
    const valueMax = options.valueSizeBytesMax ?? PAGE_SIZE_BYTES - HEAD_SIZE_BYTES;
    if (!Number.isInteger(valueMax) || valueMax < 1 || valueMax > RECORD_SIZE_BYTES_MAX)
      throw new StorageError(
        'too-large',
        `a record's value may be made for 1 .. ${RECORD_SIZE_BYTES_MAX} bytes, got ${valueMax}`,
      );
    const copySize = Math.ceil((HEAD_SIZE_BYTES + valueMax) / PAGE_SIZE_BYTES) * PAGE_SIZE_BYTES;
    const lock = await files.lock(`${path}.lock`);
    try {
      if (!(await files.exists(path))) await writeWhole(files, path, emptyFile(options.kernels, copySize));
      // A process killed between the file's rename and this sync left a name that a power cut would take, with all written since.
      else await files.syncDirectory(dirname(path));
      const bytes = await readWhole(files, path, 4 * RECORD_SIZE_BYTES_MAX + 16 * PAGE_SIZE_BYTES);
      if (bytes.length !== 4 * copySize)
        throw new CorruptionError(path, bytes.length, `a file of ${4 * copySize} bytes`, `${bytes.length}`);
      const latest = newest(options.kernels, path, bytes, copySize);
      const file = await files.open(path, 'write');
      const copy = encodeCopy(options.kernels, latest.sequence, latest.value);
      await writeSlot(file, copy, latest.sequence, copySize);
      await file.sync();
      return new DurableRecord(options.kernels, file, lock, copySize, latest);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** The last value written (copied), or undefined when none ever was. */
  read(): Uint8Array | undefined {
    return this.#latest.sequence < 2 ? undefined : this.#latest.value.slice();
  }

  /**
   * Replaces the value (copied before this returns); synced when resolved. Calls queue up in order.
   * Rejects with `StorageError` 'too-large', 'failed', 'closed'.
   */
  write(value: Uint8Array): Promise<void> {
    const copy = value.slice();
    const done = this.#queue.then(() => this.#write(copy));
    this.#queue = done.catch(() => {});
    return done;
  }

  async #write(value: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw new StorageError('closed', 'the record is closed');
    const max = this.#copySize - HEAD_SIZE_BYTES;
    if (value.length > max) throw new StorageError('too-large', `a value of ${value.length} bytes; at most ${max} fit`);
    const sequence = this.#latest.sequence + 1;
    try {
      await writeSlot(this.#file, encodeCopy(this.#kernels, sequence, value), sequence, this.#copySize);
      await this.#file.sync();
    } catch (error) {
      this.#failure = new StorageError(
        'failed',
        `writing ${this.#file.path} failed; it takes nothing more until it is opened again`,
        {
          cause: error,
        },
      );
      throw this.#failure;
    }
    this.#latest = { sequence, value };
  }

  /** Waits for queued writes and lets go of the file. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#queue;
    this.#closed = true;
    await this.#file.close();
    await this.#lock.release();
  }
}

/** The same copy twice, in the slot of its sequence. */
async function writeSlot(file: StoredFile, copy: Uint8Array, sequence: number, copySize: number): Promise<void> {
  const slot = (sequence % 2) * 2 * copySize;
  await Promise.all([file.write(slot, copy), file.write(slot + copySize, copy)]);
}

/** Head and value, in whole pages. */
function encodeCopy(kernels: Pick<Kernels, 'crc32c'>, sequence: number, value: Uint8Array): Uint8Array {
  const copy = new Uint8Array(Math.ceil((HEAD_SIZE_BYTES + value.length) / PAGE_SIZE_BYTES) * PAGE_SIZE_BYTES);
  const view = new DataView(copy.buffer);
  copy.set(MAGIC, 0);
  view.setBigUint64(8, BigInt(sequence), true);
  view.setUint32(16, value.length, true);
  view.setUint32(20, kernels.crc32c(value, kernels.crc32c(copy.subarray(0, 20))), true);
  copy.set(value, HEAD_SIZE_BYTES);
  return copy;
}

/** A file without a value: sequences 0 and 1, both empty. */
function emptyFile(kernels: Pick<Kernels, 'crc32c'>, copySize: number): Uint8Array {
  const bytes = new Uint8Array(4 * copySize);
  for (const copy of [0, 1, 2, 3]) bytes.set(encodeCopy(kernels, copy >> 1, new Uint8Array(0)), copy * copySize);
  return bytes;
}

function decodeCopy(kernels: Pick<Kernels, 'crc32c'>, copy: Uint8Array): Stored | undefined {
  if (!sameBytes(copy.subarray(0, 8), MAGIC)) return undefined;
  const view = new DataView(copy.buffer, copy.byteOffset, copy.length);
  const size = view.getUint32(16, true);
  const sequence = Number(view.getBigUint64(8, true));
  if (size > copy.length - HEAD_SIZE_BYTES || !Number.isSafeInteger(sequence)) return undefined;
  const value = copy.slice(HEAD_SIZE_BYTES, HEAD_SIZE_BYTES + size);
  const crc = kernels.crc32c(value, kernels.crc32c(copy.subarray(0, 20)));
  return crc === view.getUint32(20, true) ? { sequence, value } : undefined;
}

/** The value written last, from the four copies. */
function newest(kernels: Pick<Kernels, 'crc32c'>, path: string, bytes: Uint8Array, copySize: number): Stored {
  const copies = [0, 1, 2, 3].map((index) =>
    decodeCopy(kernels, bytes.subarray(index * copySize, (index + 1) * copySize)),
  );
  let latest: Stored | undefined;
  for (const copy of copies)
    if (copy !== undefined && (latest === undefined || copy.sequence > latest.sequence)) latest = copy;
  if (latest === undefined) throw new CorruptionError(path, 0, 'a valid copy of the record among four', 'none');
  return latest;
}
