/**
 * Reads little-endian fields from untrusted bytes, one after another.
 *
 * Invariants
 * - No read goes past the end; each refusal is a `CodecError` naming the field and the byte offset.
 * - Byte strings are views of the input (borrowed): who keeps them keeps the whole input alive.
 */
import { CodecError } from './codec-error.ts';

/** Where a u64 is put together: a view of each small array that is read would move it off JavaScript's heap. */
const WORD = new DataView(new ArrayBuffer(8));

export class ByteReader {
  readonly bytes: Uint8Array;
  #offset = 0;

  /** @param bytes borrowed for as long as any view read from it lives */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.bytes.length - this.#offset;
  }

  #advance(sizeBytes: number, field: string): number {
    const start = this.#offset;
    if (sizeBytes > this.bytes.length - start)
      throw new CodecError(
        'truncated',
        field,
        `needs ${sizeBytes} bytes at offset ${start}, ${this.remaining} are left`,
      );
    this.#offset = start + sizeBytes;
    return start;
  }

  /** The u32 at a byte that is there. */
  #word(at: number): number {
    const { bytes } = this;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  u8(field: string): number {
    return this.bytes[this.#advance(1, field)]!;
  }

  u16(field: string): number {
    const start = this.#advance(2, field);
    return this.bytes[start]! | (this.bytes[start + 1]! << 8);
  }

  u32(field: string): number {
    return this.#word(this.#advance(4, field));
  }

  /** A u64 that must be at most 2^53 - 1 (heights, slots, counts, lengths). */
  u53(field: string): number {
    const start = this.#advance(8, field);
    const value = this.#word(start) + this.#word(start + 4) * 0x1_0000_0000;
    if (value > Number.MAX_SAFE_INTEGER)
      throw new CodecError('range', field, `must be at most 2^53 - 1, found about ${value}`);
    return value;
  }

  /** A u64 of the full range (amounts, counters). */
  u64(field: string): bigint {
    const start = this.#advance(8, field);
    WORD.setUint32(0, this.#word(start), true);
    WORD.setUint32(4, this.#word(start + 4), true);
    return WORD.getBigUint64(0, true);
  }

  /** The next `sizeBytes` bytes, as a view. */
  take(sizeBytes: number, field: string): Uint8Array {
    const start = this.#advance(sizeBytes, field);
    return this.bytes.subarray(start, start + sizeBytes);
  }

  /** The bytes from `start` up to here, as a view. */
  since(start: number): Uint8Array {
    return this.bytes.subarray(start, this.#offset);
  }

  /** Looks at the byte `ahead` bytes from here without reading it. */
  peekU8(ahead: number, field: string): number {
    if (ahead >= this.remaining)
      throw new CodecError('truncated', field, `needs a byte at offset ${this.#offset + ahead}, past the end`);
    return this.bytes[this.#offset + ahead]!;
  }

  /** Reads `sizeBytes` bytes that must all be zero. */
  zeros(sizeBytes: number, field: string): void {
    const start = this.#advance(sizeBytes, field);
    for (let index = start; index < start + sizeBytes; index++) {
      const found = this.bytes[index]!;
      if (found !== 0) throw new CodecError('reserved', field, `must be zero, found ${found} at offset ${index}`);
    }
  }

  /** Refuses anything after the last field. */
  end(field: string): void {
    if (this.remaining > 0) throw new CodecError('trailing', field, `${this.remaining} bytes after the end`);
  }
}
