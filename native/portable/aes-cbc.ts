/**
 * AES-256-CBC without padding, by node:crypto, with noble behind it when OpenSSL refuses the cipher.
 *
 * Invariant: works in pieces of at most PIECE_BYTES, so that the copies stay small whatever the input's size; encryption in place is
 * safe because each piece is read before it is written. Source: NIST SP 800-38A, section 6.2.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { cbc } from '@noble/ciphers/aes.js';

const PIECE_BYTES = 256 * 1024;
const BLOCK_BYTES = 16;

/** One direction of the cipher over `input`; writes `output`, leaves `chain` alone. */
export type CbcPass = (key: Uint8Array, chain: Uint8Array, input: Uint8Array, output: Uint8Array) => void;

/** A backend of both directions. */
export interface CbcBackend {
  readonly path: string;
  readonly encrypt: CbcPass;
  readonly decrypt: CbcPass;
}

function feed(
  cipher: ReturnType<typeof createCipheriv> | ReturnType<typeof createDecipheriv>,
  input: Uint8Array,
  output: Uint8Array,
): void {
  cipher.setAutoPadding(false);
  for (let at = 0; at < input.length; at += PIECE_BYTES)
    output.set(cipher.update(input.subarray(at, at + PIECE_BYTES)), at);
}

/** node:crypto (OpenSSL). */
export const nodeCbc: CbcBackend = {
  path: 'node:crypto',
  encrypt: (key, chain, input, output) => feed(createCipheriv('aes-256-cbc', key, chain), input, output),
  decrypt: (key, chain, input, output) => feed(createDecipheriv('aes-256-cbc', key, chain), input, output),
};

const NOBLE_OPTIONS = { disablePadding: true };

/** noble, plain TypeScript. */
export const nobleCbc: CbcBackend = {
  path: 'noble',
  encrypt: (key, chain, input, output) => {
    if (input.length > 0) output.set(cbc(key, Uint8Array.from(chain), NOBLE_OPTIONS).encrypt(input));
  },
  decrypt: (key, chain, input, output) => {
    if (input.length > 0) output.set(cbc(key, Uint8Array.from(chain), NOBLE_OPTIONS).decrypt(input));
  },
};

/** The kernel `aesCbcEncrypt`. */
export function encryptChained(
  backend: CbcBackend,
  key: Uint8Array,
  chain: Uint8Array,
  input: Uint8Array,
  output: Uint8Array,
): void {
  if (input.length === 0) return;
  backend.encrypt(key, chain, input, output);
  chain.set(output.subarray(output.length - BLOCK_BYTES));
}

/** The kernel `aesCbcDecrypt`. */
export function decryptChained(
  backend: CbcBackend,
  key: Uint8Array,
  chain: Uint8Array,
  input: Uint8Array,
  output: Uint8Array,
): void {
  if (input.length === 0) return;
  // Saved first: in place, the last cipher block is overwritten.
  const last = input.slice(input.length - BLOCK_BYTES);
  backend.decrypt(key, chain, input, output);
  chain.set(last);
}

/** The kernel `aesCbcEncryptMany`: one identity after the other. */
export function encryptMany(
  backend: CbcBackend,
  keys: Uint8Array,
  chains: Uint8Array,
  input: Uint8Array,
  outputs: Uint8Array,
): void {
  const n = keys.length / 32;
  for (let i = 0; i < n; i++) {
    const key = keys.subarray(32 * i, 32 * i + 32);
    const chain = chains.subarray(16 * i, 16 * i + 16);
    encryptChained(backend, key, chain, input, outputs.subarray(i * input.length, (i + 1) * input.length));
  }
}
