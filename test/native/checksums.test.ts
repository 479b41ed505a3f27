/** CRC-32C against RFC 3720 and a bitwise reference; RIPEMD-160 against OpenSSL and noble, on every variant. */
import { ripemd160 } from '@noble/hashes/legacy.js';
import { describe, expect, it } from 'vitest';
import { fromHex, hex, seededBytes, VARIANTS } from './variants.ts';

function bitwiseCrc32c(data: Uint8Array, seed: number): number {
  let crc = ~seed;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** RFC 3720, B.4: 32 zeros, 32 ones, ascending, descending, an iSCSI read command; and the usual check value. */
const RFC3720: readonly (readonly [Uint8Array, number])[] = [
  [new Uint8Array(32), 0x8a9136aa],
  [new Uint8Array(32).fill(0xff), 0x62a8ab43],
  [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  [Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  [
    fromHex('01c00000000000000000000000000000140000000000040000000014000000182800000000000000' + '0200000000000000'),
    0xd9963a56,
  ],
  [new TextEncoder().encode('123456789'), 0xe3069283],
];

/** RIPEMD-160 of 32-byte keys, computed with OpenSSL. */
const RIPEMD: readonly (readonly [string, string])[] = [
  ['00'.repeat(32), 'd1a70126ff7a149ca6f9b638db084480440ff842'],
  ['ff'.repeat(32), '1cf4e77f5966e13e109703cd8a0df7ceda7f3dc3'],
];

describe.each(VARIANTS)('checksums of $name', ({ kernels }) => {
  it.each(RFC3720)('gives the RFC 3720 example %#', (data, crc) => {
    expect(kernels.crc32c(data)).toBe(crc);
  });

  it('agrees with the bitwise CRC at every length and alignment', () => {
    const data = seededBytes(6)(1800);
    for (let size = 0; size < 1700; size += size < 300 ? 1 : 37)
      for (const at of [0, 1, 7]) {
        const part = data.subarray(at, at + size);
        expect(kernels.crc32c(part, size * 77)).toBe(bitwiseCrc32c(part, size * 77));
      }
  });

  it('continues from a seed as if never cut', () => {
    const data = seededBytes(7)(50_000);
    const whole = kernels.crc32c(data);
    expect(whole).toBe(bitwiseCrc32c(data, 0));
    for (const cut of [0, 1, 768, 12_288, 12_289, 49_999, 50_000])
      expect(kernels.crc32c(data.subarray(cut), kernels.crc32c(data.subarray(0, cut)))).toBe(whole);
  });

  it.each(RIPEMD)('gives the RIPEMD-160 of %s', (key, digest) => {
    const out = new Uint8Array(20);
    kernels.ripemd160Keys(fromHex(key), out);
    expect(hex(out)).toBe(digest);
  });

  it('hashes batches of keys of every size', () => {
    for (const n of [0, 1, 2, 7, 8, 9, 15, 16, 17, 33]) {
      const keys = seededBytes(n + 40)(32 * n);
      const out = new Uint8Array(20 * n);
      kernels.ripemd160Keys(keys, out);
      for (let i = 0; i < n; i++)
        expect(hex(out.subarray(20 * i, 20 * i + 20))).toBe(hex(ripemd160(keys.subarray(32 * i, 32 * i + 32))));
    }
  });
});
