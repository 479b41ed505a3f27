/**
 * The epoch record: which epoch and era the chain is in, and who judges. Written by the first block of an epoch only.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 1 | number of judges, 1 or 2 |
 * | 2 | 6 | zero |
 * | 8 | 8 | eraFirstSlot: slot of the era's first block |
 * | 16 | 8 | finalSlot: shown final when the epoch began |
 * | 24 | 4 | fullEpochs: epochs so far of which at least half of the slots have blocks |
 * | 28 | 4 | stalledEpochs: epochs in a row, up to now, in which finality has not moved |
 * | 32 | 48 + n each | judges, the newest last: epoch u32, era u32, majority floor u8 (0 or 1), zero 1, n u16, zero 4, parent 32, n bytes: seats of its members that do not count |
 *
 * A judge is an electorate: the era says which bonds it is made of, and the seats which of them are excluded. Its `parent` is the block before its epoch's first: epoch and
 * parent together name one electorate among all forks. The newest judges the children of blocks of this epoch, the one before it this epoch's first block.
 *
 * Who is excluded stands with the judge and not with the bonds, because in a stall members are excluded and count again any number of times, and votes for blocks of
 * each of those epochs still come in.
 */
import { type Hash, hash, type Slot, slot } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { type ByteReader, ByteWriter, CodecError } from '../../codec/index.ts';
import { invariant } from '../invariant.ts';
import { decodeRecord } from '../replication/record-error.ts';
import { EPOCH_KEY } from './keys.ts';
import { takeSeats } from './seat-set.ts';

const VERSION = 1;
const HEAD_SIZE_BYTES = 32;
/** Of a judge in a record, but for its seats. */
const JUDGE_HEAD_SIZE_BYTES = 48;
/** This epoch's, and the one that judges its first block. */
const JUDGES_MAX = 2;

/** What an electorate is made from. */
export interface Judge {
  readonly epoch: number;
  readonly era: number;
  readonly majorityFloor: boolean;
  /** Seats of the members that do not count. */
  readonly excluded: Uint8Array;
  /** Hash of the last block before the epoch; the chain's zero hash for genesis. */
  readonly parent: Hash;
}
export interface EpochRecord {
  /** Ascending in epochs; the last is that of this epoch. */
  readonly judges: readonly Judge[];
  readonly eraFirstSlot: Slot;
  readonly finalSlot: Slot;
  readonly fullEpochs: number;
  readonly stalledEpochs: number;
}

/** The judge of the children of this epoch's blocks. */
export function judgeNow({ judges }: EpochRecord): Judge {
  return judges[judges.length - 1]!;
}

/** A record's judges and one more. */
export function withJudge({ judges }: EpochRecord, judge: Judge): readonly Judge[] {
  return [...judges, judge].slice(-JUDGES_MAX);
}

export function encodeEpoch(record: EpochRecord): Uint8Array {
  const { judges } = record;
  const writer = new ByteWriter(judges.reduce((sum, judge) => sum + judgeSizeBytes(judge), HEAD_SIZE_BYTES));
  writer.u8(VERSION, 'version');
  writer.u8(judges.length, 'judges');
  writer.zeros(6, 'reserved');
  writer.u53(record.eraFirstSlot, 'eraFirstSlot');
  writer.u53(record.finalSlot, 'finalSlot');
  writer.u32(record.fullEpochs, 'fullEpochs');
  writer.u32(record.stalledEpochs, 'stalledEpochs');
  for (const judge of judges) writeJudge(writer, judge);
  return writer.done('epoch');
}

/** Bytes a judge takes in a record. */
export function judgeSizeBytes({ excluded }: Judge): number {
  return JUDGE_HEAD_SIZE_BYTES + excluded.length;
}

export function writeJudge(writer: ByteWriter, judge: Judge): void {
  writer.u32(judge.epoch, 'judge.epoch');
  writer.u32(judge.era, 'judge.era');
  writer.u8(judge.majorityFloor ? 1 : 0, 'judge.majorityFloor');
  writer.zeros(1, 'judge.reserved');
  writer.u16(judge.excluded.length, 'judge.excluded');
  writer.zeros(4, 'judge.reserved');
  writer.put(judge.parent, 32, 'judge.parent');
  writer.put(judge.excluded, judge.excluded.length, 'judge.excluded');
}

/** @param value borrowed: hashes are views @throws RecordError */
export function decodeEpoch(value: Uint8Array): EpochRecord {
  return decodeRecord('epoch', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    const count = reader.u8('judges');
    if (count < 1 || count > JUDGES_MAX)
      throw new CodecError('count', 'judges', `must be within 1 .. ${JUDGES_MAX}, found ${count}`);
    reader.zeros(6, 'reserved');
    return {
      eraFirstSlot: slot(reader.u53('eraFirstSlot')),
      finalSlot: slot(reader.u53('finalSlot')),
      fullEpochs: reader.u32('fullEpochs'),
      stalledEpochs: reader.u32('stalledEpochs'),
      judges: Array.from({ length: count }, () => readJudge(reader)),
    };
  });
}

/** The chain's epoch. @throws RecordError */
export function readEpoch(state: StateReader): EpochRecord {
  const value = state.record(EPOCH_KEY);
  invariant(value !== undefined, 'argument', () => 'a state without an epoch record: genesis writes one');
  return decodeEpoch(value);
}

/** @throws CodecError */
export function readJudge(reader: ByteReader): Judge {
  const epoch = reader.u32('judge.epoch');
  const era = reader.u32('judge.era');
  const floor = reader.u8('judge.majorityFloor');
  if (floor > 1) throw new CodecError('range', 'judge.majorityFloor', `must be 0 or 1, found ${floor}`);
  reader.zeros(1, 'judge.reserved');
  const sizeBytes = reader.u16('judge.excluded');
  reader.zeros(4, 'judge.reserved');
  const parent = hash(reader.take(32, 'judge.parent'));
  return { epoch, era, majorityFloor: floor === 1, excluded: takeSeats(reader, sizeBytes, 'judge.excluded'), parent };
}
