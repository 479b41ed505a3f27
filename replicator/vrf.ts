/**
 * ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381, section 5 with the parameters of 5.5, suite 0x03): a "signature" with exactly one possible
 * output per key and input, so that its maker has nothing to grind. The keys are the Ed25519 ones of RFC 8032.
 *
 * Invariants
 * - `vrfVerify` and `vrfProofToHash` take bytes from anywhere: whatever is wrong with them, the answer is `false`, never an exception.
 * - Points are decoded by RFC 8032 section 5.1.3 to the letter: y below the prime, no negative zero. A public key of small order is
 *   refused (RFC 9381 section 5.4.5, ECVRF_validate_key), which is what makes the output unique for keys their owner chose badly.
 * - Secret scalars meet only noble's constant-time `multiply`; everything a verifier handles is public and goes the faster way.
 *
 * Names in capitals and single letters (H, Gamma, U, V, c, s, k, x, Y) are the RFC's.
 */
import { mulAddUnsafe } from '@noble/curves/abstract/curve.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@noble/hashes/utils.js';

/** Length of a proof (pi): Gamma 32, c 16, s 32. */
export const VRF_PROOF_SIZE_BYTES = 80;
/** Length of an output (beta). */
export const VRF_OUTPUT_SIZE_BYTES = 64;

type Point = InstanceType<typeof ed25519.Point>;
const Point = ed25519.Point;
const Scalar = Point.Fn;
const SUITE = 0x03;
const CHALLENGE_SIZE_BYTES = 16;
const COUNTER_MAX = 255;

/** Thrown when the caller's own secret is unusable: an error of the program or its key file, never of a peer. */
export class VrfKeyError extends RangeError {
  override readonly name = 'VrfKeyError';
  readonly code = 'vrf-secret-length';
}

/** A secret key ready to prove: holds the expanded secret in memory; drop it when done. */
export interface VrfKey {
  /** The Ed25519 public key (Y), 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Proof (pi, 80 bytes) that this key's output on `alpha` (any length) is `vrfProofToHash(proof)`. Deterministic. */
  prove(alpha: Uint8Array): Uint8Array;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index -= 1) value = (value << 8n) | BigInt(bytes[index]!);
  return value;
}

function toLittleEndian(value: bigint, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let index = 0, rest = value; index < sizeBytes; index += 1, rest >>= 8n) bytes[index] = Number(rest & 0xffn);
  return bytes;
}

/** string_to_point: undefined when the 32 bytes encode no point, or encode one in a second way. */
function decodePoint(bytes: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(bytes, false);
  } catch {
    return undefined;
  }
}

/** ECVRF_encode_to_curve_try_and_increment (5.4.1.1), salted with the public key. Fails with odds 2^-256. */
function encodeToCurve(publicKey: Uint8Array, alpha: Uint8Array): Point {
  const input = concatBytes(Uint8Array.of(SUITE, 0x01), publicKey, alpha, Uint8Array.of(0, 0x00));
  for (let counter = 0; counter <= COUNTER_MAX; counter += 1) {
    input[input.length - 2] = counter;
    const point = decodePoint(sha512(input).subarray(0, 32))?.clearCofactor();
    if (point !== undefined && !point.is0()) return point;
  }
  throw new RangeError('no counter of 0 .. 255 gave a curve point');
}

/** ECVRF_challenge_generation (5.4.3) over the encodings of Y, H, Gamma, U and V. */
function challenge(publicKey: Uint8Array, points: readonly Point[]): Uint8Array {
  const encoded = points.map((point) => point.toBytes());
  const digest = sha512(concatBytes(Uint8Array.of(SUITE, 0x02), publicKey, ...encoded, Uint8Array.of(0x00)));
  return digest.slice(0, CHALLENGE_SIZE_BYTES);
}

/** The tail of ECVRF_proof_to_hash (5.2). */
function gammaToHash(gamma: Point): Uint8Array {
  return sha512(concatBytes(Uint8Array.of(SUITE, 0x03), gamma.clearCofactor().toBytes(), Uint8Array.of(0x00)));
}

interface DecodedProof {
  readonly gamma: Point;
  readonly c: bigint;
  readonly cBytes: Uint8Array;
  readonly s: bigint;
}

/** ECVRF_decode_proof (5.4.4). */
function decodeProof(proof: Uint8Array): DecodedProof | undefined {
  if (proof.length !== VRF_PROOF_SIZE_BYTES) return undefined;
  const s = littleEndian(proof.subarray(48));
  if (s >= Scalar.ORDER) return undefined;
  const gamma = decodePoint(proof.subarray(0, 32));
  const cBytes = proof.subarray(32, 48);
  return gamma === undefined ? undefined : { gamma, c: littleEndian(cBytes), cBytes, s };
}

/** ECVRF_validate_key (5.4.5): the point, or undefined for bytes that are no key or one of small order. */
function decodeKey(publicKey: Uint8Array): Point | undefined {
  if (publicKey.length !== 32) return undefined;
  const point = decodePoint(publicKey);
  return point === undefined || point.isSmallOrder() ? undefined : point;
}

/**
 * Expands an Ed25519 secret (the 32-byte seed of RFC 8032) into a VRF key.
 * @param secret 32 bytes, read at once and not kept
 */
export function createVrfKey(secret: Uint8Array): VrfKey {
  if (secret.length !== 32) throw new VrfKeyError(`secret must be 32 bytes (an Ed25519 seed), got ${secret.length}`);
  const { scalar: x, prefix, pointBytes: publicKey } = ed25519.utils.getExtendedPublicKey(secret);
  const prove = (alpha: Uint8Array): Uint8Array => {
    const H = encodeToCurve(publicKey, alpha);
    const Gamma = H.multiply(x);
    // 5.4.2.2: the nonce of RFC 8032, over H. Zero has odds 2^-252; `multiply` would refuse it.
    const k = Scalar.create(littleEndian(sha512(concatBytes(prefix, H.toBytes()))));
    const cBytes = challenge(publicKey, [H, Gamma, Point.BASE.multiply(k), H.multiply(k)]);
    const s = Scalar.add(k, Scalar.mul(littleEndian(cBytes), x));
    return concatBytes(Gamma.toBytes(), cBytes, toLittleEndian(s, 32));
  };
  return { publicKey, prove };
}

/**
 * ECVRF_proof_to_hash (5.2): the output (beta, 64 bytes) of a proof that was verified, or made here. `false` for bytes that are no
 * proof. Says nothing about validity: use `vrfVerify` on a stranger's.
 */
export function vrfProofToHash(proof: Uint8Array): Uint8Array | false {
  const decoded = decodeProof(proof);
  return decoded === undefined ? false : gammaToHash(decoded.gamma);
}

/**
 * ECVRF_verify with key validation (5.3): the output (beta, 64 bytes), or `false` when the key, the proof or their relation to
 * `alpha` is wrong. All three are borrowed and may hold anything.
 */
export function vrfVerify(publicKey: Uint8Array, alpha: Uint8Array, proof: Uint8Array): Uint8Array | false {
  const Y = decodeKey(publicKey);
  const decoded = decodeProof(proof);
  if (Y === undefined || decoded === undefined) return false;
  const { gamma: Gamma, c, cBytes, s } = decoded;
  const H = encodeToCurve(publicKey, alpha);
  const U = Point.BASE.multiplyUnsafe(s).add(mulAddUnsafe(Point, [Y.negate()], [c]));
  const V = mulAddUnsafe(Point, [H, Gamma.negate()], [s, c]);
  const expected = challenge(publicKey, [H, Gamma, U, V]);
  return expected.every((byte, index) => byte === cBytes[index]) ? gammaToHash(Gamma) : false;
}
