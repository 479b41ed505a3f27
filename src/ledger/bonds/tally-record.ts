/**
 * Tally records: a block of the chain, and who has voted for it as the chain shows it. One a block, kept until the block is shown final and too old for votes
 * to show anybody's presence.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 1 | flags: 1 justified |
 * | 2 | 2 | zero |
 * | 4 | 4 | judgeEpoch: epoch of the electorate that judges it |
 * | 8 | 32 | hash of the block |
 * | 40 | 32 | its state root |
 * | 72 | 8 | waitingSlot: slot of the source that `waiting` is about, 0 for none |
 * | 80 | 2 + n | counted: seats whose vote has a justified source |
 * | | 2 + n | linked: those of them whose source is the block of the slot before |
 * | | 2 + n | waiting: seats whose source is not justified yet |
 */
import { type Hash, hash } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { ByteWriter, CodecError } from '../../codec/index.ts';
import type { Overlay } from '../overlay.ts';
import { decodeRecord } from '../replication/record-error.ts';
import { slotOfTallyKey, TALLY_PREFIX, tallyKey } from './keys.ts';
import { NO_SEATS, readSeats, seatsSizeBytes, writeSeats } from './seat-set.ts';

const VERSION = 1;
const HEAD_SIZE_BYTES = 80;
const FLAG_JUSTIFIED = 1;

export interface TallyRecord {
  readonly justified: boolean;
  readonly judgeEpoch: number;
  readonly hash: Hash;
  readonly stateRoot: Hash;
  /** 0 while nobody waits: genesis is justified from the start. */
  readonly waitingSlot: number;
  readonly counted: Uint8Array;
  readonly linked: Uint8Array;
  readonly waiting: Uint8Array;
}

/** The record of a block nobody has voted for yet. */
export function newTally(block: { readonly hash: Hash; readonly stateRoot: Hash }, judgeEpoch: number): TallyRecord {
  const none = { counted: NO_SEATS, linked: NO_SEATS, waiting: NO_SEATS };
  return { justified: false, judgeEpoch, hash: block.hash, stateRoot: block.stateRoot, waitingSlot: 0, ...none };
}

export function encodeTally(record: TallyRecord): Uint8Array {
  const sets = [record.counted, record.linked, record.waiting];
  const writer = new ByteWriter(sets.reduce((sum, set) => sum + seatsSizeBytes(set), HEAD_SIZE_BYTES));
  writer.u8(VERSION, 'version');
  writer.u8(record.justified ? FLAG_JUSTIFIED : 0, 'flags');
  writer.zeros(2, 'reserved');
  writer.u32(record.judgeEpoch, 'judgeEpoch');
  writer.put(record.hash, 32, 'hash');
  writer.put(record.stateRoot, 32, 'stateRoot');
  writer.u53(record.waitingSlot, 'waitingSlot');
  for (const set of sets) writeSeats(writer, set, 'seats');
  return writer.done('tally');
}

/** @param value borrowed: hashes are views @throws RecordError */
export function decodeTally(value: Uint8Array): TallyRecord {
  return decodeRecord('tally', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    const flags = reader.u8('flags');
    if (flags > FLAG_JUSTIFIED) throw new CodecError('range', 'flags', `must be 0 or 1, found ${flags}`);
    reader.zeros(2, 'reserved');
    return {
      justified: flags === FLAG_JUSTIFIED,
      judgeEpoch: reader.u32('judgeEpoch'),
      hash: hash(reader.take(32, 'hash')),
      stateRoot: hash(reader.take(32, 'stateRoot')),
      waitingSlot: reader.u53('waitingSlot'),
      counted: readSeats(reader, 'counted'),
      linked: readSeats(reader, 'linked'),
      waiting: readSeats(reader, 'waiting'),
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
