/**
 * Replicator identities: their record, and the `register` transaction that makes one.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 2 |
 * | 1 | 1 | 1: unregistered, waits for its deposit; else 0 |
 * | 2 | 2 | zero |
 * | 4 | 4 | replicas: how many replica records it has |
 * | 8 | 32 | public key |
 * | 40 | 8 | deposit |
 * | 48 | 8 | slot of the block that registered it |
 * | 56 | 4 | period in which it unregistered, else 0 |
 * | 60 | 4 | lock window: which window of the lockout the next two are of (lockout.ts) |
 * | 64 | 8 | rewards locked in the window before |
 * | 72 | 8 | rewards locked in that window |
 * | 80 | 4 | proofs accepted, under any replica |
 * | 84 | 4 | fakes revealed |
 * | 88 | 8 | rewards paid so far, locked ones included |
 * | 96 | 4 | provable from: replicas made anew prove no period below this |
 * | 100 | 4 | zero |
 *
 * The deposit is taken from the sender's balance, rewards from the pool; both stay part of the supply while the record holds them.
 */
import {
  type Address,
  type Amount,
  amount,
  type PublicKey,
  publicKey,
  type Slot,
  slot,
} from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { ByteWriter, CodecError, type RegisterPayload, type Transaction } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { decodeRecord } from './record-error.ts';
import { IDENTITY_PREFIX, identityKey, identityOfKey } from './record-key.ts';

/** Size of an encoded identity record. */
export const IDENTITY_RECORD_SIZE_BYTES = 104;
const VERSION = 2;

export interface IdentityRecord {
  readonly publicKey: PublicKey;
  readonly deposit: Amount;
  /** Slot of the block that registered it. */
  readonly slot: Slot;
  /** How many replica records it has. */
  readonly replicas: number;
  /** Whether it has unregistered and waits for its deposit. */
  readonly isLeaving: boolean;
  /** The period in which it did; 0 before. */
  readonly leftPeriod: number;
  /** Which window of the lockout the next two are of. */
  readonly lockWindow: number;
  /** Rewards of the window before. */
  readonly lockedOld: Amount;
  /** Rewards of that window. */
  readonly lockedNew: Amount;
  readonly accepted: number;
  /** Fakes revealed. */
  readonly fakes: number;
  /** All rewards so far, locked or released. */
  readonly paidUnits: Amount;
  /** A replica made anew proves no period below this: what an earlier one of the segment may have been paid for. */
  readonly provableFrom: number;
}

export function encodeIdentity(record: IdentityRecord): Uint8Array {
  const writer = new ByteWriter(IDENTITY_RECORD_SIZE_BYTES);
  writer.u8(VERSION, 'version');
  writer.u8(record.isLeaving ? 1 : 0, 'isLeaving');
  writer.zeros(2, 'reserved');
  writer.u32(record.replicas, 'replicas');
  writer.put(record.publicKey, 32, 'publicKey');
  writer.u64(record.deposit, 'deposit');
  writer.u53(record.slot, 'slot');
  writer.u32(record.leftPeriod, 'leftPeriod');
  writer.u32(record.lockWindow, 'lockWindow');
  writer.u64(record.lockedOld, 'lockedOld');
  writer.u64(record.lockedNew, 'lockedNew');
  writer.u32(record.accepted, 'accepted');
  writer.u32(record.fakes, 'fakes');
  writer.u64(record.paidUnits, 'paidUnits');
  writer.u32(record.provableFrom, 'provableFrom');
  writer.zeros(4, 'reserved');
  return writer.done('identity');
}

/** @param value borrowed: the result's key is a view @throws RecordError */
export function decodeIdentity(value: Uint8Array): IdentityRecord {
  return decodeRecord('identity', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    const leaving = reader.u8('isLeaving');
    if (leaving > 1) throw new CodecError('range', 'isLeaving', `must be 0 or 1, found ${leaving}`);
    reader.zeros(2, 'reserved');
    const replicas = reader.u32('replicas');
    const record = {
      isLeaving: leaving === 1,
      replicas,
      publicKey: publicKey(reader.take(32, 'publicKey')),
      deposit: amount(reader.u64('deposit')),
      slot: slot(reader.u53('slot')),
      leftPeriod: reader.u32('leftPeriod'),
      lockWindow: reader.u32('lockWindow'),
      lockedOld: amount(reader.u64('lockedOld')),
      lockedNew: amount(reader.u64('lockedNew')),
      accepted: reader.u32('accepted'),
      fakes: reader.u32('fakes'),
      paidUnits: amount(reader.u64('paidUnits')),
      provableFrom: reader.u32('provableFrom'),
    };
    reader.zeros(4, 'reserved');
    return record;
  });
}

/** An identity's record, or undefined when it is not registered. `identity`: its address, 20 bytes. @throws RecordError */
export function readIdentity(state: StateReader, identity: Uint8Array): IdentityRecord | undefined {
  const value = state.record(identityKey(identity));
  return value === undefined ? undefined : decodeIdentity(value);
}

/** Writes an identity's record. */
export function putIdentity(overlay: Overlay, identity: Uint8Array, record: IdentityRecord): void {
  overlay.putRecord(identityKey(identity), encodeIdentity(record));
}

/** Units an identity's record holds of the supply: the deposit and what is locked. */
export function heldUnits({ deposit, lockedOld, lockedNew }: IdentityRecord): bigint {
  return deposit + lockedOld + lockedNew;
}

/** Rewards that are not released yet. */
export function lockedUnits({ lockedOld, lockedNew }: IdentityRecord): bigint {
  return lockedOld + lockedNew;
}

/** All registered identities, in order of address. @throws RecordError */
export function* readIdentities(
  state: StateReader,
): Iterable<{ readonly identity: Address; readonly record: IdentityRecord }> {
  for (const [key, value] of state.records(IDENTITY_PREFIX))
    yield { identity: identityOfKey(key), record: decodeIdentity(value) };
}

/** Checks of `register`, in order: deposit-too-low, already-registered. */
export function checkRegister(
  context: BlockContext,
  state: StateReader,
  payload: RegisterPayload,
  sender: Address,
): Refusal | null {
  const { minimumDeposit } = context.rules.replication;
  if (payload.deposit < minimumDeposit)
    return refuse('deposit-too-low', `deposit is ${payload.deposit}, at least ${minimumDeposit} is needed`);
  if (state.record(identityKey(sender)) !== undefined)
    return refuse('already-registered', 'the sender is a replicator identity already');
  return null;
}

/** Applies a checked `register`; the deposit has been taken from the sender. */
export function applyRegister(
  context: BlockContext,
  overlay: Overlay,
  transaction: Transaction,
  payload: RegisterPayload,
  sender: Address,
): void {
  const none = amount(0n);
  putIdentity(overlay, sender, {
    publicKey: transaction.from,
    deposit: payload.deposit,
    slot: context.slot,
    replicas: 0,
    isLeaving: false,
    leftPeriod: 0,
    lockWindow: 0,
    lockedOld: none,
    lockedNew: none,
    accepted: 0,
    fakes: 0,
    paidUnits: none,
    provableFrom: 0,
  });
}
