/** A stopped node's data directory, as commands that look at it want it: where its parts are, and what their failures mean. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptionError, FilesError, StorageError } from '../../../storage/index.ts';
import { failed, unusable } from '../failure.ts';

/** The op log's folder: in a data directory, or the folder itself. */
export async function logDirectory(directory: string): Promise<string> {
  const nested = join(directory, 'state', 'log');
  try {
    return (await stat(nested)).isDirectory() ? nested : directory;
  } catch {
    return directory;
  }
}

/** Runs `work`; damage becomes exit code 1, what cannot be read (absent, in use, of another format) exit code 2. */
export async function onNodeData<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CorruptionError) throw failed(error.message);
    if (error instanceof FilesError || (error instanceof StorageError && error.code === 'wrong-format'))
      throw unusable(`cannot read ${directory} (a running node must be stopped first): ${error.message}`);
    throw error;
  }
}

/** `12.3 MiB` */
export function sizeText(sizeBytes: number): string {
  for (const [unit, name] of [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
  ] as const)
    if (sizeBytes >= unit) return `${(sizeBytes / unit).toFixed(1)} ${name}`;
  return `${sizeBytes} B`;
}
