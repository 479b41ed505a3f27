/**
 * Op log segments: files of about `segmentSizeBytes`, each with a header and then frames.
 *
 *   offset  bytes  field
 *   0       8      magic 'CAIRNLOG'
 *   8       4      format version u32 = 1
 *   12      4      header size u32 = 112 + 32 p
 *   16      32     chain id
 *   48      8      height u64 of the first batch
 *   56      8      frame offset u64 of its frame: bytes of all frames of the log before it
 *   64      32     digest of the batch before it; the chain id when there is none
 *   96      4      previous frame size u32, bytes; 0 when there is none
 *   100     4      CRC-32C of all other bytes of the header
 *   104     8      number u64 of its first op (the head of the batch), counted from 0 over the whole log
 *   112     32 p   peaks of the ops tree over all ops before that one, largest first; p = the number of ones in the number's binary form
 *
 * Invariants
 * - A frame at frame offset o lies in segment number floor(o / segmentSizeBytes). So cuts and names follow from the batches alone.
 *   Numbers skip where a frame is larger than a segment.
 * - A log can begin at any segment: its header says all that the batches before it would have told. The bytes from 104 on are the
 *   encoding of a `Frontier`.
 * - A segment file never stands empty: it has a header and at least one frame, or it is not acknowledged.
 */
import { type Kernels, sameBytes } from '../../native/index.ts';
import { Frontier } from '../commitment/frontier.ts';
import { hexOf } from '../errors.ts';
import type { LogPosition } from './log-position.ts';

/** Default size at which segments are cut. */
export const SEGMENT_SIZE_BYTES_DEFAULT: number = 64 * 1024 * 1024;
/** Bytes of a header before the peaks. */
const FIXED_SIZE_BYTES = 112;
const FRONTIER_AT = 104;
/** The header of the largest op number: 53 peaks. */
export const SEGMENT_HEADER_SIZE_BYTES_MAX: number = FIXED_SIZE_BYTES + 32 * 53;
const CRC_AT = 100;
const MAGIC: Uint8Array = new TextEncoder().encode('CAIRNLOG');
const VERSION = 1;

/** `segment-00000000` */
export function segmentName(index: number): string {
  return `segment-${String(index).padStart(8, '0')}`;
}

/** Number of a segment file's name, or undefined when it is none. */
export function segmentIndex(name: string): number | undefined {
  return /^segment-[0-9]{8}$/.test(name) ? Number(name.slice(8)) : undefined;
}

/** Number of the segment in which a frame at `frameOffset` lies. */
export function segmentOfFrame(frameOffset: number, segmentSizeBytes: number): number {
  return Math.floor(frameOffset / segmentSizeBytes);
}

/** True when the batch that stands there is the first of a segment: the frame before it lies in an earlier one, or there is none. */
export function opensSegment(at: LogPosition, segmentSizeBytes: number): boolean {
  const before = at.frameOffset - at.previousFrameSizeBytes;
  if (at.frameOffset === 0) return at.previousFrameSizeBytes === 0;
  return before >= 0 && segmentOfFrame(before, segmentSizeBytes) < segmentOfFrame(at.frameOffset, segmentSizeBytes);
}

/** Bytes of the header of a segment whose first op has that number. */
export function headerSize(opCount: number): number {
  let peaks = 0;
  for (let rest = opCount; rest > 0; rest = Math.floor(rest / 2)) peaks += rest % 2;
  return FIXED_SIZE_BYTES + 32 * peaks;
}

/** A segment's header, encoded. @param frontier of the ops tree over all ops before `first` */
export function encodeSegmentHeader(
  kernels: Pick<Kernels, 'crc32c'>,
  chainId: Uint8Array,
  first: LogPosition,
  frontier: Frontier,
): Uint8Array {
  const bytes = new Uint8Array(headerSize(first.opCount));
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, bytes.length, true);
  bytes.set(chainId, 16);
  view.setBigUint64(48, BigInt(first.height), true);
  view.setBigUint64(56, BigInt(first.frameOffset), true);
  bytes.set(first.digest, 64);
  view.setUint32(96, first.previousFrameSizeBytes, true);
  bytes.set(frontier.encode(), FRONTIER_AT);
  view.setUint32(CRC_AT, headerCrc(kernels, bytes), true);
  return bytes;
}

function headerCrc(kernels: Pick<Kernels, 'crc32c'>, bytes: Uint8Array): number {
  return kernels.crc32c(bytes.subarray(FRONTIER_AT), kernels.crc32c(bytes.subarray(0, CRC_AT)));
}

/** What a segment's header says. */
export interface SegmentHeader {
  readonly chainId: Uint8Array;
  /** The log before the segment's first frame. */
  readonly first: LogPosition;
  /** The ops tree before it. */
  readonly frontier: Frontier;
  /** Bytes of the header: where the first frame begins in the file. */
  readonly sizeBytes: number;
}

/** Where a header is not what must stand there. */
export interface HeaderFault {
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

/**
 * Reads the header at the start of `bytes` (hostile; at least `SEGMENT_HEADER_SIZE_BYTES_MAX` of the file, or all of it), or says
 * what is wrong with it: its length, its checksum, or a field of another format.
 */
export function readSegmentHeader(
  kernels: Pick<Kernels, 'crc32c'>,
  bytes: Uint8Array,
): SegmentHeader | { readonly fault: HeaderFault } {
  if (bytes.length < FIXED_SIZE_BYTES) return tooShort(bytes.length, FIXED_SIZE_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const number = (at: number): number => Number(view.getBigUint64(at, true));
  const opCount = number(FRONTIER_AT);
  const sizeBytes = headerSize(opCount);
  if (!Number.isSafeInteger(opCount) || view.getUint32(12, true) !== sizeBytes)
    return fault(12, `a header of ${sizeBytes} bytes, as op number ${opCount} has`, `${view.getUint32(12, true)}`);
  if (bytes.length < sizeBytes) return tooShort(bytes.length, sizeBytes);
  const header = bytes.subarray(0, sizeBytes);
  const crc = headerCrc(kernels, header);
  const stored = view.getUint32(CRC_AT, true);
  if (crc !== stored) return fault(0, `checksum ${stored} as the header says`, `${crc}`);
  if (!sameBytes(header.subarray(0, 8), MAGIC)) return fault(0, hexOf(MAGIC), hexOf(header.subarray(0, 8)));
  if (view.getUint32(8, true) !== VERSION) return fault(8, `version ${VERSION}`, `${view.getUint32(8, true)}`);
  const [height, frameOffset] = [number(48), number(56)];
  if (!Number.isSafeInteger(height)) return fault(48, 'a height of at most 2^53 - 1', `${height}`);
  if (!Number.isSafeInteger(frameOffset)) return fault(56, 'a frame offset of at most 2^53 - 1', `${frameOffset}`);
  const first = {
    height,
    opCount,
    frameOffset,
    previousFrameSizeBytes: view.getUint32(96, true),
    digest: header.slice(64, 96),
  };
  return { chainId: header.slice(16, 48), first, frontier: Frontier.decode(header.subarray(FRONTIER_AT)), sizeBytes };
}

function fault(offset: number, expected: string, found: string): { readonly fault: HeaderFault } {
  return { fault: { offset, expected, found } };
}

function tooShort(found: number, wanted: number): { readonly fault: HeaderFault } {
  return fault(found, `a header of ${wanted} bytes`, `${found} bytes`);
}

/** Compares a whole header with where it must stand. @returns undefined when it fits */
export function headerFault(header: SegmentHeader, chainId: Uint8Array, first: LogPosition): HeaderFault | undefined {
  const { first: found } = header;
  if (!sameBytes(header.chainId, chainId)) return fault(16, `chain id ${hexOf(chainId)}`, hexOf(header.chainId)).fault;
  if (found.height !== first.height) return fault(48, `height ${first.height}`, `${found.height}`).fault;
  if (found.frameOffset !== first.frameOffset)
    return fault(56, `frame offset ${first.frameOffset}`, `${found.frameOffset}`).fault;
  if (!sameBytes(found.digest, first.digest))
    return fault(64, `digest ${hexOf(first.digest)}`, hexOf(found.digest)).fault;
  if (found.previousFrameSizeBytes !== first.previousFrameSizeBytes)
    return fault(96, `a frame of ${first.previousFrameSizeBytes} bytes before`, `${found.previousFrameSizeBytes}`)
      .fault;
  if (found.opCount !== first.opCount)
    return fault(FRONTIER_AT, `op number ${first.opCount}`, `${found.opCount}`).fault;
  return undefined;
}

/** Compares the peaks of a header with the ops tree's. @returns undefined when equal */
export function frontierFault(found: Frontier, wanted: Frontier): HeaderFault | undefined {
  const [have, must] = [found.encode(), wanted.encode()];
  if (have.length !== must.length) return fault(FRONTIER_AT, `op number ${wanted.size}`, `${found.size}`).fault;
  for (let at = 0; at < must.length; at += at === 0 ? 8 : 32) {
    const end = at === 0 ? 8 : at + 32;
    if (!sameBytes(have.subarray(at, end), must.subarray(at, end)))
      return fault(FRONTIER_AT + at, hexOf(must.subarray(at, end)), hexOf(have.subarray(at, end))).fault;
  }
  return undefined;
}
