/**
 * Reads a log's batches on another thread than the one that opens it, as far as that one has checked them (read-limit.ts).
 *
 * Invariants
 * - Nothing is read past the limit. Memory: one buffer of `FrameReader`'s.
 * - What was checked is not checked once more, apart from checksums: a fault means that the files changed meanwhile.
 */
import { CorruptionError } from '../errors.ts';
import type { Files, StoredFile } from '../files/files.ts';
import { readBatchHead } from './batch.ts';
import type { FrameKernels } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import type { ReadLimit } from './read-limit.ts';
import { readSegmentHeader, SEGMENT_HEADER_SIZE_BYTES_MAX, segmentIndex, segmentName } from './segment.ts';

export interface FollowInput {
  readonly files: Files;
  readonly kernels: FrameKernels;
  readonly directory: string;
  readonly limit: ReadLimit;
}

/** A batch; its bytes are borrowed until the next step. */
export interface FollowedBatch {
  readonly batch: Uint8Array;
  /** Number of its head. */
  readonly firstOp: number;
}

/** A segment's file, read up to `offset`. */
interface OpenSegment extends FrameStretch {
  readonly index: number;
}

/** The batches in order, until the limit says that there are no more, or that nobody wants them. Throws `CorruptionError`, `FilesError`. */
export async function* followLog(input: FollowInput): AsyncGenerator<FollowedBatch> {
  const { files, kernels, directory, limit } = input;
  let segment: OpenSegment | undefined;
  let firstOp = 0;
  let done = -1;
  try {
    for (let readable = limit.next(); readable !== undefined; readable = limit.next()) {
      const names = await files.list(directory);
      for (const index of names.map(segmentIndex)) {
        if (index === undefined || index <= done || index > readable.segment) continue;
        if (segment === undefined) {
          const opened = await openSegment(input, index);
          // Later ones count on from the batches before.
          if (done < 0) firstOp = opened.firstOp;
          segment = opened.segment;
        }
        const isPast = index < readable.segment;
        for await (const batch of readBatches(
          kernels,
          segment,
          isPast ? await segment.file.sizeBytes() : readable.end,
        )) {
          yield { batch, firstOp };
          firstOp += 1 + readBatchHead(batch).opCount;
        }
        if (!isPast) continue;
        await segment.file.close();
        [segment, done] = [undefined, index];
      }
      if (readable.isWhole) return;
    }
  } finally {
    await segment?.file.close();
  }
}

async function openSegment(
  { files, kernels, directory }: FollowInput,
  index: number,
): Promise<{ segment: OpenSegment; firstOp: number }> {
  const path = `${directory}/${segmentName(index)}`;
  const file = await files.open(path, 'read');
  const bytes = new Uint8Array(Math.min(await file.sizeBytes(), SEGMENT_HEADER_SIZE_BYTES_MAX));
  await file.read(0, bytes);
  const header = readSegmentHeader(kernels, bytes);
  if (!('fault' in header))
    return { segment: { index, file, offset: header.sizeBytes }, firstOp: header.first.opCount };
  await file.close();
  throw new CorruptionError(path, header.fault.offset, header.fault.expected, header.fault.found);
}

/** A stretch of a segment's file, from a frame on. */
export interface FrameStretch {
  readonly file: StoredFile;
  /** Bytes of the file before the next frame; at the end when all were read. */
  offset: number;
}

/** The batches (borrowed until the next step) of frames up to byte `end`, only their checksums looked at. Throws `CorruptionError`, `FilesError`. */
export async function* readBatches(
  kernels: FrameKernels,
  stretch: FrameStretch,
  end: number,
): AsyncGenerator<Uint8Array> {
  const reader = new FrameReader(kernels, stretch.file, stretch.offset, end);
  for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
    if (frame.kind === 'fault') throw new CorruptionError(stretch.file.path, frame.offset, frame.expected, frame.found);
    yield frame.batch;
  }
  stretch.offset = end;
}
