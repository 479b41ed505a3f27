/**
 * A frame: one batch in the op log, with what tells a torn write (CRC-32C) from a whole one.
 *
 *   offset  bytes  field
 *   0       4      crc u32: CRC-32C of every byte after it, padding included
 *   4       4      size u32 of the batch
 *   8       32     digest: SHA-256('cairn/batch/1' || batch)
 *   40      size   the batch
 *                  zeros up to a multiple of 8
 *
 * Invariants: frames depend on nothing but the batches, so honest nodes' logs are byte-identical. What chains a frame to all before it
 * is the digest of the batch before, in the batch's own head.
 */
import { type Hash, hash, type Kernels } from '../../native/index.ts';
import { BATCH_TAG } from './batch.ts';

export const FRAME_HEAD_SIZE_BYTES = 40;
export const FRAME_ALIGNMENT_BYTES = 8;
const DIGEST_AT = 8;
const TAG_AT: number = FRAME_HEAD_SIZE_BYTES - BATCH_TAG.length;

/** What frames need of the kernels. */
export type FrameKernels = Pick<Kernels, 'sha256' | 'crc32c'>;

/** Bytes of a frame around a batch of `batchSizeBytes`. */
export function frameSize(batchSizeBytes: number): number {
  return Math.ceil((FRAME_HEAD_SIZE_BYTES + batchSizeBytes) / FRAME_ALIGNMENT_BYTES) * FRAME_ALIGNMENT_BYTES;
}

/**
 * The digest of a batch lying at `at + 40` of `bytes`, without copying it: the tag is put into the last bytes of the frame's head,
 * where the digest stands or will stand. The head's bytes there are overwritten.
 */
export function digestInPlace(kernels: FrameKernels, bytes: Uint8Array, at: number, batchSizeBytes: number): Hash {
  bytes.set(BATCH_TAG, at + TAG_AT);
  return hash(kernels.sha256(bytes.subarray(at + TAG_AT, at + FRAME_HEAD_SIZE_BYTES + batchSizeBytes)));
}

/** Where frames are put together: a growing buffer. */
export interface FrameSink {
  /** Makes room for `sizeBytes` at the end. @returns where they begin in `buffer` (which may be a new one) */
  reserve(sizeBytes: number): number;
  readonly buffer: Uint8Array;
}

/**
 * Puts a frame at the end of `sink`; `batch` is copied. @param known the batch's digest when the caller has it already; trusted
 * @returns the batch's digest
 */
export function writeFrame(kernels: FrameKernels, sink: FrameSink, batch: Uint8Array, known?: Hash): Hash {
  const size = frameSize(batch.length);
  const at = sink.reserve(size);
  const bytes = sink.buffer;
  bytes.set(batch, at + FRAME_HEAD_SIZE_BYTES);
  bytes.fill(0, at + FRAME_HEAD_SIZE_BYTES + batch.length, at + size);
  const digest = known ?? digestInPlace(kernels, bytes, at, batch.length);
  bytes.set(digest, at + DIGEST_AT);
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, size);
  view.setUint32(4, batch.length, true);
  view.setUint32(0, kernels.crc32c(bytes.subarray(at + 4, at + size)), true);
  return digest;
}

/** A frame's head as read; nothing in it is checked. */
export interface FrameHead {
  readonly crc: number;
  readonly batchSizeBytes: number;
  readonly digest: Uint8Array;
}

/** Reads the 40 bytes at `at` (the digest is copied). */
export function readFrameHead(bytes: Uint8Array, at: number): FrameHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_HEAD_SIZE_BYTES);
  return {
    crc: view.getUint32(0, true),
    batchSizeBytes: view.getUint32(4, true),
    digest: bytes.slice(at + DIGEST_AT, at + FRAME_HEAD_SIZE_BYTES),
  };
}
