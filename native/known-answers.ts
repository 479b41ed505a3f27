/**
 * Known answers for the self-tests at load: a path that gets one wrong is not used.
 *
 * Sources: SHA-256 chain computed with OpenSSL from FIPS 180-4; AES from NIST SP 800-38A, F.2.5; Ed25519 from RFC 8032, 7.1, test 2;
 * CRC-32C from RFC 3720, B.4; RIPEMD-160 computed with OpenSSL and noble alike.
 */

/** Bytes of a hexadecimal string of ours. */
export const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

/** 1000 steps from 32 zero bytes. */
export const SHA256_CHAIN_ANSWER = {
  start: '0000000000000000000000000000000000000000000000000000000000000000',
  count: 1000,
  end: '36c1cb4f826ae42ceba848227e0c5f786178ca9dceca6772e5d728d09c30a2f6',
} as const;

/** CBC-AES256.Encrypt, four blocks. */
export const CBC_ANSWER = {
  key: '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4',
  iv: '000102030405060708090a0b0c0d0e0f',
  plain:
    '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710',
  cipher:
    'f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b',
} as const;

/** One valid signature; the message with its first bit flipped must be refused. */
export const ED25519_ANSWER = {
  publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  message: '72',
  signature:
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
} as const;

/** CRC-32C of 32 bytes 0x00 .. 0x1f. */
export const CRC32C_ANSWER = 0x46dd794e;

/** RIPEMD-160 of 32 zero bytes. */
export const RIPEMD160_ANSWER = {
  key: '0000000000000000000000000000000000000000000000000000000000000000',
  digest: 'd1a70126ff7a149ca6f9b638db084480440ff842',
} as const;
