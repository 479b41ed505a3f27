/**
 * SHA-512 in batches: the challenges of Ed25519 signatures, SHA-512(R || A || message), 176 bytes each. The native batch is a part of verification, eight
 * lanes wide; the portable one is what noble's backend does. Peers get the 176 bytes in one piece.
 */
import { createHash } from 'node:crypto';
import { sha512 as nobleSha512 } from '@noble/hashes/sha2.js';
import { type NativeFunctions, openBinding } from '../../../native/binding.ts';
import type { Kernels } from '../../../native/index.ts';
import { limitWork } from '../limit-work.ts';
import type { BenchCase, Work } from '../model.ts';
import { sampleBytes } from '../sample-data.ts';

const COUNT = 1024;
const MESSAGE_BYTES = 112;
const HASHED_BYTES = 64 + MESSAGE_BYTES;
const PEER_COUNT = 128;

type Challenges = NonNullable<NativeFunctions['ed25519Challenges']>;

const noble: Challenges = (keys, signatures, messages, offsets, digests) => {
  for (let i = 0; 64 * i < digests.length; i += 1) {
    const hash = nobleSha512.create().update(signatures.subarray(64 * i, 64 * i + 32));
    hash.update(keys.subarray(32 * i, 32 * i + 32)).update(messages.subarray(offsets[i]!, offsets[i + 1]!));
    digests.set(hash.digest(), 64 * i);
  }
};

/** Without AVX-512 and IFMA the native twin has none either. */
const challengesOf = ({ name }: Kernels): Challenges =>
  name === 'portable' ? noble : (openBinding([]).ed25519Challenges ?? noble);

function oneByOne(hash: (message: Uint8Array) => Uint8Array): Work {
  const data = sampleBytes(HASHED_BYTES * PEER_COUNT, 45);
  const digests = new Uint8Array(64 * PEER_COUNT);
  const call = (): void => {
    for (let i = 0; i < PEER_COUNT; i += 1)
      digests.set(hash(data.subarray(HASHED_BYTES * i, HASHED_BYTES * (i + 1))), 64 * i);
  };
  return { units: PEER_COUNT, call };
}

export const sha512Batch: BenchCase = {
  name: 'sha512.batch',
  unit: 'hashes',
  limitIs: 'the rounds of eight AVX-512 lanes',
  prepare(context) {
    const [keys, signatures] = [sampleBytes(32 * COUNT, 42), sampleBytes(64 * COUNT, 43)];
    const messages = sampleBytes(MESSAGE_BYTES * COUNT, 44);
    const offsets = Uint32Array.from({ length: COUNT + 1 }, (_, i) => i * MESSAGE_BYTES);
    const run = (kernels: Kernels): (() => Uint8Array) => {
      const [challenges, digests] = [challengesOf(kernels), new Uint8Array(64 * COUNT)];
      return () => {
        challenges(keys, signatures, messages, offsets, digests);
        return digests;
      };
    };
    const { sodium, wasmSha512: wasm } = context.peers;
    const sodiumDigest = new Uint8Array(64);
    const sodiumHash = (message: Uint8Array): Uint8Array => {
      sodium?.crypto_hash_sha512(sodiumDigest, message);
      return sodiumDigest;
    };
    return {
      ours: (kernels) => ({ units: COUNT, call: run(kernels) as () => void }),
      peers: {
        'node:crypto': oneByOne((message) => createHash('sha512').update(message).digest()),
        noble: oneByOne(nobleSha512),
        'hash-wasm': wasm && oneByOne((message) => wasm.init().update(message).digest('binary')),
        'sodium-native': sodium && oneByOne(sodiumHash),
      },
      limit: limitWork(context, 'sha512Blocks', COUNT),
      result: (kernels) => run(kernels)(),
    };
  },
};
