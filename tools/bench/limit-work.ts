/** The bare loops as contestants. */
import { loadKernels } from '../../native/index.ts';
import type { Context, Work } from './model.ts';

const TABLE_BYTES_MIN = 2 ** 14;
const TABLE_BYTES_MAX = 2 ** 30;

/** Work of one loop, or undefined when this machine or build has none. @param units a call does */
export function limitWork({ limits, memory }: Context, name: string, units: number): Work | undefined {
  const loop = limits[name];
  return loop === undefined ? undefined : { units, call: () => void loop(units, memory) };
}

/** Work of one loop over memory such as tables have. @param sizeBytes of it, made a power of two of at most 1 GiB; 16 KiB for the tiny size */
export function tableLimitWork(
  { limits, size }: Context,
  name: string,
  units: number,
  sizeBytes: number,
): Work | undefined {
  const loop = limits[name];
  if (loop === undefined) return undefined;
  const wanted = size === 'tiny' ? TABLE_BYTES_MIN : 2 ** Math.round(Math.log2(sizeBytes));
  let memory: Uint8Array | undefined;
  const call = (): void => {
    // Touched, so that every page is there before it is measured.
    memory ??= loadKernels().tableArena().allocate(Math.min(wanted, TABLE_BYTES_MAX)).fill(1);
    loop(units, memory);
  };
  return { units, call };
}
