/**
 * What a validator signs when it says which proofs of a list hold: findings that anybody may land in a `validations` packet.
 *
 * Signed message: "cairn/validations/1" || chain id 32 || period u32 || number of entries u16 || zero u16 || entries (segment u32, identity 20) ||
 * valid bits || invalid bits. Its length is odd, those of transactions, votes, headers and PoH packets are even: none of them is ever another.
 */
import type { Hash } from '../../native/index.ts';
import { ByteWriter } from './byte-writer.ts';
import { tagged } from './domain.ts';
import type { SignedFindings, ValidationsPayload } from './market-model.ts';
import { findingBitsSizeBytes, writeNames } from './market-payload.ts';
import type { SigningKey } from './signing.ts';

const VALIDATIONS_TAG: Uint8Array = new TextEncoder().encode('cairn/validations/1');

/** The list that findings are about. */
export type ValidationList = Pick<ValidationsPayload, 'period' | 'entries'>;
/** One validator's findings on it: one bit an entry. */
export type Findings = Pick<SignedFindings, 'valid' | 'invalid'>;

/** The bytes a validator's signature covers. @throws CodecError when the entries do not ascend or the bits do not fit */
export function validationMessage(chainId: Hash, { period, entries }: ValidationList, findings: Findings): Uint8Array {
  const bitsSize = findingBitsSizeBytes(entries.length);
  const writer = new ByteWriter(32 + 4 + 4 + 24 * entries.length + 2 * bitsSize);
  writer.put(chainId, 32, 'validation.chainId');
  writer.u32(period, 'validation.period');
  writer.u16(entries.length, 'validation.entries');
  writer.zeros(2, 'validation.reserved');
  writeNames(writer, entries, 'validation');
  writer.put(findings.valid, bitsSize, 'validation.valid');
  writer.put(findings.invalid, bitsSize, 'validation.invalid');
  return tagged(VALIDATIONS_TAG, writer.done('validation'));
}

/** Signs findings as the validator of a seat. The bits are borrowed. */
export function signFindings(
  chainId: Hash,
  list: ValidationList,
  findings: Findings,
  seat: number,
  key: SigningKey,
): SignedFindings {
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
