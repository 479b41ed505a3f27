import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consistencyProof, verifyConsistency } from '../../storage/commitment/consistency.ts';
import { Frontier } from '../../storage/commitment/frontier.ts';
import { inclusionProof, packHashes, verifyInclusion } from '../../storage/commitment/inclusion.ts';
import { emptyRoot, leafHash, MerkleError, merkleRoot } from '../../storage/commitment/merkle.ts';
import { kernels } from './kernels-fixture.ts';
import { naiveLeaf, naivePath, naiveProof, naiveRoot } from './merkle-naive.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

// The eight leaves and their roots, paths and proofs used by Certificate Transparency implementations since RFC 6962
// (google/certificate-transparency, merkletree/merkle_tree_test.cc).
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const PATHS: [index: number, size: number, path: string[]][] = [
  [0, 1, []],
  [
    0,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    5,
    8,
    [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
  [
    1,
    5,
    [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  ],
];
const PROOFS: [first: number, second: number, proof: string[]][] = [
  [1, 1, []],
  [
    1,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    6,
    8,
    [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [
    2,
    5,
    [
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  ],
];

const vectorLeaves = LEAVES.map((leaf) => leafHash(kernels, bytes(leaf)));
const packed = (leaves: readonly Uint8Array[]): Uint8Array => packHashes(leaves);
/** `count` different leaf hashes. */
const manyLeaves = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => naiveLeaf(Uint8Array.of(index & 255, index >> 8)));

describe('RFC 6962 / 9162 vectors', () => {
  it('gives the root of every prefix of the eight leaves', () => {
    for (const [index, root] of ROOTS.entries())
      expect(hex(merkleRoot(kernels, packed(vectorLeaves.slice(0, index + 1))))).toBe(root);
    expect(hex(emptyRoot(kernels))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(hex(merkleRoot(kernels, new Uint8Array(0)))).toBe(hex(emptyRoot(kernels)));
  });

  it('makes and accepts the known inclusion paths', () => {
    for (const [index, size, path] of PATHS) {
      const made = inclusionProof(kernels, packed(vectorLeaves.slice(0, size)), index);
      expect(hex(made)).toBe(path.join(''));
      expect(verifyInclusion(kernels, vectorLeaves[index]!, index, size, made, bytes(ROOTS[size - 1]!))).toBe(true);
    }
  });

  it('makes and accepts the known consistency proofs', () => {
    for (const [first, second, proof] of PROOFS) {
      const made = consistencyProof(kernels, packed(vectorLeaves.slice(0, second)), first);
      expect(hex(made)).toBe(proof.join(''));
      const trees = {
        firstSize: first,
        firstRoot: bytes(ROOTS[first - 1]!),
        secondSize: second,
        secondRoot: bytes(ROOTS[second - 1]!),
      };
      expect(verifyConsistency(kernels, trees, made)).toBe(true);
    }
  });
});

describe('against the recursive twin, every size up to 40', () => {
  it('gives the same roots, paths and proofs, all of which verify', () => {
    const leaves = manyLeaves(40);
    for (let size = 1; size <= leaves.length; size++) {
      const some = leaves.slice(0, size);
      const root = merkleRoot(kernels, packed(some));
      expect(hex(root)).toBe(hex(naiveRoot(some)));
      for (let index = 0; index < size; index++) {
        const path = inclusionProof(kernels, packed(some), index);
        expect(hex(path)).toBe(hex(packed(naivePath(index, some))));
        expect(verifyInclusion(kernels, some[index]!, index, size, path, root)).toBe(true);
      }
      for (let first = 0; first <= size; first++) {
        const proof = consistencyProof(kernels, packed(some), first);
        if (first > 0) expect(hex(proof)).toBe(hex(packed(naiveProof(first, some))));
        const firstRoot = naiveRoot(some.slice(0, first));
        const trees = { firstSize: first, firstRoot, secondSize: size, secondRoot: root };
        expect(verifyConsistency(kernels, trees, proof)).toBe(true);
      }
    }
  });
});

describe('hostile proofs', () => {
  const some = manyLeaves(21);
  const root = naiveRoot(some);

  it('refuses an inclusion proof with any bit, index, size or length changed', () => {
    const path = inclusionProof(kernels, packed(some), 13);
    const check = (leaf: Uint8Array, index: number, size: number, steps: Uint8Array): boolean =>
      verifyInclusion(kernels, leaf, index, size, steps, root);
    expect(check(some[13]!, 13, 21, path)).toBe(true);
    fc.assert(
      fc.property(fc.nat(path.length * 8 - 1), (bit) => {
        const wrong = path.slice();
        wrong[bit >> 3]! ^= 1 << (bit & 7);
        return !check(some[13]!, 13, 21, wrong);
      }),
      { seed: 1, numRuns: 100 },
    );
    expect(check(some[12]!, 13, 21, path)).toBe(false);
    for (let index = 0; index < 21; index++) expect(check(some[13]!, index, 21, path)).toBe(index === 13);
    for (const index of [-1, 21, 1.5, Number.NaN, 2 ** 53]) expect(check(some[13]!, index, 21, path)).toBe(false);
    expect(check(some[13]!, 13, 2 ** 60, path)).toBe(false);
    expect(check(some[13]!, 13, 21, path.subarray(1))).toBe(false);
    expect(check(some[13]!, 13, 21, path.subarray(32))).toBe(false);
    expect(check(some[13]!, 13, 21, packed([...naivePath(13, some), some[0]!]))).toBe(false);
    expect(check(some[13]!, 13, 21, new Uint8Array(32 * 1000))).toBe(false);
    expect(check(some[13]!.subarray(1), 13, 21, path)).toBe(false);
  });

  it('refuses a consistency proof with any bit or size changed', () => {
    const firstRoot = naiveRoot(some.slice(0, 6));
    const proof = consistencyProof(kernels, packed(some), 6);
    const check = (firstSize: number, secondSize: number, path: Uint8Array): boolean =>
      verifyConsistency(kernels, { firstSize, firstRoot, secondSize, secondRoot: root }, path);
    expect(check(6, 21, proof)).toBe(true);
    fc.assert(
      fc.property(fc.nat(proof.length * 8 - 1), (bit) => {
        const wrong = proof.slice();
        wrong[bit >> 3]! ^= 1 << (bit & 7);
        return !check(6, 21, wrong);
      }),
      { seed: 2, numRuns: 100 },
    );
    for (const first of [0, 1, 2, 4, 5, 7, 8, 21, 22, -1, 0.5]) expect(check(first, 21, proof)).toBe(false);
    expect(check(6, 21, new Uint8Array(0))).toBe(false);
    expect(check(6, 21, proof.subarray(32))).toBe(false);
    expect(check(6, 6, new Uint8Array(0))).toBe(false);
  });

  it('refuses leaf hashes of a wrong length and leaves out of range', () => {
    expect(() => merkleRoot(kernels, new Uint8Array(33))).toThrow(MerkleError);
    expect(() => inclusionProof(kernels, packed(some), 21)).toThrow(/0 .. 20, got 21/);
    expect(() => consistencyProof(kernels, packed(some), 22)).toThrow(/0 .. 21, got 22/);
  });
});

describe('Frontier', () => {
  it('has the root of the whole tree after any mix of single and batched appends', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 12 }), (steps) => {
        const leaves = manyLeaves(200);
        let frontier = Frontier.empty;
        let count = 0;
        for (const step of steps) {
          const before = hex(frontier.encode());
          const next =
            step === 0
              ? frontier.append(kernels, leaves[count]!)
              : frontier.appendMany(kernels, packed(leaves.slice(count, count + step)));
          count += step === 0 ? 1 : step;
          expect(hex(frontier.encode())).toBe(before);
          frontier = next;
          expect(frontier.size).toBe(count);
          expect(hex(frontier.root(kernels))).toBe(hex(naiveRoot(leaves.slice(0, count))));
        }
        expect(Frontier.decode(frontier.encode())).toEqual(frontier);
      }),
      { seed: 3, numRuns: 150 },
    );
  });

  it('refuses encodings that are not exact', () => {
    const good = Frontier.empty.appendMany(kernels, packed(manyLeaves(5))).encode();
    expect(Frontier.decode(good).size).toBe(5);
    expect(() => Frontier.decode(good.subarray(0, 7))).toThrow(MerkleError);
    expect(() => Frontier.decode(good.subarray(0, good.length - 1))).toThrow(/size 5 has 72 bytes, got 71/);
    expect(() => Frontier.decode(Uint8Array.of(...good, 0))).toThrow(MerkleError);
    expect(() => Frontier.decode(new Uint8Array(8 + 64 * 32).fill(255))).toThrow(/at most 2\^53/);
    expect(() => Frontier.empty.append(kernels, new Uint8Array(31))).toThrow(MerkleError);
    expect(() => Frontier.empty.appendMany(kernels, new Uint8Array(31))).toThrow(MerkleError);
  });
});
