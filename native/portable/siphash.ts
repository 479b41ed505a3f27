/**
 * SipHash-1-3 of many 20-byte addresses: where the account table starts to look. In WebAssembly, whose 64-bit arithmetic JavaScript lacks;
 * in 32-bit halves where there is no WebAssembly.
 *
 * Owns: staging for keys and hashes. Invariant: not re-entrant, which one thread of plain functions cannot be.
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with one compression round a word and three final ones.
 */
import { Code, instantiate, moduleBytes } from './wasm-module.ts';

const ADDRESS_BYTES = 20;
const PAGE_BYTES = 65_536;
const KEYS_START: number = PAGE_BYTES;
const HASHES_START: number = 2 * PAGE_BYTES;
/** Keys hashed in one call, when they are not too far apart: so few that they and their home lines stay in the nearest caches. */
const KEYS_MAX = 512;

/** "somepseudorandomlygeneratedbytes", as little-endian halves. */
const INITIAL = [0x70736575, 0x736f6d65, 0x6e646f6d, 0x646f7261, 0x6e657261, 0x6c796765, 0x79746573, 0x74656462];

/** A batch of keys being hashed: `keys` holds them as words, `stride` words apart; `hashes` a low and a high word each. */
export interface SipHasher {
  readonly keys: Int32Array;
  readonly hashes: Uint32Array;
  /** Copies and hashes keys `from` .. `from + count`, at most `chunkOf(strideBytes)` of them. @param strideBytes a multiple of 4 */
  hash(secret: Uint8Array, keys: Uint8Array, strideBytes: number, from: number, count: number): void;
}

/** How many keys fit into one call of `hash`. */
export const chunkOf = (strideBytes: number): number => Math.min(KEYS_MAX, Math.floor(PAGE_BYTES / strideBytes));

const I64 = 0x7e;
const [LOAD, LOAD_32, STORE, ADD, OR, XOR, SHL, ROTL] = [0x29, 0x35, 0x37, 0x7c, 0x84, 0x85, 0x86, 0x89];

class SipCode extends Code {
  constant(value: number): this {
    return this.raw(0x42, ...(value < 64 ? [value] : [(value & 0x7f) | 0x80, value >> 7]));
  }
  /** Local a = a + b. */
  sum(a: number, b: number): this {
    return this.get(a).get(b).raw(ADD).set(a);
  }
  /** Local a = rotl(a, bits), exclusive or b where given. */
  rotated(a: number, bits: number, b?: number): this {
    this.get(a).constant(bits).raw(ROTL);
    if (b !== undefined) this.get(b).raw(XOR);
    return this.set(a);
  }
  round([v0, v1, v2, v3]: readonly [number, number, number, number]): this {
    this.sum(v0, v1).rotated(v1, 13, v0).rotated(v0, 32);
    this.sum(v2, v3).rotated(v3, 16, v2);
    this.sum(v0, v3).rotated(v3, 21, v0);
    return this.sum(v2, v1).rotated(v1, 17, v2).rotated(v2, 32);
  }
}

/** `hash(keys, stride, count, out)`; the four starting words stand at 0 .. 31 of the memory. */
function hashCode(): SipCode {
  const [keys, stride, count, out] = [0, 1, 2, 3];
  const v = [4, 5, 6, 7] as const;
  const word = 8;
  const code = new SipCode();
  code.countdown(count, () => {
    for (const [index, local] of v.entries())
      code
        .i32(0)
        .raw(LOAD, 0, 8 * index)
        .set(local);
    for (let index = 0; index < 3; index++) {
      if (index < 2) code.get(keys).raw(LOAD, 0, 8 * index);
      else code.get(keys).raw(LOAD_32, 0, 16).constant(ADDRESS_BYTES).constant(56).raw(SHL, OR);
      code.set(word).get(v[3]).get(word).raw(XOR).set(v[3]).round(v);
      code.get(v[0]).get(word).raw(XOR).set(v[0]);
    }
    code.get(v[2]).constant(0xff).raw(XOR).set(v[2]).round(v).round(v).round(v);
    code.get(out).get(v[0]).get(v[1]).raw(XOR).get(v[2]).raw(XOR).get(v[3]).raw(XOR, STORE, 0, 0);
    code.get(keys).get(stride).add().set(keys).get(out).i32(8).add().set(out);
  });
  return code;
}

/** The WebAssembly hasher. Throws where there is no WebAssembly. */
export function wasmSipHasher(): SipHasher {
  const { memory, call } = instantiate(
    moduleBytes([{ name: 'hash', parameterCount: 4, locals: [I64, I64, I64, I64, I64], code: hashCode() }], 3),
  );
  const run = call('hash');
  const start = new Int32Array(memory.buffer, 0, 8);
  return {
    keys: new Int32Array(memory.buffer, KEYS_START, PAGE_BYTES / 4),
    hashes: new Uint32Array(memory.buffer, HASHES_START, 2 * KEYS_MAX),
    hash(secret, keys, strideBytes, from, count) {
      for (let half = 0; half < 8; half++) start[half] = INITIAL[half]! ^ wordAt(secret, (4 * half) & 15);
      const first = from * strideBytes;
      memory.set(keys.subarray(first, first + (count - 1) * strideBytes + ADDRESS_BYTES), KEYS_START);
      run(KEYS_START, strideBytes, count, HASHES_START);
    },
  };
}

/** State: v0 .. v3 as low, high halves. Reused between calls, so hashing allocates nothing. */
const v = new Int32Array(8);

/** v[a] += v[b] (64 bit). */
function add(a: number, b: number): void {
  const low = (v[a]! >>> 0) + (v[b]! >>> 0);
  v[a + 1] = v[a + 1]! + v[b + 1]! + (low > 0xffff_ffff ? 1 : 0);
  v[a] = low;
}

/** v[a] = rotl64(v[a], bits) ^ v[b], bits < 32. */
function rotateXor(a: number, bits: number, b: number): void {
  const [low, high] = [v[a]!, v[a + 1]!];
  v[a] = ((low << bits) | (high >>> (32 - bits))) ^ v[b]!;
  v[a + 1] = ((high << bits) | (low >>> (32 - bits))) ^ v[b + 1]!;
}

function swapHalves(a: number): void {
  const low = v[a]!;
  v[a] = v[a + 1]!;
  v[a + 1] = low;
}

function round(): void {
  add(0, 2);
  rotateXor(2, 13, 0);
  swapHalves(0);
  add(4, 6);
  rotateXor(6, 16, 4);
  add(0, 6);
  rotateXor(6, 21, 0);
  add(4, 2);
  rotateXor(2, 17, 4);
  swapHalves(4);
}

function compress(low: number, high: number): void {
  v[6]! ^= low;
  v[7]! ^= high;
  round();
  v[0]! ^= low;
  v[1]! ^= high;
}

const wordAt = (b: Uint8Array, i: number): number => b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24);

/** The hasher in plain TypeScript. */
export function plainSipHasher(): SipHasher {
  const bytes = new Uint8Array(PAGE_BYTES);
  const words = new Int32Array(bytes.buffer);
  const hashes = new Uint32Array(2 * KEYS_MAX);
  return {
    keys: words,
    hashes,
    hash(secret, keys, strideBytes, from, count) {
      const first = from * strideBytes;
      bytes.set(keys.subarray(first, first + (count - 1) * strideBytes + ADDRESS_BYTES));
      for (let i = 0, at = 0; i < count; i++, at += strideBytes / 4) {
        for (let half = 0; half < 8; half++) v[half] = INITIAL[half]! ^ wordAt(secret, (4 * half) & 15);
        compress(words[at]!, words[at + 1]!);
        compress(words[at + 2]!, words[at + 3]!);
        compress(words[at + 4]!, ADDRESS_BYTES << 24);
        v[4]! ^= 0xff;
        round();
        round();
        round();
        hashes[2 * i] = v[0]! ^ v[2]! ^ v[4]! ^ v[6]!;
        hashes[2 * i + 1] = v[1]! ^ v[3]! ^ v[5]! ^ v[7]!;
      }
    },
  };
}
