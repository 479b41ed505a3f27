/**
 * The face of one way to compute SHA-256 in the portable twin, and the plain ones: node:crypto, and noble behind it.
 *
 * Invariant: every engine gives the same bytes; they differ in speed only.
 */
import * as crypto from 'node:crypto';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';

/** Hashing primitives the portable kernels are built from. All buffers are borrowed for the call. */
export interface Sha256Engine {
  /** For `KernelPath.path`. */
  readonly path: string;
  /** A new 32-byte digest. */
  hash(data: Uint8Array): Uint8Array;
  /** 32-byte state, stepped in place. */
  chain(state: Uint8Array, count: number): void;
  /** Four 32-byte states side by side, each stepped `count` times in place. */
  chain4(states: Uint8Array, count: number): void;
  /** out[i] = hash(prefix || pairs[i]) for 64-byte pairs. */
  pairs(prefix: number, pairs: Uint8Array, out: Uint8Array): void;
  /** out[i] = hash(prefix || data[start(i) .. start(i + 1)]), for i in 0 .. count. */
  many(prefix: number, data: Uint8Array, count: number, start: (index: number) => number, out: Uint8Array): void;
}

/** node:crypto's fastest face for one message: `crypto.hash` from Node 20.12, else a Hash object. */
export const nodeSha256: (data: Uint8Array) => Uint8Array =
  typeof crypto.hash === 'function'
    ? (data) => crypto.hash('sha256', data, 'buffer')
    : (data) => crypto.createHash('sha256').update(data).digest();

/** prefix || data, in a new array. */
export function prefixed(prefix: number, data: Uint8Array): Uint8Array {
  const message = new Uint8Array(data.length + 1);
  message[0] = prefix;
  message.set(data, 1);
  return message;
}

/** An engine that hashes one message at a time with `hash`. */
export function plainEngine(path: string, hash: (data: Uint8Array) => Uint8Array): Sha256Engine {
  const chain = (state: Uint8Array, count: number): void => {
    let current: Uint8Array = state.slice();
    for (let i = 0; i < count; i++) current = hash(current);
    state.set(current);
  };
  const many: Sha256Engine['many'] = (prefix, data, count, start, out) => {
    for (let i = 0; i < count; i++) out.set(hash(prefixed(prefix, data.subarray(start(i), start(i + 1)))), 32 * i);
  };
  return {
    path,
    hash: (data) => Uint8Array.from(hash(data)),
    chain,
    chain4: (states, count) => {
      for (let lane = 0; lane < 4; lane++) chain(states.subarray(32 * lane, 32 * lane + 32), count);
    },
    pairs: (prefix, pairs, out) => many(prefix, pairs, pairs.length / 64, (i) => 64 * i, out),
    many,
  };
}

/** node:crypto, one call a hash. */
export const nodeEngine = (): Sha256Engine => plainEngine('node:crypto', nodeSha256);
/** noble, plain TypeScript. */
export const nobleEngine = (): Sha256Engine => plainEngine('noble', nobleSha256);
