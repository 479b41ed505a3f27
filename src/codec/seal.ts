/**
 * How a validator's findings are sealed: said in public before anybody can read them, and bound to what was said.
 *
 *   signature = Ed25519, by the validator's key, of "cairn/findings-key/1" || chain id 32 || seat u16 || period u32 || zero u8
 *   secret    = SHA-256("cairn/findings-secret/1" || signature 64)
 *   seal      = SHA-256("cairn/findings/1" || chain id 32 || seat u16 || period u32 || secret 32)
 *   mask      = lowest bit of the first byte of SHA-256("cairn/findings-mask/1" || secret 32 || segment u32 || identity 20)
 *
 * - The seal binds: whoever shows another secret for it has a second preimage. It names the seat, so nobody can take another's seal, wait for its secret
 *   and show that as its own.
 * - A sealed bit is the word XOR the proof's mask: without the secret a coin. So it tells nothing, not even whether two words are the same.
 * - The signature is never shown, and nobody else can make it. It comes from the key alone: after a crash a validator opens what it has sealed without having
 *   written anything down. The ledger does not look at how a secret was made.
 */
import type { Hash } from '../../native/index.ts';
import { ByteWriter } from './byte-writer.ts';
import { type Hasher, tagged, taggedHash } from './domain.ts';
import type { ReplicaName } from './market-model.ts';
import type { SigningKey } from './signing.ts';

const ascii = new TextEncoder();
const KEY_TAG: Uint8Array = ascii.encode('cairn/findings-key/1');
const SECRET_TAG: Uint8Array = ascii.encode('cairn/findings-secret/1');
const SEAL_TAG: Uint8Array = ascii.encode('cairn/findings/1');
const MASK_TAG: Uint8Array = ascii.encode('cairn/findings-mask/1');

/** Whose findings, of which period. */
export interface SealSubject {
  readonly chainId: Hash;
  readonly seat: number;
  readonly period: number;
}

/** The secret of a validator for one period: always the same, known to its key only. */
export function findingsSecret(hasher: Hasher, subject: SealSubject, key: SigningKey): Hash {
  const message = tagged(KEY_TAG, subjectBytes(subject, 1));
  return taggedHash(hasher, SECRET_TAG, key.sign(message));
}

/** What the ledger keeps until the secret is shown. @param secret 32 bytes */
export function secretSeal(hasher: Hasher, subject: SealSubject, secret: Uint8Array): Hash {
  return taggedHash(hasher, SEAL_TAG, tagged(subjectBytes(subject, 0), secret));
}

/** What a word on one proof is XORed with. @param secret 32 bytes, the one of the proof's period */
export function wordMask(hasher: Hasher, secret: Uint8Array, { segment, identity }: ReplicaName): boolean {
  const writer = new ByteWriter(32 + 4 + 20);
  writer.put(secret, 32, 'mask.secret');
  writer.u32(segment, 'mask.segment');
  writer.put(identity, 20, 'mask.identity');
  return (taggedHash(hasher, MASK_TAG, writer.done('mask'))[0]! & 1) === 1;
}

/** @param zeros bytes behind it: one makes the signed message's length odd, as no transaction's is */
function subjectBytes({ chainId, seat, period }: SealSubject, zeros: number): Uint8Array {
  const writer = new ByteWriter(32 + 2 + 4 + zeros);
  writer.put(chainId, 32, 'seal.chainId');
  writer.u16(seat, 'seal.seat');
  writer.u32(period, 'seal.period');
  writer.zeros(zeros, 'seal.reserved');
  return writer.done('seal');
}
