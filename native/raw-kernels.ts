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
  return (keys, chains, inputs, outputs, prefix, leafSizeBytes, inputHashes, outputHashes) => {
    const hashesSizeBytes = inputHashes.length / inputs.length;
    inputs.forEach((input, i) => {
      const own = (bytes: Uint8Array, size: number): Uint8Array => bytes.subarray(size * i, size * (i + 1));
      raw.aesCbcEncrypt(own(keys, 32), own(chains, 16), input, outputs[i]!);
      raw.sha256Leaves(prefix, input, leafSizeBytes, own(inputHashes, hashesSizeBytes));
      raw.sha256Leaves(prefix, outputs[i]!, leafSizeBytes, own(outputHashes, hashesSizeBytes));
    });
  };
}

/** Outputs in all, at most, while blocks are picked out of them. */
const SAMPLED_SIZE_BYTES = 512 * 1024;

/** `aesCbcSampleMany` out of `aesCbcEncryptMany`, piece by piece. */
export function encryptThenPick(raw: Pick<RawKernels, 'aesCbcEncryptMany'>): RawKernels['aesCbcSampleMany'] {
  return (keys, chains, input, wanted, out) => {
    const n = keys.length / 32;
    if (n === 0) return;
    const pieceSizeBytes = Math.max(16, Math.floor(SAMPLED_SIZE_BYTES / n / 16) * 16);
    const outputs = new Uint8Array(n * Math.min(pieceSizeBytes, input.length));
    let next = 0;
    for (let at = 0; at < input.length; at += pieceSizeBytes) {
      const piece = input.subarray(at, at + pieceSizeBytes);
      raw.aesCbcEncryptMany(keys, chains, piece, outputs.subarray(0, n * piece.length));
      for (; 2 * next < wanted.length && 16 * wanted[2 * next]! < at + piece.length; next += 1) {
        const from = wanted[2 * next + 1]! * piece.length + 16 * wanted[2 * next]! - at;
        out.set(outputs.subarray(from, from + 16), 16 * next);
      }
    }
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
