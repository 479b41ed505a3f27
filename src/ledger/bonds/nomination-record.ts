/**
 * The nomination record: the approved secondary, and the nomination under way. Absent before the first nomination.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 1 | flags: 1 there is a secondary, 2 a nomination is pending |
 * | 2 | 6 | zero |
 * | 8 | 32 | secondary, zero for none |
 * | 40 | 32 | nominated, zero for nobody |
 * | 72 | 8 | deadlineSlot: last slot in which approvals count, 0 for none |
 * | 80 | 2 + n | approvals: seats |
 */
import { type PublicKey, publicKey, type Slot, slot } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { type ByteReader, ByteWriter, CodecError } from '../../codec/index.ts';
import type { Overlay } from '../overlay.ts';
import { decodeRecord } from '../replication/record-error.ts';
import { NOMINATION_KEY } from './keys.ts';
import { NO_SEATS, readSeats, seatsSizeBytes, writeSeats } from './seat-set.ts';

const VERSION = 1;
const HEAD_SIZE_BYTES = 80;
const FLAG_SECONDARY = 1;
const FLAG_PENDING = 2;
const NOBODY: Uint8Array = new Uint8Array(32);

export interface Nomination {
  readonly nominated: PublicKey;
  readonly deadlineSlot: Slot;
  readonly approvals: Uint8Array;
}
export interface NominationRecord {
  readonly secondary: PublicKey | null;
  readonly pending: Nomination | null;
}

export function encodeNomination({ secondary, pending }: NominationRecord): Uint8Array {
  const approvals = pending?.approvals ?? NO_SEATS;
  const writer = new ByteWriter(HEAD_SIZE_BYTES + seatsSizeBytes(approvals));
  writer.u8(VERSION, 'version');
  writer.u8((secondary === null ? 0 : FLAG_SECONDARY) | (pending === null ? 0 : FLAG_PENDING), 'flags');
  writer.zeros(6, 'reserved');
  writer.put(secondary ?? NOBODY, 32, 'secondary');
  writer.put(pending?.nominated ?? NOBODY, 32, 'nominated');
  writer.u53(pending?.deadlineSlot ?? 0, 'deadlineSlot');
  writeSeats(writer, approvals, 'approvals');
  return writer.done('nomination');
}

/** @param value borrowed: keys are views @throws RecordError */
export function decodeNomination(value: Uint8Array): NominationRecord {
  return decodeRecord('nomination', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    const flags = reader.u8('flags');
    if (flags > (FLAG_SECONDARY | FLAG_PENDING))
      throw new CodecError('range', 'flags', `must be at most 3, found ${flags}`);
    reader.zeros(6, 'reserved');
    const secondary = (flags & FLAG_SECONDARY) === 0 ? nobody(reader, 'secondary') : readKey(reader, 'secondary');
    if ((flags & FLAG_PENDING) !== 0) return { secondary, pending: readPending(reader) };
    nobody(reader, 'nominated');
    reader.zeros(8 + 2, 'deadlineSlot');
    return { secondary, pending: null };
  });
}

function readPending(reader: ByteReader): Nomination {
  const nominated = readKey(reader, 'nominated');
  const deadlineSlot = slot(reader.u53('deadlineSlot'));
  return { nominated, deadlineSlot, approvals: readSeats(reader, 'approvals') };
}

function readKey(reader: ByteReader, field: string): PublicKey {
  return publicKey(reader.take(32, field));
}

function nobody(reader: ByteReader, field: string): null {
  reader.zeros(32, field);
  return null;
}

/** Who is to follow the leader. @throws RecordError */
export function readNomination(state: StateReader): NominationRecord {
  const value = state.record(NOMINATION_KEY);
  return value === undefined ? { secondary: null, pending: null } : decodeNomination(value);
}

export function putNomination(overlay: Overlay, record: NominationRecord): void {
  overlay.putRecord(NOMINATION_KEY, encodeNomination(record));
}
