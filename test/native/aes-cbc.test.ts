/** AES-256-CBC kernels against NIST SP 800-38A, Wycheproof and each other, on every variant. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decryptChained, encryptChained, nobleCbc, nodeCbc } from '../../native/portable/aes-cbc.ts';
import { packageRoot } from '../../native/worker-url.ts';
import { fromHex, hex, seededBytes, VARIANTS } from './variants.ts';

/** NIST SP 800-38A, F.2.5 and F.2.6. */
const NIST = {
  key: '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4',
  iv: '000102030405060708090a0b0c0d0e0f',
  plain:
    '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710',
  cipher:
    'f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b',
};

interface WycheproofFile {
  readonly testGroups: readonly {
    readonly keySize: number;
    readonly tests: readonly { tcId: number; key: string; iv: string; msg: string; ct: string; result: string }[];
  }[];
}

const WYCHEPROOF = join(packageRoot(import.meta.filename), '../shared/vectors/wycheproof/aes_cbc_pkcs5_test.json');

/** PKCS #5 padding, which our kernels leave to the caller. */
function padded(message: Uint8Array): Uint8Array {
  const pad = 16 - (message.length % 16);
  return Uint8Array.from([...message, ...new Uint8Array(pad).fill(pad)]);
}

describe.each(VARIANTS)('aes-cbc of $name', ({ kernels }) => {
  it('gives the NIST examples, and the chain that continues them', () => {
    const [key, chain, out] = [fromHex(NIST.key), fromHex(NIST.iv), new Uint8Array(64)];
    kernels.aesCbcEncrypt(key, chain, fromHex(NIST.plain), out);
    expect(hex(out)).toBe(NIST.cipher);
    expect(hex(chain)).toBe(NIST.cipher.slice(-32));
    const back = fromHex(NIST.iv);
    kernels.aesCbcDecrypt(key, back, out, out);
    expect(hex(out)).toBe(NIST.plain);
    expect(hex(back)).toBe(NIST.cipher.slice(-32));
  });

  it.skipIf(!existsSync(WYCHEPROOF))('gives the valid Wycheproof cases of 256-bit keys', () => {
    const file = JSON.parse(readFileSync(WYCHEPROOF, 'utf8')) as WycheproofFile;
    const cases = file.testGroups.filter(({ keySize }) => keySize === 256).flatMap(({ tests }) => tests);
    const valid = cases.filter(({ result }) => result === 'valid');
    expect(valid.length).toBeGreaterThan(20);
    for (const { tcId, key, iv, msg, ct } of valid) {
      const input = padded(fromHex(msg));
      const out = new Uint8Array(input.length);
      kernels.aesCbcEncrypt(fromHex(key), fromHex(iv), input, out);
      expect(hex(out), `case ${tcId}`).toBe(ct);
      kernels.aesCbcDecrypt(fromHex(key), fromHex(iv), out, out);
      expect(hex(out), `case ${tcId}`).toBe(hex(input));
    }
  });

  it('encrypts in pieces as in one, and decrypts every number of blocks', () => {
    const bytes = seededBytes(3);
    const [key, iv, plain] = [bytes(32), bytes(16), bytes(16 * 70)];
    const whole = new Uint8Array(plain.length);
    kernels.aesCbcEncrypt(key, iv.slice(), plain, whole);
    const [pieces, chain] = [plain.slice(), iv.slice()];
    for (let at = 0, blocks = 0; at < pieces.length; at += 16 * blocks++) {
      const piece = pieces.subarray(at, at + 16 * blocks);
      kernels.aesCbcEncrypt(key, chain, piece, piece);
    }
    expect(hex(pieces)).toBe(hex(whole));
    for (let blocks = 0; blocks <= 20; blocks++) {
      const out = new Uint8Array(16 * blocks);
      const back = iv.slice();
      kernels.aesCbcDecrypt(key, back, whole.subarray(0, 16 * blocks), out);
      expect(hex(out)).toBe(hex(plain.subarray(0, 16 * blocks)));
      expect(hex(back)).toBe(hex(blocks === 0 ? iv : whole.subarray(16 * blocks - 16, 16 * blocks)));
    }
  });

  it('encrypts for many identities as for one', () => {
    for (const [n, blocks] of [
      [0, 5],
      [1, 3],
      [3, 0],
      [4, 33],
      [5, 16],
      [8, 17],
      [9, 1],
      [16, 4],
      [17, 64],
      [31, 20],
      [32, 32],
      [33, 15],
      [70, 7],
    ] as const) {
      const bytes = seededBytes(n * 100 + blocks);
      const [keys, chains, input] = [bytes(32 * n), bytes(16 * n), bytes(16 * blocks)];
      const [many, one] = [new Uint8Array(n * input.length), new Uint8Array(n * input.length)];
      const singles = chains.slice();
      kernels.aesCbcEncryptMany(keys, chains, input, many);
      for (let i = 0; i < n; i++)
        kernels.aesCbcEncrypt(
          keys.subarray(32 * i, 32 * i + 32),
          singles.subarray(16 * i, 16 * i + 16),
          input,
          one.subarray(i * input.length, (i + 1) * input.length),
        );
      expect(hex(many), `${n} identities, ${blocks} blocks`).toBe(hex(one));
      expect(hex(chains)).toBe(hex(singles));
    }
  });

  it('keeps of many identities the blocks asked for', () => {
    const bytes = seededBytes(31);
    for (const [n, blocks] of [
      [1, 5],
      [4, 40],
      [7, 33],
      [16, 64],
      [33, 20],
      [40, 21],
      [45, 30],
      [48, 70],
      [56, 40],
      [97, 33],
      [3, 20_000],
    ] as const) {
      const [keys, chains, input] = [bytes(32 * n), bytes(16 * n), bytes(16 * blocks)];
      const at = chains.slice();
      const all = new Uint8Array(n * input.length);
      kernels.aesCbcEncryptMany(keys, at, input, all);
      const pairs = Array.from({ length: 60 }, (_, i) => [(i * 7919) % blocks, (i * 31) % n] as const);
      pairs.sort((a, b) => a[0] - b[0]);
      const out = new Uint8Array(16 * pairs.length);
      kernels.aesCbcSampleMany(keys, chains, input, Uint32Array.from(pairs.flat()), out);
      const expected = pairs.map(([block, lane]) => all.subarray(lane * input.length + 16 * block).subarray(0, 16));
      expect([n, blocks, hex(out)]).toEqual([n, blocks, hex(new Uint8Array(Buffer.concat(expected)))]);
      expect(hex(chains)).toBe(hex(at));
    }
  });

  it('hashes the leaves of what goes in and comes out meanwhile', () => {
    for (const [leafSizeBytes, n] of [
      [16, 1],
      [64, 31],
      [64, 32],
      [64, 33],
      [960, 65],
      [1024, 96],
      [1024, 127],
      [4096, 64],
      [48, 200],
      [32, 0],
    ] as const) {
      for (const lanes of [0, 1, 2, 3, 5]) {
        const bytes = seededBytes(n * 7 + leafSizeBytes + lanes);
        const size = leafSizeBytes * n;
        const [keys, ivs] = [bytes(32 * lanes), bytes(16 * lanes)];
        // The last two share what goes in.
        const inputs = Array.from({ length: lanes }, () => bytes(size));
        if (lanes > 2) inputs[lanes - 1] = inputs[lanes - 2]!;
        const part = (of: Uint8Array, each: number, i: number): Uint8Array => of.subarray(each * i, each * (i + 1));
        const [plain, chains] = [inputs.map(() => new Uint8Array(size)), ivs.slice()];
        const [before, after] = [new Uint8Array(32 * n * lanes), new Uint8Array(32 * n * lanes)];
        inputs.forEach((input, i) => {
          kernels.aesCbcEncrypt(part(keys, 32, i), part(chains, 16, i), input, plain[i]!);
          kernels.sha256Leaves(3, input, leafSizeBytes, part(before, 32 * n, i));
          kernels.sha256Leaves(3, plain[i]!, leafSizeBytes, part(after, 32 * n, i));
        });
        const [ins, outs] = [new Uint8Array(before.length), new Uint8Array(after.length)];
        const [outputs, at] = [inputs.map(() => new Uint8Array(size)), ivs.slice()];
        kernels.aesCbcEncryptLeaves(keys, at, inputs, outputs, 3, leafSizeBytes, ins, outs);
        const what = `${lanes} times ${n} leaves of ${leafSizeBytes}`;
        expect([what, hex(at)]).toEqual([what, hex(chains)]);
        outputs.forEach((output, i) => {
          expect(Buffer.compare(output, plain[i]!), `${what}, output ${i}`).toBe(0);
        });
        expect([what, hex(ins), hex(outs)]).toEqual([what, hex(before), hex(after)]);
      }
    }
  });

  it('writes many identities in every way their outputs may lie', () => {
    // 2,048 bytes apart they share cache sets; 33 and 48 make groups of unequal and equal size.
    const bytes = seededBytes(21);
    for (const n of [4, 8, 16, 24, 32, 33, 48, 64]) {
      for (const blocks of [65, 128, 192]) {
        const [keys, chains, input] = [bytes(32 * n), bytes(16 * n), bytes(16 * blocks)];
        const start = chains.slice();
        const many = new Uint8Array(n * input.length + 32);
        kernels.aesCbcEncryptMany(keys, chains, input, many.subarray(16, 16 + n * input.length));
        for (const i of new Set([0, 3, n >> 1, n - 1])) {
          const [chain, one] = [start.slice(16 * i, 16 * i + 16), new Uint8Array(input.length)];
          kernels.aesCbcEncrypt(keys.subarray(32 * i, 32 * i + 32), chain, input, one);
          const at = 16 + i * input.length;
          expect(Buffer.compare(one, many.subarray(at, at + input.length)), `${i} of ${n}, ${blocks} blocks`).toBe(0);
          expect(hex(chains.subarray(16 * i, 16 * i + 16))).toBe(hex(chain));
        }
        expect(hex(many.subarray(0, 16)) + hex(many.subarray(16 + n * input.length))).toBe('00'.repeat(32));
      }
    }
  });

  it('passes large outputs by the cache without losing a byte', () => {
    const bytes = seededBytes(8);
    const [n, input] = [33, bytes(160 * 1024)];
    const [keys, chains] = [bytes(32 * n), bytes(16 * n)];
    const start = chains.slice();
    const many = new Uint8Array(n * input.length);
    kernels.aesCbcEncryptMany(keys, chains, input, many);
    for (const i of [0, 15, 31, 32]) {
      const one = new Uint8Array(input.length);
      kernels.aesCbcEncrypt(keys.subarray(32 * i, 32 * i + 32), start.slice(16 * i, 16 * i + 16), input, one);
      expect(Buffer.compare(one, many.subarray(i * input.length, (i + 1) * input.length))).toBe(0);
    }
  });

  it('works at any alignment', () => {
    const bytes = seededBytes(12);
    const pool = bytes(1000);
    const expected = new Uint8Array(160);
    kernels.aesCbcEncrypt(pool.slice(1, 33), pool.slice(40, 56), pool.slice(100, 260), expected);
    const out = new Uint8Array(163).subarray(3);
    kernels.aesCbcEncrypt(pool.subarray(1, 33), pool.slice(40, 56), pool.subarray(100, 260), out);
    expect(hex(out)).toBe(hex(expected));
  });
});

describe('the portable cipher backends', () => {
  it('agree, also over several pieces', () => {
    const bytes = seededBytes(2);
    const [key, iv, plain] = [bytes(32), bytes(16), bytes(256 * 1024 + 48)];
    const results = [nodeCbc, nobleCbc].map((backend) => {
      const [chain, data] = [iv.slice(), plain.slice()];
      encryptChained(backend, key, chain, data, data);
      const cipher = hex(data.subarray(-64));
      const back = iv.slice();
      decryptChained(backend, key, back, data, data);
      expect(Buffer.compare(data, plain)).toBe(0);
      return [cipher, hex(chain), hex(back)];
    });
    expect(results[1]).toEqual(results[0]);
  });
});
