/**
 * Validators' faults: what approving fakes comes to. One record a validator key, family 0x21, for the bonds to be cut by.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 3 | zero |
 * | 4 | 4 | faults: fakes approved |
 * | 8 | 4 | thousandths of the bond to be cut, 0 .. 1000: the sum over all faults, and no more than the whole |
 * | 12 | 4 | zero |
 * | 16 | 8 | slot of the last fault's block |
 *
 * The units go to the reward pool with each fault (bonds/slashing.ts); the record says how much of the bond has gone that way. It outlives the bond: who bonds anew
 * with a key that lost everything is not believed for less.
 */
import { type PublicKey, publicKey, type Slot, slot } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { ByteWriter, CodecError } from '../../codec/index.ts';
import { slashShare } from '../bonds/slashing.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { PERMILLE } from './market-rules.ts';
import { decodeRecord } from './record-error.ts';
import { FAULTS_PREFIX, faultsKey } from './record-key.ts';
import { counted } from './replica.ts';

/** Size of an encoded record. */
export const FAULTS_RECORD_SIZE_BYTES = 24;
const VERSION = 1;

export interface ValidatorFaults {
  readonly faults: number;
  readonly permille: number;
  readonly lastSlot: Slot;
}

export function encodeFaults(record: ValidatorFaults): Uint8Array {
  const writer = new ByteWriter(FAULTS_RECORD_SIZE_BYTES);
  writer.u8(VERSION, 'version');
  writer.zeros(3, 'reserved');
  writer.u32(record.faults, 'faults');
  writer.u32(record.permille, 'permille');
  writer.zeros(4, 'reserved');
  writer.u53(record.lastSlot, 'lastSlot');
  return writer.done('faults');
}

/** @throws RecordError */
export function decodeFaults(value: Uint8Array): ValidatorFaults {
  return decodeRecord('faults', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    reader.zeros(3, 'reserved');
    const faults = reader.u32('faults');
    const permille = reader.u32('permille');
    if (permille > PERMILLE)
      throw new CodecError('range', 'permille', `must be at most ${PERMILLE}, found ${permille}`);
    reader.zeros(4, 'reserved');
    return { faults, permille, lastSlot: slot(reader.u53('lastSlot')) };
  });
}

/** Punishes a validator: notes one fault, and takes `permille` thousandths of the bond. */
export function slashValidator(context: BlockContext, overlay: Overlay, key: PublicKey, permille: number): void {
  const value = overlay.record(faultsKey(key));
  const before = value === undefined ? { faults: 0, permille: 0 } : decodeFaults(value);
  const after = {
    faults: counted(before.faults),
    permille: Math.min(PERMILLE, before.permille + permille),
    lastSlot: context.slot,
  };
  overlay.putRecord(faultsKey(key), encodeFaults(after));
  slashShare(context, overlay, key, { before: before.permille, after: after.permille });
}

/** A validator's faults, or undefined when it has none. @throws RecordError */
export function readFaults(state: StateReader, key: PublicKey): ValidatorFaults | undefined {
  const value = state.record(faultsKey(key));
  return value === undefined ? undefined : decodeFaults(value);
}

/** All validators with faults, in order of key. @throws RecordError */
export function* readValidatorFaults(state: StateReader): Iterable<ValidatorFaults & { readonly key: PublicKey }> {
  for (const [key, value] of state.records(FAULTS_PREFIX))
    yield { key: publicKey(key.slice(1)), ...decodeFaults(value) };
}
