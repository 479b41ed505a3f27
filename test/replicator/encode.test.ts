import { createCipheriv } from 'node:crypto';
import { hexToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactChunks, memoryReader, readerChunks } from '../../replicator/chunks.ts';
import { decodeRange, replicaDecoder } from '../../replicator/decode.ts';
import { encodeSegment } from '../../replicator/encode.ts';
import type { ReplicaCipher } from '../../replicator/key.ts';
import { leafHash, merkleRoot, packHashes } from '../../storage/index.ts';
import { encodeToMemory, kernels, noise } from './fixtures.ts';

const cipher: ReplicaCipher = { key: noise('key', 32), iv: noise('iv', 16) };

function naiveEncode(segment: Uint8Array, { key, iv }: ReplicaCipher): Uint8Array {
  const aes = createCipheriv('aes-256-cbc', key, iv).setAutoPadding(false);
  return new Uint8Array(Buffer.concat([aes.update(segment), aes.final()]));
}

function naiveRoot(bytes: Uint8Array, leafSizeBytes: number): Uint8Array {
  const leaves = [];
  for (let at = 0; at < bytes.length; at += leafSizeBytes)
    leaves.push(leafHash(kernels, bytes.subarray(at, at + leafSizeBytes)));
  return merkleRoot(kernels, packHashes(leaves));
}

/** Sizes in KiB around batch and chunk borders, with leaf sizes that divide them. */
const geometries = fc
  .tuple(fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 16, 17, 33), fc.constantFrom(16, 64, 256, 512, 1024))
  .map(([kib, leafSizeBytes]) => ({ segmentSizeBytes: kib * 1024, leafSizeBytes }));

describe('encoding', () => {
  it('is AES-256-CBC of NIST SP 800-38A (F.2.5, repeated to a segment)', async () => {
    const vector = {
      key: hexToBytes('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'),
      iv: hexToBytes('000102030405060708090a0b0c0d0e0f'),
    };
    const segment = new Uint8Array(1024);
    segment.set(
      hexToBytes(
        '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710',
      ),
    );
    const replica = await encodeToMemory(segment, vector, { segmentSizeBytes: 1024, leafSizeBytes: 16 });
    expect(replica.bytes.slice(0, 64)).toEqual(
      hexToBytes(
        'f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b',
      ),
    );
  });

  it('equals the naive cipher and the naive trees, whatever the sizes of segment, leaf, chunk and pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        geometries,
        fc.integer({ min: 1, max: 9000 }),
        fc.integer({ min: 1, max: 5000 }),
        async (geometry, chunk, piece) => {
          const segment = noise('segment', geometry.segmentSizeBytes);
          const out = new Uint8Array(segment.length);
          const hashes = new Uint8Array((segment.length / geometry.leafSizeBytes) * 32);
          const pieces: Uint8Array[] = [];
          for (let at = 0; at < segment.length; at += piece) pieces.push(segment.subarray(at, at + piece));
          const progress: number[] = [];
          const roots = await encodeSegment(
            kernels,
            pieces,
            {
              // The arrays are borrowed until the promise resolves: read them late.
              async writeReplica(offset, bytes) {
                await Promise.resolve();
                out.set(bytes, offset);
              },
              async writeLeafHashes(first, bytes) {
                await Promise.resolve();
                hashes.set(bytes, first * 32);
              },
            },
            { cipher, geometry, chunkSizeBytes: chunk, onProgress: (done) => progress.push(done) },
          );
          expect(out).toEqual(naiveEncode(segment, cipher));
          expect(roots.replicaRoot).toEqual(naiveRoot(out, geometry.leafSizeBytes));
          expect(roots.segmentRoot).toEqual(naiveRoot(segment, geometry.leafSizeBytes));
          expect(merkleRoot(kernels, hashes)).toEqual(roots.segmentRoot);
          expect(progress.at(-1)).toBe(segment.length);
        },
      ),
      { numRuns: 60, seed: 5 },
    );
  });

  it('refuses a source that is short, long, or of a size no segment has', async () => {
    const geometry = { segmentSizeBytes: 4096, leafSizeBytes: 1024 };
    const nowhere = { async writeReplica(): Promise<void> {}, async writeLeafHashes(): Promise<void> {} };
    const encode = (segment: Uint8Array, sizes = geometry): Promise<unknown> =>
      encodeSegment(kernels, segment, nowhere, { cipher, geometry: sizes });
    await expect(encode(noise('x', 4095))).rejects.toMatchObject({ code: 'source-short' });
    await expect(encode(noise('x', 4097))).rejects.toMatchObject({ code: 'source-long' });
    for (const segmentSizeBytes of [0, 1000, 1023, 1025, -1024, Number.NaN, 2 ** 41])
      await expect(encode(new Uint8Array(1024), { segmentSizeBytes, leafSizeBytes: 1024 })).rejects.toMatchObject({
        code: 'parameters',
      });
    for (const leafSizeBytes of [0, 8, 24, 48, 3072, 131_072])
      await expect(encode(new Uint8Array(4096), { segmentSizeBytes: 4096, leafSizeBytes })).rejects.toMatchObject({
        code: 'parameters',
      });
  });

  it('reports a failing sink', async () => {
    const geometry = { segmentSizeBytes: 8192, leafSizeBytes: 64 };
    const sink = {
      async writeReplica(offset: number): Promise<void> {
        if (offset > 0) throw new RangeError('disk full');
      },
      async writeLeafHashes(): Promise<void> {},
    };
    await expect(
      encodeSegment(kernels, noise('x', 8192), sink, { cipher, geometry, chunkSizeBytes: 1024 }),
    ).rejects.toThrow('disk full');
  });
});

describe('decoding', () => {
  it('gives back every byte range of the original, from the replica alone', async () => {
    const segment = noise('decode', 5 * 1024);
    const { bytes } = await encodeToMemory(segment, cipher, { segmentSizeBytes: 5 * 1024, leafSizeBytes: 1024 });
    const reader = memoryReader(bytes);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: segment.length }), fc.nat({ max: segment.length }), async (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        const range = await decodeRange(replicaDecoder(kernels, cipher, bytes.length, 1), reader, from, to - from);
        expect(range).toEqual(segment.slice(from, to));
      }),
      { numRuns: 200, seed: 6 },
    );
    await expect(
      decodeRange(replicaDecoder(kernels, cipher, bytes.length, 1), reader, 5000, 200),
    ).rejects.toMatchObject({
      code: 'range',
    });
  });

  it('reads only the range and the cipher block before it', async () => {
    const segment = noise('decode', 4096);
    const { bytes } = await encodeToMemory(segment, cipher, { segmentSizeBytes: 4096, leafSizeBytes: 1024 });
    const reads: [number, number][] = [];
    const reader = {
      async read(offset: number, target: Uint8Array): Promise<void> {
        reads.push([offset, target.length]);
        target.set(bytes.subarray(offset, offset + target.length));
      },
    };
    await decodeRange(replicaDecoder(kernels, cipher, bytes.length, 1), reader, 1000, 10);
    expect(reads).toEqual([[976, 48]]);
  });
});

describe('chunks', () => {
  it('read from a reader are the bytes in order', async () => {
    const bytes = noise('chunks', 1000);
    const out: number[] = [];
    for await (const chunk of exactChunks(readerChunks(memoryReader(bytes), 1000, 64), 1000, 100)) {
      expect(chunk.length).toBe(100);
      out.push(...chunk);
    }
    expect(Uint8Array.from(out)).toEqual(bytes);
  });
});
