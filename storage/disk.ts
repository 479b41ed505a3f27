/** What a node keeps its data on: files, key-value stores, and how much room there is. The real machine here; a simulator brings its own. */
import { statfs } from 'node:fs/promises';
import { diskFiles } from './files/disk-files.ts';
import type { Files } from './files/files.ts';
import type { KeyValues } from './key-value/key-value.ts';
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
