/**
 * Recovery: makes a log end where its last whole batch ends, durable to there.
 *
 * Invariants
 * - Damage to the acknowledged part throws (log-scan.ts), and nothing is changed on disk then.
 * - What lies behind the end was never acknowledged, and is removed.
 * - What is kept but was perhaps never synced is written again before it is synced: after a failed sync the page cache may show
 *   bytes that the disk does not have. A sector rewritten with equal bytes is the same before and after.
 * - A recovered log recovers to itself: the second time nothing is written.
 */
import type { Files, StoredFile } from '../files/files.ts';
import { closeSegments, scanLog } from './log-scan.ts';
import type { ScanInput, ScannedLog } from './log-visitor.ts';
import { segmentName } from './segment.ts';
import type { SuperblockFile } from './superblock.ts';

const REWRITE_CHUNK_SIZE_BYTES: number = 1024 * 1024;

export interface RecoveryInput extends Omit<ScanInput, 'block'> {
  readonly superblock: SuperblockFile;
}

/** The log that is there after recovery. */
export type RecoveredLog = Pick<ScannedLog, 'segments' | 'positions' | 'tip'>;

/** Runs recovery. The caller closes the segments' files. Throws `CorruptionError`, `FilesError`, and what the visitor throws. */
export async function recoverLog(input: RecoveryInput): Promise<RecoveredLog> {
  const scan = await scanLog({ ...input, block: input.superblock.latest });
  try {
    await cutTail(input, scan);
    await settle(input, scan);
  } catch (error) {
    await closeSegments(scan.segments);
    throw error;
  }
  return scan;
}

/** Removes what follows the cut: later segments from the last down, then the rest of the cut one. Durable when resolved. */
async function cutTail({ files, directory }: RecoveryInput, scan: ScannedLog): Promise<void> {
  if (scan.cut === undefined) return;
  const { segment, offset } = scan.cut;
  const last = scan.segments.at(-1);
  const empty = offset <= (last?.index === segment ? last.headerSizeBytes : 0);
  if (empty && last?.index === segment) await closeSegments(scan.segments.splice(-1));
  const firstToRemove = empty ? segment : segment + 1;
  for (const index of [...scan.present].reverse())
    if (index >= firstToRemove) await files.remove(`${directory}/${segmentName(index)}`);
  await files.syncDirectory(directory);
  if (empty) return;
  const file = await files.open(`${directory}/${segmentName(segment)}`, 'write');
  try {
    await file.truncate(offset);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes everything kept durable and says so in a superblock; does nothing when the superblock says so already. */
async function settle({ files, directory, superblock }: RecoveryInput, scan: ScannedLog): Promise<void> {
  const block = superblock.latest;
  const last = scan.segments.at(-1);
  const [segment, end] = last === undefined ? [block.firstSegment, 0] : [last.index, last.end];
  if (block.start === block.end && block.segment === segment && block.end === end) return;
  for (const { index, end: to } of scan.segments) {
    if (index < block.segment) continue;
    await rewrite(files, `${directory}/${segmentName(index)}`, index === block.segment ? block.start : 0, to);
  }
  await files.syncDirectory(directory);
  await superblock.write({ segment, start: end, end, position: scan.tip });
}

/** Writes a stretch of a file again with its own bytes, and syncs it. */
async function rewrite(files: Files, path: string, from: number, to: number): Promise<void> {
  const file: StoredFile = await files.open(path, 'write');
  try {
    for (let at = from; at < to; at += REWRITE_CHUNK_SIZE_BYTES) {
      const bytes = new Uint8Array(Math.min(REWRITE_CHUNK_SIZE_BYTES, to - at));
      await file.read(at, bytes);
      await file.write(at, bytes);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}
