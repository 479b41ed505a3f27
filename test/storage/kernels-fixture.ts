/** The kernels under the storage tests. */
import { createHash } from 'node:crypto';
import type { MerkleKernels } from '../../storage/commitment/merkle.ts';

const sha256 = (data: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(data).digest());

export const kernels: MerkleKernels = {
  sha256,
  sha256Pairs(prefix, pairs, out) {
    for (let at = 0; at < out.length; at += 32)
      out.set(sha256(Uint8Array.of(prefix, ...pairs.subarray(at * 2, at * 2 + 64))), at);
  },
};
