/**
 * Keys of the replication records. First byte: the family; then big-endian numbers, so that keys sort as numbers do.
 *
 * | family | key | value |
 * |---|---|---|
 * | 0x01 | identity 20 | identity record |
 * | 0x02 | segment u32 BE, identity 20 | replica record |
 * | 0x03 | period u32 BE | designated hash record |
 * | 0x20 | segment u32 BE | segment's places |
 * | 0x21 | validator's public key 32 | validator's faults |
 * | 0x22 | period u32 BE, seat u16 BE | seal of a seat's findings |
 *
 * 0x04 and 0x05 are evictions (evictions/evictions-record.ts).
 */
import { type Address, address } from '../../../native/index.ts';
import { invariant } from '../invariant.ts';
import { ADDRESS_SIZE_BYTES } from '../state-key.ts';

const U32_MAX = 0xffff_ffff;
const FAMILY = { identity: 1, replica: 2, designated: 3, places: 0x20, faults: 0x21, seal: 0x22 } as const;
const KEY_SIZE_BYTES = 32;
const REPLICA_KEY_SIZE_BYTES: number = 1 + 4 + ADDRESS_SIZE_BYTES;

/** Prefix of all identity records. */
export const IDENTITY_PREFIX: Uint8Array = Uint8Array.of(FAMILY.identity);
/** Prefix of all replica records. */
export const REPLICA_PREFIX: Uint8Array = Uint8Array.of(FAMILY.replica);
/** Prefix of all designated hash records. */
export const DESIGNATED_PREFIX: Uint8Array = Uint8Array.of(FAMILY.designated);

/** Prefix of all segments' places. */
export const PLACES_PREFIX: Uint8Array = Uint8Array.of(FAMILY.places);
/** Prefix of all validators' faults. */
export const FAULTS_PREFIX: Uint8Array = Uint8Array.of(FAMILY.faults);

/** Prefix of all seals of findings. */
export const SEAL_PREFIX: Uint8Array = Uint8Array.of(FAMILY.seal);

/** Key of the seal of a seat's findings of a period. */
export function sealKey(period: number, seat: number): Uint8Array {
  invariant(Number.isInteger(seat) && seat >= 0 && seat <= 0xffff, 'argument', () => `a seat is a u16, got ${seat}`);
  const key = new Uint8Array(7);
  key.set(numbered(FAMILY.seal, period));
  new DataView(key.buffer).setUint16(5, seat, false);
  return key;
}

/** Key of the record of a segment's paid places. */
export function placesKey(segment: number): Uint8Array {
  return numbered(FAMILY.places, segment);
}

/** Key of the record of a validator's faults. `validator`: its public key, 32 bytes, copied. */
export function faultsKey(validator: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + KEY_SIZE_BYTES);
  key[0] = FAMILY.faults;
  key.set(validator, 1);
  return key;
}

/** Key of an identity's record. `identity`: 20 bytes, copied. */
export function identityKey(identity: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + ADDRESS_SIZE_BYTES);
  key[0] = FAMILY.identity;
  key.set(identity, 1);
  return key;
}

/** Key of the record of one identity's replica of one segment. */
export function replicaKey(segment: number, identity: Uint8Array): Uint8Array {
  const key = new Uint8Array(REPLICA_KEY_SIZE_BYTES);
  key.set(segmentPrefix(segment));
  key.set(identity, 5);
  return key;
}

/** Prefix of all replica records of one segment. */
export function segmentPrefix(segment: number): Uint8Array {
  return numbered(FAMILY.replica, segment);
}

/** Key of a period's designated hash. */
export function designatedKey(period: number): Uint8Array {
  return numbered(FAMILY.designated, period);
}

/** The identity an identity record's key names (a view). */
export function identityOfKey(key: Uint8Array): Address {
  invariant(key.length === 1 + ADDRESS_SIZE_BYTES, 'argument', () => `identity key of ${key.length} bytes`);
  return address(key.subarray(1));
}

/** Segment and identity (a view) that a replica record's key names. */
export function replicaOfKey(key: Uint8Array): { readonly segment: number; readonly identity: Address } {
  invariant(key.length === REPLICA_KEY_SIZE_BYTES, 'argument', () => `replica key of ${key.length} bytes`);
  return { segment: numberOfKey(key), identity: address(key.subarray(5)) };
}

/** The big-endian number after the family byte: a replica's segment, a designated hash's or a seal's period. */
export function numberOfKey(key: Uint8Array): number {
  invariant(key.length >= 5, 'argument', () => `numbered key of ${key.length} bytes`);
  return new DataView(key.buffer, key.byteOffset, key.length).getUint32(1, false);
}

function numbered(family: number, value: number): Uint8Array {
  invariant(
    Number.isInteger(value) && value >= 0 && value <= U32_MAX,
    'argument',
    () => `a segment or period is a u32, got ${value}`,
  );
  const key = new Uint8Array(5);
  key[0] = family;
  new DataView(key.buffer).setUint32(1, value, false);
  return key;
}
