/**
 * How bytes are written for people: addresses in bech32m with the prefix `cairn` (a mistyped one is refused), keys, hashes,
 * signatures and transaction ids in base58, digests of files in hexadecimal. All through @scure/base.
 *
 * Every parser checks the text's length before it decodes, so a long text costs nothing.
 */
import { base58, bech32m, hex } from '@scure/base';
import {
  type Address,
  address,
  type Hash,
  hash,
  type PublicKey,
  publicKey,
  type Signature,
  signature,
} from '../../native/index.ts';
import { CodecError } from './codec-error.ts';

/** Human-readable part of an address. */
export const ADDRESS_PREFIX = 'cairn';
/** `cairn` + `1` + 32 five-bit words + 6 checksum characters. */
const ADDRESS_TEXT_LENGTH: number = ADDRESS_PREFIX.length + 1 + 32 + 6;

/** Base58 (Bitcoin alphabet) of any bytes. Quadratic in length: meant for keys, hashes and signatures. */
export function encodeBase58(bytes: Uint8Array): string {
  return base58.encode(bytes);
}

/**
 * Bytes of a base58 text, which must be exactly `sizeBytes` long.
 * @throws CodecError `length` or `text`, naming `field`
 */
export function decodeBase58(text: string, sizeBytes: number, field: string): Uint8Array {
  const lengthMax = Math.ceil(sizeBytes * 1.37) + 1;
  if (text.length > lengthMax)
    throw new CodecError('length', field, `${text.length} characters cannot be base58 of ${sizeBytes} bytes`);
  const bytes = attempt(() => base58.decode(text), field, 'base58');
  if (bytes.length !== sizeBytes)
    throw new CodecError('length', field, `must be base58 of ${sizeBytes} bytes, found ${bytes.length}`);
  return bytes;
}

/** A hash or transaction id from base58. @throws CodecError */
export const parseHash = (text: string, field: string): Hash => hash(decodeBase58(text, 32, field));
/** A public key from base58; says nothing about the point. @throws CodecError */
export const parsePublicKey = (text: string, field: string): PublicKey => publicKey(decodeBase58(text, 32, field));
/** A signature from base58. @throws CodecError */
export const parseSignature = (text: string, field: string): Signature => signature(decodeBase58(text, 64, field));

/** `cairn1...`, 44 characters. */
export function formatAddress(value: Address): string {
  return bech32m.encode(ADDRESS_PREFIX, bech32m.toWords(value));
}

/**
 * An address from its text form (lower case, or upper case as QR codes use it).
 * @throws CodecError `length`, or `text` for a wrong character, checksum or prefix
 */
export function parseAddress(text: string, field: string): Address {
  if (text.length !== ADDRESS_TEXT_LENGTH)
    throw new CodecError('length', field, `an address has ${ADDRESS_TEXT_LENGTH} characters, found ${text.length}`);
  const decoded = attempt(() => bech32m.decodeToBytes(text), field, 'a bech32m address (is it mistyped?)');
  if (decoded.prefix !== ADDRESS_PREFIX)
    throw new CodecError('text', field, `must start with ${ADDRESS_PREFIX}1, found ${decoded.prefix}1`);
  if (decoded.bytes.length !== 20)
    throw new CodecError('length', field, `an address is 20 bytes, found ${decoded.bytes.length}`);
  return address(decoded.bytes);
}

/** Lower-case hexadecimal. */
export function encodeHex(bytes: Uint8Array): string {
  return hex.encode(bytes);
}

/** Bytes of a hexadecimal text of exactly `sizeBytes` bytes, either case. @throws CodecError */
export function decodeHex(text: string, sizeBytes: number, field: string): Uint8Array {
  if (text.length !== sizeBytes * 2)
    throw new CodecError('length', field, `must be ${sizeBytes * 2} hexadecimal digits, found ${text.length}`);
  return attempt(() => hex.decode(text), field, 'hexadecimal');
}

/** Turns the text library's complaint into ours. Its decoders throw on bad input only. */
function attempt<T>(decode: () => T, field: string, what: string): T {
  try {
    return decode();
  } catch (cause) {
    throw new CodecError('text', field, `is not ${what}: ${(cause as Error).message}`);
  }
}
