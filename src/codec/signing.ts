/**
 * Ed25519 signing keys (RFC 8032) from a 32-byte seed, by node:crypto, and the address of a public key.
 *
 * Signatures are deterministic. Checking signatures is not done here but in the kernels, by the project's one rule.
 */
import { createPrivateKey, createPublicKey, sign as nodeSign } from 'node:crypto';
import { ripemd160 } from '@noble/hashes/legacy.js';
import { type Address, address, type PublicKey, publicKey, type Signature, signature } from '../../native/index.ts';
import { CodecError } from './codec-error.ts';

/** Size of the secret seed a key is made from. */
export const SEED_SIZE_BYTES = 32;

/** PKCS #8 wrapping of a raw Ed25519 seed (RFC 8410, section 7). */
const PKCS8_PREFIX: Uint8Array = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
]);

/** A key that signs; the secret never leaves it. */
export interface SigningKey {
  readonly publicKey: PublicKey;
  /** RIPEMD-160 of the public key. */
  readonly address: Address;
  /** Ed25519 signature of the bytes (borrowed for the call). */
  sign(bytes: Uint8Array): Signature;
}

/**
 * Makes a signing key.
 * @param seed 32 secret bytes, copied into the crypto library
 * @throws CodecError `length` when the seed is not 32 bytes
 */
export function signingKey(seed: Uint8Array): SigningKey {
  if (seed.length !== SEED_SIZE_BYTES)
    throw new CodecError('length', 'seed', `must be ${SEED_SIZE_BYTES} bytes, found ${seed.length}`);
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' });
  const key = publicKey(Uint8Array.from(spki.subarray(spki.length - 32)));
  return {
    publicKey: key,
    address: addressOf(key),
    sign: (bytes) => signature(new Uint8Array(nodeSign(null, bytes, secret))),
  };
}

/** Address of one public key: RIPEMD-160 of its 32 bytes. For many at once use `kernels.ripemd160Keys`. */
export function addressOf(key: PublicKey): Address {
  return address(ripemd160(key));
}
