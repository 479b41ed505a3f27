/** RFC 9162 section 2.1 written as its recursive definitions, over node:crypto: the slow twin that the fast one must equal. */
import { createHash } from 'node:crypto';

const sha256 = (...parts: Uint8Array[]): Uint8Array => {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return new Uint8Array(digest.digest());
};

export const naiveLeaf = (data: Uint8Array): Uint8Array => sha256(Uint8Array.of(0), data);
const node = (left: Uint8Array, right: Uint8Array): Uint8Array => sha256(Uint8Array.of(1), left, right);

function split(count: number): number {
  let size = 1;
  while (size * 2 < count) size *= 2;
  return size;
}

/** MTH over leaf hashes. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0]!;
  const k = split(leaves.length);
  return node(naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)));
}

/** PATH(m, D_n). */
export function naivePath(index: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...naivePath(index, leaves.slice(0, k)), naiveRoot(leaves.slice(k))]
    : [...naivePath(index - k, leaves.slice(k)), naiveRoot(leaves.slice(0, k))];
}

/** PROOF(m, D_n) = SUBPROOF(m, D_n, true). */
export function naiveProof(first: number, leaves: readonly Uint8Array[], whole = true): Uint8Array[] {
  if (first === leaves.length) return whole ? [] : [naiveRoot(leaves)];
  const k = split(leaves.length);
  return first <= k
    ? [...naiveProof(first, leaves.slice(0, k), whole), naiveRoot(leaves.slice(k))]
    : [...naiveProof(first - k, leaves.slice(k), false), naiveRoot(leaves.slice(0, k))];
}
