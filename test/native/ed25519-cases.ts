/**
 * Generated Ed25519 edge cases: signatures on which libraries disagree, each with the verdict of our rule known from how it was made.
 *
 * Seeded: the same cases every run. Kinds: valid signatures with messages of every length; torsion mixed into A, into R and into both;
 * S at and past its bounds; points of small order and their non-canonical spellings; keys off the curve; single flipped bits.
 */
import { ED25519_TORSION_SUBGROUP, ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { fromHex, seededBytes } from './variants.ts';

/** One signature and its verdict. */
export interface Ed25519Case {
  readonly kind: string;
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly valid: boolean;
}

type Point = InstanceType<typeof ed25519.Point>;
const { Point } = ed25519;
const L = Point.Fn.ORDER;
const P = Point.Fp.ORDER;
const TORSION: readonly Point[] = ED25519_TORSION_SUBGROUP.map((text) => Point.fromHex(text));

/** Little-endian integer of bytes. */
function integer(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex') || '0'}`);
}

/** 32 little-endian bytes of an integer below 2^256. */
function bytes32(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse());
}

const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const challenge = (r: Uint8Array, a: Uint8Array, message: Uint8Array): bigint =>
  integer(sha512(join(r, a, message))) % L;
const base = (scalar: bigint): Point => (scalar === 0n ? Point.ZERO : Point.BASE.multiply(scalar));
const torsionTimes = (point: Point, scalar: bigint): Point => point.multiplyUnsafe(scalar % 8n);

/** What one random key and nonce give. */
interface Secret {
  readonly a: bigint;
  readonly r: bigint;
  readonly message: Uint8Array;
}

type Random = (count: number) => Uint8Array;

function secret(random: Random, messageBytes: number): Secret {
  const scalar = (): bigint => (integer(random(32)) % (L - 1n)) + 1n;
  return { a: scalar(), r: scalar(), message: random(messageBytes) };
}

/** A signature over given point encodings, with S made for R = rB and A = aB. */
function sign({ a, r, message }: Secret, publicKey: Uint8Array, rBytes: Uint8Array): Uint8Array {
  const s = (r + challenge(rBytes, publicKey, message) * a) % L;
  return join(rBytes, bytes32(s));
}

function validCase(random: Random, messageBytes: number): Ed25519Case {
  const made = secret(random, messageBytes);
  const publicKey = base(made.a).toBytes();
  const signature = sign(made, publicKey, base(made.r).toBytes());
  return { kind: `valid, ${messageBytes} bytes`, publicKey, signature, message: made.message, valid: true };
}

/** A with torsion; R as the cofactorless equation wants it or not, known from k's multiple of the torsion point. */
function torsionInKey(random: Random, index: number): Ed25519Case {
  const made = secret(random, 20);
  const torsion = TORSION[1 + (index % 7)]!;
  const publicKey = base(made.a).add(torsion).toBytes();
  const rBytes = base(made.r).toBytes();
  const k = challenge(rBytes, publicKey, made.message);
  const valid = torsionTimes(torsion, k).equals(Point.ZERO);
  return { kind: 'torsion in A', publicKey, signature: sign(made, publicKey, rBytes), message: made.message, valid };
}

/** Torsion in both: R = rB + U is right exactly when U = -kT. */
function torsionInBoth(random: Random, index: number): Ed25519Case {
  const made = secret(random, 20);
  const [torsion, inR] = [TORSION[1 + (index % 7)]!, TORSION[(index >> 3) % 8]!];
  const publicKey = base(made.a).add(torsion).toBytes();
  const rBytes = base(made.r).add(inR).toBytes();
  const k = challenge(rBytes, publicKey, made.message);
  const valid = torsionTimes(torsion, k).add(inR).equals(Point.ZERO);
  return {
    kind: 'torsion in A and R',
    publicKey,
    signature: sign(made, publicKey, rBytes),
    message: made.message,
    valid,
  };
}

function torsionInR(random: Random, index: number): Ed25519Case {
  const made = secret(random, 20);
  const publicKey = base(made.a).toBytes();
  const rBytes = base(made.r)
    .add(TORSION[1 + (index % 7)]!)
    .toBytes();
  return {
    kind: 'torsion in R',
    publicKey,
    signature: sign(made, publicKey, rBytes),
    message: made.message,
    valid: false,
  };
}

/** A valid signature whose S is replaced by something that is S modulo L, or a bound. */
function scalarBounds(random: Random, index: number): Ed25519Case {
  const good = validCase(random, 33);
  const s = integer(good.signature.subarray(32));
  const options = [
    s + L,
    s + 2n * L,
    s + 14n * L,
    L,
    L - 1n,
    L + 1n,
    0n,
    1n,
    2n ** 252n,
    2n ** 253n,
    2n ** 255n + s,
    2n ** 256n - 1n,
  ];
  const changed = options[index % options.length]! % 2n ** 256n;
  const signature = join(good.signature.subarray(0, 32), bytes32(changed));
  return { ...good, kind: `S option ${index % options.length}`, signature, valid: changed === s };
}

/** Spellings of a point: canonical, y + p when that fits in 255 bits, and the other sign bit when x is 0. */
function spellings(point: Point): Uint8Array[] {
  const { x, y } = point.toAffine();
  const sign = x & 1n;
  const ys = y < 19n ? [y, y + P] : [y];
  const signs = x === 0n ? [0n, 1n] : [sign];
  return ys.flatMap((value) => signs.map((bit) => bytes32(value | (bit << 255n))));
}

/** Every spelling of every point of small order. */
const SMALL: readonly Uint8Array[] = TORSION.flatMap(spellings);

/** A of small order: S = r and R = rB + something torsion satisfies laxer rules. */
function smallOrderKey(random: Random, index: number): Ed25519Case {
  const made = secret(random, 16);
  const publicKey = SMALL[index % SMALL.length]!;
  const rBytes = base(made.r).toBytes();
  const signature = join(rBytes, bytes32(made.r));
  return { kind: 'A of small order', publicKey, signature, message: made.message, valid: false };
}

/** R of small order: S = k a makes SB - kA the identity. */
function smallOrderR(random: Random, index: number): Ed25519Case {
  const made = secret(random, 16);
  const publicKey = base(made.a).toBytes();
  const rBytes = SMALL[index % SMALL.length]!;
  const signature = sign({ ...made, r: 0n }, publicKey, rBytes);
  return { kind: 'R of small order', publicKey, signature, message: made.message, valid: false };
}

function smallOrderBoth(random: Random, index: number): Ed25519Case {
  const publicKey = SMALL[index % SMALL.length]!;
  const rBytes = SMALL[Math.floor(index / SMALL.length) % SMALL.length]!;
  const signature = join(rBytes, bytes32(index % 3 === 0 ? 0n : BigInt(index)));
  return { kind: 'A and R of small order', publicKey, signature, message: random(8), valid: false };
}

/** y = p .. 2^255 - 1 with both signs, as A or as R. */
function nonCanonical(random: Random, index: number): Ed25519Case {
  const good = validCase(random, 40);
  const point = bytes32((P + BigInt(index % 19)) | (BigInt((index >> 5) & 1) << 255n));
  if (index % 2 === 0) return { ...good, kind: 'non-canonical A', publicKey: point, valid: false };
  return { ...good, kind: 'non-canonical R', signature: join(point, good.signature.subarray(32)), valid: false };
}

/** Half of all random keys are not on the curve. */
function randomKey(random: Random, index: number): Ed25519Case {
  const good = validCase(random, 10);
  const publicKey = index % 4 === 0 ? bytes32(2n + BigInt(index)) : random(32);
  return { ...good, kind: 'random key', publicKey, valid: false };
}

/** One bit of the key, the signature or the message flipped. */
function flippedBit(random: Random, index: number): Ed25519Case {
  const good = validCase(random, 4);
  const all = join(good.publicKey, good.signature, good.message);
  const bit = (index * 7919) % (all.length * 8);
  all[bit >> 3]! ^= 1 << (bit & 7);
  const [publicKey, signature, message] = [all.slice(0, 32), all.slice(32, 96), all.slice(96)];
  return { kind: `flipped bit ${bit}`, publicKey, signature, message, valid: false };
}

/** Two halves of different valid signatures, and the negated key or nonce point. */
function crossed(random: Random, index: number): Ed25519Case {
  const [one, other] = [validCase(random, 12), validCase(random, 12)];
  const negate = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 31 ? byte ^ 0x80 : byte));
  if (index % 3 === 0) return { ...one, kind: 'another key', publicKey: other.publicKey, valid: false };
  if (index % 3 === 1) return { ...one, kind: 'negated key', publicKey: negate(one.publicKey), valid: false };
  const signature = join(negate(one.signature.subarray(0, 32)), one.signature.subarray(32));
  return { ...one, kind: 'negated R', signature, valid: false };
}

const MAKERS: readonly ((random: Random, index: number) => Ed25519Case)[] = [
  (random, index) => validCase(random, index % 400),
  torsionInKey,
  torsionInBoth,
  torsionInR,
  scalarBounds,
  smallOrderKey,
  smallOrderR,
  smallOrderBoth,
  nonCanonical,
  randomKey,
  flippedBit,
  crossed,
];

/** `count` cases, all kinds in turn. @param from number of the first one, which picks its kind and variety */
export function generateCases(count: number, seed: number, from = 0): Ed25519Case[] {
  const random = seededBytes(seed);
  return Array.from({ length: count }, (_, i) => {
    const index = from + i;
    return MAKERS[index % MAKERS.length]!(random, Math.floor(index / MAKERS.length));
  });
}

/** Cases from hexadecimal text. */
export function caseFromHex(
  kind: string,
  { publicKey, message, signature }: { publicKey: string; message: string; signature: string },
  valid: boolean,
): Ed25519Case {
  const [key, text, sig] = [fromHex(publicKey), fromHex(message), fromHex(signature)];
  return { kind, publicKey: key, message: text, signature: sig, valid };
}
