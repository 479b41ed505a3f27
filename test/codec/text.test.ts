import { describe, expect, it } from 'vitest';
import { address } from '../../native/index.ts';
import {
  addressOf,
  CodecError,
  decodeBase58,
  decodeHex,
  encodeBase58,
  encodeHex,
  formatAddress,
  packSignedMessages,
  parseAddress,
  parseHash,
  parsePublicKey,
  parseSignature,
  signingKey,
} from '../../src/codec/index.ts';
import { hashOf, kernels, keyOf, pattern, thrownBy } from './fixtures.ts';

const refused = (call: () => unknown) => {
  const error = thrownBy(call);
  expect(error).toBeInstanceOf(CodecError);
  return error as CodecError;
};

describe('addresses', () => {
  const text = 'cairn1ger6yjml8njmqg5wrv02fwmaahrcan4mp9kgr6';

  it('are bech32m with the prefix cairn', () => {
    expect(formatAddress(keyOf(1).address)).toBe(text);
    expect(parseAddress(text, 'to')).toEqual(keyOf(1).address);
    expect(parseAddress(text.toUpperCase(), 'to')).toEqual(keyOf(1).address);
  });

  it('refuse every single mistyped character', () => {
    const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
    for (let index = 6; index < text.length; index++) {
      for (const character of alphabet) {
        if (character === text[index]) continue;
        const mistyped = text.slice(0, index) + character + text.slice(index + 1);
        expect(refused(() => parseAddress(mistyped, 'to'))).toMatchObject({ code: 'text', field: 'to' });
      }
    }
  });

  it('refuse other prefixes, lengths and characters', () => {
    expect(refused(() => parseAddress('', 'to')).code).toBe('length');
    expect(refused(() => parseAddress(`${text}q`, 'to')).code).toBe('length');
    expect(refused(() => parseAddress(`Cairn${text.slice(5)}`, 'to')).code).toBe('text');
    expect(refused(() => parseAddress(text.replace('cairn', 'bairn'), 'to')).code).toBe('text');
    expect(refused(() => parseAddress('\u{1f5ff}'.repeat(22), 'to')).code).toBe('text');
  });

  it('is RIPEMD-160 of the key, as the kernels compute it', () => {
    const out = new Uint8Array(20);
    kernels.ripemd160Keys(keyOf(7).publicKey, out);
    expect(addressOf(keyOf(7).publicKey)).toEqual(address(out));
  });
});

describe('base58 and hexadecimal', () => {
  it('round-trip, with leading zeros', () => {
    for (const bytes of [
      new Uint8Array(32),
      hashOf(1),
      Uint8Array.from([0, 0, ...pattern(30, 3)]),
      new Uint8Array(32).fill(255),
    ]) {
      expect(parseHash(encodeBase58(bytes), 'id')).toEqual(bytes);
      expect(decodeHex(encodeHex(bytes), 32, 'digest')).toEqual(bytes);
    }
    expect(parsePublicKey(encodeBase58(keyOf(1).publicKey), 'key')).toEqual(keyOf(1).publicKey);
    const full = new Uint8Array(64).fill(255);
    expect(parseSignature(encodeBase58(full), 'signature')).toEqual(full);
  });

  it('refuse wrong lengths and characters, and long texts before decoding them', () => {
    expect(refused(() => parseHash(encodeBase58(pattern(31, 1)), 'id')).code).toBe('length');
    expect(refused(() => parseHash('0OIl', 'id')).code).toBe('text');
    expect(refused(() => decodeBase58('z'.repeat(1_000_000), 32, 'id')).code).toBe('length');
    expect(refused(() => decodeHex('zz', 1, 'digest')).code).toBe('text');
    expect(refused(() => decodeHex('abc', 1, 'digest')).code).toBe('length');
  });
});

describe('signing keys', () => {
  it('follow RFC 8032 (section 7.1, test 2)', () => {
    const key = signingKey(decodeHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 32, 'seed'));
    expect(encodeHex(key.publicKey)).toBe('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
    expect(encodeHex(key.sign(Uint8Array.of(0x72)))).toBe(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    );
  });

  it('refuse a seed of another length', () => {
    expect(refused(() => signingKey(new Uint8Array(31))).field).toBe('seed');
  });

  it('sign what the kernels accept', () => {
    const message = pattern(77, 5);
    const key = keyOf(5);
    const batch = packSignedMessages([{ publicKey: key.publicKey, signature: key.sign(message), message }]);
    const verdicts = new Uint8Array(1);
    kernels.ed25519Verify(batch.publicKeys, batch.signatures, batch.messages, batch.offsets, verdicts);
    expect(verdicts[0]).toBe(1);
  });
});
