/**
 * What a validator signs when it says which proofs of a list hold: sealed findings that anybody may land in a `validations` packet.
 *
 * Signed message: "cairn/validations/2" || chain id 32 || period u32 || number of entries u16 || zero u16 || entries (segment u32, identity 20) ||
 * seal 32 || spoken bits || sealed bits. Its length is odd, those of transactions, votes, headers and PoH packets are even: none of them is ever another.
 */
import type { Hash } from '../../native/index.ts';
import { ByteWriter } from './byte-writer.ts';
import { type Hasher, tagged } from './domain.ts';
import type { SealedFindings, ValidationsPayload } from './market-model.ts';
import { findingBitsSizeBytes, writeNames } from './market-payload.ts';
import { findingsSecret, secretSeal, wordMask } from './seal.ts';
import type { SigningKey } from './signing.ts';

const VALIDATIONS_TAG: Uint8Array = new TextEncoder().encode('cairn/validations/2');

/** The list that findings are about. */
export type ValidationList = Pick<ValidationsPayload, 'period' | 'entries'>;
/** One validator's findings on it. */
export type Findings = Pick<SealedFindings, 'seal' | 'spoken' | 'sealed'>;

/** The bytes a validator's signature covers. @throws CodecError when the entries do not ascend or the bits do not fit */
export function validationMessage(chainId: Hash, { period, entries }: ValidationList, findings: Findings): Uint8Array {
  const bitsSize = findingBitsSizeBytes(entries.length);
  const writer = new ByteWriter(32 + 4 + 4 + 24 * entries.length + 32 + 2 * bitsSize);
  writer.put(chainId, 32, 'validation.chainId');
  writer.u32(period, 'validation.period');
  writer.u16(entries.length, 'validation.entries');
  writer.zeros(2, 'validation.reserved');
  writeNames(writer, entries, 'validation');
  writer.put(findings.seal, 32, 'validation.seal');
  writer.put(findings.spoken, bitsSize, 'validation.spoken');
  writer.put(findings.sealed, bitsSize, 'validation.sealed');
  return tagged(VALIDATIONS_TAG, writer.done('validation'));
}

/**
 * Seals and signs findings as the validator of a seat.
 * @param words for each entry whether it is valid; undefined where nothing is said of it
 */
export function sealFindings(
  hasher: Hasher,
  chainId: Hash,
  list: ValidationList,
  words: readonly (boolean | undefined)[],
  seat: number,
  key: SigningKey,
): SealedFindings {
  const subject = { chainId, seat, period: list.period };
  const secret = findingsSecret(hasher, subject, key);
  const [spoken, sealed] = [0, 1].map(() => new Uint8Array(findingBitsSizeBytes(list.entries.length)));
  for (const [index, entry] of list.entries.entries()) {
    const word = words[index];
    if (word === undefined) continue;
    setFinding(spoken!, index);
    if (word !== wordMask(hasher, secret, entry)) setFinding(sealed!, index);
  }
  const findings = { seal: secretSeal(hasher, subject, secret), spoken: spoken!, sealed: sealed! };
  return { seat, ...findings, signature: key.sign(validationMessage(chainId, list, findings)) };
}

/** Whether entry `index` is in a bit set. */
export function hasFinding(bits: Uint8Array, index: number): boolean {
  return ((bits[index >> 3]! >> (index & 7)) & 1) === 1;
}

/** Puts entry `index` into a bit set. */
export function setFinding(bits: Uint8Array, index: number): void {
  bits[index >> 3]! |= 1 << (index & 7);
}
