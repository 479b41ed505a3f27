/**
 * Memory for the portable twin's account tables. Owns nothing: what nobody holds any more is collected.
 *
 * Large tables lie in WebAssembly memories, which begin with a page: then a table's line is one line of the processor's cache, and a batch of lookups waits for half as many of
 * them (docs/performance.md, "Accounts"). Ordinary arrays begin anywhere, and JavaScript can neither ask nor choose where. Where there is no WebAssembly, or no address space left
 * for its guard pages, they serve as well, only slower.
 *
 * Such memory cannot be transferred to another thread, so it goes there as a copy. It is never shared: shared ones are not counted by the collector, and pile up.
 */
import type { TableArena } from '../kernels.ts';
import { TableMemoryError } from '../raw-kernels.ts';
import { newMemory, PAGE_BYTES } from './wasm-module.ts';

/** Smaller tables are in the caches anyway, and there may be many of them. */
const PAGED_FROM_BYTES: number = 16 * PAGE_BYTES;

const paged = new WeakSet<ArrayBufferLike>();

/** Whether an array is known to begin with a line of the processor's cache. */
export function isAligned({ buffer, byteOffset }: Uint8Array): boolean {
  return byteOffset === 0 && paged.has(buffer);
}

function allocatePaged(sizeBytes: number): Uint8Array | undefined {
  try {
    const buffer = newMemory(sizeBytes / PAGE_BYTES);
    paged.add(buffer);
    return new Uint8Array(buffer);
  } catch {
    // No WebAssembly here, or no address space: an ordinary array will do.
    return undefined;
  }
}

function allocate(sizeBytes: number): Uint8Array {
  const large = sizeBytes >= PAGED_FROM_BYTES && sizeBytes % PAGE_BYTES === 0 ? allocatePaged(sizeBytes) : undefined;
  try {
    return large ?? new Uint8Array(sizeBytes);
  } catch (error) {
    throw new TableMemoryError(sizeBytes, { cause: error });
  }
}

export function tableArena(): TableArena {
  return {
    allocate,
    release() {},
    give(bytes) {
      const memory = isAligned(bytes) ? bytes.slice() : bytes;
      return { memory, transfer: [memory.buffer as ArrayBuffer] };
    },
    take(memory) {
      if (!(memory instanceof Uint8Array)) throw new TypeError(`memory must be bytes, got ${typeof memory}`);
      if (memory.length < PAGED_FROM_BYTES) return memory;
      const bytes = allocate(memory.length);
      bytes.set(memory);
      return bytes;
    },
    close() {},
  };
}
