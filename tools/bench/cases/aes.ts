/** AES-256-CBC: one chain, one plaintext under many identities (key schedules included, outputs reused), and decryption. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { cbc } from '@noble/ciphers/aes.js';
import type { Kernels } from '../../../native/index.ts';
import { limitWork } from '../limit-work.ts';
import type { BenchCase, Work } from '../model.ts';
import { joined, sampleBytes } from '../sample-data.ts';

const PIECE_BYTES = 64 * 1024;
const LIMIT_BYTES = 1024 * 1024;
const IDENTITIES = 32;
/** An identity's share of the small output buffer: 7 leaves of 1 KiB (224 KiB in all, within the second cache). */
const SHARE_BYTES = 7 * 1024;

const [key, iv] = [sampleBytes(32, 4), sampleBytes(16, 5)];

/** node:crypto on one continuing stream. */
function nodePass(make: typeof createCipheriv | typeof createDecipheriv, input: Uint8Array): Work {
  const cipher = make('aes-256-cbc', key, iv);
  cipher.setAutoPadding(false);
  return { units: input.length, call: () => void cipher.update(input) };
}

/** noble refuses to encrypt twice, so its key schedule is made again. */
function noblePass(isEncryption: boolean, input: Uint8Array): Uint8Array {
  const noble = cbc(key, iv, { disablePadding: true });
  return isEncryption ? noble.encrypt(input) : noble.decrypt(input);
}

function onePass(direction: 'aesCbcEncrypt' | 'aesCbcDecrypt'): Omit<BenchCase, 'name' | 'limitIs'> {
  const isEncryption = direction === 'aesCbcEncrypt';
  return {
    unit: 'bytes',
    prepare(context) {
      const input = sampleBytes(PIECE_BYTES, 6);
      const small = input.subarray(0, 16_384);
      return {
        ours: (kernels) => {
          const [chain, output] = [iv.slice(), new Uint8Array(PIECE_BYTES)];
          return { units: PIECE_BYTES, call: () => kernels[direction](key, chain, input, output) };
        },
        peers: {
          'node:crypto': nodePass(isEncryption ? createCipheriv : createDecipheriv, input),
          noble: { units: small.length, call: () => void noblePass(isEncryption, small) },
        },
        limit: limitWork(context, isEncryption ? 'aesCbc' : 'aesDecrypt', LIMIT_BYTES),
        result: (kernels) => {
          const [chain, output] = [iv.slice(), new Uint8Array(PIECE_BYTES)];
          kernels[direction](key, chain, input, output);
          return joined(output, chain);
        },
      };
    },
  };
}

export const aesOne: BenchCase = { name: 'aes-cbc.one', limitIs: 'one chain of AES-NI', ...onePass('aesCbcEncrypt') };

export const aesDecrypt: BenchCase = {
  name: 'aes-cbc.decrypt',
  limitIs: 'eight blocks of AES-NI at a time',
  ...onePass('aesCbcDecrypt'),
};

/** Every identity's share of one piece of plaintext. */
function encryptShares(kernels: Kernels): { chains: Uint8Array; outputs: Uint8Array; call: () => void } {
  const keys = sampleBytes(32 * IDENTITIES, 7);
  const chains = sampleBytes(16 * IDENTITIES, 8);
  const input = sampleBytes(SHARE_BYTES, 9);
  const outputs = new Uint8Array(IDENTITIES * SHARE_BYTES);
  return { chains, outputs, call: () => kernels.aesCbcEncryptMany(keys, chains, input, outputs) };
}

function nodeMany(): Work {
  const input = sampleBytes(SHARE_BYTES, 9);
  const ciphers = Array.from({ length: IDENTITIES }, (_, i) =>
    createCipheriv('aes-256-cbc', sampleBytes(32, 10 + i), iv),
  );
  const call = (): void => {
    for (const cipher of ciphers) cipher.update(input);
  };
  return { units: IDENTITIES * SHARE_BYTES, call };
}

export const aesMany: BenchCase = {
  name: 'aes-cbc.many',
  unit: 'bytes',
  limitIs: '32 chains of VAES, nothing written',
  prepare(context) {
    return {
      ours: (kernels) => ({ units: IDENTITIES * SHARE_BYTES, call: encryptShares(kernels).call }),
      peers: { 'node:crypto': nodeMany() },
      limit: limitWork(context, 'aesCbc32', IDENTITIES * SHARE_BYTES * 16),
      result: (kernels) => {
        const { chains, outputs, call } = encryptShares(kernels);
        call();
        return joined(outputs, chains);
      },
    };
  },
};
