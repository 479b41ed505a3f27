import { createCipheriv, createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryReader } from '../../replicator/chunks.ts';
import { decodeRange, neededBlocks, replicaDecoder } from '../../replicator/decode.ts';
import { decodeReplica } from '../../replicator/decode-stream.ts';
import { encodeSegment } from '../../replicator/encode.ts';
import {
  blockMatrix,
  columnLength,
  columnStart,
  type LayerCount,
  layerCiphers,
  transposedIndex,
} from '../../replicator/layers.ts';
import { samplesRoot } from '../../replicator/prove.ts';
import { memoryScratch } from '../../replicator/scratch.ts';
import { streamRoots } from '../../replicator/stream-roots.ts';
import { scratchSizeBytes, Transposition } from '../../replicator/transposition.ts';
import { merkleRoot } from '../../storage/index.ts';
import { hashOf, kernels, noise } from './fixtures.ts';

const cipher = { key: noise('layer key', 32), iv: noise('layer iv', 16) };
const LAYERS: readonly LayerCount[] = [1, 2, 4];

/** The definition in docs/format/proofs.md, word for word, with node:crypto. */
function naiveReplica(segment: Uint8Array, layers: number): Uint8Array {
  const n = segment.length / 16;
  let columns = 1;
  while (columns ** layers < n) columns += 1;
  let bytes = segment;
  for (let pass = 1; pass <= layers; pass += 1) {
    const digest = createHash('sha512')
      .update('cairn/replica-layer/1')
      .update(cipher.key)
      .update(cipher.iv)
      .update(Uint8Array.of(pass))
      .digest();
    const [key, iv] = pass === 1 ? [cipher.key, cipher.iv] : [digest.subarray(0, 32), digest.subarray(32, 48)];
    if (pass > 1) {
      const order: Uint8Array[] = [];
      for (let column = 0; column < columns; column += 1)
        for (let block = column; block < n; block += columns) order.push(bytes.subarray(16 * block, 16 * block + 16));
      bytes = new Uint8Array(Buffer.concat(order));
    }
    const aes = createCipheriv('aes-256-cbc', key, iv).setAutoPadding(false);
    bytes = new Uint8Array(aes.update(bytes));
  }
  return bytes;
}

async function encode(segment: Uint8Array, layers: LayerCount, layerMemorySizeBytes = 2048, chunkSizeBytes = 1) {
  const bytes = new Uint8Array(segment.length);
  const geometry = { segmentSizeBytes: segment.length, leafSizeBytes: 64 };
  const sink = {
    writeReplica: async (offset: number, piece: Uint8Array) => bytes.set(piece, offset),
    writeLeafHashes: async () => undefined,
  };
  const options = { cipher, geometry, layers, layerMemorySizeBytes, chunkSizeBytes };
  return { bytes, geometry, ...(await encodeSegment(kernels, segment, sink, options)) };
}

describe('the matrix of a transposition', () => {
  it('has the least number of columns whose power reaches the blocks, and every block its own place', () => {
    for (const layers of LAYERS)
      for (const n of [1, 2, 3, 15, 16, 17, 63, 64, 65, 255, 256, 257, 1000]) {
        const matrix = blockMatrix(n, layers);
        expect(matrix.columnCount ** layers).toBeGreaterThanOrEqual(n);
        expect((matrix.columnCount - 1) ** layers).toBeLessThan(n);
        const places = Array.from({ length: n }, (_, index) => transposedIndex(matrix, index));
        expect(new Set(places).size).toBe(n);
        expect(Math.max(...places)).toBe(n - 1);
        let start = 0;
        for (let column = 0; column < matrix.columnCount; column += 1) {
          expect(columnStart(matrix, column)).toBe(start);
          start += columnLength(matrix, column);
        }
        expect(start).toBe(n);
      }
    expect(blockMatrix(2 ** 31, 2).columnCount).toBe(46_341);
    expect(blockMatrix(2 ** 36, 4).columnCount).toBe(512);
  });

  it('is walked alike by the out-of-core transposition, both ways, whatever memory it has', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 700 }),
        fc.constantFrom<LayerCount>(2, 4),
        fc.integer({ min: 1, max: 9000 }),
        fc.nat({ max: 20_000 }),
        async (n, layers, memory, from) => {
          const matrix = blockMatrix(n, layers);
          const bytes = noise('transposition', n * 16);
          const expected = new Uint8Array(n * 16);
          for (let block = 0; block < n; block += 1)
            expected.set(bytes.subarray(block * 16, block * 16 + 16), transposedIndex(matrix, block) * 16);
          const run = async (order: 'rows' | 'columns', source: Uint8Array, offset: number): Promise<Uint8Array> => {
            const scratch = memoryScratch(scratchSizeBytes(matrix, memory));
            const transposition = new Transposition(matrix, scratch, memory, order);
            await transposition.fill(source);
            const pieces = [];
            for await (const piece of transposition.drain(offset)) pieces.push(piece.slice());
            return new Uint8Array(Buffer.concat(pieces));
          };
          const offset = Math.min(from, n * 16);
          expect(await run('rows', bytes, offset)).toEqual(expected.slice(offset));
          expect(await run('columns', expected, offset)).toEqual(bytes.slice(offset));
        },
      ),
      { numRuns: 120, seed: 12 },
    );
  });
});

describe('a replica of several layers', () => {
  for (const layers of LAYERS)
    it(`${layers}: is what its definition says, and decodes by ranges and as a stream`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 23 }), fc.integer({ min: 1, max: 6000 }), async (kib, memory) => {
          const segment = noise(`layers ${kib}`, kib * 1024);
          const { bytes, geometry, replicaRoot, segmentRoot } = await encode(segment, layers, memory);
          expect(bytes).toEqual(naiveReplica(segment, layers));
          const hashes = new Uint8Array((segment.length / 64) * 32);
          kernels.sha256Leaves(0, bytes, 64, hashes);
          expect(merkleRoot(kernels, hashes)).toEqual(replicaRoot);
          kernels.sha256Leaves(0, segment, 64, hashes);
          expect(merkleRoot(kernels, hashes)).toEqual(segmentRoot);
          const pieces = [];
          const how = { cipher, geometry, layers, layerMemorySizeBytes: memory, chunkSizeBytes: 2048 };
          for await (const piece of decodeReplica(kernels, memoryReader(bytes), how)) pieces.push(piece.bytes.slice());
          expect(new Uint8Array(Buffer.concat(pieces))).toEqual(segment);
          const decoder = replicaDecoder(kernels, cipher, bytes.length, layers);
          for (const [from, to] of [
            [0, 1],
            [0, 17],
            [segment.length - 1, segment.length],
            [333, 700],
            [0, segment.length],
          ] as const)
            expect(await decodeRange(decoder, memoryReader(bytes), from, to - from)).toEqual(segment.slice(from, to));
        }),
        { numRuns: 12, seed: 13 },
      );
    });

  it('has a key and an IV for each pass', () => {
    const ciphers = layerCiphers(cipher, 4);
    expect(ciphers[0]).toEqual(cipher);
    expect(new Set(ciphers.map(({ key }) => Buffer.from(key).toString('hex'))).size).toBe(4);
    expect(layerCiphers(cipher, 2)).toEqual(ciphers.slice(0, 2));
  });

  it('asks for 2^L blocks to decode one, and for no more than is said to decode a leaf', async () => {
    const segment = noise('cost', 64 * 1024);
    for (const layers of LAYERS) {
      const { bytes } = await encode(segment, layers);
      const decoder = replicaDecoder(kernels, cipher, bytes.length, layers);
      expect(neededBlocks(decoder, Float64Array.of(2000))).toHaveLength(2 ** layers);
      let blocks = 0;
      const counting = {
        async read(offset: number, target: Uint8Array): Promise<void> {
          blocks += target.length / 16;
          target.set(bytes.subarray(offset, offset + target.length));
        },
      };
      await decodeRange(decoder, counting, 32 * 1024, 64);
      expect(blocks).toBeLessThanOrEqual(5 * 2 ** (layers - 1));
    }
  });

  it('depends everywhere on everything before it: a changed first byte changes every later block', async () => {
    for (const layers of LAYERS) {
      const segment = noise('spread', 4096);
      const [one, other] = [await encode(segment, layers), await encode(segment.with(0, segment[0]! ^ 1), layers)];
      let equal = 0;
      for (let at = 0; at < 4096; at += 16)
        if (Buffer.compare(one.bytes.subarray(at, at + 16), other.bytes.subarray(at, at + 16)) === 0) equal += 1;
      expect(equal).toBe(0);
    }
  });

  it('is sampled by the verifier of mode stream as by its owner', async () => {
    for (const layers of LAYERS) {
      const segment = noise('stream', 7 * 1024);
      const { geometry, replicaRoot, segmentRoot, bytes } = await encode(segment, layers);
      const samples = [{ periodHash: hashOf('period'), seed: hashOf('seed') }];
      const identities = [{ cipher, wantReplicaRoot: true, samples }];
      const request = { segment, geometry, sampleBlockSizeBytes: 1000, layers, identities, wantSegmentRoot: true };
      const roots = await streamRoots(kernels, request);
      expect(roots.segmentRoot).toEqual(segmentRoot);
      expect(roots.identities[0]!.replicaRoot).toEqual(replicaRoot);
      const layout = { replicaSizeBytes: bytes.length, sampleBlockSizeBytes: 1000 };
      const own = await samplesRoot(kernels, memoryReader(bytes), { layout, ...samples[0]! });
      expect(roots.identities[0]!.samplesRoots).toEqual([own]);
    }
  });
});
