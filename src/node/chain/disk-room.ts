/**
 * Room on the disk: asked for before anything is written, so that a node gives up while it can still end in order.
 *
 * Why not wait for the write to fail: lmdb's failed commits reject promises nobody can await, and have been seen to damage the process's memory
 * on the way out (lmdb-js 3.5, a full tmpfs). The reserve is what one block may need at once: in the pending store, in the history, as a batch of
 * the op log, and as much again for indexes and certificates.
 */
import { type Disk, FilesError } from '../../../storage/index.ts';
import { BLOCK_SIZE_BYTES_MAX } from '../../codec/index.ts';

/** Bytes that must be free. */
export const DISK_RESERVE_SIZE_BYTES: number = 4 * BLOCK_SIZE_BYTES_MAX;

const MIB = 1024 * 1024;

/** @throws FilesError 'no-space' when the disk under `directory` has less than the reserve left */
export async function requireDiskRoom(disk: Disk, directory: string): Promise<void> {
  const free = await disk.freeBytes(directory);
  if (free >= DISK_RESERVE_SIZE_BYTES) return;
  const [left, wanted] = [Math.floor(free / MIB), DISK_RESERVE_SIZE_BYTES / MIB];
  throw new FilesError(
    'no-space',
    directory,
    `the disk is full: ${left} MiB are left and ${wanted} MiB must be free; make room, then start the node again`,
  );
}
