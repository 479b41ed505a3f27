/**
 * Sets of seats: bit i % 8 of byte i / 8 is seat i. A seat is a number 0 .. 1023 that a bond keeps for life.
 *
 * Invariant: a set is as long as its highest seat needs (no zero byte at its end), so one set has one encoding: length u16, then the bytes.
 */
import { type ByteReader, type ByteWriter, CodecError } from '../../codec/index.ts';

/** Most bonds there can be, and so seats. */
export const SEATS_MAX = 1024;
const SEAT_BYTES_MAX: number = SEATS_MAX / 8;

export const NO_SEATS: Uint8Array = new Uint8Array(0);

export function hasSeat(set: Uint8Array, seat: number): boolean {
  return (((set[seat >> 3] ?? 0) >> (seat & 7)) & 1) === 1;
}

/** A copy with one more seat. */
export function withSeat(set: Uint8Array, seat: number): Uint8Array {
  const copy = new Uint8Array(Math.max(set.length, (seat >> 3) + 1));
  copy.set(set);
  copy[seat >> 3]! |= 1 << (seat & 7);
  return copy;
}

/** A copy with one seat less. */
export function withoutSeat(set: Uint8Array, seat: number): Uint8Array {
  const copy = set.slice();
  if (seat >> 3 < copy.length) copy[seat >> 3]! &= ~(1 << (seat & 7));
  let end = copy.length;
  while (end > 0 && copy[end - 1] === 0) end--;
  return copy.subarray(0, end);
}

/** All seats of both. */
export function unionOf(a: Uint8Array, b: Uint8Array): Uint8Array {
  const [longer, shorter] = a.length >= b.length ? [a, b] : [b, a];
  const union = longer.slice();
  for (const [at, bits] of shorter.entries()) union[at]! |= bits;
  return union;
}

/** The lowest seat that is free, or null when all 1024 are taken. */
export function freeSeat(taken: Uint8Array): number | null {
  for (let seat = 0; seat < SEATS_MAX; seat++) if (!hasSeat(taken, seat)) return seat;
  return null;
}

/** Bytes a set takes in a record. */
export function seatsSizeBytes(set: Uint8Array): number {
  return 2 + set.length;
}

export function writeSeats(writer: ByteWriter, set: Uint8Array, field: string): void {
  writer.u16(set.length, field);
  writer.put(set, set.length, field);
}

/** A copy. @throws CodecError for a set that is too long or ends with a zero byte */
export function readSeats(reader: ByteReader, field: string): Uint8Array {
  return takeSeats(reader, reader.u16(field), field);
}

/** A copy of a set whose length stood elsewhere. @throws CodecError for a set that is too long or ends with a zero byte */
export function takeSeats(reader: ByteReader, sizeBytes: number, field: string): Uint8Array {
  if (sizeBytes > SEAT_BYTES_MAX)
    throw new CodecError('count', field, `must be at most ${SEAT_BYTES_MAX} bytes, found ${sizeBytes}`);
  const set = reader.take(sizeBytes, field).slice();
  if (sizeBytes > 0 && set[sizeBytes - 1] === 0) throw new CodecError('range', field, 'must not end with a zero byte');
  return set;
}
