/**
 * Seals of findings: one record for each seat that has spoken in a period, family 0x22. First what it is bound by, then, once it is shown, the secret that opens
 * everything it has sealed in that period.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 1 | 0 sealed, 1 open |
 * | 2 | 6 | zero |
 * | 8 | 32 | the seal; once open the secret |
 *
 * Invariants: a record goes from sealed to open and no other way; an open one's secret gives the seal that stood there. Kept as long as the period's fakes may be revealed.
 */
import { type Hash, hash, sameBytes } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { ByteWriter, CodecError, type Hasher, type ReplicaName, secretSeal, wordMask } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { decodeRecord } from './record-error.ts';
import { numberOfKey, SEAL_PREFIX, sealKey } from './record-key.ts';
import type { ReplicaProof } from './replica.ts';
import { periodOfSlot, type ScheduleRules } from './schedule.ts';
import { hasSeat } from './seats.ts';

/** Size of an encoded record. */
export const SEAL_RECORD_SIZE_BYTES = 40;
const VERSION = 1;
/** Periods before the present one whose seals are kept: fakes are revealed in the period after their own. */
const PERIODS_KEPT = 2;

export interface SealRecord {
  readonly isOpen: boolean;
  /** The seal; of an open one the secret. */
  readonly value: Hash;
}

/** What a seat has said of a proof. `sealed`: its secret has not been shown. */
export type Word = 'none' | 'sealed' | 'valid' | 'invalid';

export function encodeSeal({ isOpen, value }: SealRecord): Uint8Array {
  const writer = new ByteWriter(SEAL_RECORD_SIZE_BYTES);
  writer.u8(VERSION, 'version');
  writer.u8(isOpen ? 1 : 0, 'isOpen');
  writer.zeros(6, 'reserved');
  writer.put(value, 32, 'value');
  return writer.done('seal');
}

/** @param value borrowed: the result's hash is a view @throws RecordError */
export function decodeSeal(value: Uint8Array): SealRecord {
  return decodeRecord('seal', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    const isOpen = reader.u8('isOpen');
    if (isOpen > 1) throw new CodecError('range', 'isOpen', `must be 0 or 1, found ${isOpen}`);
    reader.zeros(6, 'reserved');
    return { isOpen: isOpen === 1, value: hash(reader.take(32, 'value')) };
  });
}

/** A seat's seal of a period, or undefined when it has not spoken. @throws RecordError */
export function readSeal(state: StateReader, period: number, seat: number): SealRecord | undefined {
  const value = state.record(sealKey(period, seat));
  return value === undefined ? undefined : decodeSeal(value);
}

/** Binds a seat to its first seal of a period. @returns whether this is the one it is bound to */
export function bindSeal(overlay: Overlay, period: number, seat: number, seal: Hash): boolean {
  const before = readSeal(overlay, period, seat);
  if (before !== undefined) return !before.isOpen && sameBytes(before.value, seal);
  overlay.putRecord(sealKey(period, seat), encodeSeal({ isOpen: false, value: seal }));
  return true;
}

/** Opens a seat's findings of a period; a secret that does not give the seal, or is known, changes nothing. */
export function openSeal(
  { rules, kernels }: BlockContext,
  overlay: Overlay,
  period: number,
  seat: number,
  secret: Hash,
): void {
  const before = readSeal(overlay, period, seat);
  if (before === undefined || before.isOpen) return;
  if (!sameBytes(before.value, secretSeal(kernels, { chainId: rules.chainId, seat, period }, secret))) return;
  overlay.putRecord(sealKey(period, seat), encodeSeal({ isOpen: true, value: secret }));
}

/** Drops the seals of periods that can no longer be settled or revealed: in the first block of each period. */
export function forgetSeals(rules: ScheduleRules, overlay: Overlay, parentSlot: number, slot: number): void {
  if (periodOfSlot(rules, parentSlot) === periodOfSlot(rules, slot)) return;
  const oldest = periodOfSlot(rules, slot) - PERIODS_KEPT;
  const outdated: Uint8Array[] = [];
  for (const [key] of overlay.records(SEAL_PREFIX)) if (numberOfKey(key) < oldest) outdated.push(key);
  for (const key of outdated) overlay.deleteRecord(key);
}

/** Reads words on proofs of one period; each seat's secret is read once. */
export class WordReader {
  readonly #hasher: Hasher;
  readonly #state: StateReader;
  readonly #period: number;
  /** By seat; null where no secret has been shown. */
  readonly #secrets = new Map<number, Hash | null>();

  constructor(hasher: Hasher, state: StateReader, period: number) {
    this.#hasher = hasher;
    this.#state = state;
    this.#period = period;
  }

  /** What a seat has said of a proof of this period. */
  word(seat: number, name: ReplicaName, { spoken, sealed }: Pick<ReplicaProof, 'spoken' | 'sealed'>): Word {
    if (seat >= spoken.length * 8 || !hasSeat(spoken, seat)) return 'none';
    const secret = this.#secret(seat);
    if (secret === null) return 'sealed';
    return hasSeat(sealed, seat) !== wordMask(this.#hasher, secret, name) ? 'valid' : 'invalid';
  }

  #secret(seat: number): Hash | null {
    const known = this.#secrets.get(seat);
    if (known !== undefined) return known;
    const record = readSeal(this.#state, this.#period, seat);
    const secret = record?.isOpen === true ? record.value : null;
    this.#secrets.set(seat, secret);
    return secret;
  }
}
