/**
 * The progress record: what every block changes. How far finality is as the chain itself shows it, who has voted in this epoch, who led the last block.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 1 | flags: 1 the last block handed the lead over |
 * | 2 | 2 | zero |
 * | 4 | 4 | judgeEpoch: epoch of the judge of the last block |
 * | 8 | 4 | blocks of this epoch so far |
 * | 12 | 4 | zero |
 * | 16 | 32 | leader of the last block |
 * | 48 | 40 | justified: slot, hash |
 * | 88 | 40 | final: slot, hash |
 * | 128 | 2 + n | present: seats of the members who have voted in time in this epoch |
 */
import { type Hash, hash, type PublicKey, publicKey, type Slot, slot } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { type ByteReader, ByteWriter, CodecError } from '../../codec/index.ts';
import { invariant } from '../invariant.ts';
import type { Overlay } from '../overlay.ts';
import { decodeRecord } from '../replication/record-error.ts';
import { PROGRESS_KEY } from './keys.ts';
import { readSeats, seatsSizeBytes, writeSeats } from './seat-set.ts';

const VERSION = 1;
const HEAD_SIZE_BYTES = 128;
const FLAG_HAND_OVER = 1;

/** A block of the chain. */
export interface BlockPoint {
  readonly slot: Slot;
  readonly hash: Hash;
}
export interface ProgressRecord {
  readonly handOver: boolean;
  readonly judgeEpoch: number;
  readonly blocks: number;
  readonly leader: PublicKey;
  readonly justified: BlockPoint;
  readonly final: BlockPoint;
  readonly present: Uint8Array;
}

export function encodeProgress(record: ProgressRecord): Uint8Array {
  const writer = new ByteWriter(HEAD_SIZE_BYTES + seatsSizeBytes(record.present));
  writer.u8(VERSION, 'version');
  writer.u8(record.handOver ? FLAG_HAND_OVER : 0, 'flags');
  writer.zeros(2, 'reserved');
  writer.u32(record.judgeEpoch, 'judgeEpoch');
  writer.u32(record.blocks, 'blocks');
  writer.zeros(4, 'reserved');
  writer.put(record.leader, 32, 'leader');
  for (const [field, point] of [
    ['justified', record.justified],
    ['final', record.final],
  ] as const) {
    writer.u53(point.slot, `${field}.slot`);
    writer.put(point.hash, 32, `${field}.hash`);
  }
  writeSeats(writer, record.present, 'present');
  return writer.done('progress');
}

/** @param value borrowed: keys and hashes are views @throws RecordError */
export function decodeProgress(value: Uint8Array): ProgressRecord {
  return decodeRecord('progress', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    const flags = reader.u8('flags');
    if (flags > FLAG_HAND_OVER) throw new CodecError('range', 'flags', `must be 0 or 1, found ${flags}`);
    reader.zeros(2, 'reserved');
    const judgeEpoch = reader.u32('judgeEpoch');
    const blocks = reader.u32('blocks');
    reader.zeros(4, 'reserved');
    return {
      handOver: flags === FLAG_HAND_OVER,
      judgeEpoch,
      blocks,
      leader: publicKey(reader.take(32, 'leader')),
      justified: readPoint(reader, 'justified'),
      final: readPoint(reader, 'final'),
      present: readSeats(reader, 'present'),
    };
  });
}

/** How far the chain is. @throws RecordError */
export function readProgress(state: StateReader): ProgressRecord {
  const value = state.record(PROGRESS_KEY);
  invariant(value !== undefined, 'argument', () => 'a state without a progress record: genesis writes one');
  return decodeProgress(value);
}

export function putProgress(overlay: Overlay, record: ProgressRecord): void {
  overlay.putRecord(PROGRESS_KEY, encodeProgress(record));
}

function readPoint(reader: ByteReader, field: string): BlockPoint {
  return { slot: slot(reader.u53(`${field}.slot`)), hash: hash(reader.take(32, `${field}.hash`)) };
}
