/**
 * Designated hashes, kept in the state: the first block past a period's start writes down the PoH hash of the block before it. So every node, also one
 * that fast-synced and has no old headers, knows the challenge of each period and rotation, and each fork its own.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 7 | zero |
 * | 8 | 8 | slot of the designated block |
 * | 16 | 32 | PoH hash at its end |
 *
 * Kept for the last max(4, 2 * periodsPerRotation) periods: the current and at least the previous rotation.
 */
import { type Hash, hash, type Slot, slot } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { ByteWriter, CodecError } from '../../codec/index.ts';
import type { Overlay } from '../overlay.ts';
import type { BlockEnd } from '../recent.ts';
import { decodeRecord } from './record-error.ts';
import { DESIGNATED_PREFIX, designatedKey, numberOfKey } from './record-key.ts';
import { firstPeriodOfRotation, periodsDesignated, type ScheduleRules } from './schedule.ts';

/** Size of an encoded designated hash record. */
export const DESIGNATED_RECORD_SIZE_BYTES = 48;
const VERSION = 1;
/** A fake is revealed, and a proof judged, in the second period after its own at the latest. */
const PERIODS_KEPT_MIN = 4;

export interface DesignatedRecord {
  readonly slot: Slot;
  readonly pohHash: Hash;
}

export function encodeDesignated(record: DesignatedRecord): Uint8Array {
  const writer = new ByteWriter(DESIGNATED_RECORD_SIZE_BYTES);
  writer.u8(VERSION, 'version');
  writer.zeros(7, 'reserved');
  writer.u53(record.slot, 'slot');
  writer.put(record.pohHash, 32, 'pohHash');
  return writer.done('designated');
}

/** @param value borrowed: the result's hash is a view @throws RecordError */
export function decodeDesignated(value: Uint8Array): DesignatedRecord {
  return decodeRecord('designated', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    reader.zeros(7, 'reserved');
    return { slot: slot(reader.u53('slot')), pohHash: hash(reader.take(32, 'pohHash')) };
  });
}

/** A period's designated hash, or undefined when it is not settled yet or no longer kept. @throws RecordError */
export function readDesignated(state: StateReader, period: number): DesignatedRecord | undefined {
  const value = state.record(designatedKey(period));
  return value === undefined ? undefined : decodeDesignated(value);
}

/** A rotation's designated hash: that of its first period. @throws RecordError */
export function readRotationHash(
  rules: ScheduleRules,
  state: StateReader,
  rotation: number,
): DesignatedRecord | undefined {
  return readDesignated(state, firstPeriodOfRotation(rules, rotation));
}

/** At the start of a block of `slot` on `parent`: records the hashes this block settles, and drops those too old to matter. */
export function designateHashes(rules: ScheduleRules, overlay: Overlay, parent: BlockEnd, slot: Slot): void {
  const periods = periodsDesignated(rules, parent.slot, slot);
  if (periods === null) return;
  const oldest = periods.last + 1 - Math.max(PERIODS_KEPT_MIN, 2 * rules.periodsPerRotation);
  const value = encodeDesignated(parent);
  for (let period = Math.max(periods.first, oldest); period <= periods.last; period++)
    overlay.putRecord(designatedKey(period), value);
  const outdated = [...overlay.records(DESIGNATED_PREFIX)].filter(([key]) => numberOfKey(key) < oldest);
  for (const [key] of outdated) overlay.deleteRecord(key);
}
