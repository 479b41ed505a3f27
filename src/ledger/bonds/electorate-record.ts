/**
 * The electorate record: a digest of who judges, in the state, so that a light client can be shown who judges from here on (docs/protocol.md, "Hand-overs").
 *
 * Key: the byte 0x09 alone. Value, 48 bytes:
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 1 | majority floor, 0 or 1 |
 * | 2 | 2 | number of members n, 1 .. 1024 |
 * | 4 | 4 | epoch of the block that wrote it |
 * | 8 | 4 | era |
 * | 12 | 4 | zero |
 * | 16 | 32 | digest: SHA-256('cairn/electorate/1' || list) |
 *
 * The list has 44 bytes for each member, in order of rank (weight, then key, both descending):
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 32 | key |
 * | 32 | 8 | weight, at least 1 |
 * | 40 | 2 | seat, 0 .. 1023 |
 * | 42 | 1 | 1 in the current set, 2 in the previous, 4 excluded |
 * | 43 | 1 | zero |
 *
 * Invariants: one list per electorate (no key, no seat twice, everybody in a set). Written by genesis, and by the first block of an epoch when era, floor or list
 * differ from what the record says; so of two records in a row of one chain the epoch rises, and the era by at most 1.
 */
import { type Hash, hash, publicKey, sameBytes } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { ByteReader, ByteWriter, CodecError, type Hasher, taggedHash } from '../../codec/index.ts';
import type { Electorate, Member } from '../../consensus/electorate.ts';
import { invariant } from '../invariant.ts';
import type { Overlay } from '../overlay.ts';
import { decodeRecord } from '../replication/record-error.ts';
import { byteOrder } from '../state-key.ts';
import { ELECTORATE_KEY } from './keys.ts';
import { SEATS_MAX } from './seat-set.ts';

const VERSION = 1;
const RECORD_SIZE_BYTES = 48;
const LIST_TAG: Uint8Array = new TextEncoder().encode('cairn/electorate/1');
const FLAG_CURRENT = 1;
const FLAG_PREVIOUS = 2;
const FLAG_EXCLUDED = 4;
/** Bytes of a member in a list. */
export const MEMBER_SIZE_BYTES = 44;
/** As many as there are seats. */
export const MEMBERS_MAX: number = SEATS_MAX;

/** What a hand-over is about: an electorate without what changes from block to block. */
export type JudgingElectorate = Pick<Electorate, 'epoch' | 'era' | 'members' | 'majorityFloor'>;

export interface ElectorateRecord extends Pick<Electorate, 'epoch' | 'era' | 'majorityFloor'> {
  readonly memberCount: number;
  /** Of the list of members. */
  readonly digest: Hash;
}

/** The record of an electorate. */
export function recordOf(hasher: Hasher, electorate: JudgingElectorate): ElectorateRecord {
  const { epoch, era, majorityFloor, members } = electorate;
  const digest = memberListDigest(hasher, encodeMembers(members));
  return { epoch, era, majorityFloor, memberCount: members.length, digest };
}

/** Digest of an encoded list. */
export function memberListDigest(hasher: Hasher, list: Uint8Array): Hash {
  return taggedHash(hasher, LIST_TAG, list);
}

/** Writes the record when era, floor or members are not what it says. */
export function noteElectorate(hasher: Hasher, overlay: Overlay, electorate: JudgingElectorate): void {
  const before = readElectorateRecord(overlay);
  const after = recordOf(hasher, electorate);
  const isSame =
    before.era === after.era &&
    before.majorityFloor === after.majorityFloor &&
    before.memberCount === after.memberCount &&
    sameBytes(before.digest, after.digest);
  if (!isSame) overlay.putRecord(ELECTORATE_KEY, encodeElectorateRecord(after));
}

/** The chain's record. @throws RecordError */
export function readElectorateRecord(state: StateReader): ElectorateRecord {
  const value = state.record(ELECTORATE_KEY);
  invariant(value !== undefined, 'argument', () => 'a state without an electorate record: genesis writes one');
  return decodeElectorateRecord(value);
}

export function encodeElectorateRecord(record: ElectorateRecord): Uint8Array {
  const writer = new ByteWriter(RECORD_SIZE_BYTES);
  writer.u8(VERSION, 'version');
  writer.u8(record.majorityFloor ? 1 : 0, 'majorityFloor');
  writer.u16(record.memberCount, 'members');
  writer.u32(record.epoch, 'epoch');
  writer.u32(record.era, 'era');
  writer.zeros(4, 'reserved');
  writer.put(record.digest, 32, 'digest');
  return writer.done('electorate');
}

/** @param value borrowed: the digest is copied @throws RecordError */
export function decodeElectorateRecord(value: Uint8Array): ElectorateRecord {
  return decodeRecord('electorate', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    const floor = reader.u8('majorityFloor');
    if (floor > 1) throw new CodecError('range', 'majorityFloor', `must be 0 or 1, found ${floor}`);
    const memberCount = reader.u16('members');
    if (memberCount < 1 || memberCount > MEMBERS_MAX)
      throw new CodecError('count', 'members', `must be within 1 .. ${MEMBERS_MAX}, found ${memberCount}`);
    const epoch = reader.u32('epoch');
    const era = reader.u32('era');
    reader.zeros(4, 'reserved');
    return { epoch, era, majorityFloor: floor === 1, memberCount, digest: hash(reader.take(32, 'digest').slice()) };
  });
}

/** The canonical list. @param members in order of rank */
export function encodeMembers(members: readonly Member[]): Uint8Array {
  const writer = new ByteWriter(members.length * MEMBER_SIZE_BYTES);
  for (const member of members) {
    writer.put(member.publicKey, 32, 'member.publicKey');
    writer.u64(member.weight, 'member.weight');
    writer.u16(member.seat, 'member.seat');
    const sets = (member.inCurrent ? FLAG_CURRENT : 0) | (member.inPrevious ? FLAG_PREVIOUS : 0);
    writer.u8(sets | (member.excluded ? FLAG_EXCLUDED : 0), 'member.flags');
    writer.zeros(1, 'member.reserved');
  }
  return writer.done('members');
}

/** Reads a list that may be hostile; keys are copied. @throws CodecError when it is not the canonical list of any electorate */
export function decodeMembers(list: Uint8Array): readonly Member[] {
  const reader = new ByteReader(list);
  const members: Member[] = [];
  const seats = new Set<number>();
  while (reader.remaining > 0) {
    const member = readMember(reader);
    const before = members.at(-1);
    if (before !== undefined && !ranksBefore(before, member))
      throw new CodecError('mismatch', 'members', `member ${members.length} does not rank behind the one before it`);
    if (seats.has(member.seat)) throw new CodecError('mismatch', 'members', `seat ${member.seat} is taken twice`);
    seats.add(member.seat);
    members.push(member);
  }
  // Ranks order equal weights by key only: one key with two weights would pass.
  if (new Set(members.map(({ publicKey: key }) => Buffer.from(key).toString('latin1'))).size !== members.length)
    throw new CodecError('mismatch', 'members', 'a key stands there twice');
  return members;
}

function readMember(reader: ByteReader): Member {
  const key = publicKey(reader.take(32, 'member.publicKey').slice());
  const weight = reader.u64('member.weight');
  if (weight === 0n) throw new CodecError('range', 'member.weight', 'must be at least 1, found 0');
  const seat = reader.u16('member.seat');
  if (seat >= SEATS_MAX) throw new CodecError('range', 'member.seat', `must be below ${SEATS_MAX}, found ${seat}`);
  const flags = reader.u8('member.flags');
  if (flags > 7 || (flags & (FLAG_CURRENT | FLAG_PREVIOUS)) === 0)
    throw new CodecError('range', 'member.flags', `must name a set and nothing unknown, found ${flags}`);
  reader.zeros(1, 'member.reserved');
  return {
    publicKey: key,
    weight,
    seat,
    inCurrent: (flags & FLAG_CURRENT) !== 0,
    inPrevious: (flags & FLAG_PREVIOUS) !== 0,
    excluded: (flags & FLAG_EXCLUDED) !== 0,
  };
}

function ranksBefore(a: Member, b: Member): boolean {
  return a.weight === b.weight ? byteOrder(a.publicKey, b.publicKey) > 0 : a.weight > b.weight;
}
