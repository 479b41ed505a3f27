/**
 * A bond: what a validator has at stake, and where it stands between waiting and having left. Two places of the state hold it: the bond
 * table what changes, a record what stays (and when it last asked for something).
 *
 * Bond table, by the address of the validator's key: `bond` = units held, a part of the supply; `lastVote` = 0, or 1 + the first full epoch it has missed, counted
 * as `EpochRecord.fullEpochs` (so its last vote lies before); details, 24 bytes:
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 4 | fromEra: first era whose set it is in; 2^32 - 1 while it waits |
 * | 4 | 4 | untilEra: first era whose set it is not in any more; 2^32 - 1 while that is open |
 * | 8 | 2 | seat, 0 .. 1023 |
 * | 10 | 2 | flags: 1 slashed, 2 has asked to leave |
 * | 12 | 4 | excludedFrom: epoch from which it has not counted; 2^32 - 1 while it counts |
 * | 16 | 4 | leftEpoch: epoch in which it had left both sets; 2^32 - 1 before |
 * | 20 | 4 | zero |
 *
 * Validator record, 64 bytes: version = 1, zero 7, public key 32, weight u64, bondedSlot u64, askedSlot u64.
 *
 * Invariants: `weight` never changes while the bond stands, whatever happens to its units: sets of neighbouring eras must weigh alike on every fork (docs/protocol.md).
 * set(k) is the bonds with fromEra <= k < untilEra.
 */
import { type Address, address, type PublicKey, publicKey, type Slot, slot } from '../../../native/index.ts';
import type { BondState } from '../../../storage/state-reader.ts';
import { type ByteReader, ByteWriter, CodecError } from '../../codec/index.ts';
import type { LedgerState } from '../ledger-state.ts';
import type { Overlay } from '../overlay.ts';
import { decodeRecord, RecordError } from '../replication/record-error.ts';
import { validatorKey } from './keys.ts';
import { SEATS_MAX } from './seat-set.ts';

const VERSION = 1;
const VALIDATOR_RECORD_SIZE_BYTES = 64;
const DETAILS_SIZE_BYTES = 24;
const NEVER = 0xffff_ffff;
const FLAG_SLASHED = 1;
const FLAG_LEAVING = 2;

/** What stays, and when it asked. */
export interface ValidatorRecord {
  readonly publicKey: PublicKey;
  /** Units when it was bonded: its weight in every set it is in. */
  readonly weight: bigint;
  /** Slot of the block that bonded it: evidence of before says nothing about this bond. */
  readonly bondedSlot: Slot;
  /** Slot of the block in which it last asked to enter or to leave, or was slashed. */
  readonly askedSlot: Slot;
}

/** What changes. `null` where the bytes say "never". */
export interface BondStatus {
  /** Units held; 0 once slashed. */
  readonly units: bigint;
  readonly seat: number;
  readonly fromEra: number | null;
  readonly untilEra: number | null;
  readonly slashed: boolean;
  readonly leaving: boolean;
  readonly excludedFrom: number | null;
  readonly leftEpoch: number | null;
  /** The first full epoch it has missed and has been absent since. */
  readonly absentFrom: number | null;
}
export interface Bond extends ValidatorRecord, BondStatus {
  /** Of its key. */
  readonly address: Address;
}

/** Whether a bond is in set(era). */
export function isInSet({ fromEra, untilEra }: Pick<BondStatus, 'fromEra' | 'untilEra'>, era: number): boolean {
  return fromEra !== null && fromEra <= era && (untilEra === null || era < untilEra);
}

/** Whether a bond does not count now. Who did not in an epoch of the past stands in its judge (epoch-record.ts). */
export function isExcluded({ excludedFrom }: Pick<BondStatus, 'excludedFrom'>): boolean {
  return excludedFrom !== null;
}

/** A bond that waits to enter. */
export function isWaiting({ fromEra, leftEpoch }: Pick<BondStatus, 'fromEra' | 'leftEpoch'>): boolean {
  return fromEra === null && leftEpoch === null;
}

/** A bond, or undefined. @param of its address, 20 bytes @throws RecordError */
export function readBond(state: LedgerState, of: Uint8Array): Bond | undefined {
  const held = state.bond(of);
  return held === undefined ? undefined : bondOf(state, of, held);
}

/** Every bond, in order of addresses. @throws RecordError */
export function readBonds(state: LedgerState): Bond[] {
  return Array.from(state.bonds(), ([of, held]) => bondOf(state, of, held));
}

/** Writes what changes: one op. */
export function putStatus(overlay: Overlay, bond: Bond): void {
  overlay.putBond(bond.address, encodeStatus(bond));
}

/** Writes what stays, and when it asked: one op. */
export function putValidator(overlay: Overlay, bond: Bond): void {
  overlay.putRecord(validatorKey(bond.address), encodeValidator(bond));
}

/** Takes a bond out of the state, and answers what it held. Free its seat too. */
export function deleteBond(overlay: Overlay, bond: Bond): bigint {
  overlay.deleteBond(bond.address);
  overlay.deleteRecord(validatorKey(bond.address));
  return bond.units;
}

export function encodeStatus(status: BondStatus): BondState {
  const writer = new ByteWriter(DETAILS_SIZE_BYTES);
  writer.u32(status.fromEra ?? NEVER, 'fromEra');
  writer.u32(status.untilEra ?? NEVER, 'untilEra');
  writer.u16(status.seat, 'seat');
  writer.u16((status.slashed ? FLAG_SLASHED : 0) | (status.leaving ? FLAG_LEAVING : 0), 'flags');
  writer.u32(status.excludedFrom ?? NEVER, 'excludedFrom');
  writer.u32(status.leftEpoch ?? NEVER, 'leftEpoch');
  writer.zeros(4, 'reserved');
  const lastVote = status.absentFrom === null ? 0n : BigInt(status.absentFrom) + 1n;
  return { bond: status.units, lastVote, details: writer.done('bond') };
}

/** @throws RecordError */
export function decodeStatus({ bond: units, lastVote, details }: BondState): BondStatus {
  return decodeRecord('bond', details, (reader) => {
    const fromEra = orNever(reader, 'fromEra');
    const untilEra = orNever(reader, 'untilEra');
    const seat = inRange(reader.u16('seat'), SEATS_MAX - 1, 'seat');
    const flags = inRange(reader.u16('flags'), FLAG_SLASHED | FLAG_LEAVING, 'flags');
    const excludedFrom = orNever(reader, 'excludedFrom');
    const leftEpoch = orNever(reader, 'leftEpoch');
    reader.zeros(4, 'reserved');
    if (lastVote > BigInt(NEVER))
      throw new CodecError('range', 'lastVote', `must be at most 2^32 - 1, found ${lastVote}`);
    const absentFrom = lastVote === 0n ? null : Number(lastVote) - 1;
    const [slashed, leaving] = [(flags & FLAG_SLASHED) !== 0, (flags & FLAG_LEAVING) !== 0];
    return { units, seat, fromEra, untilEra, slashed, leaving, excludedFrom, leftEpoch, absentFrom };
  });
}

export function encodeValidator(record: ValidatorRecord): Uint8Array {
  const writer = new ByteWriter(VALIDATOR_RECORD_SIZE_BYTES);
  writer.u8(VERSION, 'version');
  writer.zeros(7, 'reserved');
  writer.put(record.publicKey, 32, 'publicKey');
  writer.u64(record.weight, 'weight');
  writer.u53(record.bondedSlot, 'bondedSlot');
  writer.u53(record.askedSlot, 'askedSlot');
  return writer.done('validator');
}

/** @param value borrowed: the result's key is a view @throws RecordError */
export function decodeValidator(value: Uint8Array): ValidatorRecord {
  return decodeRecord('validator', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    reader.zeros(7, 'reserved');
    return {
      publicKey: publicKey(reader.take(32, 'publicKey')),
      weight: reader.u64('weight'),
      bondedSlot: slot(reader.u53('bondedSlot')),
      askedSlot: slot(reader.u53('askedSlot')),
    };
  });
}

function bondOf(state: LedgerState, of: Uint8Array, held: BondState): Bond {
  const value = state.record(validatorKey(of));
  if (value === undefined)
    throw new RecordError('validator', 0, new CodecError('mismatch', 'validator', 'a bond without a validator record'));
  return { address: address(of), ...decodeStatus(held), ...decodeValidator(value) };
}

function orNever(reader: ByteReader, field: string): number | null {
  const value = reader.u32(field);
  return value === NEVER ? null : value;
}

function inRange(value: number, max: number, field: string): number {
  if (value > max) throw new CodecError('range', field, `must be at most ${max}, found ${value}`);
  return value;
}
