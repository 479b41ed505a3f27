/** Opens a stopped node's history for reading; what is not there, or in use, ends a command with exit code 2. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kernels } from '../../../native/index.ts';
import { HistoryStore } from '../../../storage/index.ts';
import type { Genesis } from '../../ledger/index.ts';
import { unusable } from '../failure.ts';

/** Runs `work` on the history under a node's data directory, and lets go of it afterwards. */
export async function withHistory<T>(
  kernels: Kernels,
  genesis: Genesis,
  dataDirectory: string,
  work: (history: HistoryStore) => Promise<T>,
): Promise<T> {
  const history = await open(kernels, genesis, join(dataDirectory, 'history'));
  try {
    return await work(history);
  } finally {
    await history.close();
  }
}

async function open(kernels: Kernels, genesis: Genesis, directory: string): Promise<HistoryStore> {
  const { segmentSizeBytes, leafSizeBytes } = genesis.history;
  try {
    // Opening would make a folder that is not there.
    await stat(directory);
    return await HistoryStore.open({ directory, kernels, segmentSizeBytes, leafSizeBytes });
  } catch (error) {
    const reason = (error as Error).message;
    throw unusable(`cannot open the history in ${directory} (a running node must be stopped first): ${reason}`);
  }
}
