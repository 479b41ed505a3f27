/**
 * Replicator identities: their record, and the `register` transaction that makes one.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 7 | zero |
 * | 8 | 32 | public key |
 * | 40 | 8 | deposit |
 * | 48 | 8 | slot of the block that registered it |
 *
 * A deposit is taken from the sender's balance and held by the record: it stays part of the supply.
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
export const IDENTITY_RECORD_SIZE_BYTES = 56;
const VERSION = 1;

export interface IdentityRecord {
  readonly publicKey: PublicKey;
  readonly deposit: Amount;
  readonly slot: Slot;
}

export function encodeIdentity(record: IdentityRecord): Uint8Array {
  const writer = new ByteWriter(IDENTITY_RECORD_SIZE_BYTES);
  writer.u8(VERSION, 'version');
  writer.zeros(7, 'reserved');
  writer.put(record.publicKey, 32, 'publicKey');
  writer.u64(record.deposit, 'deposit');
  writer.u53(record.slot, 'slot');
  return writer.done('identity');
}

/** @param value borrowed: the result's key is a view @throws RecordError */
export function decodeIdentity(value: Uint8Array): IdentityRecord {
  return decodeRecord('identity', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    reader.zeros(7, 'reserved');
    return {
      publicKey: publicKey(reader.take(32, 'publicKey')),
      deposit: amount(reader.u64('deposit')),
      slot: slot(reader.u53('slot')),
    };
  });
}

/** An identity's record, or undefined when it is not registered. `identity`: its address, 20 bytes. @throws RecordError */
export function readIdentity(state: StateReader, identity: Uint8Array): IdentityRecord | undefined {
  const value = state.record(identityKey(identity));
  return value === undefined ? undefined : decodeIdentity(value);
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
  const record = { publicKey: transaction.from, deposit: payload.deposit, slot: context.slot };
  overlay.putRecord(identityKey(sender), encodeIdentity(record));
}
