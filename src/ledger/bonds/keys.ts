/**
 * Keys of the stake records. First byte: the family; numbers in keys are big-endian.
 *
 * | family | key | value |
 * |---|---|---|
 * | 0x06 | 0x00 / 0x01 / 0x02 / 0x03 | epoch / progress / seats / nomination record: one of each |
 * | 0x07 | address 20 | validator record |
 * | 0x08 | slot u64 | tally record of the chain's block of that slot |
 * | 0x09 | nothing more | electorate record |
 *
 * What a validator has at stake is no record: it stands in the bond table under the address of the validator's key.
 */
import { invariant } from '../invariant.ts';
import { ADDRESS_SIZE_BYTES } from '../state-key.ts';

const SINGLE_FAMILY = 0x06;
const VALIDATOR_FAMILY = 0x07;
const TALLY_FAMILY = 0x08;
const ELECTORATE_FAMILY = 0x09;

export const EPOCH_KEY: Uint8Array = Uint8Array.of(SINGLE_FAMILY, 0);
export const PROGRESS_KEY: Uint8Array = Uint8Array.of(SINGLE_FAMILY, 1);
export const SEATS_KEY: Uint8Array = Uint8Array.of(SINGLE_FAMILY, 2);
export const NOMINATION_KEY: Uint8Array = Uint8Array.of(SINGLE_FAMILY, 3);
/** Key of the electorate record, the only one of its family. */
export const ELECTORATE_KEY: Uint8Array = Uint8Array.of(ELECTORATE_FAMILY);
/** Prefix of all tally records; they sort by slot. */
export const TALLY_PREFIX: Uint8Array = Uint8Array.of(TALLY_FAMILY);

/** Key of a validator's record. `address`: of its key, 20 bytes, copied. */
export function validatorKey(address: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + ADDRESS_SIZE_BYTES);
  key[0] = VALIDATOR_FAMILY;
  key.set(address, 1);
  return key;
}

/** Key of the tally of the block of a slot. */
export function tallyKey(slot: number): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = TALLY_FAMILY;
  // Byte by byte: a view would move so small an array off JavaScript's heap.
  for (let [at, rest] = [8, slot]; rest > 0; at -= 1, rest = Math.floor(rest / 256)) key[at] = rest % 256;
  return key;
}

/** The slot a tally record's key names. */
export function slotOfTallyKey(key: Uint8Array): number {
  invariant(key.length === 9 && key[0] === TALLY_FAMILY, 'argument', () => `tally key of ${key.length} bytes`);
  let slot = 0;
  for (let at = 1; at < 9; at += 1) slot = slot * 256 + key[at]!;
  return slot;
}
