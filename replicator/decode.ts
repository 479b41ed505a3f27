/**
 * Decoding: any byte range of the segment out of a replica, without the rest of it. A plaintext block needs its own cipher block and
 * the one before, so ranges are independent: read them in any order, on any number of cores.
 *
 * Nothing here checks the result; `replica-file.ts` does, leaf by leaf.
 */
import type { Kernels } from '../native/index.ts';
import type { ByteReader } from './chunks.ts';
import { ReplicatorError } from './errors.ts';
import { CIPHER_BLOCK_SIZE_BYTES } from './geometry.ts';
import type { ReplicaCipher } from './key.ts';

/**
 * Decrypts a run of whole cipher blocks. @param before the 16 bytes of replica before `input`, or the IV at the replica's start
 * (borrowed, not changed) @param output as long as `input`; may be the same array
 */
export function decodeBlocks(
  kernels: Kernels,
  cipher: ReplicaCipher,
  before: Uint8Array,
  input: Uint8Array,
  output: Uint8Array,
): void {
  kernels.aesCbcDecrypt(cipher.key, before.slice(), input, output);
}

/**
 * Bytes offset .. offset + sizeBytes - 1 of the segment, in a new array. Reads at most 46 bytes more than that of the replica.
 * @param replica reads the replica's bytes (not the file's) @param replicaSizeBytes its whole length
 */
export async function decodeRange(
  kernels: Kernels,
  cipher: ReplicaCipher,
  replica: ByteReader,
  replicaSizeBytes: number,
  offset: number,
  sizeBytes: number,
): Promise<Uint8Array> {
  if (offset < 0 || sizeBytes < 0 || offset + sizeBytes > replicaSizeBytes)
    throw new ReplicatorError(
      'range',
      `range ${offset} + ${sizeBytes} is outside the segment's ${replicaSizeBytes} bytes`,
    );
  if (sizeBytes === 0) return new Uint8Array(0);
  const block = CIPHER_BLOCK_SIZE_BYTES;
  const from = Math.floor(offset / block) * block;
  const to = Math.ceil((offset + sizeBytes) / block) * block;
  const start = Math.max(0, from - block);
  const bytes = new Uint8Array(to - start);
  await replica.read(start, bytes);
  const before = from === 0 ? cipher.iv : bytes.slice(0, block);
  const body = bytes.subarray(from - start);
  decodeBlocks(kernels, cipher, before, body, body);
  return body.slice(offset - from, offset - from + sizeBytes);
}
