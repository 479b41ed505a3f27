/**
 * The seats record: which seats are taken. version = 1, zero 7, then the set (length u16, bytes). Written when a bond comes or goes.
 */
import type { StateReader } from '../../../storage/state-reader.ts';
import { ByteWriter, CodecError } from '../../codec/index.ts';
import type { Overlay } from '../overlay.ts';
import { decodeRecord } from '../replication/record-error.ts';
import { SEATS_KEY } from './keys.ts';
import { NO_SEATS, readSeats, seatsSizeBytes, withoutSeat, writeSeats } from './seat-set.ts';

const VERSION = 1;

export function encodeSeatsTaken(taken: Uint8Array): Uint8Array {
  const writer = new ByteWriter(8 + seatsSizeBytes(taken));
  writer.u8(VERSION, 'version');
  writer.zeros(7, 'reserved');
  writeSeats(writer, taken, 'taken');
  return writer.done('seats');
}

/** @throws RecordError */
export function decodeSeatsTaken(value: Uint8Array): Uint8Array {
  return decodeRecord('seats', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    reader.zeros(7, 'reserved');
    return readSeats(reader, 'taken');
  });
}

/** The seats that are taken. @throws RecordError */
export function seatsTaken(state: StateReader): Uint8Array {
  const value = state.record(SEATS_KEY);
  return value === undefined ? NO_SEATS : decodeSeatsTaken(value);
}

export function putSeatsTaken(overlay: Overlay, taken: Uint8Array): void {
  overlay.putRecord(SEATS_KEY, encodeSeatsTaken(taken));
}

/** Frees the seat of a bond that is taken out. */
export function releaseSeat(overlay: Overlay, seat: number): void {
  putSeatsTaken(overlay, withoutSeat(seatsTaken(overlay), seat));
}
