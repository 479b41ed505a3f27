/**
 * What an op log holds, from its superblocks and segment headers: the frames are read only in the last segment, so it takes no time however
 * long the log is. It checks what it reads; `verifyLog` checks everything.
 */
import { sameBytes } from '../../native/index.ts';
import { CorruptionError, hexOf } from '../errors.ts';
import { readBatchHead } from '../oplog/batch.ts';
import { FrameReader } from '../oplog/frame-reader.ts';
import { readSegmentHeader, SEGMENT_HEADER_SIZE_BYTES, type SegmentHeader, segmentName } from '../oplog/segment.ts';
import type { LogIdentity, Superblock } from '../oplog/superblock.ts';
import {
  type LogFolder,
  newestSuperblock,
  readSuperblocks,
  type SegmentFile,
  type SlotReading,
  segmentFiles,
  withLogLock,
} from './log-folder.ts';

export interface SegmentSummary {
  readonly index: number;
  readonly sizeBytes: number;
  /** Height of its first batch. */
  readonly firstHeight: number;
  readonly batches: number;
  /** Number of its first op over the whole log. */
  readonly firstOp: number;
  readonly ops: number;
}

/** Bytes behind the last whole frame, as a crash may leave them. */
export interface TornTail {
  readonly segment: number;
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

export interface LogSummary {
  readonly chainId: Uint8Array;
  readonly segmentSizeBytes: number;
  readonly superblocks: readonly SlotReading[];
  /** True when the log was closed, false when it was left as a crash leaves it. */
  readonly clean: boolean;
  readonly firstHeight: number;
  /** Height of the last batch; firstHeight - 1 when there is none. */
  readonly height: number;
  readonly ops: number;
  readonly sizeBytes: number;
  readonly segments: readonly SegmentSummary[];
  readonly tornTail: TornTail | undefined;
}

/**
 * Summarises a stopped node's log. Throws `CorruptionError` for a damaged or missing header, `FilesError` ('not-found', 'locked', 'io'),
 * `StorageError` 'wrong-format'.
 */
export function inspectLog(folder: LogFolder): Promise<LogSummary> {
  return withLogLock(folder, async () => {
    const superblocks = await readSuperblocks(folder);
    const { identity, block } = newestSuperblock(folder.directory, superblocks);
    const present = (await segmentFiles(folder)).filter(({ index }) => index >= block.firstSegment);
    const whole = await wholeSegments(folder, identity, block, present);
    const { segments, tornTail } = await summarise(folder, whole);
    checkAcknowledged(folder, block, segments, tornTail);
    const last = segments.at(-1);
    const firstHeight = segments[0]?.firstHeight ?? 0;
    return {
      ...identity,
      superblocks,
      clean: block.start === block.end,
      firstHeight,
      height: last === undefined ? firstHeight - 1 : last.firstHeight + last.batches - 1,
      ops: segments.reduce((sum, { ops }) => sum + ops, 0),
      sizeBytes: present.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      segments,
      tornTail: tornTail ?? whole.tornTail,
    };
  });
}

interface WholeSegments {
  readonly segments: readonly (SegmentFile & SegmentHeader)[];
  readonly tornTail: TornTail | undefined;
}

/** Segments with their headers, up to the first file that is missing or has none: damage, or the torn beginning of a segment. */
async function wholeSegments(
  folder: LogFolder,
  identity: LogIdentity,
  block: Superblock,
  present: readonly SegmentFile[],
): Promise<WholeSegments> {
  const segments: (SegmentFile & SegmentHeader)[] = [];
  for (const [place, file] of present.entries()) {
    const index = block.firstSegment + place;
    if (file.index !== index)
      throw new CorruptionError(file.path, 0, `segment ${index} before it`, `segment ${file.index}`);
    const header = await readHeader(folder, file);
    const fault = 'fault' in header ? header.fault : foreign(identity, header);
    if (fault !== undefined) {
      // Only the group in flight may be torn, and it opens a segment only when it starts at byte 0.
      if (index < block.segment || (index === block.segment && block.start > 0))
        throw new CorruptionError(file.path, fault.offset, fault.expected, fault.found);
      return { segments, tornTail: { segment: index, ...fault } };
    }
    segments.push({ ...file, ...(header as SegmentHeader) });
  }
  return { segments, tornTail: undefined };
}

/** What is read must reach as far as was acknowledged. Throws `CorruptionError`. */
function checkAcknowledged(
  { directory }: LogFolder,
  { segment, start }: Superblock,
  segments: readonly SegmentSummary[],
  tornTail: TornTail | undefined,
): void {
  const path = `${directory}/${segmentName(segment)}`;
  const last = segments.at(-1);
  if (start > 0 && (last === undefined || last.index < segment))
    throw new CorruptionError(path, 0, 'a segment file', 'none');
  if (last?.index !== segment) return;
  if (last.sizeBytes < start)
    throw new CorruptionError(path, last.sizeBytes, `at least ${start} bytes`, `${last.sizeBytes}`);
  if (tornTail?.segment === segment && tornTail.offset < start)
    throw new CorruptionError(path, tornTail.offset, tornTail.expected, tornTail.found);
}

function foreign(identity: LogIdentity, header: SegmentHeader): Omit<TornTail, 'segment'> | undefined {
  if (sameBytes(header.chainId, identity.chainId)) return undefined;
  return { offset: 16, expected: `chain id ${hexOf(identity.chainId)}`, found: hexOf(header.chainId) };
}

async function readHeader(
  { files, kernels }: LogFolder,
  segment: SegmentFile,
): Promise<ReturnType<typeof readSegmentHeader>> {
  const file = await files.open(segment.path, 'read');
  try {
    const bytes = new Uint8Array(Math.min(segment.sizeBytes, SEGMENT_HEADER_SIZE_BYTES));
    await file.read(0, bytes);
    return readSegmentHeader(kernels, bytes);
  } finally {
    await file.close();
  }
}

/** Batches and ops of each segment: from the next one's header, and by reading the last. */
async function summarise(
  folder: LogFolder,
  { segments }: WholeSegments,
): Promise<{ readonly segments: SegmentSummary[]; readonly tornTail: TornTail | undefined }> {
  const last = segments.at(-1);
  if (last === undefined) return { segments: [], tornTail: undefined };
  const end = await readLast(folder, last);
  const summaries = segments.map(({ index, sizeBytes, first }, place) => {
    const next = segments[place + 1]?.first ?? end;
    return {
      index,
      sizeBytes,
      firstHeight: first.height,
      batches: next.height - first.height,
      firstOp: first.opCount,
      ops: next.opCount - first.opCount,
    };
  });
  return { segments: summaries, tornTail: end.tornTail };
}

async function readLast(
  { files, kernels }: LogFolder,
  { path, index, sizeBytes, first }: SegmentFile & SegmentHeader,
): Promise<{ readonly height: number; readonly opCount: number; readonly tornTail: TornTail | undefined }> {
  let { height, opCount } = first;
  const file = await files.open(path, 'read');
  try {
    const reader = new FrameReader(kernels, file, SEGMENT_HEADER_SIZE_BYTES, sizeBytes);
    for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
      if (frame.kind === 'fault') {
        const { offset, expected, found } = frame;
        return { height, opCount, tornTail: { segment: index, offset, expected, found } };
      }
      opCount += readBatchHead(frame.batch).opCount;
      height += 1;
    }
    return { height, opCount, tornTail: undefined };
  } finally {
    await file.close();
  }
}
