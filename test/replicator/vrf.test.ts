import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createVrfKey, VRF_PROOF_SIZE_BYTES, vrfProofToHash, vrfVerify } from '../../replicator/vrf.ts';

/** RFC 9381, appendix B.3, examples 16, 17 and 18. */
const RFC_VECTORS = [
  {
    example: 16,
    secret: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    alpha: '',
    proof:
      '8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d9727d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805',
    output:
      '90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff66b71dda49d2de59d03450451af026798e8f81cd2e333de5cdf4f3e140fdd8ae',
  },
  {
    example: 17,
    secret: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    alpha: '72',
    proof:
      'f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed5933bf0864a62558b3ed7f2fea45c92a465301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02',
    output:
      'eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb5e33821bc613efb94db5e5b54c70a848a0bef4553a41befc57663b56373a5031',
  },
  {
    example: 18,
    secret: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    alpha: 'af82',
    proof:
      '9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf8096bb474e53895c362d8628ee9f9ea3c0e52c7a5c691b6c18c9979866568add7a2d41b00b05081ed0f58ee5e31b3a970e',
    output:
      '645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c452118fec1219202a0edcf038bb6373241578be7217ba85a2687f7a0310b2df19f',
  },
] as const;

const bytes = (sizeBytes: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: sizeBytes, maxLength: sizeBytes });
const Point = ed25519.Point;
const GROUP_ORDER = Point.Fn.ORDER;
const key = createVrfKey(new Uint8Array(32).fill(7));
const alpha = Uint8Array.of(1, 2, 3);
const proof = key.prove(alpha);

describe('RFC 9381 appendix B.3', () => {
  for (const vector of RFC_VECTORS)
    it(`example ${vector.example}: proof, output and verification`, () => {
      const made = createVrfKey(hexToBytes(vector.secret));
      const input = hexToBytes(vector.alpha);
      expect(bytesToHex(made.publicKey)).toBe(vector.publicKey);
      expect(bytesToHex(made.prove(input))).toBe(vector.proof);
      expect(bytesToHex(vrfProofToHash(hexToBytes(vector.proof)) || alpha)).toBe(vector.output);
      expect(bytesToHex(vrfVerify(made.publicKey, input, hexToBytes(vector.proof)) || alpha)).toBe(vector.output);
    });
});

describe('proving and verifying', () => {
  it('agree for any key and input', () => {
    fc.assert(
      fc.property(bytes(32), fc.uint8Array({ maxLength: 200 }), (secret, input) => {
        const made = createVrfKey(secret);
        const pi = made.prove(input);
        expect(pi.length).toBe(VRF_PROOF_SIZE_BYTES);
        expect(vrfVerify(made.publicKey, input, pi)).toEqual(vrfProofToHash(pi));
      }),
      { numRuns: 10, seed: 1 },
    );
  });

  it('refuses a secret of the wrong length', () => {
    expect(() => createVrfKey(new Uint8Array(31))).toThrow(/32 bytes/);
  });
});

describe('a wrong proof is refused', () => {
  it('on any flipped bit of proof, key or input', () => {
    fc.assert(
      fc.property(fc.nat({ max: (80 + 32 + 3) * 8 - 1 }), (bit) => {
        const all = new Uint8Array([...proof, ...key.publicKey, ...alpha]);
        all[bit >> 3] = all[bit >> 3]! ^ (1 << (bit & 7));
        expect(vrfVerify(all.slice(80, 112), all.slice(112), all.slice(0, 80))).toBe(false);
      }),
      { numRuns: 80, seed: 2 },
    );
  });

  it('of any other length', () => {
    for (const length of [0, 32, 79, 81, 160]) {
      expect(vrfVerify(key.publicKey, alpha, new Uint8Array(length))).toBe(false);
      expect(vrfProofToHash(new Uint8Array(length))).toBe(false);
    }
  });

  it('when s is the same number plus the group order', () => {
    const twin = proof.slice();
    let s = GROUP_ORDER;
    for (let index = 0; index < 32; index += 1) s += BigInt(proof[48 + index]!) << BigInt(8 * index);
    for (let index = 0; index < 32; index += 1, s >>= 8n) twin[48 + index] = Number(s & 0xffn);
    expect(vrfVerify(key.publicKey, alpha, twin)).toBe(false);
    expect(vrfProofToHash(twin)).toBe(false);
  });

  it('for random bytes, without throwing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 90 }), (publicKey, pi) => {
        expect(vrfVerify(publicKey, alpha, pi)).toBe(false);
      }),
      { numRuns: 300, seed: 3 },
    );
    fc.assert(
      fc.property(bytes(80), (pi) => {
        expect(vrfVerify(key.publicKey, alpha, pi)).toBe(false);
      }),
      { numRuns: 50, seed: 4 },
    );
  });
});

describe('a public key is refused', () => {
  /** The eight points of small order, then their second encodings (y + p, or the sign bit on x = 0). */
  const SMALL_ORDER = [
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0000000000000000000000000000000000000000000000000000000000000080',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    '0100000000000000000000000000000000000000000000000000000000000080',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ];

  /** RFC 9381 section 5.4.1.1, written again, to forge with. */
  function encodeToCurve(publicKey: Uint8Array): InstanceType<typeof Point> {
    for (let counter = 0; ; counter += 1)
      try {
        return Point.fromBytes(
          sha512(Uint8Array.of(3, 1, ...publicKey, ...alpha, counter, 0)).subarray(0, 32),
        ).clearCofactor();
      } catch {}
  }

  /** With Gamma = identity, V = s*H, and U = s*B whenever c*Y vanishes: anybody can answer the challenge. */
  function forge(publicKey: Uint8Array): Uint8Array {
    const H = encodeToCurve(publicKey);
    for (let s = 1n; ; s += 1n) {
      const points = [H, Point.ZERO, Point.BASE.multiplyUnsafe(s), H.multiplyUnsafe(s)].flatMap((p) => [
        ...p.toBytes(),
      ]);
      const c = sha512(Uint8Array.of(3, 2, ...publicKey, ...points, 0)).subarray(0, 16);
      if (c[0]! % 8 === 0) return Uint8Array.of(...Point.ZERO.toBytes(), ...c, Number(s), ...new Uint8Array(31));
    }
  }

  it('when of small order, although its proof satisfies the equations', () => {
    for (const encoded of SMALL_ORDER) {
      const publicKey = hexToBytes(encoded);
      expect(vrfVerify(publicKey, alpha, forge(publicKey))).toBe(false);
    }
  });

  it('when not canonical', () => {
    const nonCanonical = new Uint8Array(32).fill(0xff);
    nonCanonical[31] = 0x7f;
    expect(vrfVerify(nonCanonical, alpha, proof)).toBe(false);
  });
});
