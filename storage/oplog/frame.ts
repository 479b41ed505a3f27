/**
 * A frame: one batch in the op log, with what tells a torn write (CRC-32C) from a whole one and chains it to all before it.
 *
 *   offset  bytes  field
 *   0       4      crc u32: CRC-32C of every byte after it, padding included
 *   4       4      size u32 of the batch
 *   8       32     chain: SHA-256('cairn/log/1' || previous chain || SHA-256('cairn/batch/1' || batch)); before the first: the chain id
 *   40      size   the batch
 *                  zeros up to a multiple of 8
 *
 * Invariants: frames depend on nothing but the chain id and the batches before, so honest nodes' logs are byte-identical.
 */
import { type Hash, hash, type Kernels } from '../../native/index.ts';
import { BATCH_TAG } from '../commitment/commitment.ts';

export const FRAME_HEAD_SIZE_BYTES = 40;
export const FRAME_ALIGNMENT_BYTES = 8;
const CHAIN_AT = 8;
const TAG_AT: number = FRAME_HEAD_SIZE_BYTES - BATCH_TAG.length;
const LOG_TAG: Uint8Array = new TextEncoder().encode('cairn/log/1');

/** What frames need of the kernels. */
export type FrameKernels = Pick<Kernels, 'sha256' | 'crc32c'>;

/** Bytes of a frame around a batch of `batchSizeBytes`. */
export function frameSize(batchSizeBytes: number): number {
  return Math.ceil((FRAME_HEAD_SIZE_BYTES + batchSizeBytes) / FRAME_ALIGNMENT_BYTES) * FRAME_ALIGNMENT_BYTES;
}

/** The chain after a batch of that digest. */
export function nextChain(kernels: FrameKernels, chain: Uint8Array, digest: Uint8Array): Hash {
  const input = new Uint8Array(LOG_TAG.length + 64);
  input.set(LOG_TAG, 0);
  input.set(chain, LOG_TAG.length);
  input.set(digest, LOG_TAG.length + 32);
  return hash(kernels.sha256(input));
}

/**
 * The digest of a batch lying at `at + 40` of `bytes`, without copying it: the tag is put into the last bytes of the frame's head,
 * where the chain stands or will stand. The head's bytes there are overwritten.
 */
export function digestInPlace(kernels: FrameKernels, bytes: Uint8Array, at: number, batchSizeBytes: number): Hash {
  bytes.set(BATCH_TAG, at + TAG_AT);
  return hash(kernels.sha256(bytes.subarray(at + TAG_AT, at + FRAME_HEAD_SIZE_BYTES + batchSizeBytes)));
}

/** What a written frame says. */
export interface FrameLinks {
  readonly digest: Hash;
  readonly chain: Hash;
}

/** Writes a frame at `at` of `bytes`, which must have room for it; `batch` is copied. */
export function writeFrame(
  kernels: FrameKernels,
  bytes: Uint8Array,
  at: number,
  batch: Uint8Array,
  chainBefore: Uint8Array,
): FrameLinks {
  const size = frameSize(batch.length);
  bytes.set(batch, at + FRAME_HEAD_SIZE_BYTES);
  bytes.fill(0, at + FRAME_HEAD_SIZE_BYTES + batch.length, at + size);
  const digest = digestInPlace(kernels, bytes, at, batch.length);
  const chain = nextChain(kernels, chainBefore, digest);
  bytes.set(chain, at + CHAIN_AT);
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, size);
  view.setUint32(4, batch.length, true);
  view.setUint32(0, kernels.crc32c(bytes.subarray(at + 4, at + size)), true);
  return { digest, chain };
}

/** A frame's head as read; nothing in it is checked. */
export interface FrameHead {
  readonly crc: number;
  readonly batchSizeBytes: number;
  readonly chain: Uint8Array;
}

/** Reads the 40 bytes at `at` (the chain is copied). */
export function readFrameHead(bytes: Uint8Array, at: number): FrameHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_HEAD_SIZE_BYTES);
  return {
    crc: view.getUint32(0, true),
    batchSizeBytes: view.getUint32(4, true),
    chain: bytes.slice(at + CHAIN_AT, at + FRAME_HEAD_SIZE_BYTES),
  };
}
