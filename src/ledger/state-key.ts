/**
 * Addresses as map keys, in the form `byteKey` gives (a latin1 string, one character a byte), on the path that every transfer takes.
 */
import { invariant } from './invariant.ts';

/** Bytes of an address. */
export const ADDRESS_SIZE_BYTES = 20;

/** The key of a 20-byte address (borrowed). Written out by hand: measured as fast as Node's latin1 decoder, and portable. */
export function addressKey(b: Uint8Array): string {
  invariant(b.length === ADDRESS_SIZE_BYTES, 'argument', () => `an address is 20 bytes, got ${b.length}`);
  return String.fromCharCode(
    b[0]!,
    b[1]!,
    b[2]!,
    b[3]!,
    b[4]!,
    b[5]!,
    b[6]!,
    b[7]!,
    b[8]!,
    b[9]!,
    b[10]!,
    b[11]!,
    b[12]!,
    b[13]!,
    b[14]!,
    b[15]!,
    b[16]!,
    b[17]!,
    b[18]!,
    b[19]!,
  );
}

/** The addresses behind `keys`, 20 bytes each, in one new array. */
export function addressKeysToBytes(keys: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(keys.length * ADDRESS_SIZE_BYTES);
  let at = 0;
  for (const key of keys) for (let i = 0; i < ADDRESS_SIZE_BYTES; i++) bytes[at++] = key.charCodeAt(i);
  return bytes;
}

/** Compares byte strings in ascending lexicographic order: negative, 0 or positive. */
export function byteOrder(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
