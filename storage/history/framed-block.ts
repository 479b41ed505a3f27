/** A block out of the stream, given out only as it was put in: with its checksum and its length. */
import type { Kernels } from '../../native/index.ts';
import { CorruptionError } from '../errors.ts';
import { FRAME_LENGTH_SIZE_BYTES } from './cursor.ts';
import type { BlockPlace } from './history-index.ts';
import type { StreamFiles } from './stream-files.ts';

/** Reads a framed block (u32 length || bytes; copied). Throws `CorruptionError`, `FilesError`. */
export async function readFramed(
  kernels: Pick<Kernels, 'crc32c'>,
  stream: StreamFiles,
  place: BlockPlace,
): Promise<Uint8Array> {
  const framed = await stream.read(place.offset, place.sizeBytes);
  const crc = kernels.crc32c(framed);
  const what = `history stream (block ${place.height})`;
  if (crc !== place.crc) throw new CorruptionError(what, place.offset, `checksum ${place.crc}`, `${crc}`);
  const length = new DataView(framed.buffer, framed.byteOffset).getUint32(0, true);
  if (length !== framed.length - FRAME_LENGTH_SIZE_BYTES)
    throw new CorruptionError(what, place.offset, `length ${framed.length - FRAME_LENGTH_SIZE_BYTES}`, `${length}`);
  return framed;
}
