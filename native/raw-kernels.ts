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

/** Throws RangeError when a table shard would pass half full. Shared, so that both twins say the same. */
export function tableFull(used: number, slotCount: number): RangeError {
  return new RangeError(`table: ${used} of ${slotCount} slots used, which is half; grow the shard before inserting`);
}

/** A probe that met no empty slot: the table's bytes are not a table of ours. */
export function tableCorrupt(slotCount: number): RangeError {
  return new RangeError(`table: none of ${slotCount} slots is empty, so it is damaged; rebuild it from the op log`);
}
