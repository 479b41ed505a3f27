/** How many other threads should help to read a log. */
import { availableParallelism } from 'node:os';
import type { Files } from '../files/files.ts';
import { segmentFiles } from '../inspect/log-folder.ts';

/** Most threads that do one kind of work, and most that are started unasked. */
const THREADS_MAX = 16;
const THREADS_USUAL_MAX = 8;
/** Logs from these sizes on are worth the time that threads take to start: an account takes longer to find its place than an op to be checked. */
const TABLE_LOG_SIZE_BYTES: number = 32 * 1024 * 1024;
const PROOFS_LOG_SIZE_BYTES: number = 128 * 1024 * 1024;

/** Threads beside the one that reads the log. */
export interface LogThreads {
  /** For the account table: this thread has a core of its own. */
  readonly table: number;
  /** For checking segments, which this thread mostly waits for. */
  readonly proofs: number;
}

/** @param wanted how many the caller wants of each kind; for it to be found out unless given */
export async function logThreads(files: Files, directory: string, wanted: number | undefined): Promise<LogThreads> {
  if (files.isSystem !== true) return { table: 0, proofs: 0 };
  if (wanted !== undefined) return { table: Math.min(wanted, THREADS_MAX), proofs: Math.min(wanted, THREADS_MAX) };
  const segments = await segmentFiles({ files, directory });
  const sizeBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  const cores = availableParallelism();
  return {
    table: sizeBytes < TABLE_LOG_SIZE_BYTES ? 0 : Math.min(THREADS_USUAL_MAX, cores - 1),
    proofs: sizeBytes < PROOFS_LOG_SIZE_BYTES || cores === 1 ? 0 : Math.min(THREADS_USUAL_MAX, cores),
  };
}
