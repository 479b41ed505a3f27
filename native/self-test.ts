/**
 * The self-test of the native twin at load: known answers first, then agreement with the portable twin on a few inputs.
 *
 * A compiler bug, a CPU that lies about its features or a damaged file shows here and not in a split ledger. Takes a few milliseconds.
 */

import type { TableShards } from './kernels.ts';
import {
  CBC_ANSWER,
  CRC32C_ANSWER,
  ED25519_ANSWER,
  fromHex,
  RIPEMD160_ANSWER,
  SHA256_CHAIN_ANSWER,
} from './known-answers.ts';
import type { RawKernels } from './raw-kernels.ts';

const same = (a: ArrayBufferView, b: ArrayBufferView): boolean =>
  Buffer.compare(
    Buffer.from(a.buffer as ArrayBuffer, a.byteOffset, a.byteLength),
    Buffer.from(b.buffer as ArrayBuffer, b.byteOffset, b.byteLength),
  ) === 0;

/** Bytes that look random and are the same every time (a 32-bit linear congruential generator's top bytes). */
function sampleBytes(count: number, seed: number): Uint8Array {
  let state = seed >>> 0;
  return Uint8Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

/** Whether `call` leaves the same bytes in fresh outputs of both twins. */
function agree(
  sizeBytes: number,
  a: RawKernels,
  b: RawKernels,
  call: (kernels: RawKernels, out: Uint8Array) => void,
): boolean {
  const [first, second] = [new Uint8Array(sizeBytes), new Uint8Array(sizeBytes)];
  call(a, first);
  call(b, second);
  return same(first, second);
}

function chainIsRight(kernels: RawKernels): boolean {
  const state = fromHex(SHA256_CHAIN_ANSWER.start);
  kernels.sha256Chain(state, SHA256_CHAIN_ANSWER.count);
  return same(state, fromHex(SHA256_CHAIN_ANSWER.end));
}

/** Stretches for all lanes of the widest path and some more, some with a mixin: right, and then wrong at the fifth and once later. */
function pohIsRight(kernels: RawKernels, portable: RawKernels): boolean {
  const n = 41;
  const [hashes, mixins] = [new Uint8Array(32 * (n + 1)), sampleBytes(32 * n, 2)];
  const steps = Uint32Array.from({ length: n }, (_, i) => 1 + ((i * 7) % 5));
  const hasMixin = Uint8Array.from({ length: n }, (_, i) => (i % 3 === 0 ? 1 : 0));
  for (let i = 0; i < n; i++) {
    const state = hashes.slice(32 * i, 32 * i + 32);
    portable.sha256Chain(state, steps[i]! - hasMixin[i]!);
    const mixed = Uint8Array.from([...state, ...mixins.subarray(32 * i, 32 * i + 32)]);
    hashes.set(hasMixin[i] === 1 ? portable.sha256(mixed) : state, 32 * (i + 1));
  }
  if (kernels.pohVerify(hashes, steps, hasMixin, mixins) !== -1) return false;
  hashes[32 * 40]! ^= 1;
  if (kernels.pohVerify(hashes, steps, hasMixin, mixins) !== 39) return false;
  hashes[32 * 5]! ^= 1;
  return kernels.pohVerify(hashes, steps, hasMixin, mixins) === 4;
}

function cbcIsRight(kernels: RawKernels): boolean {
  const [key, plain, cipher] = [fromHex(CBC_ANSWER.key), fromHex(CBC_ANSWER.plain), fromHex(CBC_ANSWER.cipher)];
  const out = new Uint8Array(plain.length);
  kernels.aesCbcEncrypt(key, fromHex(CBC_ANSWER.iv), plain, out);
  if (!same(out, cipher)) return false;
  kernels.aesCbcDecrypt(key, fromHex(CBC_ANSWER.iv), out, out);
  return same(out, plain);
}

/** Puts, deletes and half a move, then everything looked up: the same bytes and answers. */
function tableIsRight(kernels: RawKernels, portable: RawKernels): boolean {
  const records = sampleBytes(32 * 60, 4);
  const run = (k: RawKernels, out: Uint8Array): void => {
    const [table, old] = [out.subarray(0, 8192), out.subarray(8192, 8192 + 4096)];
    const secret = sampleBytes(16, 3);
    const state = new Uint32Array(4);
    k.tablePut({ slotSizeBytes: 32, secret, tables: [old], olds: [new Uint8Array(0)], state }, records, 32, 50, 1);
    k.tableDelete({ slotSizeBytes: 32, secret, tables: [old], olds: [new Uint8Array(0)], state }, records, 32, 3);
    const moving: TableShards = { slotSizeBytes: 32, secret, tables: [table], olds: [old], state };
    out[out.length - 1] = Number(k.tableMove(moving, 0, 20));
    k.tablePut(moving, records.subarray(32 * 40), 32, 20, 0xffff_fff8);
    k.tableRead(moving, records, 32, 20, 8, out.subarray(8192 + 4096, 8192 + 4096 + 480));
    out.set(new Uint8Array(state.buffer), 8192 + 4096 + 480);
  };
  return agree(8192 + 4096 + 480 + 17, kernels, portable, run);
}

/** A kernel that gave a wrong answer, and the line of `KernelPath` it belongs to. */
export interface FailedSelfTest {
  readonly kernel: string;
  readonly group: string;
}

/** The first kernel whose answer is wrong, or null when all are right. */
export function failedSelfTest(kernels: RawKernels, portable: RawKernels): FailedSelfTest | null {
  const data = sampleBytes(7000, 1);
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  const few = Uint32Array.of(0, 0, 1, 55, 56, 118, 119, 183, 1000, 1000, 4100, 7000);
  // Enough for the path of 32 lanes.
  const many = Uint32Array.from({ length: 161 }, (_, i) => Math.min(7000, Math.floor(i ** 1.75)));
  const checks: readonly (readonly [kernel: string, passes: () => boolean, group?: string])[] = [
    ['sha256Chain', () => chainIsRight(kernels)],
    ['sha256', () => agree(32, kernels, portable, (k, out) => out.set(k.sha256(data)))],
    ['pohVerify', () => pohIsRight(kernels, portable)],
    [
      'sha256Pairs',
      () => agree(32 * 69, kernels, portable, (k, out) => k.sha256Pairs(1, data.subarray(0, 64 * 69), out)),
    ],
    ['sha256Leaves', () => agree(32 * 70, kernels, portable, (k, out) => k.sha256Leaves(0, data, 100, out))],
    ['sha256Ragged', () => agree(32 * 11, kernels, portable, (k, out) => k.sha256Ragged(0, data, few, out))],
    ['sha256Ragged', () => agree(32 * 160, kernels, portable, (k, out) => k.sha256Ragged(0, data, many, out))],
    ['aesCbc', () => cbcIsRight(kernels), 'aes-cbc'],
    ['aesCbcEncryptMany', () => manyIsRight(kernels, portable, data), 'aes-cbc'],
    ['aesCbcSampleMany', () => samplesAreRight(kernels, portable, data), 'aes-cbc'],
    ['aesCbcEncryptLeaves', () => leavesAreRight(kernels, portable, data), 'aes-cbc'],
    ['crc32c', () => kernels.crc32c(ascending, 0) === CRC32C_ANSWER && sameCrc(kernels, portable, data), 'crc32c'],
    ['ripemd160Keys', () => ripemdIsRight(kernels, portable, data), 'ripemd160'],
    ['ed25519Verify', () => ed25519IsRight(kernels), 'ed25519'],
    ['table', () => tableIsRight(kernels, portable), 'table'],
  ];
  for (const [kernel, passes, group = 'sha256'] of checks) if (!passes()) return { kernel, group };
  return null;
}

function manyIsRight(kernels: RawKernels, portable: RawKernels, data: Uint8Array): boolean {
  const n = 37;
  const [keys, input] = [data.subarray(0, 32 * n), data.subarray(5000, 5000 + 16 * 21)];
  return agree(n * input.length, kernels, portable, (k, out) =>
    k.aesCbcEncryptMany(keys, data.slice(2000, 2000 + 16 * n), input, out),
  );
}

/** Blocks of several identities out of two groups: the first, the last, two of one place. */
function samplesAreRight(kernels: RawKernels, portable: RawKernels, data: Uint8Array): boolean {
  const [n, input] = [37, data.subarray(5000, 5000 + 16 * 21)];
  const wanted = Uint32Array.of(0, 36, 0, 0, 7, 5, 8, 5, 20, 20, 20, 3);
  return agree(16 * n + 96, kernels, portable, (k, out) => {
    const chains = out.subarray(0, 16 * n).fill(9);
    k.aesCbcSampleMany(data.subarray(0, 32 * n), chains, input, wanted, out.subarray(16 * n));
  });
}

/** Two groups of 32 leaves and some more, of three chains, so that every part of the joined path runs. */
function leavesAreRight(kernels: RawKernels, portable: RawKernels, data: Uint8Array): boolean {
  const [leafSizeBytes, n] = [80, 70];
  const size = leafSizeBytes * n;
  const inputs = [data.subarray(0, size), data.subarray(1000, 1000 + size), data.subarray(16, 16 + size)];
  return agree(3 * (16 + size + 64 * n), kernels, portable, (k, out) => {
    const [chains, cipher, hashes] = [
      out.subarray(0, 48),
      out.subarray(48, 48 + 3 * size),
      out.subarray(48 + 3 * size),
    ];
    const outputs = inputs.map((_, i) => cipher.subarray(i * size, (i + 1) * size));
    const [inputHashes, outputHashes] = [hashes.subarray(0, 96 * n), hashes.subarray(96 * n)];
    k.aesCbcEncryptLeaves(data.slice(6000, 6096), chains, inputs, outputs, 0, leafSizeBytes, inputHashes, outputHashes);
  });
}

const sameCrc = (kernels: RawKernels, portable: RawKernels, data: Uint8Array): boolean =>
  kernels.crc32c(data, 123) === portable.crc32c(data, 123);

function ripemdIsRight(kernels: RawKernels, portable: RawKernels, data: Uint8Array): boolean {
  const out = new Uint8Array(20);
  kernels.ripemd160Keys(fromHex(RIPEMD160_ANSWER.key), out);
  if (!same(out, fromHex(RIPEMD160_ANSWER.digest))) return false;
  return agree(20 * 19, kernels, portable, (k, digests) => k.ripemd160Keys(data.subarray(0, 32 * 19), digests));
}

/** Eleven signatures, some spoilt in the key, R, S or the message: a full group of eight lanes and a part of one. */
function ed25519IsRight(kernels: RawKernels): boolean {
  const n = 11;
  const [key, message, signature] = [ED25519_ANSWER.publicKey, ED25519_ANSWER.message, ED25519_ANSWER.signature];
  const repeated = (hex: string): Uint8Array => fromHex(hex.repeat(n));
  const [keys, messages, signatures] = [repeated(key), repeated(message), repeated(signature)];
  keys[32 * 1 + 3]! ^= 1;
  messages[3]! ^= 1;
  signatures[64 * 4 + 31]! ^= 0x80;
  signatures[64 * 9 + 40]! ^= 4;
  const verdicts = new Uint8Array(n);
  kernels.ed25519Verify(
    keys,
    signatures,
    messages,
    Uint32Array.from({ length: n + 1 }, (_, i) => i),
    verdicts,
  );
  return verdicts.every((verdict, i) => verdict === ([1, 3, 4, 9].includes(i) ? 0 : 1));
}
