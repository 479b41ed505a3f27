/**
 * A shard on disk: its table's bytes and nothing else, in a file whose name carries the shard's number and size: `shard-03-12`.
 *
 * Written when the table is closed and read when it is opened; in between the table lives in memory alone. What was read counts only with
 * the CRC that the clean mark has for it.
 */
import type { Kernels } from '../../native/index.ts';
import { type Files, FilesError } from '../files/files.ts';

const PIECE_SIZE_BYTES: number = 8 * 1024 * 1024;
const NAME = /^shard-([0-9]{2,3})-([0-9]{2})$/;

/** `shard-03-12`: shard 3, of 2^12 slots. */
export function imageName(index: number, slotCountLog2: number): string {
  return `shard-${String(index).padStart(2, '0')}-${String(slotCountLog2).padStart(2, '0')}`;
}

/** What a name says; undefined for any other file. */
export function parseImageName(name: string): { readonly index: number; readonly slotCountLog2: number } | undefined {
  const found = NAME.exec(name);
  return found === null ? undefined : { index: Number(found[1]), slotCountLog2: Number(found[2]) };
}

/** Removes the shard files that are not named. */
export async function removeImages(files: Files, directory: string, keep: ReadonlySet<string>): Promise<void> {
  for (const name of await files.list(directory))
    if (name.startsWith('shard-') && !keep.has(name)) await files.remove(`${directory}/${name}`);
}

/** Writes a table over whatever stands in the file, and makes the contents durable; its name needs `syncDirectory`. @returns the CRC-32C */
export async function writeImage(
  files: Files,
  kernels: Pick<Kernels, 'crc32c'>,
  path: string,
  table: Uint8Array,
): Promise<number> {
  const file = await files.open(path, (await files.exists(path)) ? 'write' : 'create');
  try {
    let crc = 0;
    for (let offset = 0; offset < table.length; offset += PIECE_SIZE_BYTES) {
      const piece = table.subarray(offset, offset + PIECE_SIZE_BYTES);
      crc = kernels.crc32c(piece, crc);
      await file.write(offset, piece);
    }
    if ((await file.sizeBytes()) !== table.length) await file.truncate(table.length);
    await file.sync();
    return crc;
  } finally {
    await file.close();
  }
}

/** Reads a table. Throws `FilesError` ('not-found', 'io') when the file is missing, of another size, or not of this CRC. */
export async function readImage(
  files: Files,
  kernels: Pick<Kernels, 'crc32c'>,
  path: string,
  table: Uint8Array,
  crc: number,
): Promise<void> {
  const file = await files.open(path, 'read');
  try {
    const sizeBytes = await file.sizeBytes();
    if (sizeBytes !== table.length)
      throw new FilesError('io', path, `table of ${sizeBytes} bytes, ${table.length} expected`);
    let found = 0;
    for (let offset = 0; offset < table.length; offset += PIECE_SIZE_BYTES) {
      const piece = table.subarray(offset, offset + PIECE_SIZE_BYTES);
      if ((await file.read(offset, piece)) !== piece.length) throw new FilesError('io', path, 'table cut short');
      found = kernels.crc32c(piece, found);
    }
    if (found !== crc) throw new FilesError('io', path, 'table of another content than its clean mark says');
  } finally {
    await file.close();
  }
}
