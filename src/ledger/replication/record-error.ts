/**
 * A record of the state that does not decode. Records are written by execution only, so this is corruption of the state (or of an op log being
 * synced), never a transaction's fault: it must stop what reads it, and is no refusal.
 */
import { ByteReader, CodecError } from '../../codec/index.ts';

export type RecordName =
  | 'identity'
  | 'replica'
  | 'designated'
  | 'seal'
  | 'evictions'
  | 'revived'
  | 'bond'
  | 'validator'
  | 'epoch'
  | 'progress'
  | 'seats'
  | 'nomination'
  | 'tally'
  | 'electorate'
  | 'places'
  | 'faults';

/** `record`: which family; `offset`: byte of the value where decoding stopped; the message says what was expected and found. */
export class RecordError extends Error {
  override readonly name = 'RecordError';
  readonly code = 'corrupt-record';
  readonly record: RecordName;
  readonly offset: number;
  constructor(record: RecordName, offset: number, cause: CodecError) {
    super(`${record} record is corrupt at byte ${offset}: ${cause.message}`, { cause });
    this.record = record;
    this.offset = offset;
  }
}

/** Decodes a whole value; any `CodecError` comes out as a `RecordError` of this record. */
export function decodeRecord<T>(record: RecordName, value: Uint8Array, decode: (reader: ByteReader) => T): T {
  const reader = new ByteReader(value);
  try {
    const decoded = decode(reader);
    reader.end(record);
    return decoded;
  } catch (cause) {
    if (cause instanceof CodecError) throw new RecordError(record, reader.offset, cause);
    throw cause;
  }
}
