/** Merkle nodes: SHA-256 of a prefix and two hashes. */
import { createHash } from 'node:crypto';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { limitWork } from '../limit-work.ts';
import type { BenchCase, Work } from '../model.ts';
import { sampleBytes } from '../sample-data.ts';

const PAIRS = 4096;
const PEER_PAIRS = 256;

/** A peer that hashes one message at a time. */
function oneByOne(pairs: Uint8Array, hash: (message: Uint8Array) => Uint8Array): Work {
  const [message, out] = [new Uint8Array(65).fill(1), new Uint8Array(32 * PEER_PAIRS)];
  const call = (): void => {
    for (let i = 0; i < PEER_PAIRS; i += 1) {
      message.set(pairs.subarray(64 * i, 64 * i + 64), 1);
      out.set(hash(message), 32 * i);
    }
  };
  return { units: PEER_PAIRS, call };
}

export const sha256Pairs: BenchCase = {
  name: 'sha256.pairs',
  unit: 'nodes',
  limitIs: '32 lanes of AVX-512, or four of SHA instructions',
  prepare(context) {
    const pairs = sampleBytes(64 * PAIRS, 3);
    const out = new Uint8Array(32 * PAIRS);
    const { hashtree, wasmSha256: wasm } = context.peers;
    return {
      ours: (kernels) => ({ units: PAIRS, call: () => kernels.sha256Pairs(1, pairs, out) }),
      peers: {
        'node:crypto': oneByOne(pairs, (message) => createHash('sha256').update(message).digest()),
        noble: oneByOne(pairs, nobleSha256),
        'hash-wasm': wasm && oneByOne(pairs, (message) => wasm.init().update(message).digest('binary')),
        '@chainsafe/hashtree': hashtree && { units: PAIRS, call: () => hashtree.hashInto(pairs, out) },
      },
      limit: limitWork(context, 'sha256LanesPairs', PAIRS) ?? limitWork(context, 'sha256Pairs', PAIRS),
      result: (kernels) => {
        const hashes = new Uint8Array(32 * PAIRS);
        kernels.sha256Pairs(1, pairs, hashes);
        return hashes;
      },
    };
  },
};
