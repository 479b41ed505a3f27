/**
 * Rebuilds the account table from the op log alone, and leaves it clean: what a node does at its next start when the table has no mark, done
 * beforehand and with a figure.
 *
 * Invariant: the log is not changed, apart from a tail that was never acknowledged. A rebuild that is cut off leaves no clean mark, so the next
 * start rebuilds.
 */
import type { Kernels } from '../../native/index.ts';
import type { Files } from '../files/files.ts';
import { StateStore } from '../state.ts';
import { readLogIdentity, segmentFiles } from './log-folder.ts';

export interface RebuildOptions {
  readonly files: Files;
  readonly kernels: Kernels;
  /** The folder with `log/` and `accounts/`. */
  readonly stateDirectory: string;
  /** Told how far the work is, in bytes of segment files. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface RebuildFigures {
  readonly height: number;
  readonly batches: number;
  readonly ops: number;
  readonly logBytes: number;
  readonly accounts: number;
}

/**
 * Rebuilds a stopped node's table. Throws `FilesError` ('not-found', 'locked', 'no-space', 'io'), `CorruptionError` for a damaged log,
 * `StorageError` ('wrong-format', 'table-full').
 */
export async function rebuildTable(options: RebuildOptions): Promise<RebuildFigures> {
  const { files, kernels, stateDirectory, onProgress } = options;
  const directory = `${stateDirectory}/log`;
  const identity = await readLogIdentity({ files, kernels, directory });
  const segments = await segmentFiles({ files, directory });
  const logBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const store = await StateStore.open({
    ...identity,
    directory: stateDirectory,
    kernels,
    files,
    rebuild: true,
    onProgress: (batchBytes) => onProgress?.(batchBytes, logBytes),
  });
  try {
    const height = store.isInitialized ? store.tip.height : -1;
    const { batchCount: batches, opCount: ops } = store.openReport;
    return { height, batches, ops, logBytes, accounts: store.accountCount };
  } finally {
    await store.close();
  }
}
