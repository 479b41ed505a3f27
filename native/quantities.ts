/**
 * The words every floor counts and names things with, as branded types.
 *
 * A brand costs nothing at run time and keeps a height from being passed where a slot is meant. Numbers
 * are safe integers (at most 2^53 - 1): a PoH count at 100 million hashes a second reaches that after
 * 2.8 years of hashing; `pohCount` refuses to go past it rather than lose a unit.
 */
declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Position of a block in its chain; genesis is 0. */
export type Height = Brand<number, 'Height'>;
/** Position in PoH time; slot n ends at count n * hashesPerTick * ticksPerSlot; genesis is slot 0, at count 0. */
export type Slot = Brand<number, 'Slot'>;
/** Number of SHA-256 steps since genesis. */
export type PohCount = Brand<number, 'PohCount'>;
/** Money, in the smallest unit; 0 .. 2^64 - 1. */
export type Amount = Brand<bigint, 'Amount'>;
/** A SHA-256 digest, 32 bytes. */
export type Hash = Brand<Uint8Array, 'Hash'>;
/** RIPEMD-160 of a public key, 20 bytes. */
export type Address = Brand<Uint8Array, 'Address'>;
/** An Ed25519 public key, 32 bytes. */
export type PublicKey = Brand<Uint8Array, 'PublicKey'>;
/** An Ed25519 signature, 64 bytes. */
export type Signature = Brand<Uint8Array, 'Signature'>;

/** Largest value a u64 amount can hold. */
export const AMOUNT_MAX: bigint = 0xffff_ffff_ffff_ffffn;

/** Thrown when a value breaks the range its type promises: an error of the program, not of its input. */
export class QuantityError extends RangeError {
  override readonly name = 'QuantityError';
}

function safeInteger(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new QuantityError(`${what} must be a safe integer >= 0, got ${value}`);
  return value;
}

function sized(bytes: Uint8Array, sizeBytes: number, what: string): Uint8Array {
  if (bytes.length !== sizeBytes) throw new QuantityError(`${what} must be ${sizeBytes} bytes, got ${bytes.length}`);
  return bytes;
}

/** Checks and brands a height. */
export const height = (value: number): Height => safeInteger(value, 'height') as Height;
/** Checks and brands a slot. */
export const slot = (value: number): Slot => safeInteger(value, 'slot') as Slot;
/** Checks and brands a PoH count. */
export const pohCount = (value: number): PohCount => safeInteger(value, 'PoH count') as PohCount;
/** Checks and brands an amount. */
export function amount(value: bigint): Amount {
  if (value < 0n || value > AMOUNT_MAX) throw new QuantityError(`amount must be within 0 .. 2^64 - 1, got ${value}`);
  return value as Amount;
}
/** Brands 32 bytes as a hash; the bytes are borrowed, not copied. */
export const hash = (bytes: Uint8Array): Hash => sized(bytes, 32, 'hash') as Hash;
/** Brands 20 bytes as an address; borrowed. */
export const address = (bytes: Uint8Array): Address => sized(bytes, 20, 'address') as Address;
/** Brands 32 bytes as a public key; borrowed. Says nothing about the point they encode. */
export const publicKey = (bytes: Uint8Array): PublicKey => sized(bytes, 32, 'public key') as PublicKey;
/** Brands 64 bytes as a signature; borrowed. */
export const signature = (bytes: Uint8Array): Signature => sized(bytes, 64, 'signature') as Signature;

/** The all-zero hash: "none" wherever a hash is optional on the wire. */
export const ZERO_HASH: Hash = hash(new Uint8Array(32));
