/**
 * Op log segments: files of about `segmentSizeBytes`, each with a header and then frames.
 *
 *   offset  bytes  field
 *   0       8      magic 'CAIRNLOG'
 *   8       4      format version u32 = 1
 *   12      4      header size u32 = 128
 *   16      32     chain id
 *   48      8      height u64 of the first batch
 *   56      8      number u64 of its first op, counted from 0 over the whole log
 *   64      8      offset u64 of its first frame, counted over all frames of the log
 *   72      32     chain before the first frame
 *   104     20     zero
 *   124     4      CRC-32C of bytes 0 .. 123
 *
 * Invariants
 * - A batch opens a new segment when the current one holds a frame already and would grow past `segmentSizeBytes`. So the cuts
 *   follow from the batches alone. A batch larger than that has a segment of its own.
 * - A segment file never stands empty: it has a header and at least one frame, or it is not acknowledged.
 */
import { type Kernels, sameBytes } from '../../native/index.ts';
import { hexOf } from '../errors.ts';

export const SEGMENT_HEADER_SIZE_BYTES = 128;
/** Default size at which segments are cut. */
export const SEGMENT_SIZE_BYTES_DEFAULT: number = 64 * 1024 * 1024;
const MAGIC: Uint8Array = new TextEncoder().encode('CAIRNLOG');
const VERSION = 1;

/** Where the log stands: what the next batch follows. */
export interface LogPosition {
  /** Height of the next batch. */
  readonly height: number;
  /** Ops in all batches before it. */
  readonly opCount: number;
  /** Bytes of all frames before it, headers not counted. */
  readonly frameOffset: number;
  /** Chain after the last batch; the chain id when there is none. 32 bytes. */
  readonly chain: Uint8Array;
}

/** `segment-00000000` */
export function segmentName(index: number): string {
  return `segment-${String(index).padStart(8, '0')}`;
}

/** Index of a segment file's name, or undefined when it is none. */
export function segmentIndex(name: string): number | undefined {
  return /^segment-[0-9]{8}$/.test(name) ? Number(name.slice(8)) : undefined;
}

/** True when a frame of `sizeBytes` must go into a new segment. @param end bytes the current segment holds, 0 when there is none */
export function needsNewSegment(end: number, sizeBytes: number, segmentSizeBytes: number): boolean {
  return end === 0 || (end > SEGMENT_HEADER_SIZE_BYTES && end + sizeBytes > segmentSizeBytes);
}

/** Writes a header at the start of `bytes`. */
export function writeSegmentHeader(
  kernels: Pick<Kernels, 'crc32c'>,
  bytes: Uint8Array,
  chainId: Uint8Array,
  first: LogPosition,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SEGMENT_HEADER_SIZE_BYTES);
  bytes.fill(0, 0, SEGMENT_HEADER_SIZE_BYTES);
  bytes.set(MAGIC, 0);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, SEGMENT_HEADER_SIZE_BYTES, true);
  bytes.set(chainId, 16);
  view.setBigUint64(48, BigInt(first.height), true);
  view.setBigUint64(56, BigInt(first.opCount), true);
  view.setBigUint64(64, BigInt(first.frameOffset), true);
  bytes.set(first.chain, 72);
  view.setUint32(124, kernels.crc32c(bytes.subarray(0, 124)), true);
}

/** What a segment's header says. */
export interface SegmentHeader {
  readonly chainId: Uint8Array;
  /** The log before the segment's first frame. */
  readonly first: LogPosition;
}

/** Reads a header on its own (hostile bytes), or says what is wrong with it: its checksum, or a field of another format. */
export function readSegmentHeader(
  kernels: Pick<Kernels, 'crc32c'>,
  bytes: Uint8Array,
): SegmentHeader | { readonly fault: HeaderFault } {
  if (bytes.length < SEGMENT_HEADER_SIZE_BYTES)
    return { fault: { offset: bytes.length, expected: 'a header of 128 bytes', found: `${bytes.length} bytes` } };
  const view = new DataView(bytes.buffer, bytes.byteOffset, SEGMENT_HEADER_SIZE_BYTES);
  const crc = kernels.crc32c(bytes.subarray(0, 124));
  if (crc !== view.getUint32(124, true))
    return {
      fault: { offset: 0, expected: `checksum ${view.getUint32(124, true)} as the header says`, found: `${crc}` },
    };
  const chainId = bytes.slice(16, 48);
  const number = (at: number): number => Number(view.getBigUint64(at, true));
  const first = {
    height: number(48),
    opCount: number(56),
    frameOffset: number(64),
    chain: bytes.slice(72, 104),
  };
  // The one way to write these values: magic, version, size and zeros are compared too.
  const fault = headerFault(kernels, bytes, chainId, first);
  return fault === undefined ? { chainId, first } : { fault };
}

/** Where a header differs from the one that must stand there. */
export interface HeaderFault {
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

/** Compares a header with the only one that fits there: it follows from the log before it. @returns undefined when equal */
export function headerFault(
  kernels: Pick<Kernels, 'crc32c'>,
  found: Uint8Array,
  chainId: Uint8Array,
  first: LogPosition,
): HeaderFault | undefined {
  const wanted = new Uint8Array(SEGMENT_HEADER_SIZE_BYTES);
  writeSegmentHeader(kernels, wanted, chainId, first);
  if (found.length < SEGMENT_HEADER_SIZE_BYTES)
    return { offset: found.length, expected: 'a header of 128 bytes', found: `${found.length} bytes` };
  const fields = [0, 8, 12, 16, 48, 56, 64, 72, 104, 124, SEGMENT_HEADER_SIZE_BYTES];
  for (const [index, start] of fields.slice(0, -1).entries()) {
    const end = fields[index + 1]!;
    if (!sameBytes(found.subarray(start, end), wanted.subarray(start, end)))
      return {
        offset: start,
        expected: hexOf(wanted.subarray(start, end)),
        found: hexOf(found.subarray(start, end)),
      };
  }
  return undefined;
}
