/**
 * How answers look in JSON: the ports' own types with bytes and bigints as text, by one rule for every method.
 *
 *   20 bytes      address      bech32m, `cairn1...`
 *   32, 64 bytes  hash, key, id, signature      base58
 *   bigint        amount       decimal string
 *
 * Whole files and packets (transactions, blocks, proofs, certificates) are base64 and are written out where they occur.
 * Invariant: `toWire` gives plain JSON values only, and throws on a byte string of any other length rather than guess.
 */
import { type Address, type Amount, address, type Hash, type Signature } from '../../native/index.ts';
import { encodeBase58, formatAddress } from '../codec/text.ts';

/** The JSON form of T. */
export type Wire<T> = T extends string | number | boolean | null | undefined
  ? T extends number
    ? number
    : T
  : T extends bigint | Uint8Array
    ? string
    : T extends readonly (infer Item)[]
      ? Wire<Item>[]
      : { [Key in keyof T]: Wire<T[Key]> };

/** Converts a port's answer, deeply. Throws `RangeError` for bytes that are neither address, hash, key nor signature. */
export function toWire<T>(value: T): Wire<T> {
  return convert(value) as Wire<T>;
}

function convert(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return bytesText(value);
  if (Array.isArray(value)) return value.map(convert);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, convert(item)]));
}

function bytesText(bytes: Uint8Array): string {
  if (bytes.length === 20) return formatAddress(address(bytes));
  if (bytes.length === 32 || bytes.length === 64) return encodeBase58(bytes);
  throw new RangeError(`no text form for ${bytes.length} bytes: use base64 where they occur`);
}

/** Base58 of a hash, id or signature. */
export const hashText = (value: Hash | Signature): string => encodeBase58(value);
/** Bech32m of an address. */
export const addressText = (value: Address): string => formatAddress(value);
/** An amount as decimal digits. */
export const amountText = (value: Amount | bigint): string => value.toString();
/** Base64 of a file or packet. */
export function base64Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Solana's way of saying from which state an answer was read. */
export interface WithContext<T> {
  readonly context: { readonly slot: number };
  readonly value: T;
}

export function withContext<T>(slot: number, value: T): WithContext<T> {
  return { context: { slot }, value };
}
