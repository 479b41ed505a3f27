/** What a node keeps its data on: files, key-value stores, and how much room there is. The real machine here; a simulator brings its own. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { diskFiles } from './files/disk-files.ts';
import { type Files, makeDurableDirectory } from './files/files.ts';
import type { KeyValueStore, KeyValues } from './key-value/key-value.ts';
import { lmdbKeyValues } from './key-value/lmdb-key-values.ts';

export interface Disk {
  readonly files: Files;
  readonly keyValues: KeyValues;
  /** Bytes that can still be written under a folder that is there. */
  freeBytes(directory: string): Promise<number>;
}

/** The real machine's. */
export function realDisk(): Disk {
  return {
    files: diskFiles(),
    keyValues: lmdbKeyValues,
    async freeBytes(directory) {
      const { bavail, bsize } = await statfs(directory);
      return bavail * bsize;
    },
  };
}

/**
 * Opens or makes a key-value store, its names durable when resolved: what it writes it syncs by itself, but not the folders in which its files are new.
 * @param path a folder, created when missing. Throws `FilesError`, or what the store's own library throws
 */
export async function openKeyValues(
  { files, keyValues }: Pick<Disk, 'files' | 'keyValues'>,
  path: string,
): Promise<KeyValueStore> {
  await makeDurableDirectory(files, dirname(path));
  const store = keyValues.open(path);
  try {
    await files.syncDirectory(path);
    await files.syncDirectory(dirname(path));
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
