/**
 * Where a replica's cipher key and a period's samples come from: VRF outputs on the chain's designated PoH hashes. One identity,
 * segment and rotation have exactly one key; one identity, segment and period exactly one set of samples. Nobody, the identity
 * included, can choose among several (key grinding), and anybody can derive both from the published proofs.
 *
 * Byte layouts and derivations: docs/format/proofs.md, "Keys and seeds".
 */
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { type VrfKey, vrfVerify } from './vrf.ts';

/** AES-256-CBC key and IV of one replica. Public once the commit is: it keeps copies apart, it hides nothing. */
export interface ReplicaCipher {
  /** 32 bytes */
  readonly key: Uint8Array;
  /** 16 bytes */
  readonly iv: Uint8Array;
}

/** What a replica's key is bound to. */
export interface ReplicaSubject {
  /** Ed25519 public key of the identity, 32 bytes. */
  readonly identity: Uint8Array;
  readonly segment: number;
  readonly rotation: number;
  /** The rotation's designated PoH hash, 32 bytes. */
  readonly rotationHash: Uint8Array;
}

/** What a period's samples are bound to. */
export interface SampleSubject {
  readonly identity: Uint8Array;
  readonly segment: number;
  readonly period: number;
  /** The period's designated PoH hash, 32 bytes. */
  readonly periodHash: Uint8Array;
}

const TAG = {
  replicaKey: utf8ToBytes('cairn/replica-key/1'),
  replicaCipher: utf8ToBytes('cairn/replica-cipher/1'),
  samples: utf8ToBytes('cairn/samples/1'),
  sampleSeed: utf8ToBytes('cairn/sample-seed/1'),
} as const;

function u32(value: number, field: string): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff)
    throw new RangeError(`${field} must be within 0 .. 2^32 - 1, got ${value}`);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function hash32(bytes: Uint8Array, field: string): Uint8Array {
  if (bytes.length !== 32) throw new RangeError(`${field} must be 32 bytes, got ${bytes.length}`);
  return bytes;
}

/** The VRF input for a replica's key: tag || rotation hash || segment u32 || rotation u32. */
export function keyAlpha(subject: Omit<ReplicaSubject, 'identity'>): Uint8Array {
  return concatBytes(
    TAG.replicaKey,
    hash32(subject.rotationHash, 'rotationHash'),
    u32(subject.segment, 'segment'),
    u32(subject.rotation, 'rotation'),
  );
}

/** The VRF input for a period's samples: tag || period hash || segment u32 || period u32. */
export function sampleAlpha(subject: Omit<SampleSubject, 'identity'>): Uint8Array {
  return concatBytes(
    TAG.samples,
    hash32(subject.periodHash, 'periodHash'),
    u32(subject.segment, 'segment'),
    u32(subject.period, 'period'),
  );
}

/** Key and IV: bytes 0..31 and 32..47 of SHA-512(tag || identity || rotation hash || segment || rotation || beta). */
function cipherFrom(subject: ReplicaSubject, beta: Uint8Array): ReplicaCipher {
  const bound = concatBytes(subject.identity, keyAlpha(subject).subarray(TAG.replicaKey.length));
  const digest = sha512(concatBytes(TAG.replicaCipher, bound, beta));
  return { key: digest.slice(0, 32), iv: digest.slice(32, 48) };
}

/** Seed: SHA-256(tag || identity || period hash || segment || period || beta). */
function seedFrom(subject: SampleSubject, beta: Uint8Array): Uint8Array {
  const bound = concatBytes(subject.identity, sampleAlpha(subject).subarray(TAG.samples.length));
  return sha256(concatBytes(TAG.sampleSeed, bound, beta));
}

/** Makes the 80-byte key proof of a replica. `subject.identity` is `key`'s own. */
export function proveKey(key: VrfKey, subject: Omit<ReplicaSubject, 'identity'>): Uint8Array {
  return key.prove(keyAlpha(subject));
}

/** Makes the 80-byte sample proof of a period. */
export function proveSamples(key: VrfKey, subject: Omit<SampleSubject, 'identity'>): Uint8Array {
  return key.prove(sampleAlpha(subject));
}

/** The replica's key and IV, or `false` when `keyProof` is not the identity's proof for this subject. Takes hostile bytes. */
export function deriveCipher(subject: ReplicaSubject, keyProof: Uint8Array): ReplicaCipher | false {
  const beta = vrfVerify(subject.identity, keyAlpha(subject), keyProof);
  return beta === false ? false : cipherFrom(subject, beta);
}

/** The 32-byte seed of a period's samples, or `false` when `sampleProof` is not the identity's proof for this subject. */
export function deriveSampleSeed(subject: SampleSubject, sampleProof: Uint8Array): Uint8Array | false {
  const beta = vrfVerify(subject.identity, sampleAlpha(subject), sampleProof);
  return beta === false ? false : seedFrom(subject, beta);
}
