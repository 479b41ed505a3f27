/**
 * Bytes as keys of JavaScript maps: a latin1 string, one character a byte. Equal exactly when the bytes are equal, and ordered as the bytes
 * are. V8 hashes strings with a secret of the process, so nobody can aim collisions.
 */

/** The map key of any bytes (borrowed). */
export function byteKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** The bytes behind a key, copied. */
export function bytesOfKey(key: string): Uint8Array {
  return new Uint8Array(Buffer.from(key, 'latin1'));
}

/** Whether two byte arrays are equal. Not constant time: never for secrets. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
