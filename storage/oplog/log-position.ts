/**
 * Where the log stands between two batches, and whether a batch's head says just that.
 *
 * Invariant: the position after a batch follows from the position before it and the batch's bytes alone.
 */
import { sameBytes } from '../../native/index.ts';
import { hexOf } from '../errors.ts';
import type { BatchHead } from './batch.ts';

/** Where the log stands: what the next batch follows. */
export interface LogPosition {
  /** Height of the next batch. */
  readonly height: number;
  /** Ops in all batches before it, their heads included: the number of the next batch's head. */
  readonly opCount: number;
  /** Bytes of all frames before it, segment headers not counted. */
  readonly frameOffset: number;
  /** Bytes of the frame before it; 0 when there is none. */
  readonly previousFrameSizeBytes: number;
  /** Digest of the batch before it; the chain id when there is none. 32 bytes. */
  readonly digest: Uint8Array;
}

/** Where a log without any batch stands. */
export function startOfLog(chainId: Uint8Array): LogPosition {
  return { height: 0, opCount: 0, frameOffset: 0, previousFrameSizeBytes: 0, digest: chainId };
}

/** The position behind a batch that stands at `at`. @param opCount its ops, the head not counted @param digest its digest (kept) */
export function positionAfter(
  at: LogPosition,
  opCount: number,
  frameSizeBytes: number,
  digest: Uint8Array,
): LogPosition {
  return {
    height: at.height + 1,
    opCount: at.opCount + 1 + opCount,
    frameOffset: at.frameOffset + frameSizeBytes,
    previousFrameSizeBytes: frameSizeBytes,
    digest,
  };
}

/** A field of a batch's head that does not follow from the log before it. */
export interface PlaceFault {
  readonly field: string;
  /** Byte of the batch where the field stands. */
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

/**
 * Compares a batch's head with the place it must have. @param floorBefore floor in the head before it; 0 when that is not known.
 * The floor itself follows from the keys, which the log does not know: it must not fall, nor pass the ops there are.
 */
export function placeFault(head: BatchHead, at: LogPosition, floorBefore: number): PlaceFault | undefined {
  const fault = (field: string, offset: number, expected: string, found: string | number): PlaceFault => ({
    field,
    offset,
    expected: `${field} ${expected}`,
    found: String(found),
  });
  if (head.height !== at.height) return fault('height', 0, `${at.height}`, head.height);
  if (head.previousFrameSizeBytes !== at.previousFrameSizeBytes)
    return fault('previous frame size', 12, `${at.previousFrameSizeBytes}`, head.previousFrameSizeBytes);
  if (head.frameOffset !== at.frameOffset) return fault('frame offset', 16, `${at.frameOffset}`, head.frameOffset);
  if (head.floor < floorBefore || head.floor > at.opCount)
    return fault('floor', 24, `within ${floorBefore} .. ${at.opCount}`, head.floor);
  if (!sameBytes(head.previousDigest, at.digest))
    return fault('previous digest', 32, hexOf(at.digest), hexOf(head.previousDigest));
  return undefined;
}
