/**
 * What a twin implements: the kernels without the argument checks, which `checkedKernels` puts in front of both alike.
 *
 * Invariant: every argument has passed `checked.ts`, so a raw kernel may trust types, lengths and ranges. The C++ twin still
 * checks lengths again on its own side of the border, because there a mistake is a crash.
 */
import type { Kernels } from './kernels.ts';

/** A twin's functions; `crc32c` always gets its seed. */
export interface RawKernels extends Omit<Kernels, 'name' | 'paths' | 'crc32c'> {
  crc32c(data: Uint8Array, seed: number): number;
}

/** `aesCbcEncryptLeaves` out of the kernels it joins, for where nothing does both at once. */
export function encryptThenHash(
  raw: Pick<RawKernels, 'aesCbcEncrypt' | 'sha256Leaves'>,
): RawKernels['aesCbcEncryptLeaves'] {
  return (key, chain, input, output, prefix, leafSizeBytes, inputHashes, outputHashes) => {
    raw.aesCbcEncrypt(key, chain, input, output);
    raw.sha256Leaves(prefix, input, leafSizeBytes, inputHashes);
    raw.sha256Leaves(prefix, output, leafSizeBytes, outputHashes);
  };
}

/** A put that would pass half full. Shared, so that both twins say the same. */
export function tableFull(): RangeError {
  return new RangeError("table: half of a shard's slots are used; grow the shard before inserting");
}

/** A probe that met no empty slot: the table's bytes are not a table of ours. */
export function tableCorrupt(): RangeError {
  return new RangeError("table: none of a shard's slots is empty, so it is damaged; rebuild it from the op log");
}

/** There is no memory for a table. */
export class TableMemoryError extends Error {
  override readonly name = 'TableMemoryError';
  readonly code = 'no-memory';
  constructor(sizeBytes: number, options?: ErrorOptions) {
    super(`no memory for a table of ${sizeBytes} bytes`, options);
  }
}
