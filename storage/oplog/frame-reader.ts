/**
 * Reads frames of one segment file in order, through one buffer, checking each frame's bounds and checksum.
 *
 * Invariants
 * - Reads no byte at or past `limit`; no size found on disk makes it allocate more than the file holds.
 * - Says where and how a frame is wrong and stays there; whether that is a torn tail or damage is for the caller to judge.
 */
import type { Hash } from '../../native/index.ts';
import type { StoredFile } from '../files/files.ts';
import { BATCH_HEAD_SIZE_BYTES, BATCH_SIZE_BYTES_MAX } from './batch.ts';
import { digestInPlace, FRAME_HEAD_SIZE_BYTES, type FrameKernels, frameSize, readFrameHead } from './frame.ts';

const CHUNK_SIZE_BYTES: number = 1024 * 1024;

export interface ReadFrame {
  readonly kind: 'frame';
  /** Where the frame begins in the file, and its whole size. */
  readonly offset: number;
  readonly sizeBytes: number;
  /** View of the reader's buffer: valid until the next call. */
  readonly batch: Uint8Array;
  /** The digest that its head says. */
  readonly digest: Uint8Array;
}

export interface FrameFault {
  readonly kind: 'fault';
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

export class FrameReader {
  readonly #kernels: FrameKernels;
  readonly #file: StoredFile;
  readonly #limit: number;
  #offset: number;
  #buffer = new Uint8Array(0);
  #bufferOffset = 0;
  #filled = 0;

  /** Reads frames from byte `offset` of `file` up to byte `limit`. The file stays the caller's. */
  constructor(kernels: FrameKernels, file: StoredFile, offset: number, limit: number) {
    this.#kernels = kernels;
    this.#file = file;
    this.#offset = offset;
    this.#limit = limit;
  }

  /** Where the next frame begins. */
  get offset(): number {
    return this.#offset;
  }

  /** The next frame, what is wrong with it, or undefined at the end. */
  async next(): Promise<ReadFrame | FrameFault | undefined> {
    const offset = this.#offset;
    const left = this.#limit - offset;
    if (left <= 0) return undefined;
    if (left < FRAME_HEAD_SIZE_BYTES) return this.#fault(offset, 'a frame head of 40 bytes', `${left} bytes`);
    await this.#have(offset, FRAME_HEAD_SIZE_BYTES);
    const head = readFrameHead(this.#buffer, offset - this.#bufferOffset);
    const batchSize = head.batchSizeBytes;
    if (batchSize < BATCH_HEAD_SIZE_BYTES || batchSize > BATCH_SIZE_BYTES_MAX)
      return this.#fault(
        offset + 4,
        `a batch of ${BATCH_HEAD_SIZE_BYTES} .. ${BATCH_SIZE_BYTES_MAX} bytes`,
        `${batchSize}`,
      );
    const sizeBytes = frameSize(batchSize);
    if (sizeBytes > left) return this.#fault(offset, `a frame of ${sizeBytes} bytes`, `${left} bytes up to the end`);
    await this.#have(offset, sizeBytes);
    const at = offset - this.#bufferOffset;
    const crc = this.#kernels.crc32c(this.#buffer.subarray(at + 4, at + sizeBytes));
    if (crc !== head.crc) return this.#fault(offset, `checksum ${head.crc} as its head says`, `${crc}`);
    const batchAt = at + FRAME_HEAD_SIZE_BYTES;
    for (let index = batchAt + batchSize; index < at + sizeBytes; index++)
      if (this.#buffer[index] !== 0)
        return this.#fault(index + this.#bufferOffset, 'zero padding', `${this.#buffer[index]}`);
    this.#offset = offset + sizeBytes;
    const batch = this.#buffer.subarray(batchAt, batchAt + batchSize);
    return { kind: 'frame', offset, sizeBytes, batch, digest: head.digest };
  }

  /** Digest of the batch that `next` returned last; overwrites bytes before it in the reader's buffer. */
  digest(frame: ReadFrame): Hash {
    return digestInPlace(this.#kernels, this.#buffer, frame.offset - this.#bufferOffset, frame.batch.length);
  }

  #fault(offset: number, expected: string, found: string): FrameFault {
    return { kind: 'fault', offset, expected, found };
  }

  /** Makes the buffer hold `sizeBytes` from `offset`; both were checked to lie within the limit. What it has of them already is not read again. */
  async #have(offset: number, sizeBytes: number): Promise<void> {
    const end = this.#bufferOffset + this.#filled;
    if (offset >= this.#bufferOffset && offset + sizeBytes <= end) return;
    const kept =
      offset >= this.#bufferOffset && offset < end
        ? this.#buffer.subarray(offset - this.#bufferOffset, this.#filled)
        : NOTHING;
    const wanted = Math.min(Math.max(sizeBytes, CHUNK_SIZE_BYTES), this.#limit - offset);
    const buffer = this.#buffer.length < wanted ? new Uint8Array(wanted) : this.#buffer;
    buffer.set(kept);
    this.#buffer = buffer;
    this.#bufferOffset = offset;
    const read = await this.#file.read(offset + kept.length, buffer.subarray(kept.length, wanted));
    // A file that shrinks while it is read shows as a wrong checksum.
    buffer.fill(0, kept.length + read, wanted);
    this.#filled = wanted;
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);
