/**
 * A segment's places: who is paid for it. One record a segment, family 0x20, made by the first proof accepted.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 1 | places n, 0 .. 64 |
 * | 2 | 2 | zero |
 * | 4 | 4 | newest period paid for |
 * | 8 | 4 | rewards paid for that period, and for the 3 before it: a byte each |
 * | 12 | 4 | zero |
 * | 16 | 32 n | places: identity 20, proven period u32, since u64; ascending by since, then identity |
 *
 * Rules: a proven identity that has no place takes a free one; else that of a holder whose replica has lapsed (the one proven longest ago); else that of the
 * youngest holder, if it is older itself. Age is the slot of the replica's first commit, ties by address. At most `replicasPerSegment` rewards are paid for one
 * period of a segment, to holders of places.
 *
 * So who is paid is found in one record, however many identities have replicas of the segment.
 */
import { type Address, address, type Slot, slot } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { type ByteReader, ByteWriter, CodecError } from '../../codec/index.ts';
import type { Overlay } from '../overlay.ts';
import { byteOrder } from '../state-key.ts';
import { type MarketRules, REPLICAS_PER_SEGMENT_MAX } from './market-rules.ts';
import { decodeRecord } from './record-error.ts';
import { numberOfKey, PLACES_PREFIX, placesKey } from './record-key.ts';
import { firstUndecidedPeriod, periodsDue } from './schedule.ts';

const VERSION = 1;
const HEAD_SIZE_BYTES = 16;
const PLACE_SIZE_BYTES = 32;
/** Periods whose rewards are counted: a proof is decided before the third one after it ends. */
const PERIODS_COUNTED = 4;

/** One paid place. */
export interface SegmentPlace {
  readonly identity: Address;
  /** The last period proven. */
  readonly provenPeriod: number;
  /** Slot of the replica's first commit. */
  readonly since: Slot;
}

export interface SegmentPlaces {
  /** Oldest first. */
  readonly places: readonly SegmentPlace[];
  /** The newest period paid for. */
  readonly period: number;
  /** Rewards paid for that period and the 3 before it. */
  readonly paid: readonly number[];
}

const EMPTY: SegmentPlaces = { places: [], period: 0, paid: [0, 0, 0, 0] };

export function encodePlaces(record: SegmentPlaces): Uint8Array {
  const writer = new ByteWriter(HEAD_SIZE_BYTES + PLACE_SIZE_BYTES * record.places.length);
  writer.u8(VERSION, 'version');
  writer.u8(record.places.length, 'places');
  writer.zeros(2, 'reserved');
  writer.u32(record.period, 'period');
  for (const count of record.paid) writer.u8(count, 'paid');
  writer.zeros(4, 'reserved');
  for (const { identity, provenPeriod, since } of record.places) {
    writer.put(identity, 20, 'place.identity');
    writer.u32(provenPeriod, 'place.provenPeriod');
    writer.u53(since, 'place.since');
  }
  return writer.done('places');
}

/** @param value borrowed: identities are views @throws RecordError */
export function decodePlaces(value: Uint8Array): SegmentPlaces {
  return decodeRecord('places', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    const count = reader.u8('places');
    if (count > REPLICAS_PER_SEGMENT_MAX)
      throw new CodecError('count', 'places', `must be at most ${REPLICAS_PER_SEGMENT_MAX}, found ${count}`);
    reader.zeros(2, 'reserved');
    const period = reader.u32('period');
    const paid = Array.from({ length: PERIODS_COUNTED }, () => reader.u8('paid'));
    reader.zeros(4, 'reserved');
    const places = Array.from({ length: count }, () => readPlace(reader));
    for (let i = 1; i < count; i++)
      if (ageOrder(places[i - 1]!, places[i]!) >= 0)
        throw new CodecError('mismatch', 'places', `place ${i} is not younger than the one before`);
    return { places, period, paid };
  });
}

function readPlace(reader: ByteReader): SegmentPlace {
  return {
    identity: address(reader.take(20, 'place.identity')),
    provenPeriod: reader.u32('place.provenPeriod'),
    since: slot(reader.u53('place.since')),
  };
}

/** A segment's places; none before its first proof was accepted. @throws RecordError */
export function readSegmentPlaces(state: StateReader, segment: number): SegmentPlaces {
  const value = state.record(placesKey(segment));
  return value === undefined ? EMPTY : decodePlaces(value);
}

/** The places of all segments that have any, in order of segment. @throws RecordError */
export function* readAllPlaces(
  state: StateReader,
): Iterable<{ readonly segment: number; readonly record: SegmentPlaces }> {
  for (const [key, value] of state.records(PLACES_PREFIX))
    yield { segment: numberOfKey(key), record: decodePlaces(value) };
}

/** Gives the claimant, who has proven a period, its place if there is one for it. Returns the record to write. */
export function withClaim(
  rules: MarketRules,
  atSlot: number,
  record: SegmentPlaces,
  claim: SegmentPlace,
): { readonly record: SegmentPlaces; readonly hasPlace: boolean } {
  const others = record.places.filter(({ identity }) => byteOrder(identity, claim.identity) !== 0);
  const isHolder = others.length < record.places.length;
  const leaving =
    isHolder || others.length < rules.replicasPerSegment ? undefined : displaced(rules, atSlot, others, claim);
  if (!isHolder && leaving === undefined && others.length >= rules.replicasPerSegment)
    return { record, hasPlace: false };
  const places = [...others.filter((place) => place !== leaving), claim].sort(ageOrder);
  return { record: { ...record, places }, hasPlace: true };
}

/** Who gives way to the claimant; undefined when nobody does. */
function displaced(
  rules: MarketRules,
  atSlot: number,
  holders: readonly SegmentPlace[],
  claim: SegmentPlace,
): SegmentPlace | undefined {
  const undecided = firstUndecidedPeriod(rules, atSlot);
  const lapsed = holders
    .filter(({ provenPeriod }) => periodsDue(rules, provenPeriod + 1, undecided) > rules.missesMax)
    .sort((a, b) => a.provenPeriod - b.provenPeriod || ageOrder(b, a));
  if (lapsed.length > 0) return lapsed[0];
  const youngest = holders.at(-1)!;
  return ageOrder(claim, youngest) < 0 ? youngest : undefined;
}

/** How many rewards were paid for a period; as many as can be for one too long ago to be counted. */
export function paidFor({ period: newest, paid }: SegmentPlaces, period: number): number {
  if (period > newest) return 0;
  return paid[newest - period] ?? REPLICAS_PER_SEGMENT_MAX;
}

/** The record with one reward more for a period. */
export function withReward(record: SegmentPlaces, period: number): SegmentPlaces {
  const shift = Math.max(0, period - record.period);
  const newest = record.period + shift;
  const shifted = [...Array<number>(Math.min(shift, PERIODS_COUNTED)).fill(0), ...record.paid].slice(
    0,
    PERIODS_COUNTED,
  );
  const paid = shifted.map((count, index) => (newest - index === period ? count + 1 : count));
  return { ...record, period: newest, paid };
}

/** Writes a segment's places. */
export function putPlaces(overlay: Overlay, segment: number, record: SegmentPlaces): void {
  overlay.putRecord(placesKey(segment), encodePlaces(record));
}

/** Takes an identity's place away, if it has one. */
export function leavePlace(overlay: Overlay, segment: number, identity: Uint8Array): void {
  const record = readSegmentPlaces(overlay, segment);
  const places = record.places.filter((place) => byteOrder(place.identity, identity) !== 0);
  if (places.length < record.places.length) putPlaces(overlay, segment, { ...record, places });
}

/** Oldest first. */
function ageOrder(a: SegmentPlace, b: SegmentPlace): number {
  return a.since - b.since || byteOrder(a.identity, b.identity);
}
