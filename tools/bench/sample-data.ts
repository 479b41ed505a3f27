/** Bytes that look random and are the same in every run: the keystream of AES-128-CTR under a key made from a seed. */
import { createCipheriv } from 'node:crypto';

/** `sizeBytes` bytes for a seed (an integer below 256). */
export function sampleBytes(sizeBytes: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  const piece = Buffer.alloc(Math.min(sizeBytes, 1 << 20));
  for (let at = 0; at < sizeBytes; at += piece.length)
    bytes.set(cipher.update(piece.subarray(0, Math.min(piece.length, sizeBytes - at))), at);
  return bytes;
}

/** Puts pieces one after another, for a result to be hashed. */
export function joined(...parts: readonly ArrayBufferView[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength))),
  );
}
