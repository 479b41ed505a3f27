/**
 * Byte strings as map keys and in an order: JavaScript maps compare arrays by identity, so hashes are keyed by their hex text.
 * Invariant: equal bytes give equal keys, and keys sort as the bytes do.
 */

/** Lower-case hex of the bytes. */
export function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Whether two byte strings are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether every byte is zero ("none" in optional hash fields). */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
