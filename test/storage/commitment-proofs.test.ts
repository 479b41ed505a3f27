/** Paths and range proofs of the commitment trees, against RFC 9162 done naively. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommitmentError } from '../../storage/commitment/commitment-error.ts';
import { Frontier } from '../../storage/commitment/frontier.ts';
import { inclusionProof, packHashes } from '../../storage/commitment/inclusion.ts';
import { verifyRange } from '../../storage/commitment/range-proof.ts';
import { deleteAccount, putAccount } from './commitment-model.ts';
import { dropTo, hex, joined, LOG, range, settled } from './commitment-rig.ts';
import { kernels } from './kernels-fixture.ts';
import { naiveLeaf, naivePath, naiveRoot } from './merkle-naive.ts';

describe('paths', () => {
  it('are those of RFC 9162 for every kept op and at many sizes, whatever was dropped', () => {
    const rig = settled(LOG);
    const { leaves } = rig.store.state;
    for (const firstOp of [0, 63, 309, 512, 1287, 1536 + 57]) {
      dropTo(rig, firstOp);
      for (let op = firstOp; op < leaves.length; op += 53) {
        expect(hex(rig.trees.opPath(op))).toBe(hex(inclusionProof(kernels, packHashes(leaves), op)));
        for (const size of [op + 1, op + 2, (op | 255) + 1, (op | 255) + 3, 2048, leaves.length - 1]) {
          if (size <= op || size > leaves.length) continue;
          expect(hex(rig.trees.opPath(op, size))).toBe(
            hex(inclusionProof(kernels, packHashes(leaves.slice(0, size)), op)),
          );
        }
      }
      expect(() => rig.trees.opPath(firstOp - 1)).toThrow(CommitmentError);
    }
    for (const [op, size] of [
      [1700, 1700],
      [1700, leaves.length + 1],
      [1700.5, leaves.length],
      [leaves.length, leaves.length],
    ] as const)
      expect(() => rig.trees.opPath(op, size)).toThrow(CommitmentError);
  });

  it('lead from every chunk to the activity root, below the floor too, with blocks on top that are not settled', () => {
    const { store, trees } = settled(LOG);
    const ahead = store.state.next(range(0, 300).map((n) => putAccount(n, 1)));
    const child = trees.tip.next(ahead.batches.at(-1)!);
    child.next(ahead.next([deleteAccount(7)]).batches.at(-1)!);
    const chunks = store.state.chunks.map(naiveLeaf);
    for (let op = 0; op < store.state.ops.length; op += 91) {
      const { chunk, path } = trees.chunkPath(op);
      const index = Math.floor(op / 256);
      expect(hex(chunk)).toBe(hex(store.state.chunks[index]!));
      expect(hex(path)).toBe(hex(packHashes(naivePath(index, chunks))));
    }
    expect(() => trees.chunkPath(store.state.ops.length)).toThrow(CommitmentError);
  });

  it('lead to the activity root from chunks that are no longer held: they are of zero subtrees', () => {
    const rig = settled(range(0, 30).map(() => range(0, 400).map((n) => putAccount(n))));
    expect(rig.store.state.floor).toBeGreaterThan(11_000);
    expect(hex(rig.trees.tip.root)).toBe(hex(rig.store.state.root));
    const chunks = packHashes(rig.store.state.chunks.map(naiveLeaf));
    for (let op = 0; op < rig.store.state.ops.length; op += 128) {
      const { chunk, path } = rig.trees.chunkPath(op);
      expect(hex(chunk)).toBe(hex(rig.store.state.chunks[Math.floor(op / 256)]!));
      expect(hex(path)).toBe(hex(inclusionProof(kernels, chunks, Math.floor(op / 256))));
    }
  });

  it('of kept ops stay when many nodes before them are let go of', () => {
    const rig = settled(range(0, 30).map(() => range(0, 400).map((n) => putAccount(n))));
    const leaves = packHashes(rig.store.state.leaves);
    for (const batch of [10, 24, 26, 28]) {
      dropTo(rig, batch * 401);
      for (let op = batch * 401; op < rig.store.state.ops.length; op += 97)
        expect(hex(rig.trees.opPath(op))).toBe(hex(inclusionProof(kernels, leaves, op)));
    }
  });

  it('of an op in a settled twig read one twig of the log', () => {
    const { store, trees } = settled(LOG);
    store.twigReads = 0;
    trees.opPath(store.state.floor);
    expect(store.twigReads).toBe(1);
  });
});

describe('range proofs', () => {
  const rig = settled(LOG);
  const { leaves } = rig.store.state;
  dropTo(rig, 309);

  it('hold for any range at any size, and give the frontier at its begin', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(10_000), fc.nat(10_000), (a, b, c) => {
        const size = 310 + (c % (leaves.length - 309));
        const from = 309 + (a % (size - 309));
        const to = from + 1 + (b % (size - from));
        const proof = rig.trees.rangeProof(from, to, size);
        const root = naiveRoot(leaves.slice(0, size));
        const hashes = packHashes(leaves.slice(from, to));
        const frontier = verifyRange(kernels, { from, to, size, root }, hashes, proof);
        expect(frontier).toEqual(Frontier.empty.appendMany(kernels, packHashes(leaves.slice(0, from))));
      }),
      { seed: 21, numRuns: 60 },
    );
  });

  it('of one leaf have the hashes of its path', () => {
    for (const op of [309, 512, 1000, leaves.length - 1]) {
      const { left, right } = rig.trees.rangeProof(op, op + 1);
      const path = naivePath(op, leaves).map(hex).sort();
      const both = [left, right].flatMap((side) =>
        range(0, side.length / 32).map((i) => hex(side.slice(i * 32, i * 32 + 32))),
      );
      expect(both.sort()).toEqual(path);
    }
  });

  it('are refused with any bit, count or number changed', () => {
    const [from, to, size] = [900, 1300, 2300];
    const root = naiveRoot(leaves.slice(0, size));
    const proof = rig.trees.rangeProof(from, to, size);
    const hashes = packHashes(leaves.slice(from, to));
    const check = (
      change: Partial<{ from: number; to: number; size: number; root: Uint8Array }>,
      leafHashes = hashes,
      made = proof,
    ): boolean => verifyRange(kernels, { from, to, size, root, ...change }, leafHashes, made) !== undefined;
    expect(check({})).toBe(true);
    const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
      const copy = bytes.slice();
      copy[bit >> 3]! ^= 1 << (bit & 7);
      return copy;
    };
    for (let byte = 0; byte < proof.left.length; byte++)
      expect(check({}, hashes, { ...proof, left: flipped(proof.left, byte * 8 + (byte % 8)) })).toBe(false);
    for (let byte = 0; byte < proof.right.length; byte++)
      expect(check({}, hashes, { ...proof, right: flipped(proof.right, byte * 8 + (byte % 8)) })).toBe(false);
    for (let bit = 5; bit < hashes.length * 8; bit += 1601) expect(check({}, flipped(hashes, bit))).toBe(false);
    for (const change of [
      { from: from + 1 },
      { to: to + 1 },
      { size: size + 2000 },
      { from: 0 },
      { size: 1299 },
      { to: from },
    ])
      expect(check(change)).toBe(false);
    for (const number of [Number.NaN, -1, 0.5, 2 ** 53, 2 ** 60, Number.POSITIVE_INFINITY])
      for (const field of ['from', 'to', 'size']) expect(check({ [field]: number })).toBe(false);
    expect(check({ root: root.subarray(1) })).toBe(false);
    expect(check({}, hashes.subarray(32))).toBe(false);
    expect(check({}, hashes.subarray(1))).toBe(false);
    expect(check({}, hashes, { left: proof.left, right: joined(proof.right, root) })).toBe(false);
    expect(check({}, hashes, { left: proof.left.subarray(32), right: proof.right })).toBe(false);
    expect(check({}, hashes, { left: new Uint8Array(32 * 1000), right: proof.right })).toBe(false);
  });

  it('are refused to who asks past the kept ops or the tip', () => {
    for (const [from, to, size] of [
      [308, 400, 2000],
      [400, 400, 2000],
      [400, 2001, 2000],
      [400, 500, leaves.length + 1],
    ] as const)
      expect(() => rig.trees.rangeProof(from, to, size)).toThrow(CommitmentError);
  });
});
