/**
 * Where a pass's output waits for the next pass: bytes at offsets, in memory or in a file. Holds nothing that must survive.
 */
import type { StoredFile } from '../storage/index.ts';
import type { ByteReader } from './chunks.ts';
import { ReplicatorError } from './errors.ts';

/** Random-access bytes. Reading what was never written is the caller's mistake. */
export interface Scratch extends ByteReader {
  /** `bytes` are borrowed until resolved. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
}

/** Scratch in memory that grows as it is written. @param sizeBytes what it will hold at most */
export function memoryScratch(sizeBytes: number): Scratch {
  const held = new Uint8Array(sizeBytes);
  return {
    async write(offset, bytes): Promise<void> {
      held.set(bytes, offset);
    },
    async read(offset, target): Promise<void> {
      target.set(held.subarray(offset, offset + target.length));
    },
  };
}

/** Scratch in an open file, which stays the caller's. */
export function fileScratch(file: StoredFile): Scratch {
  return {
    write: (offset, bytes) => file.write(offset, bytes),
    async read(offset, target): Promise<void> {
      const found = await file.read(offset, target);
      if (found !== target.length)
        throw new ReplicatorError(
          'scratch',
          `${file.path}: ${target.length} bytes were written at ${offset}, ${found} are there; encode again`,
        );
    },
  };
}
