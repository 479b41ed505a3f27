/**
 * Fields that many packets share, read as their branded types. Byte strings are views of the reader's bytes.
 */
import {
  type Address,
  type Amount,
  address,
  amount,
  type Hash,
  hash,
  type PublicKey,
  publicKey,
} from '../../native/index.ts';
import type { ByteReader } from './byte-reader.ts';

/** The next 32 bytes as a hash. */
export function readHash(reader: ByteReader, field: string): Hash {
  return hash(reader.take(32, field));
}

/** The next 8 bytes as an amount. */
export function readAmount(reader: ByteReader, field: string): Amount {
  return amount(reader.u64(field));
}

/** The next 20 bytes as an address. */
export function readAddress(reader: ByteReader, field: string): Address {
  return address(reader.take(20, field));
}

/** The next 32 bytes as a public key; says nothing about the point. */
export function readPublicKey(reader: ByteReader, field: string): PublicKey {
  return publicKey(reader.take(32, field));
}
