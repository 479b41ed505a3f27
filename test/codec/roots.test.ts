import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Entry, entriesRoot, entryItems, entryLeaf, entryMixins, itemsRoot } from '../../src/codec/index.ts';
import { hashOf, kernels, payloads, transactionOf } from './fixtures.ts';
import { entries } from './samples.ts';

const sha256 = (...parts: Uint8Array[]): Uint8Array => {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return new Uint8Array(digest.digest());
};

/** RFC 9162 section 2.1.1, word for word. */
function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return sha256(Uint8Array.of(0), leaves[0]!);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Uint8Array.of(1), naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)));
}

const kindByte = { tick: 0, parent: 1, transactions: 2, votes: 3 } as const;

function naiveEntriesRoot(sample: readonly Entry[], parentHash: Uint8Array): Uint8Array {
  return naiveRoot(
    sample.map((entry) => {
      const count = new Uint8Array(8);
      new DataView(count.buffer).setBigUint64(0, BigInt(entry.count), true);
      const mixin =
        entry.kind === 'tick'
          ? new Uint8Array(32)
          : entry.kind === 'parent'
            ? parentHash
            : naiveRoot(entryItems(entry).map((item) => item.bytes));
      return Buffer.concat([count, entry.hash, Uint8Array.of(kindByte[entry.kind]), mixin]);
    }),
  );
}

describe('roots', () => {
  it('items root equals the RFC read word for word', () => {
    const items = payloads.map((payload) => transactionOf(payload));
    for (let count = 0; count <= items.length; count++) {
      const some = items.slice(0, count);
      expect(itemsRoot(kernels, some)).toEqual(naiveRoot(some.map((item) => item.bytes)));
    }
  });

  it('entries root equals the naive one for any entries', () => {
    fc.assert(
      fc.property(entries, (sample) => {
        const mixins = entryMixins(kernels, sample, hashOf(5));
        expect(entriesRoot(kernels, sample, mixins)).toEqual(naiveEntriesRoot(sample, hashOf(5)));
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  it('an entry leaf is 73 bytes', () => {
    const leaf = entryLeaf({ kind: 'tick', count: 0 as never, hash: hashOf(1) }, new Uint8Array(32));
    expect(leaf.length).toBe(73);
  });
});
