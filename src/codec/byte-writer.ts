/**
 * Writes little-endian fields into a buffer whose size is known beforehand.
 *
 * Invariants
 * - Every value is checked against its field's range: nothing wraps or is cut silently.
 * - `done` gives the bytes only when they are exactly full, so a layout and its declared size cannot drift apart.
 */
import { CodecError } from './codec-error.ts';

/** Where a u64 is taken apart: a view of each small array that is written would move it off JavaScript's heap. */
const WORD = new DataView(new ArrayBuffer(8));

export class ByteWriter {
  readonly bytes: Uint8Array;
  #offset = 0;

  /** @param sizeBytes exact size of what will be written */
  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }

  /** Bytes written so far. */
  get offset(): number {
    return this.#offset;
  }

  #advance(sizeBytes: number, field: string): number {
    const start = this.#offset;
    if (start + sizeBytes > this.bytes.length)
      throw new CodecError('size', field, `goes past the ${this.bytes.length} bytes planned for this packet`);
    this.#offset = start + sizeBytes;
    return start;
  }

  #word(at: number, value: number): void {
    const { bytes } = this;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
  }

  u8(value: number, field: string): void {
    this.bytes[this.#advance(1, field)] = checkedInteger(value, 0xff, field);
  }

  u16(value: number, field: string): void {
    const start = this.#advance(2, field);
    checkedInteger(value, 0xffff, field);
    this.bytes[start] = value;
    this.bytes[start + 1] = value >>> 8;
  }

  u32(value: number, field: string): void {
    this.#word(this.#advance(4, field), checkedInteger(value, 0xffff_ffff, field));
  }

  /** A safe integer, as a u64. */
  u53(value: number, field: string): void {
    const start = this.#advance(8, field);
    checkedInteger(value, Number.MAX_SAFE_INTEGER, field);
    this.#word(start, value >>> 0);
    this.#word(start + 4, Math.floor(value / 0x1_0000_0000));
  }

  /** A bigint within 0 .. 2^64 - 1. */
  u64(value: bigint, field: string): void {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn)
      throw new CodecError('range', field, `must be within 0 .. 2^64 - 1, found ${value}`);
    const start = this.#advance(8, field);
    WORD.setBigUint64(0, value, true);
    this.#word(start, WORD.getUint32(0, true));
    this.#word(start + 4, WORD.getUint32(4, true));
  }

  /** Exactly `sizeBytes` bytes, copied. */
  put(value: Uint8Array, sizeBytes: number, field: string): void {
    if (value.length !== sizeBytes)
      throw new CodecError('length', field, `must be ${sizeBytes} bytes, found ${value.length}`);
    this.bytes.set(value, this.#advance(sizeBytes, field));
  }

  zeros(sizeBytes: number, field: string): void {
    this.#advance(sizeBytes, field);
  }

  /** The finished bytes (not a copy). */
  done(field: string): Uint8Array {
    if (this.#offset !== this.bytes.length)
      throw new CodecError('size', field, `wrote ${this.#offset} of ${this.bytes.length} planned bytes`);
    return this.bytes;
  }
}

function checkedInteger(value: number, maximum: number, field: string): number {
  if (!Number.isInteger(value) || value < 0 || value > maximum)
    throw new CodecError('range', field, `must be an integer within 0 .. ${maximum}, found ${value}`);
  return value;
}
