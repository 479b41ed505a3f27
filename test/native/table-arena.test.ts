/** Memory of the portable twin's tables: where large ones lie, and how they come to another thread. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isAligned, tableArena } from '../../native/portable/table-arena.ts';
import { seededBytes } from './variants.ts';

const LARGE_BYTES = 2 ** 20;

afterEach(() => void vi.unstubAllGlobals());

describe("the portable twin's memory for tables", () => {
  it('is aligned and empty where tables are large, ordinary where they are small', () => {
    const arena = tableArena();
    const [large, small] = [arena.allocate(LARGE_BYTES), arena.allocate(LARGE_BYTES / 2)];
    expect([large, small].map(({ length }) => length)).toEqual([LARGE_BYTES, LARGE_BYTES / 2]);
    expect([large, small].map(isAligned)).toEqual([true, false]);
    expect(large.every((byte) => byte === 0)).toBe(true);
    expect(isAligned(large.subarray(16))).toBe(false);
  });

  it.each([LARGE_BYTES, LARGE_BYTES / 2])(
    'of %i bytes comes to another thread whole, and is as fast there',
    (sizeBytes) => {
      const [here, there] = [tableArena(), tableArena()];
      const bytes = here.allocate(sizeBytes);
      const content = seededBytes(sizeBytes)(sizeBytes);
      bytes.set(content);
      const { memory, transfer } = here.give!(bytes);
      const taken = there.take!(structuredClone(memory, { transfer: [...transfer] }));
      expect(Buffer.compare(taken, content)).toBe(0);
      expect(isAligned(taken)).toBe(sizeBytes >= LARGE_BYTES);
    },
  );

  it('is ordinary where there is no WebAssembly', () => {
    vi.stubGlobal('WebAssembly', undefined);
    const bytes = tableArena().allocate(LARGE_BYTES);
    expect([bytes.length, isAligned(bytes)]).toEqual([LARGE_BYTES, false]);
  });
});
