/**
 * Pruning of history: which segments go, and how the blocks in them leave the index.
 *
 * A segment goes when no body in it need be kept and the caller lets it (`mayDrop`), the oldest first, never one behind another that stays. With it
 * go all blocks that begin before its end. The segments' roots stay (32 bytes each): headers are made from them.
 *
 * Invariants
 * - **The index leads, the files follow.** Each step is one lmdb transaction that moves the start past some blocks and takes out their rows, synced
 *   before it counts; only then are the files of segments wholly before the start removed. So whatever instant a crash picks, the index names no
 *   byte that is gone: at most files stand there that it does not name, and opening removes those. (The other way round a crash would leave
 *   blocks that the index promises and the disk does not have.)
 * - A step takes out whole blocks, until it has `rowsPerStep` rows. Appends go on between steps.
 * - Every kept block from `keepFromHeight` on can be the first of another node's history: the block with the first byte of the segment it begins in
 *   is kept too.
 * - The start lies in the first segment held, and that one is complete, or the start is on its border: so no bytes before it are ever looked at, and
 *   `startCrc` is that of none.
 */
import type { Hash, Kernels } from '../../native/index.ts';
import { CorruptionError } from '../errors.ts';
import { FRAME_LENGTH_SIZE_BYTES } from './cursor.ts';
import { readFramed } from './framed-block.ts';
import type { BlockPlace, DroppedBlock, HistoryFacts, HistoryIndex } from './history-index.ts';
import type { StreamFiles } from './stream-files.ts';

/** Rows of the index that one lmdb transaction takes out: two a block and one a transaction. About 5 ms of writing. */
const ROWS_PER_STEP = 4_096;

export interface PruneOptions {
  /** Bodies from this height on are kept, and the last block whatever is asked. */
  readonly keepFromHeight: number;
  /** Whether the others have enough of a segment. Asked for the oldest first, until one says no. */
  readonly mayDrop: (segment: number) => boolean;
  /** The ids (32 bytes) under which a block's transactions were indexed, from its bytes (borrowed for the call). */
  readonly transactionIds: (block: Uint8Array) => readonly Uint8Array[];
  /** Told the hashes of blocks just before they go; after a crash perhaps once more. */
  readonly onDrop?: (hashes: readonly Hash[]) => Promise<void>;
  /** Rows of the index to take out before a step ends; 4096 unless given. */
  readonly rowsPerStep?: number;
}

export interface PruneResult {
  readonly droppedBlocks: number;
  readonly droppedSegments: number;
  /** Blocks whose bytes were damaged already: their transactions' rows stay, and are passed over. */
  readonly damagedBlocks: number;
  /** Segments still held although no body in them need be kept: `mayDrop` said no to the first of them. */
  readonly waitingSegments: number;
}

/** What a prune will do. */
export interface PrunePlan {
  /** Height that will be the first held. */
  readonly startHeight: number;
  readonly waitingSegments: number;
}

/** What pruning works on. */
export interface PruneParts {
  readonly kernels: Pick<Kernels, 'crc32c'>;
  readonly stream: StreamFiles;
  readonly index: HistoryIndex;
}

/** Number of the segment with a byte of the stream. */
export function segmentOf({ segmentSizeBytes }: HistoryFacts, offset: number): number {
  return Math.floor(offset / segmentSizeBytes);
}

/** Plans a prune of a history whose last block is `tip`. Reads the index only. */
export function planPrune(
  index: HistoryIndex,
  facts: HistoryFacts,
  tip: BlockPlace,
  { keepFromHeight, mayDrop }: Pick<PruneOptions, 'keepFromHeight' | 'mayDrop'>,
): PrunePlan {
  const { startHeight, startOffset, segmentSizeBytes } = facts;
  const keepFrom = Math.min(keepFromHeight, tip.height);
  if (keepFrom <= startHeight) return { startHeight, waitingSegments: 0 };
  const first = segmentOf(facts, startOffset);
  const border = segmentOf(facts, index.block(keepFrom)!.offset) * segmentSizeBytes;
  const lender = heightAt(index, startHeight, keepFrom, border);
  const deepEnd = segmentOf(facts, index.block(lender)!.offset);
  let end = first;
  while (end < deepEnd && mayDrop(end)) end++;
  // A block that fills the next segments as well would leave none of them to begin in: it stays, with the segment it begins in.
  for (; end > first; end--) {
    const height = firstFrom(index, startHeight, tip.height, end * segmentSizeBytes);
    if (segmentOf(facts, index.block(height)!.offset) === end)
      return { startHeight: height, waitingSegments: deepEnd - end };
  }
  return { startHeight, waitingSegments: deepEnd - first };
}

/** The last of the blocks `low` .. `high` that begins at or before byte `offset`; `low` when none does. */
function heightAt(index: HistoryIndex, low: number, high: number, offset: number): number {
  const after = firstFrom(index, low, high, offset + 1);
  return index.block(after)!.offset > offset ? Math.max(low, after - 1) : after;
}

/** The first of the blocks `low` .. `high` that begins at or behind byte `offset`; `high` when none does. */
function firstFrom(index: HistoryIndex, low: number, high: number, offset: number): number {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (index.block(middle)!.offset >= offset) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** One step of a prune, ready to be written into the index. */
export interface PruneStep {
  /** The history's facts behind the step. */
  readonly facts: HistoryFacts;
  readonly blocks: readonly DroppedBlock[];
  /** How many of them had damaged bytes. */
  readonly damagedCount: number;
}

/** Gathers the next blocks before `newStart`. Reads only. */
export async function preparePruneStep(
  parts: PruneParts,
  facts: HistoryFacts,
  newStart: number,
  { transactionIds, rowsPerStep = ROWS_PER_STEP }: Pick<PruneOptions, 'transactionIds' | 'rowsPerStep'>,
): Promise<PruneStep> {
  const { index } = parts;
  const blocks: DroppedBlock[] = [];
  let [height, rows, damagedCount] = [facts.startHeight, 0, 0];
  for (; height < newStart && rows < rowsPerStep; height++) {
    const place = index.block(height)!;
    const ids = await idsOf(parts, place, transactionIds);
    if (ids === undefined) damagedCount++;
    blocks.push({ height, hash: place.hash, transactionIds: ids ?? [] });
    rows += 2 + (ids?.length ?? 0);
  }
  return { facts: factsFrom(facts, index.block(height)!), blocks, damagedCount };
}

/** A block's transactions, or undefined when its bytes are damaged. */
async function idsOf(
  { kernels, stream }: PruneParts,
  place: BlockPlace,
  transactionIds: PruneOptions['transactionIds'],
): Promise<readonly Uint8Array[] | undefined> {
  try {
    return transactionIds((await readFramed(kernels, stream, place)).subarray(FRAME_LENGTH_SIZE_BYTES));
  } catch (error) {
    if (error instanceof CorruptionError) return undefined;
    throw error;
  }
}

/** The facts of a history that begins with the block at `place`. */
function factsFrom(facts: HistoryFacts, { height: startHeight, offset: startOffset }: BlockPlace): HistoryFacts {
  const droppedSegments = segmentOf(facts, startOffset) - segmentOf(facts, facts.startOffset);
  const prunedBytes = (facts.prunedBytes ?? 0) + droppedSegments * facts.segmentSizeBytes;
  return { ...facts, startHeight, startOffset, startCrc: 0, prunedBytes };
}
