/**
 * Tally records: a block of the chain, who judges it, and who has voted for it as the chain shows it. One a block, kept until the block is shown final and too old for
 * votes to show anybody's presence.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 1 | flags: 1 justified |
 * | 2 | 1 | w: number of sources that votes wait for, 0 .. 8 |
 * | 3 | 5 | zero |
 * | 8 | 48 + n | judge, as in the epoch record |
 * | | 32 | hash of the block |
 * | | 32 | its state root |
 * | | 2 + n | counted: seats whose vote has a good source |
 * | | 2 + n | linked: those of them whose source is the block of the slot before |
 * | | 8 + 2 + n each | w times: slot of a source that is not justified yet, ascending, and the seats whose vote names it |
 */
import { type Hash, hash } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { type ByteReader, ByteWriter, CodecError } from '../../codec/index.ts';
import type { Overlay } from '../overlay.ts';
import { decodeRecord } from '../replication/record-error.ts';
import { type Judge, judgeSizeBytes, readJudge, writeJudge } from './epoch-record.ts';
import { slotOfTallyKey, TALLY_PREFIX, tallyKey } from './keys.ts';
import { NO_SEATS, readSeats, seatsSizeBytes, withSeat, writeSeats } from './seat-set.ts';

const VERSION = 1;
const FLAG_JUSTIFIED = 1;
/** Most sources that the votes for one block wait for: voters of one target rarely differ in more than two. */
const WAITING_SOURCES_MAX = 8;

/** Votes whose source is not justified yet. */
export interface WaitingVotes {
  /** Slot of the source. */
  readonly source: number;
  readonly seats: Uint8Array;
}
export interface TallyRecord {
  readonly justified: boolean;
  readonly judge: Judge;
  readonly hash: Hash;
  readonly stateRoot: Hash;
  readonly counted: Uint8Array;
  readonly linked: Uint8Array;
  /** Ascending in sources. */
  readonly waiting: readonly WaitingVotes[];
}

/** The record of a block nobody has voted for yet. */
export function newTally(block: { readonly hash: Hash; readonly stateRoot: Hash }, judge: Judge): TallyRecord {
  const { hash, stateRoot } = block;
  return { justified: false, judge, hash, stateRoot, counted: NO_SEATS, linked: NO_SEATS, waiting: [] };
}

/** Waiting votes and one more; the same where there is no room for another source. */
export function withWaiting(waiting: readonly WaitingVotes[], source: number, seat: number): readonly WaitingVotes[] {
  const others = waiting.filter((one) => one.source !== source);
  if (others.length === WAITING_SOURCES_MAX) return waiting;
  const seats = waiting.find((one) => one.source === source)?.seats ?? NO_SEATS;
  return [...others, { source, seats: withSeat(seats, seat) }].sort((a, b) => a.source - b.source);
}

export function encodeTally(record: TallyRecord): Uint8Array {
  const { counted, linked, waiting } = record;
  const waitingSizeBytes = waiting.reduce((sum, { seats }) => sum + 8 + seatsSizeBytes(seats), 0);
  const headSizeBytes = 8 + judgeSizeBytes(record.judge) + 2 * 32;
  const writer = new ByteWriter(headSizeBytes + seatsSizeBytes(counted) + seatsSizeBytes(linked) + waitingSizeBytes);
  writer.u8(VERSION, 'version');
  writer.u8(record.justified ? FLAG_JUSTIFIED : 0, 'flags');
  writer.u8(waiting.length, 'waiting');
  writer.zeros(5, 'reserved');
  writeJudge(writer, record.judge);
  writer.put(record.hash, 32, 'hash');
  writer.put(record.stateRoot, 32, 'stateRoot');
  writeSeats(writer, counted, 'counted');
  writeSeats(writer, linked, 'linked');
  for (const { source, seats } of waiting) {
    writer.u53(source, 'waiting.source');
    writeSeats(writer, seats, 'waiting.seats');
  }
  return writer.done('tally');
}

/** @param value borrowed: hashes are views @throws RecordError */
export function decodeTally(value: Uint8Array): TallyRecord {
  return decodeRecord('tally', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    const flags = reader.u8('flags');
    if (flags > FLAG_JUSTIFIED) throw new CodecError('range', 'flags', `must be 0 or 1, found ${flags}`);
    const sources = reader.u8('waiting');
    if (sources > WAITING_SOURCES_MAX)
      throw new CodecError('count', 'waiting', `must be at most ${WAITING_SOURCES_MAX}, found ${sources}`);
    reader.zeros(5, 'reserved');
    return {
      justified: flags === FLAG_JUSTIFIED,
      judge: readJudge(reader),
      hash: hash(reader.take(32, 'hash')),
      stateRoot: hash(reader.take(32, 'stateRoot')),
      counted: readSeats(reader, 'counted'),
      linked: readSeats(reader, 'linked'),
      waiting: readWaiting(reader, sources),
    };
  });
}

/** The tally of the chain's block of a slot; undefined where there is none, or none any more. @throws RecordError */
export function readTally(state: StateReader, slot: number): TallyRecord | undefined {
  const value = state.record(tallyKey(slot));
  return value === undefined ? undefined : decodeTally(value);
}

export function putTally(overlay: Overlay, slot: number, record: TallyRecord): void {
  overlay.putRecord(tallyKey(slot), encodeTally(record));
}

/** Slots of all tallies, ascending. */
export function* tallySlots(state: StateReader): Generator<number> {
  for (const [key] of state.records(TALLY_PREFIX)) yield slotOfTallyKey(key);
}

function readWaiting(reader: ByteReader, sources: number): readonly WaitingVotes[] {
  const waiting: WaitingVotes[] = [];
  for (let last = 0; waiting.length < sources; ) {
    const source = reader.u53('waiting.source');
    if (source <= last) throw new CodecError('range', 'waiting.source', `must be above ${last}, found ${source}`);
    waiting.push({ source, seats: readSeats(reader, 'waiting.seats') });
    last = source;
  }
  return waiting;
}
