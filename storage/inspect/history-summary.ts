/**
 * What a history holds: its facts, blocks, segment files and their recorded roots, and its index. Reads no block; `cairn verify history` checks
 * them all.
 */
import { type Hash, type Kernels, sameBytes } from '../../native/index.ts';
import { CorruptionError, hexOf } from '../errors.ts';
import { type Files, FilesError } from '../files/files.ts';
import { type HistoryShape, segmentRootOf } from '../history/cursor.ts';
import { type BlockPlace, type HistoryFacts, HistoryIndex } from '../history/history-index.ts';
import { segmentFiles } from './log-folder.ts';

export interface InspectHistoryOptions {
  readonly files: Files;
  readonly kernels: Kernels;
  /** The folder with `stream/` and `index/`. */
  readonly directory: string;
  /** Recomputes the root of every whole segment that is held, and compares. */
  readonly recompute: boolean;
  /** Told how far recomputing is, in segments. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface HistorySegment {
  readonly index: number;
  /** Bytes of its file; 0 when it is not held (it lies before the start: pruned, or never fetched). */
  readonly sizeBytes: number;
  /** Recorded when the segment was whole; undefined for the one being filled. */
  readonly root: Hash | undefined;
}

export interface HistorySummary {
  readonly facts: HistoryFacts;
  /** The last block; undefined while there is none. */
  readonly tip: BlockPlace | undefined;
  readonly blocks: number;
  readonly transactions: number;
  /** Bytes of the stream that blocks and the start account for. */
  readonly length: number;
  /** Bytes of stream files behind the last indexed block: never acknowledged, cut at the next start. */
  readonly unindexedBytes: number;
  /** Bytes of the stream that pruning has taken away, and of files it has not yet removed: the next start does. */
  readonly prunedBytes: number;
  readonly leftoverBytes: number;
  readonly segments: readonly HistorySegment[];
  /** Whole segments whose root was recomputed and is right. */
  readonly rootsChecked: number;
  readonly indexSizeBytes: number;
}

/**
 * Summarises a stopped node's history. Throws `FilesError` ('not-found', 'locked', 'io'), `CorruptionError` for a file that is missing, short, or
 * does not have its root.
 */
export async function inspectHistory(options: InspectHistoryOptions): Promise<HistorySummary> {
  const { files, directory } = options;
  // lmdb would make an index that is not there.
  const indexFile = `${directory}/index/data.mdb`;
  if (!(await files.exists(indexFile))) throw new FilesError('not-found', indexFile, 'no history here');
  const lock = await files.lock(`${directory}/lock`);
  let index: HistoryIndex | undefined;
  try {
    index = await HistoryIndex.open(`${directory}/index`);
    return await summarise(options, index, indexFile);
  } finally {
    await index?.close();
    await lock.release();
  }
}

async function summarise(
  options: InspectHistoryOptions,
  index: HistoryIndex,
  indexFile: string,
): Promise<HistorySummary> {
  const { files, directory } = options;
  const { facts, last: tip } = index;
  if (facts === undefined) throw new CorruptionError(indexFile, 0, 'the facts of the history', 'none');
  const { segmentSizeBytes, startOffset } = facts;
  const length = tip === undefined ? startOffset : tip.offset + tip.sizeBytes;
  const held = new Map(
    (await segmentFiles({ files, directory: `${directory}/stream` })).map((file) => [file.index, file.sizeBytes]),
  );
  const first = Math.floor(startOffset / segmentSizeBytes);
  const segments: HistorySegment[] = [];
  for (let segment = 0; segment * segmentSizeBytes < length; segment++) {
    const sizeBytes = segment < first ? 0 : (held.get(segment) ?? 0);
    const wanted = Math.min(segmentSizeBytes, length - segment * segmentSizeBytes);
    const path = streamPath(directory, segment);
    if (segment >= first && sizeBytes < wanted)
      throw new CorruptionError(path, sizeBytes, `${wanted} bytes`, `${sizeBytes}`);
    const root = index.segmentRoot(segment);
    if (root === undefined && wanted === segmentSizeBytes)
      throw new CorruptionError(indexFile, 0, `a root of segment ${segment}`, 'none');
    segments.push({ index: segment, sizeBytes, root });
  }
  const bytesOf = (isCounted: (segment: number) => boolean): number =>
    [...held].reduce((sum, [segment, sizeBytes]) => sum + (isCounted(segment) ? sizeBytes : 0), 0);
  return {
    facts,
    tip,
    ...index.counts,
    length,
    unindexedBytes: Math.max(0, bytesOf((segment) => segment >= first) - (length - first * segmentSizeBytes)),
    prunedBytes: facts.prunedBytes ?? 0,
    leftoverBytes: bytesOf((segment) => segment < first),
    segments,
    rootsChecked: options.recompute ? await checkRoots(options, facts, segments) : 0,
    indexSizeBytes: await sizeOf(files, indexFile),
  };
}

const streamPath = (directory: string, segment: number): string =>
  `${directory}/stream/segment-${String(segment).padStart(8, '0')}`;

/** Recomputes the root of every whole segment held. @returns how many */
async function checkRoots(
  { files, kernels, directory, onProgress }: InspectHistoryOptions,
  shape: HistoryShape,
  segments: readonly HistorySegment[],
): Promise<number> {
  const whole = segments.filter(({ root, sizeBytes }) => root !== undefined && sizeBytes > 0);
  for (const [done, { index, root }] of whole.entries()) {
    const path = streamPath(directory, index);
    const bytes = new Uint8Array(shape.segmentSizeBytes);
    const file = await files.open(path, 'read');
    try {
      await file.read(0, bytes);
    } finally {
      await file.close();
    }
    const found = segmentRootOf(kernels, shape, bytes);
    if (!sameBytes(found, root!)) throw new CorruptionError(path, 0, `root ${hexOf(root!)}`, hexOf(found));
    onProgress?.(done + 1, whole.length);
  }
  return whole.length;
}

async function sizeOf(files: Files, path: string): Promise<number> {
  const file = await files.open(path, 'read');
  try {
    return await file.sizeBytes();
  } finally {
    await file.close();
  }
}
