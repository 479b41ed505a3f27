/**
 * Memory of chunks that is used again: fresh memory costs a page fault for every 4 KiB, which for a segment of 8 MiB is a tenth of the work.
 *
 * Invariant: what is given back is in nobody's hands any more, or one replica's bytes would end up in another's. Whoever is not sure (a job failed, a write is under
 * way) does not give it back.
 */

/** Kept for later, at most: what two encodings with threads take. */
export const KEPT_SIZE_BYTES_MAX: number = 16 * 1024 * 1024;

export class ChunkMemory {
  readonly #allocate: (sizeBytes: number) => Uint8Array;
  readonly #kept: Uint8Array[] = [];
  #keptSizeBytes = 0;

  constructor(allocate: (sizeBytes: number) => Uint8Array) {
    this.#allocate = allocate;
  }

  /** Memory of exactly this size, with anything in it. */
  borrow(sizeBytes: number): Uint8Array {
    const at = this.#kept.findIndex(({ length }) => length === sizeBytes);
    if (at < 0) return this.#allocate(sizeBytes);
    this.#keptSizeBytes -= sizeBytes;
    return this.#kept.splice(at, 1)[0]!;
  }

  giveBack(memory: readonly Uint8Array[]): void {
    for (const each of memory) {
      if (this.#keptSizeBytes + each.length > KEPT_SIZE_BYTES_MAX) return;
      this.#kept.push(each);
      this.#keptSizeBytes += each.length;
    }
  }
}
