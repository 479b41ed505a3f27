/** Memory for the portable twin's account tables. Owns nothing. */
import type { TableArena } from '../kernels.ts';
import { TableMemoryError } from '../raw-kernels.ts';

/** Ordinary arrays, freed when nobody holds them any more. */
export function tableArena(): TableArena {
  return {
    allocate(sizeBytes) {
      try {
        return new Uint8Array(sizeBytes);
      } catch (error) {
        throw new TableMemoryError(sizeBytes, { cause: error });
      }
    },
    release() {},
    give: (bytes) => ({ memory: bytes, transfer: [bytes.buffer as ArrayBuffer] }),
    take(memory) {
      if (!(memory instanceof Uint8Array)) throw new TypeError(`memory must be bytes, got ${typeof memory}`);
      return memory;
    },
    close() {},
  };
}
