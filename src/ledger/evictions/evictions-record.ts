/**
 * The two record families of evictions: all evictions in one record, and which of them were revived, one bit each.
 *
 * Family 0x04, the key is that byte alone. Absent before the first eviction.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 7 | zero |
 * | 8 | 8 | count: evictions so far |
 * | 16 | 8 | units: evicted and not revived, a part of the supply |
 * | 24 | 32 * popcount(count) | peaks of the mountain range, largest mountain first |
 *
 * Family 0x05, key 0x05 || chunk u32 big-endian: 256 bytes; bit i % 8 of byte i / 8 is eviction 2048 * chunk + i, set once it was revived, for good.
 * Absent while none of the chunk was.
 */
import { sameBytes } from '../../../native/index.ts';
import { Frontier } from '../../../storage/commitment/frontier.ts';
import { HASH_SIZE_BYTES, type MerkleKernels } from '../../../storage/commitment/merkle.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { ByteWriter, CodecError } from '../../codec/index.ts';
import { invariant } from '../invariant.ts';
import type { Overlay } from '../overlay.ts';
import { decodeRecord } from '../replication/record-error.ts';
import { EVICTIONS_MAX, type Eviction, evictionLeafHashes } from './eviction.ts';

const VERSION = 1;
const HEAD_SIZE_BYTES = 24;
const REVIVED_SIZE_BYTES = 256;
const REVIVED_PER_RECORD = 8 * REVIVED_SIZE_BYTES;
const REVIVED_FAMILY = 0x05;

/** Key of the one record of all evictions. */
export const EVICTIONS_KEY: Uint8Array = Uint8Array.of(0x04);

export interface EvictionsRecord {
  /** Units evicted and not revived. */
  readonly units: bigint;
  /** Size (the count of evictions) and peaks of the mountain range. */
  readonly range: Frontier;
}

/** Encodes the record of all evictions; at least one. */
export function encodeEvictions({ units, range }: EvictionsRecord): Uint8Array {
  const writer = new ByteWriter(HEAD_SIZE_BYTES + HASH_SIZE_BYTES * range.peaks.length);
  writer.u8(VERSION, 'version');
  writer.zeros(7, 'reserved');
  writer.u53(range.size, 'count');
  writer.u64(units, 'units');
  for (const peak of range.peaks) writer.put(peak, HASH_SIZE_BYTES, 'peak');
  return writer.done('evictions');
}

/** @param value borrowed, not kept @throws RecordError */
export function decodeEvictions(value: Uint8Array): EvictionsRecord {
  return decodeRecord('evictions', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    reader.zeros(7, 'reserved');
    const count = reader.u53('count');
    if (count < 1 || count > EVICTIONS_MAX)
      throw new CodecError('range', 'count', `must be 1 .. ${EVICTIONS_MAX}, found ${count}`);
    const units = reader.u64('units');
    const peaks = reader.take(HASH_SIZE_BYTES * bitCount(count), 'peaks');
    return { units, range: rangeOf(count, peaks) };
  });
}

/** All evictions up to now; an empty range before the first. @throws RecordError */
export function readEvictions(state: StateReader): EvictionsRecord {
  const value = state.record(EVICTIONS_KEY);
  return value === undefined ? { units: 0n, range: Frontier.empty } : decodeEvictions(value);
}

/**
 * Opens the record for a block's evictions: touches its key now, so that it stands in the block's ops where the first eviction does.
 * Returns what it held; `writeEvictions` must follow.
 */
export function openEvictions(overlay: Overlay): EvictionsRecord {
  const before = readEvictions(overlay);
  overlay.putRecord(EVICTIONS_KEY, new Uint8Array(0));
  return before;
}

/** Writes the record with a block's evictions, at least one, added to what it held. */
export function writeEvictions(
  kernels: MerkleKernels,
  overlay: Overlay,
  { units, range }: EvictionsRecord,
  evictions: readonly Eviction[],
): void {
  const grown = range.appendMany(kernels, evictionLeafHashes(kernels, evictions));
  invariant(grown.size <= EVICTIONS_MAX, 'argument', () => `eviction ${EVICTIONS_MAX} has no bit to be revived with`);
  const added = evictions.reduce((sum, { balance }) => sum + balance, 0n);
  overlay.putRecord(EVICTIONS_KEY, encodeEvictions({ units: units + added, range: grown }));
}

/** Whether an eviction was revived. @throws RecordError */
export function isRevived(state: StateReader, index: number): boolean {
  const bits = revivedBits(state, index);
  const { at, mask } = bitOf(index);
  return bits !== undefined && (bits[at]! & mask) !== 0;
}

/** Marks an eviction as revived and takes its units out of those evicted. It must not have been revived before. */
export function markRevived(overlay: Overlay, index: number, balance: bigint): void {
  const record = readEvictions(overlay);
  overlay.putRecord(EVICTIONS_KEY, encodeEvictions({ ...record, units: record.units - balance }));
  const bits = revivedBits(overlay, index)?.slice() ?? new Uint8Array(REVIVED_SIZE_BYTES);
  const { at, mask } = bitOf(index);
  bits[at]! |= mask;
  overlay.putRecord(revivedKey(index), bits);
}

/** Key of the record that holds an eviction's bit. */
export function revivedKey(index: number): Uint8Array {
  const key = new Uint8Array(5);
  key[0] = REVIVED_FAMILY;
  new DataView(key.buffer).setUint32(1, Math.floor(index / REVIVED_PER_RECORD), false);
  return key;
}

/** Whether two records name the same evictions, revived or not. */
export function sameRange(a: Frontier, b: Frontier): boolean {
  return a.size === b.size && a.peaks.every((peak, at) => sameBytes(peak, b.peaks[at]!));
}

function revivedBits(state: StateReader, index: number): Uint8Array | undefined {
  const value = state.record(revivedKey(index));
  return value === undefined
    ? undefined
    : decodeRecord('revived', value, (reader) => reader.take(REVIVED_SIZE_BYTES, 'bits'));
}

function bitOf(index: number): { readonly at: number; readonly mask: number } {
  const bit = index % REVIVED_PER_RECORD;
  return { at: bit >> 3, mask: 1 << (bit & 7) };
}

/** A range from its count and packed peaks, which are as many as the count has bits. */
function rangeOf(count: number, peaks: Uint8Array): Frontier {
  const bytes = new Uint8Array(8 + peaks.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(count), true);
  bytes.set(peaks, 8);
  return Frontier.decode(bytes);
}

function bitCount(value: number): number {
  let bits = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
}
