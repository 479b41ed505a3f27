import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryReader, readerChunks } from '../../replicator/chunks.ts';
import { deriveSampleSeed } from '../../replicator/key.ts';
import { samplesRoot } from '../../replicator/prove.ts';
import { streamRoots } from '../../replicator/stream-roots.ts';
import { streamRootsOn } from '../../replicator/stream-threads.ts';
import { startReplicaThreads } from '../../replicator/threads/threads.ts';
import { type ReplicaClaim, verifyStream } from '../../replicator/verify.ts';
import { encodeToMemory, hashOf, honestClaim, identity, kernels, noise, seededRandom } from './fixtures.ts';

const geometry = { segmentSizeBytes: 12 * 1024, leafSizeBytes: 1024 };
const sampleBlockSizeBytes = 1000;
const segment = noise('verify', geometry.segmentSizeBytes);
const honest = await honestClaim({ identity: identity(0), segment, geometry, sampleBlockSizeBytes, periods: [4, 5] });

const verdicts = (claims: readonly ReplicaClaim[]): ReturnType<typeof verifyStream> =>
  verifyStream(kernels, { segment, geometry, sampleBlockSizeBytes, claims });

function flipped(bytes: Uint8Array, at = 0): Uint8Array {
  const copy = bytes.slice();
  copy[at] = copy[at]! ^ 1;
  return copy;
}

describe('an honest claim', () => {
  it('is valid', async () => {
    expect(await verdicts([honest.claim])).toEqual([{ valid: true }]);
  });

  it('is valid for every odd size of segment and sample block, first, last and only block', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 12_000 }), async (kib, block) => {
        const odd = {
          segment: noise('odd', kib * 1024),
          geometry: { segmentSizeBytes: kib * 1024, leafSizeBytes: 512 },
          sampleBlockSizeBytes: Math.max(block, 20),
        };
        const { claim } = await honestClaim({ identity: identity(1), ...odd });
        expect(await verifyStream(kernels, { ...odd, claims: [claim] })).toEqual([{ valid: true }]);
      }),
      { numRuns: 25, seed: 7 },
    );
  });

  it('is valid whatever pieces the segment arrives in', async () => {
    const source = readerChunks(memoryReader(segment), segment.length, 777);
    const request = { segment: source, geometry, sampleBlockSizeBytes, claims: [honest.claim] };
    expect(await verifyStream(kernels, request)).toEqual([{ valid: true }]);
  });
});

describe('a tampered claim is refused with its reason', () => {
  const { claim } = honest;
  const first = claim.proofs[0]!;
  const second = claim.proofs[1]!;
  const cases: [string, ReplicaClaim, object][] = [
    ['key proof', { ...claim, keyProof: flipped(claim.keyProof, 50) }, { reason: 'key-proof' }],
    ['key proof of another length', { ...claim, keyProof: claim.keyProof.slice(1) }, { reason: 'key-proof' }],
    ['another identity', { ...claim, identity: identity(9).publicKey }, { reason: 'key-proof' }],
    ['another segment', { ...claim, segment: 4 }, { reason: 'key-proof' }],
    ['another rotation', { ...claim, rotation: 2 }, { reason: 'key-proof' }],
    ['another rotation hash', { ...claim, rotationHash: hashOf('else') }, { reason: 'key-proof' }],
    ['replica root', { ...claim, replicaRoot: flipped(claim.replicaRoot!) }, { reason: 'replica-root' }],
    [
      'sample proof',
      { ...claim, proofs: [{ ...first, sampleProof: flipped(first.sampleProof, 40) }, second] },
      { reason: 'sample-proof', period: 4 },
    ],
    ['another period', { ...claim, proofs: [first, { ...second, period: 6 }] }, { reason: 'sample-proof', period: 6 }],
    [
      'another period hash (a replayed proof)',
      { ...claim, proofs: [{ ...first, periodHash: second.periodHash }] },
      { reason: 'sample-proof', period: 4 },
    ],
    [
      'samples root',
      { ...claim, proofs: [first, { ...second, samplesRoot: flipped(second.samplesRoot, 31) }] },
      { reason: 'samples-root', period: 5 },
    ],
    [
      "another period's samples root",
      { ...claim, proofs: [{ ...first, samplesRoot: second.samplesRoot }] },
      { reason: 'samples-root', period: 4 },
    ],
  ];
  for (const [what, tampered, reason] of cases)
    it(what, async () => {
      expect(await verdicts([tampered])).toEqual([{ valid: false, ...reason }]);
    });

  it("someone else's replica, copied", async () => {
    const copier = identity(2);
    const own = await honestClaim({ identity: copier, segment, geometry, sampleBlockSizeBytes, periods: [4] });
    const proof = own.claim.proofs[0]!;
    const seed = deriveSampleSeed({ ...own.claim, ...proof }, proof.sampleProof) as Uint8Array;
    const layout = { replicaSizeBytes: segment.length, sampleBlockSizeBytes };
    const request = { layout, seed, periodHash: proof.periodHash };
    const copied = await samplesRoot(kernels, memoryReader(honest.replica.bytes), request);
    expect(await verdicts([{ ...own.claim, proofs: [{ ...proof, samplesRoot: copied }] }])).toEqual([
      { valid: false, reason: 'samples-root', period: 4 },
    ]);
  });
});

describe('the verifier', () => {
  it('judges many identities in one pass as it does one by one', async () => {
    const claims: ReplicaClaim[] = [];
    for (let index = 0; index < 9; index += 1) {
      const made = await honestClaim({
        identity: identity(10 + index),
        segment,
        geometry,
        sampleBlockSizeBytes,
        periods: [4],
      });
      const proof = made.claim.proofs[0]!;
      const { replicaRoot, ...withoutRoot } = made.claim;
      if (index % 3 === 1) claims.push({ ...made.claim, proofs: [{ ...proof, samplesRoot: hashOf('wrong') }] });
      else if (index === 5) claims.push({ ...made.claim, keyProof: hashOf('wrong') });
      else if (index === 6) claims.push({ ...made.claim, replicaRoot: flipped(replicaRoot!) });
      else claims.push(withoutRoot);
    }
    const together = await verdicts(claims);
    const alone = [];
    for (const claim of claims) alone.push(...(await verdicts([claim])));
    expect(together).toEqual(alone);
    expect(together.map((verdict) => verdict.valid)).toEqual([
      true,
      false,
      true,
      true,
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  it('gives the same verdicts on several threads', async () => {
    const { claim } = await honestClaim({ identity: identity(30), segment, geometry, sampleBlockSizeBytes });
    const claims = [honest.claim, { ...claim, replicaRoot: hashOf('wrong') }, claim];
    const threads = startReplicaThreads(2);
    try {
      const request = { segment, geometry, sampleBlockSizeBytes, segmentRoot: honest.replica.segmentRoot, claims };
      const alone = await verifyStream(kernels, request);
      expect(alone.map(({ valid }) => valid)).toEqual([true, false, true]);
      expect(await verifyStream(kernels, { ...request, roots: streamRootsOn(threads) })).toEqual(alone);
    } finally {
      await threads.stop();
    }
  });

  it('blames nobody when its own copy of the segment is wrong', async () => {
    const request = { geometry, sampleBlockSizeBytes, claims: [honest.claim], segmentRoot: honest.replica.segmentRoot };
    expect(await verifyStream(kernels, { ...request, segment })).toEqual([{ valid: true }]);
    await expect(verifyStream(kernels, { ...request, segment: flipped(segment, 5000) })).rejects.toMatchObject({
      code: 'segment-root',
    });
    await expect(verifyStream(kernels, { ...request, segment: segment.slice(1) })).rejects.toMatchObject({
      code: 'source-short',
    });
  });

  it('keeps two blocks an identity: its output buffer does not grow with the segment', async () => {
    const lengths: number[] = [];
    const counting = {
      ...kernels,
      sha256: kernels.sha256.bind(kernels),
      aesCbcEncryptMany(keys: Uint8Array, chains: Uint8Array, input: Uint8Array, outputs: Uint8Array): void {
        lengths.push(outputs.length);
        kernels.aesCbcEncryptMany(keys, chains, input, outputs);
      },
    };
    const large = noise('large', 1024 * 1024);
    const { cipher } = honest;
    await streamRoots(counting, {
      segment: large,
      geometry: { segmentSizeBytes: large.length, leafSizeBytes: 1024 },
      sampleBlockSizeBytes: 64 * 1024,
      identities: Array.from({ length: 100 }, () => ({ cipher, wantReplicaRoot: false, samples: [] })),
      wantSegmentRoot: false,
    });
    expect(Math.max(...lengths)).toBeLessThanOrEqual(2 * 1024 * 1024);
  });
});

describe('a wrong byte', () => {
  it('anywhere in the replica changes its root', async () => {
    const encoded = honest.replica;
    for (const at of [0, 1, 1023, 1024, 6000, segment.length - 1]) {
      const { replicaRoot } = await rootOf(flipped(encoded.bytes, at));
      expect(replicaRoot).not.toEqual(encoded.replicaRoot);
    }
    expect((await rootOf(encoded.bytes)).replicaRoot).toEqual(encoded.replicaRoot);

    /** The root of some bytes, through the encoder, under a cipher chosen so that the segment tree is over exactly them. */
    async function rootOf(bytes: Uint8Array): Promise<{ replicaRoot: Uint8Array }> {
      return { replicaRoot: (await encodeToMemory(bytes, honest.cipher, geometry)).segmentRoot };
    }
  });

  it('is caught by a period with odds of 32 in a block, wherever it is', async () => {
    // Blocks of 256 bytes: 1/8 a period. 1,200 trials: mean 150, deviation 11.5.
    const layout = { replicaSizeBytes: 2048, sampleBlockSizeBytes: 256 };
    const bytes = noise('replica', 2048);
    const random = seededRandom(8);
    let caught = 0;
    for (let trial = 0; trial < 1200; trial += 1) {
      const request = { layout, periodHash: hashOf('p'), seed: hashOf(`trial ${trial}`) };
      const right = await samplesRoot(kernels, memoryReader(bytes), request);
      const wrong = await samplesRoot(kernels, memoryReader(flipped(bytes, Math.floor(random() * 2048))), request);
      if (Buffer.compare(right, wrong) !== 0) caught += 1;
    }
    expect(Math.abs(caught - 150)).toBeLessThan(4 * 11.5);
  });
});
