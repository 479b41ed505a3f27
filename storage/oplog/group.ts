/**
 * A group: batches that go to the disk with one write and one sync.
 *
 * Owns: one buffer from the pool, from creation to `finish` or `fail`.
 * Invariants: one group lies in one segment; a sealed group takes no more batches; every waiter is settled exactly once.
 */
import type { StorageError } from '../errors.ts';
import type { LogPosition } from './log-position.ts';

/** Bytes that may wait to be written before `append` refuses more (one batch of any size is always taken). */
export const QUEUE_SIZE_BYTES_MAX: number = 256 * 1024 * 1024;
const BUFFER_SIZE_BYTES_MIN: number = 256 * 1024;
const KEPT_BUFFER_SIZE_BYTES_MAX: number = 16 * 1024 * 1024;
const KEPT_BUFFERS_MAX = 2;

/** Two buffers in turn: one being written, one being filled. */
export class BufferPool {
  readonly #free: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(BUFFER_SIZE_BYTES_MIN);
  }

  give(buffer: Uint8Array): void {
    if (buffer.length <= KEPT_BUFFER_SIZE_BYTES_MAX && this.#free.length < KEPT_BUFFERS_MAX) this.#free.push(buffer);
  }
}

/** Where a group begins. */
export interface GroupPlace {
  readonly segment: number;
  /** Byte of the segment file; 0 when the group opens the segment. */
  readonly start: number;
  /** Bytes of the segment's header when the group opens it (they are the group's first bytes); else 0. */
  readonly headerSizeBytes: number;
  /** The log before the group. */
  readonly position: LogPosition;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (reason: StorageError) => void;
}

export class AppendGroup {
  readonly place: GroupPlace;
  /** No more batches join: it is being written, or a later group exists. */
  sealed = false;
  /** The log after the group's last batch. */
  last: LogPosition;
  #buffer: Uint8Array;
  #size = 0;
  readonly #pool: BufferPool;
  readonly #waiters: Waiter[] = [];

  constructor(pool: BufferPool, place: GroupPlace) {
    this.#pool = pool;
    this.#buffer = pool.take();
    this.place = place;
    this.last = place.position;
  }

  get buffer(): Uint8Array {
    return this.#buffer;
  }

  /** Bytes to write. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of frames, without a segment header. */
  get frameBytes(): number {
    return this.#size - this.place.headerSizeBytes;
  }

  /** Makes room for `sizeBytes` more at the end. @returns where they begin in `buffer` (which may be a new one) */
  reserve(sizeBytes: number): number {
    const at = this.#size;
    this.#size += sizeBytes;
    if (this.#size > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#size, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, at));
      this.#buffer = larger;
    }
    return at;
  }

  /** Notes a batch whose frame was written into `buffer`. @param after the log behind it @returns resolves when durable */
  add(after: LogPosition): Promise<void> {
    this.last = after;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  finish(): void {
    this.#pool.give(this.#buffer);
    for (const { resolve } of this.#waiters) resolve();
  }

  fail(reason: StorageError): void {
    for (const { reject } of this.#waiters) reject(reason);
  }
}
