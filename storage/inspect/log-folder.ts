/**
 * A stopped node's op log as it lies on disk: its superblocks and segment files, read without changing anything.
 *
 * Invariant: the log's lock is held while it is read, so that no node writes meanwhile.
 */
import type { Kernels } from '../../native/index.ts';
import { CorruptionError, StorageError } from '../errors.ts';
import { type Files, FilesError, readWhole } from '../files/files.ts';
import { segmentIndex, segmentName } from '../oplog/segment.ts';
import {
  type LogIdentity,
  readSlot,
  SLOT_SIZE_BYTES,
  SLOT_STRIDE_BYTES,
  type SlotContents,
  type SlotFault,
  SUPERBLOCK_FILE_SIZE_BYTES,
  SUPERBLOCK_NAME,
  type Superblock,
} from '../oplog/superblock.ts';

/** What reads a log folder. */
export interface LogFolder {
  readonly files: Files;
  readonly kernels: Pick<Kernels, 'sha256' | 'crc32c'>;
  /** The folder with `superblock` and the segments. */
  readonly directory: string;
}

/** One of the two superblocks. */
export interface SlotReading {
  /** Byte of the superblock file where the slot begins. */
  readonly offset: number;
  readonly contents: SlotContents | undefined;
  /** Why there are none; its offset counts from the start of the file. */
  readonly fault: SlotFault | undefined;
}

export interface SegmentFile {
  readonly index: number;
  readonly path: string;
  readonly sizeBytes: number;
}

/** Runs `work` while holding the lock of the log. Throws `FilesError` 'not-found' when there is no log, 'locked' when a node runs on it. */
export async function withLogLock<T>({ files, directory }: LogFolder, work: () => Promise<T>): Promise<T> {
  const path = `${directory}/${SUPERBLOCK_NAME}`;
  if (!(await files.exists(path))) throw new FilesError('not-found', path, 'no op log here');
  const lock = await files.lock(`${directory}/lock`);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** Reads both superblocks. Throws `StorageError` 'wrong-format' for another version, `FilesError`. */
export async function readSuperblocks({ files, kernels, directory }: LogFolder): Promise<SlotReading[]> {
  const path = `${directory}/${SUPERBLOCK_NAME}`;
  const bytes = await readWhole(files, path, SUPERBLOCK_FILE_SIZE_BYTES);
  return [0, SLOT_STRIDE_BYTES].map((offset) => {
    const slot = readSlot(kernels, path, bytes.subarray(offset, offset + SLOT_SIZE_BYTES));
    return 'fault' in slot
      ? { offset, contents: undefined, fault: { ...slot.fault, offset: offset + slot.fault.offset } }
      : { offset, contents: slot, fault: undefined };
  });
}

/** The newest superblock: what the log is and how far it is acknowledged. Throws `CorruptionError` when neither is whole. */
export function newestSuperblock(
  directory: string,
  slots: readonly SlotReading[],
): { readonly identity: LogIdentity; readonly block: Superblock } {
  let newest: SlotContents | undefined;
  for (const { contents } of slots)
    if (contents !== undefined && (newest === undefined || contents.block.sequence > newest.block.sequence))
      newest = contents;
  if (newest !== undefined) return newest;
  const { offset, expected, found } = slots[0]!.fault!;
  throw new CorruptionError(`${directory}/${SUPERBLOCK_NAME}`, offset, expected, found);
}

/** The chain id and segment size of the log in a folder. Throws as the functions above do. */
export async function readLogIdentity(folder: LogFolder): Promise<LogIdentity> {
  const path = `${folder.directory}/${SUPERBLOCK_NAME}`;
  if (!(await folder.files.exists(path))) throw new FilesError('not-found', path, 'no op log here');
  const { identity } = newestSuperblock(folder.directory, await readSuperblocks(folder));
  if (identity.segmentSizeBytes < 4096 || identity.segmentSizeBytes > 2 ** 30)
    throw new StorageError('wrong-format', `${path} names segments of ${identity.segmentSizeBytes} bytes`);
  return identity;
}

/** The segment files there are, ascending. */
export async function segmentFiles({ files, directory }: Omit<LogFolder, 'kernels'>): Promise<SegmentFile[]> {
  const found: SegmentFile[] = [];
  for (const name of await files.list(directory)) {
    const index = segmentIndex(name);
    if (index === undefined) continue;
    const path = `${directory}/${segmentName(index)}`;
    const file = await files.open(path, 'read');
    try {
      found.push({ index, path, sizeBytes: await file.sizeBytes() });
    } finally {
      await file.close();
    }
  }
  return found;
}
