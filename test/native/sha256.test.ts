/** SHA-256 kernels against FIPS 180-4 examples and node:crypto, on every variant. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nobleEngine, nodeEngine } from '../../native/portable/sha256-engine.ts';
import { wasmEngine } from '../../native/portable/sha256-wasm.ts';
import { hex, seededBytes, VARIANTS } from './variants.ts';

const reference = (...parts: Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

function referenceChain(start: Uint8Array, count: number): Uint8Array {
  let state = start;
  for (let i = 0; i < count; i++) state = reference(state);
  return state;
}

/** FIPS 180-4 examples (NIST "SHA256.pdf" and the CAVP long message). */
const FIPS: readonly (readonly [string, string])[] = [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
  [
    'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
    'cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1',
  ],
  ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
];

describe.each(VARIANTS)('sha256 of $name', ({ kernels }) => {
  it.each(FIPS)('gives the FIPS example %#', (message, digest) => {
    expect(hex(kernels.sha256(new TextEncoder().encode(message)))).toBe(digest);
  });

  it('hashes every length up to 300 and around the large ones', () => {
    const data = seededBytes(1)(5000);
    for (const size of [...Array(301).keys(), 511, 512, 513, 1023, 4096, 5000])
      expect(hex(kernels.sha256(data.subarray(3, 3 + size)))).toBe(hex(reference(data.subarray(3, 3 + size))));
  });

  it('steps a chain in place, 0 steps included', () => {
    for (const count of [0, 1, 2, 3, 1000, 9000]) {
      const state = seededBytes(count + 7)(32);
      const expected = hex(referenceChain(state, count));
      kernels.sha256Chain(state, count);
      expect(hex(state)).toBe(expected);
    }
  });

  it('steps a chain inside a larger buffer without touching its neighbours', () => {
    const buffer = seededBytes(5)(96);
    const before = buffer.slice();
    kernels.sha256Chain(buffer.subarray(33, 65), 5);
    expect(hex(buffer.subarray(33, 65))).toBe(hex(referenceChain(before.subarray(33, 65), 5)));
    expect(hex(buffer.subarray(0, 33))).toBe(hex(before.subarray(0, 33)));
    expect(hex(buffer.subarray(65))).toBe(hex(before.subarray(65)));
  });

  it('hashes Merkle pairs in batches of every size', () => {
    for (const n of [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 32, 33, 63, 1023, 1024, 1030]) {
      const pairs = seededBytes(n + 1)(64 * n);
      const out = new Uint8Array(32 * n);
      kernels.sha256Pairs(n % 256, pairs, out);
      for (let i = 0; i < n; i++)
        expect(hex(out.subarray(32 * i, 32 * i + 32))).toBe(
          hex(reference(Uint8Array.of(n % 256), pairs.subarray(64 * i, 64 * i + 64))),
        );
    }
  });

  it('hashes equal leaves, a shorter last one included', () => {
    const data = seededBytes(9)(9 * 1024 + 100);
    for (const size of [1, 31, 54, 55, 56, 63, 64, 65, 118, 119, 120, 128, 500, 511, 512, 1024, 4000, 20_000]) {
      const out = new Uint8Array(32 * Math.ceil(data.length / size));
      kernels.sha256Leaves(0, data, size, out);
      for (let i = 0; i * size < data.length; i++)
        expect(hex(out.subarray(32 * i, 32 * i + 32))).toBe(
          hex(reference(Uint8Array.of(0), data.subarray(i * size, (i + 1) * size))),
        );
    }
  });

  it('hashes long batches in which one message goes on much longer than the others', () => {
    const lengths = Array.from({ length: 200 }, (_, i) => (i === 150 ? 20_000 : (i * 37) % 300));
    const offsets = new Uint32Array(lengths.length + 1);
    for (const [i, length] of lengths.entries()) offsets[i + 1] = offsets[i]! + length;
    const data = seededBytes(13)(offsets.at(-1)!);
    const out = new Uint8Array(32 * lengths.length);
    kernels.sha256Ragged(7, data, offsets, out);
    for (let i = 0; i < lengths.length; i++)
      expect(hex(out.subarray(32 * i, 32 * i + 32))).toBe(
        hex(reference(Uint8Array.of(7), data.subarray(offsets[i], offsets[i + 1]))),
      );
  });

  it('hashes ragged leaves of every length, empty ones included', () => {
    const lengths = [0, 0, ...Array(280).keys(), 0, 1000, 5, 5, 5, 5, 3000, 700, 0];
    const offsets = new Uint32Array(lengths.length + 1);
    for (const [i, length] of lengths.entries()) offsets[i + 1] = offsets[i]! + length;
    const data = seededBytes(11)(offsets.at(-1)! + 5);
    const out = new Uint8Array(32 * lengths.length);
    kernels.sha256Ragged(200, data, offsets, out);
    for (let i = 0; i < lengths.length; i++)
      expect(hex(out.subarray(32 * i, 32 * i + 32))).toBe(
        hex(reference(Uint8Array.of(200), data.subarray(offsets[i], offsets[i + 1]))),
      );
  });
});

/** n stretches with pseudo-random steps and mixins, all right. */
function stretches(n: number, seed: number) {
  const bytes = seededBytes(seed);
  const steps = Uint32Array.from(bytes(n), (byte) => 1 + (byte % 40));
  const hasMixin = bytes(n).map((byte) => byte & 1);
  const mixins = bytes(32 * n);
  const hashes = new Uint8Array(32 * (n + 1));
  hashes.set(bytes(32));
  for (let i = 0; i < n; i++) {
    let state = referenceChain(hashes.subarray(32 * i, 32 * i + 32), steps[i]! - hasMixin[i]!);
    if (hasMixin[i] === 1) state = reference(state, mixins.subarray(32 * i, 32 * i + 32));
    hashes.set(state, 32 * (i + 1));
  }
  return { hashes, steps, hasMixin, mixins };
}

describe.each(VARIANTS)('pohVerify of $name', ({ kernels }) => {
  it('accepts right stretches in batches of every size', () => {
    for (const n of [0, 1, 2, 3, 4, 5, 6, 9, 17, 18, 31, 32, 33, 40, 64, 150]) {
      const { hashes, steps, hasMixin, mixins } = stretches(n, n + 3);
      expect(kernels.pohVerify(hashes, steps, hasMixin, mixins)).toBe(-1);
    }
  });

  it('names the first wrong stretch, whatever is wrong', () => {
    const n = 21;
    for (let bad = 0; bad < n; bad++) {
      const { hashes, steps, hasMixin, mixins } = stretches(n, 77);
      steps[bad]! += 1;
      if (bad + 3 < n) steps[bad + 3]! += 1;
      expect(kernels.pohVerify(hashes, steps, hasMixin, mixins)).toBe(bad);
    }
    const many = 83;
    for (let bad = 0; bad < many; bad += 3) {
      const wide = stretches(many, 77);
      for (const at of [bad, bad + 1, bad + 17, bad + 40]) if (at < many) wide.steps[at]! += at === bad ? 30 : 1;
      expect(kernels.pohVerify(wide.hashes, wide.steps, wide.hasMixin, wide.mixins)).toBe(bad);
    }
    const { hashes, steps, hasMixin, mixins } = stretches(n, 78);
    const mixed = hasMixin.indexOf(1);
    mixins[32 * mixed + 31]! ^= 1;
    expect(kernels.pohVerify(hashes, steps, hasMixin, mixins)).toBe(mixed);
    const changed = stretches(n, 79);
    changed.hashes[32 * n + 31]! ^= 0x80;
    expect(kernels.pohVerify(changed.hashes, changed.steps, changed.hasMixin, changed.mixins)).toBe(n - 1);
  });
});

describe('the portable engines', () => {
  it('agree with each other', () => {
    const engines = [wasmEngine(), nodeEngine(), nobleEngine()];
    const data = seededBytes(4)(2000);
    const results = engines.map((engine) => {
      const [states, out] = [data.slice(0, 128), new Uint8Array(32 * 12)];
      engine.chain4(states, 17);
      engine.chain(states.subarray(0, 32), 5);
      engine.pairs(1, data.subarray(0, 320), out);
      engine.many(0, data, 7, (i) => i * 50, out.subarray(32 * 5));
      return [hex(engine.hash(data)), hex(states), hex(out)];
    });
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});
