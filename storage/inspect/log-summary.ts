/**
 * What an op log holds, from its superblocks and segment headers: the frames are read only in the last segment, so it takes no time however
 * long the log is. It checks what it reads; `verifyLog` checks everything.
 */
import { sameBytes } from '../../native/index.ts';
import { CorruptionError, hexOf } from '../errors.ts';
import { readBatchHead } from '../oplog/batch.ts';
import { FrameReader } from '../oplog/frame-reader.ts';
import {
  readSegmentHeader,
  SEGMENT_HEADER_SIZE_BYTES_MAX,
  type SegmentHeader,
  segmentName,
  segmentOfFrame,
} from '../oplog/segment.ts';
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
  /** Number of its first op (the head of its first batch) over the whole log. */
  readonly firstOp: number;
  /** Ops in it, heads of batches included. */
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
  readonly retainHeights: number;
  readonly superblocks: readonly SlotReading[];
  /** True when the log was closed, false when it was left as a crash leaves it. */
  readonly clean: boolean;
  readonly firstHeight: number;
  /** Height of the last batch; firstHeight - 1 when there is none. */
  readonly height: number;
  /** Number of the first op that is kept. */
  readonly firstOp: number;
  /** Ops ever, heads of batches included: the number that the next op gets. */
  readonly opCount: number;
  /** The inactivity floor in the last batch's head: ops below it are all replaced. */
  readonly floor: number;
  /** Bytes of segment files. */
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
    const present = await segmentFiles(folder);
    const whole = await wholeSegments(folder, identity, block, present);
    const { segments, end } = await summarise(folder, whole);
    const tornTail = end?.tornTail;
    checkAcknowledged(folder, block, segments, tornTail);
    const last = segments.at(-1);
    const firstHeight = segments[0]?.firstHeight ?? 0;
    return {
      ...identity,
      superblocks,
      clean: block.start === block.end,
      firstHeight,
      height: last === undefined ? firstHeight - 1 : last.firstHeight + last.batches - 1,
      firstOp: segments[0]?.firstOp ?? 0,
      opCount: end?.opCount ?? 0,
      floor: end?.floor ?? 0,
      sizeBytes: present.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      segments,
      tornTail: tornTail ?? whole.tornTail,
    };
  });
}

interface WholeSegments {
  readonly segments: readonly PlacedSegment[];
  readonly tornTail: TornTail | undefined;
}

/** A segment file with what its header says. */
interface PlacedSegment extends SegmentFile {
  readonly header: SegmentHeader;
}

/** Segments with their headers, up to the first file that has none: damage, or the torn beginning of a segment. */
async function wholeSegments(
  folder: LogFolder,
  identity: LogIdentity,
  block: Superblock,
  present: readonly SegmentFile[],
): Promise<WholeSegments> {
  const segments: PlacedSegment[] = [];
  for (const file of present) {
    const header = await readHeader(folder, file);
    const fault = 'fault' in header ? header.fault : foreign(identity, file, header);
    if ('fault' in header || fault !== undefined) {
      const { index, path } = file;
      const { offset, expected, found } = fault!;
      // Only the group in flight may be torn, and it opens a segment only when it starts at byte 0.
      if (index < block.segment || (index === block.segment && block.start > 0))
        throw new CorruptionError(path, offset, expected, found);
      return { segments, tornTail: { segment: index, offset, expected, found } };
    }
    checkFollows(folder, identity, segments.at(-1), header);
    segments.push({ ...file, header });
  }
  return { segments, tornTail: undefined };
}

/** A segment begins where the one before ends; else a file is missing or too short. Throws `CorruptionError`. */
function checkFollows(
  { directory }: LogFolder,
  { segmentSizeBytes }: LogIdentity,
  before: PlacedSegment | undefined,
  { first }: SegmentHeader,
): void {
  if (before === undefined) return;
  const missing = segmentOfFrame(first.frameOffset - first.previousFrameSizeBytes, segmentSizeBytes);
  if (missing !== before.index)
    throw new CorruptionError(`${directory}/${segmentName(missing)}`, 0, 'a segment file', 'none');
  const wanted = before.header.sizeBytes + first.frameOffset - before.header.first.frameOffset;
  if (before.sizeBytes !== wanted)
    throw new CorruptionError(
      before.path,
      Math.min(before.sizeBytes, wanted),
      `${wanted} bytes`,
      `${before.sizeBytes}`,
    );
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

function foreign(
  { chainId, segmentSizeBytes }: LogIdentity,
  { index }: SegmentFile,
  header: SegmentHeader,
): Omit<TornTail, 'segment'> | undefined {
  if (!sameBytes(header.chainId, chainId))
    return { offset: 16, expected: `chain id ${hexOf(chainId)}`, found: hexOf(header.chainId) };
  const number = segmentOfFrame(header.first.frameOffset, segmentSizeBytes);
  if (number === index) return undefined;
  return { offset: 56, expected: `a frame offset in segment ${index}`, found: `one in segment ${number}` };
}

async function readHeader(
  { files, kernels }: LogFolder,
  segment: SegmentFile,
): Promise<ReturnType<typeof readSegmentHeader>> {
  const file = await files.open(segment.path, 'read');
  try {
    const bytes = new Uint8Array(Math.min(segment.sizeBytes, SEGMENT_HEADER_SIZE_BYTES_MAX));
    await file.read(0, bytes);
    return readSegmentHeader(kernels, bytes);
  } finally {
    await file.close();
  }
}

/** Where the log ends, by its last segment's frames. */
interface LogEnd {
  readonly height: number;
  readonly opCount: number;
  readonly floor: number;
  readonly tornTail: TornTail | undefined;
}

/** Batches and ops of each segment: from the next one's header, and by reading the last. */
async function summarise(
  folder: LogFolder,
  { segments }: WholeSegments,
): Promise<{ readonly segments: SegmentSummary[]; readonly end: LogEnd | undefined }> {
  const last = segments.at(-1);
  if (last === undefined) return { segments: [], end: undefined };
  const end = await readLast(folder, last);
  const summaries = segments.map(({ index, sizeBytes, header: { first } }, place) => {
    const next = segments[place + 1]?.header.first ?? end;
    return {
      index,
      sizeBytes,
      firstHeight: first.height,
      batches: next.height - first.height,
      firstOp: first.opCount,
      ops: next.opCount - first.opCount,
    };
  });
  return { segments: summaries, end };
}

async function readLast(
  { files, kernels }: LogFolder,
  { path, index, sizeBytes, header }: PlacedSegment,
): Promise<LogEnd> {
  let { height, opCount } = header.first;
  let floor = 0;
  const file = await files.open(path, 'read');
  try {
    const reader = new FrameReader(kernels, file, header.sizeBytes, sizeBytes);
    for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
      if (frame.kind === 'fault') {
        const { offset, expected, found } = frame;
        return { height, opCount, floor, tornTail: { segment: index, offset, expected, found } };
      }
      const head = readBatchHead(frame.batch);
      opCount += 1 + head.opCount;
      height += 1;
      floor = head.floor;
    }
    return { height, opCount, floor, tornTail: undefined };
  } finally {
    await file.close();
  }
}
