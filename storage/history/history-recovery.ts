/**
 * Opening a history: brings the stream's files and the index together, whatever a crash left.
 *
 * Invariants (see pruning.ts for why the index leads)
 * - The index says what there is: the stream begins in the segment that holds the start, and ends with the last block. Files before and bytes
 *   behind are taken away; a file missing or short in between is damage.
 * - The cursor is made from recorded roots and checked bytes.
 */
import type { Kernels } from '../../native/index.ts';
import { assertInvariant, CorruptionError, StorageError } from '../errors.ts';
import { HistoryCursor, type HistoryShape } from './cursor.ts';
import { readFramed } from './framed-block.ts';
import type { BlockPlace, HistoryFacts, HistoryIndex } from './history-index.ts';
import type { HistoryStart } from './history-model.ts';
import type { StreamFiles } from './stream-files.ts';

/** What a recovered history is made of. */
export interface RecoveredHistory {
  readonly facts: HistoryFacts;
  readonly cursor: HistoryCursor;
  readonly tip: BlockPlace | undefined;
}

export interface HistoryOpening {
  readonly kernels: Kernels;
  /** For error messages. */
  readonly directory: string;
  readonly shape: HistoryShape;
  readonly stream: StreamFiles;
  readonly index: HistoryIndex;
  /** Used when the index holds no history yet; block 1 unless given. */
  readonly start: HistoryStart | undefined;
}

/** Brings stream and index together. Throws `StorageError` 'wrong-format' for another shape, `CorruptionError`, `FilesError`. */
export async function recoverHistory(opening: HistoryOpening): Promise<RecoveredHistory> {
  const { kernels, directory, shape, stream, index } = opening;
  const { segmentSizeBytes } = shape;
  if (index.facts === undefined) await createHistory(opening);
  const facts = index.facts!;
  if (facts.segmentSizeBytes !== segmentSizeBytes || facts.leafSizeBytes !== shape.leafSizeBytes)
    throw new StorageError(
      'wrong-format',
      `history was made with segments of ${facts.segmentSizeBytes} and leaves of ${facts.leafSizeBytes} bytes, not ${segmentSizeBytes} and ${shape.leafSizeBytes}`,
    );
  const tip = index.last;
  const end = tip === undefined ? facts.startOffset : tip.offset + tip.sizeBytes;
  await stream.cutTo(facts.startOffset, end);
  const segmentCount = Math.floor(end / segmentSizeBytes);
  const roots = new Uint8Array(segmentCount * 32);
  for (let segment = 0; segment < segmentCount; segment++) {
    const root = index.segmentRoot(segment);
    if (root === undefined)
      throw new CorruptionError(`${directory}/index`, segment, `a root of segment ${segment}`, 'none');
    roots.set(root, segment * 32);
  }
  const begin = segmentCount * segmentSizeBytes;
  await checkUnfinished(kernels, index, stream, begin);
  const unfinished = await stream.read(begin, end - begin);
  const cursor = HistoryCursor.rebuild(kernels, shape, roots, unfinished);
  return { facts, cursor, tip };
}

async function createHistory(opening: HistoryOpening): Promise<void> {
  const { kernels, shape, stream, index } = opening;
  const { segmentSizeBytes, leafSizeBytes } = shape;
  const start = opening.start ?? { height: 1, segmentRoots: new Uint8Array(0), unfinished: new Uint8Array(0) };
  assertInvariant(start.segmentRoots.length % 32 === 0, 'segment roots have 32 bytes each');
  assertInvariant(start.unfinished.length < segmentSizeBytes, 'an unfinished segment is shorter than a segment');
  const begin = (start.segmentRoots.length / 32) * segmentSizeBytes;
  // An earlier, interrupted start may have left bytes: only the facts make a history.
  await stream.cutTo(begin, begin);
  await stream.append(begin, start.unfinished);
  const startOffset = begin + start.unfinished.length;
  const facts = {
    format: 1,
    segmentSizeBytes,
    leafSizeBytes,
    startHeight: start.height,
    startOffset,
    startCrc: kernels.crc32c(start.unfinished),
  } as const;
  await index.create(facts, start.segmentRoots);
}

/** Checks every byte of the unfinished segment: the cursor is made from them. */
async function checkUnfinished(
  kernels: Kernels,
  index: HistoryIndex,
  stream: StreamFiles,
  begin: number,
): Promise<void> {
  for (let place = index.last; place !== undefined; place = index.block(place.height - 1)) {
    if (place.offset + place.sizeBytes <= begin) return;
    await readFramed(kernels, stream, place);
  }
  const { startOffset, startCrc, segmentSizeBytes } = index.facts!;
  const border = Math.floor(startOffset / segmentSizeBytes) * segmentSizeBytes;
  if (border < begin) return;
  const crc = kernels.crc32c(await stream.read(border, startOffset - border));
  if (crc !== startCrc)
    throw new CorruptionError('history stream (before its first block)', border, `checksum ${startCrc}`, `${crc}`);
}
