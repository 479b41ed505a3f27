/**
 * The backends that decide an Ed25519 equation once the byte checks have passed: sodium-native, node:crypto, noble's points.
 *
 * Owns: a bounded cache of imported node:crypto keys (importing one costs as much as a tenth of a verification).
 * Invariant: on signatures that passed `passesByteChecks` all three give the same verdict (test/native proves it on vectors and generated cases).
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { createRequire } from 'node:module';
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';

/** Verdict on one signature: 64 bytes, any message, 32-byte key. Inputs borrowed. */
export interface Ed25519Backend {
  readonly path: string;
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

const KEY_CACHE_MAX = 4096;

/** Least recently used keys leave first; a Map keeps insertion order, so a hit is re-inserted. */
class KeyCache {
  readonly #keys = new Map<string, KeyObject>();

  get(publicKey: Uint8Array): KeyObject {
    const x = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('base64url');
    const found = this.#keys.get(x);
    if (found !== undefined) {
      this.#keys.delete(x);
      this.#keys.set(x, found);
      return found;
    }
    const made = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    if (this.#keys.size >= KEY_CACHE_MAX) this.#keys.delete(this.#keys.keys().next().value!);
    this.#keys.set(x, made);
    return made;
  }
}

/** node:crypto (OpenSSL), keys imported as JWK (6 us; DER takes 70). */
export function nodeEd25519(): Ed25519Backend {
  const cache = new KeyCache();
  return {
    path: 'node:crypto',
    verify: (signature, message, publicKey) => verify(null, message, cache.get(publicKey), signature),
  };
}

const L = ed25519.Point.Fn.ORDER;

function littleEndianInteger(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}

function nobleVerify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  const rBytes = signature.subarray(0, 32);
  const s = littleEndianInteger(signature.subarray(32));
  const k = littleEndianInteger(sha512.create().update(rBytes).update(publicKey).update(message).digest()) % L;
  let a: InstanceType<typeof ed25519.Point>;
  try {
    a = ed25519.Point.fromBytes(publicKey, false);
  } catch {
    return false; // not on the curve
  }
  const base = s === 0n ? ed25519.Point.ZERO : ed25519.Point.BASE.multiplyUnsafe(s);
  // multiplyUnsafe reduces nothing and k < L, so this is exact also when A has a torsion component.
  const r = base.add(a.negate().multiplyUnsafe(k)).toBytes();
  return rBytes.every((byte, i) => byte === r[i]);
}

/** noble's point arithmetic: [S]B - [k]A, compared with R's bytes. Slow, needs nothing. */
export const nobleEd25519 = (): Ed25519Backend => ({ path: 'noble', verify: nobleVerify });

/** The part of sodium-native we use; it has no types of its own. */
interface Sodium {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

/** libsodium, when the optional package and a prebuilt binary for this machine are there; null otherwise. */
export function sodiumEd25519(): Ed25519Backend | null {
  try {
    const require = createRequire(import.meta.url);
    const sodium = require('sodium-native') as Sodium;
    if (typeof sodium.crypto_sign_verify_detached !== 'function') return null;
    return { path: 'sodium-native', verify: (s, m, k) => sodium.crypto_sign_verify_detached(s, m, k) };
  } catch {
    return null;
  }
}
