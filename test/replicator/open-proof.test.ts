import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeSegment } from '../../replicator/encode.ts';
import { deriveCipher, deriveSampleSeed, proveKey, proveSamples, type ReplicaCipher } from '../../replicator/key.ts';
import type { LayerCount } from '../../replicator/layers.ts';
import { makeMultiproof, multiproofNodeCount, rootFromMultiproof, sortedUnique } from '../../replicator/multiproof.ts';
import { drawNumbers, drawsFor, passLog2 } from '../../replicator/open-plan.ts';
import {
  checkOpening,
  makeOpening,
  type OpenClaim,
  type OpeningTarget,
  type OpenShape,
  verifyOpen,
} from '../../replicator/open-proof.ts';
import { memorySource } from '../../replicator/open-source.ts';
import { hashLeaves } from '../../replicator/subtrees.ts';
import { merkleRoot } from '../../storage/index.ts';
import { hashOf, identity, kernels, noise, seededRandom } from './fixtures.ts';

async function encoded(segment: Uint8Array, cipher: ReplicaCipher, layers: LayerCount, leafSizeBytes: number) {
  const replica = new Uint8Array(segment.length);
  const sink = {
    writeReplica: async (offset: number, piece: Uint8Array) => replica.set(piece, offset),
    writeLeafHashes: async () => undefined,
  };
  const geometry = { segmentSizeBytes: segment.length, leafSizeBytes };
  return { replica, geometry, ...(await encodeSegment(kernels, segment, sink, { cipher, geometry, layers })) };
}

const cipher = { key: noise('open key', 32), iv: noise('open iv', 16) };
const seed = hashOf('open seed');

describe('a multi-proof', () => {
  it('of any leaves of a tree of any size leads to its root, and no other number of nodes does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 150 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 40 }),
        async (leafCount, picks) => {
          const { hashes, nodes: subtrees } = hashLeaves(kernels, noise('tree', leafCount * 16), 16);
          const leaves = sortedUnique(Float64Array.from(picks, (pick) => pick % leafCount));
          const tree = {
            leafCount,
            subtrees,
            subtreeLeaves: async (at: number) => hashes.subarray(at * 512, (at + 1) * 512),
          };
          const proof = await makeMultiproof(kernels, tree, leaves);
          expect(proof.length).toBe(multiproofNodeCount(leaves, leafCount) * 32);
          const own = new Uint8Array(
            Buffer.concat([...leaves].map((leaf) => hashes.subarray(leaf * 32, leaf * 32 + 32))),
          );
          const root = merkleRoot(kernels, hashes);
          expect(rootFromMultiproof(kernels, leaves, leafCount, own, proof)).toEqual(new Uint8Array(root));
          const longer = new Uint8Array(proof.length + 32);
          longer.set(proof);
          expect(rootFromMultiproof(kernels, leaves, leafCount, own, longer)).toBeUndefined();
          if (proof.length > 0)
            expect(rootFromMultiproof(kernels, leaves, leafCount, own, proof.subarray(32))).toBeUndefined();
          own[5] = own[5]! ^ 1;
          expect(rootFromMultiproof(kernels, leaves, leafCount, own, proof)).not.toEqual(new Uint8Array(root));
        },
      ),
      { numRuns: 200, seed: 14 },
    );
  });
});

describe('draws', () => {
  it('are the least number for a bound', () => {
    expect(drawsFor(0.01, 40)).toBe(2759);
    expect(drawsFor(0.5, 40)).toBe(40);
    for (const share of [0.0001, 0.01, 0.3])
      for (const bits of [10, 40]) {
        expect(passLog2(share, drawsFor(share, bits))).toBeLessThanOrEqual(-bits);
        expect(passLog2(share, drawsFor(share, bits) - 1)).toBeGreaterThan(-bits);
      }
  });

  it('reach every leaf, each as often as any other', () => {
    // 97 leaves, 200 seeds of 970 draws: 2,000 a leaf, deviation 44.5.
    const counts = new Float64Array(97);
    for (let round = 0; round < 200; round += 1)
      for (const leaf of drawNumbers(kernels, hashOf(`draw ${round}`), 970, 97)) counts[leaf]! += 1;
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(5 * 44.5);
  });

  it('reach beyond 2^32', () => {
    const drawn = drawNumbers(kernels, seed, 2000, 2 ** 36 - 1);
    expect(Math.max(...drawn)).toBeGreaterThan(0.99 * 2 ** 36);
    expect(Math.min(...drawn)).toBeLessThan(0.01 * 2 ** 36);
    expect(drawn.every(Number.isSafeInteger)).toBe(true);
  });
});

describe('openings', () => {
  for (const layers of [1, 2, 4] as const)
    it(`${layers} layers: hold for odd sizes, first, last and only leaf, and are refused for any flipped byte`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 21 }),
          fc.constantFrom(16, 64, 256, 512, 1024),
          fc.integer({ min: 1, max: 40 }),
          fc.integer({ min: 0, max: 9 }),
          fc.nat(),
          async (kib, leafSizeBytes, sampleCount, checkCount, at) => {
            const segment = noise(`open ${kib}`, kib * 1024);
            const { replica, geometry, replicaRoot, segmentRoot } = await encoded(
              segment,
              cipher,
              layers,
              leafSizeBytes,
            );
            const shape: OpenShape = { geometry, layers, parameters: { sampleCount, checkCount } };
            const source = memorySource(kernels, { segment, replica, cipher }, geometry);
            const body = await makeOpening(kernels, source, shape, seed);
            const target: OpeningTarget = { cipher, replicaRoot, segmentRoot };
            expect(checkOpening(kernels, target, shape, seed, body)).toBeUndefined();
            const flipped = body.with(at % body.length, body[at % body.length]! ^ 0x10);
            expect(checkOpening(kernels, target, shape, seed, flipped)).toMatch(/opening/);
            expect(checkOpening(kernels, target, shape, seed, body.subarray(1))).toBe('length');
          },
        ),
        { numRuns: 40, seed: 15 },
      );
    });

  it("of someone else's replica are refused by the encoding checks alone, in every layer", async () => {
    const segment = noise('copy', 32 * 1024);
    const other = { key: noise('other key', 32), iv: noise('other iv', 16) };
    for (const layers of [1, 2, 4] as const) {
      const { replica, geometry, replicaRoot, segmentRoot } = await encoded(segment, other, layers, 64);
      const source = memorySource(kernels, { segment, replica, cipher }, geometry);
      const shape = { geometry, layers, parameters: { sampleCount: 20, checkCount: 1 } };
      const body = await makeOpening(kernels, source, shape, seed);
      expect(checkOpening(kernels, { cipher, replicaRoot, segmentRoot }, shape, seed, body)).toBe('encoding');
      expect(checkOpening(kernels, { cipher: other, replicaRoot, segmentRoot }, shape, seed, body)).toBeUndefined();
    }
  });

  it('catch a wrongly encoded share with the predicted odds', async () => {
    // A committed replica with every 16th block wrong: each wrong block spoils two of the original with one layer.
    const segment = noise('share', 16 * 1024);
    const { replica, geometry, segmentRoot } = await encoded(segment, cipher, 1, 64);
    for (let block = 0; block < 1024; block += 16) replica[block * 16] = replica[block * 16]! ^ 1;
    const source = memorySource(kernels, { segment, replica, cipher }, geometry);
    const replicaRoot = merkleRoot(kernels, hashLeaves(kernels, replica, 64).hashes);
    const shape = { geometry, layers: 1 as const, parameters: { sampleCount: 1, checkCount: 8 } };
    let passed = 0;
    for (let trial = 0; trial < 300; trial += 1) {
      const drawn = hashOf(`share ${trial}`);
      const body = await makeOpening(kernels, source, shape, drawn);
      if (checkOpening(kernels, { cipher, replicaRoot, segmentRoot }, shape, drawn, body) === undefined) passed += 1;
    }
    const odds = (1 - 2 / 16) ** 8;
    expect(Math.abs(passed - 300 * odds)).toBeLessThan(4 * Math.sqrt(300 * odds * (1 - odds)));
  });
});

describe('a claim of mode open', () => {
  const key = identity(3);
  const subject = { identity: key.publicKey, segment: 5, rotation: 2, rotationHash: hashOf('rotation') };
  const samples = { identity: key.publicKey, segment: 5, period: 9, periodHash: hashOf('period') };

  async function honest() {
    const segment = noise('claim', 24 * 1024);
    const keyProof = proveKey(key, subject);
    const own = deriveCipher(subject, keyProof) as ReplicaCipher;
    const sampleProof = proveSamples(key, samples);
    const drawn = deriveSampleSeed(samples, sampleProof) as Uint8Array;
    const { replica, geometry, replicaRoot, segmentRoot } = await encoded(segment, own, 2, 256);
    const shape: OpenShape = { geometry, layers: 2, parameters: { sampleCount: 30, checkCount: 4 } };
    const source = memorySource(kernels, { segment, replica, cipher: own }, geometry);
    const body = await makeOpening(kernels, source, shape, drawn);
    const claim: OpenClaim = { ...subject, ...samples, keyProof, sampleProof, body };
    return { claim, shape, roots: { replicaRoot, segmentRoot } };
  }

  it('is valid, and tampered with refused with its reason', async () => {
    const { claim, shape, roots } = await honest();
    expect(verifyOpen(kernels, claim, shape, roots)).toBeUndefined();
    const verdict = (change: Partial<OpenClaim>) => verifyOpen(kernels, { ...claim, ...change }, shape, roots);
    expect(verdict({ rotationHash: hashOf('else') })).toBe('key-proof');
    expect(verdict({ segment: 6 })).toBe('key-proof');
    expect(verdict({ period: 10 })).toBe('sample-proof');
    expect(verdict({ periodHash: hashOf('old period') })).toBe('sample-proof');
    expect(verdict({ body: claim.body.subarray(16) })).toBe('length');
    expect(verifyOpen(kernels, claim, shape, { ...roots, replicaRoot: hashOf('root') })).toBe('replica-opening');
    expect(verifyOpen(kernels, claim, shape, { ...roots, segmentRoot: hashOf('root') })).toBe('segment-opening');
    const more = { ...shape, parameters: { sampleCount: 60, checkCount: 4 } };
    expect(verifyOpen(kernels, claim, more, roots)).toBe('length');
  });
});

describe('erasure of 1 %', () => {
  it('is missed by one proof with probability under 2^-40 by calculation, and never in 100,000 simulated proofs', () => {
    expect(passLog2(0.01, 2759)).toBeLessThan(-40);
    // A replica of 10,000 leaves, 100 of them gone; each proof draws as the real one does, from its own seed.
    const random = seededRandom(16);
    const gone = new Uint8Array(10_000);
    for (let left = 100; left > 0; ) {
      const leaf = Math.floor(random() * 10_000);
      if (gone[leaf] === 0) left -= 1;
      gone[leaf] = 1;
    }
    const state = new Uint8Array(32);
    let misses = 0;
    for (let proof = 0; proof < 100_000; proof += 1) {
      kernels.sha256Chain(state, 1);
      if (!drawNumbers(kernels, state, 2759, 10_000).some((leaf) => gone[leaf] === 1)) misses += 1;
    }
    expect(misses).toBe(0);
  }, 120_000);

  it('is missed with the predicted odds where they can be counted', () => {
    // 69 draws: (1 - 0.01)^69 = 0.4999.
    const state = hashOf('odds');
    let misses = 0;
    for (let proof = 0; proof < 4000; proof += 1) {
      kernels.sha256Chain(state, 1);
      if (!drawNumbers(kernels, state, 69, 10_000).some((leaf) => leaf < 100)) misses += 1;
    }
    expect(Math.abs(misses - 4000 * 0.99 ** 69)).toBeLessThan(4 * 31.6);
  });
});
