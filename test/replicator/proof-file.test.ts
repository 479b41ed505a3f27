import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyProofFile } from '../../replicator/proof-check.ts';
import {
  decodeProofFile,
  encodeProofFile,
  PROOF_FILE_SIZE_BYTES,
  type ProofContext,
  type StorageProof,
} from '../../replicator/proof-file.ts';
import { ProofFileError } from '../../replicator/proof-head.ts';
import { hashOf, honestClaim, identity, kernels, noise } from './fixtures.ts';

const geometry = { segmentSizeBytes: 6 * 1024, leafSizeBytes: 1024 };
const sampleBlockSizeBytes = 2000;
const segment = noise('proof file', geometry.segmentSizeBytes);
const { claim, replica } = await honestClaim({ identity: identity(0), segment, geometry, sampleBlockSizeBytes });
const period = claim.proofs[0]!;
const proof: StorageProof = {
  chainId: hashOf('chain'),
  geometry,
  sampleBlockSizeBytes,
  layers: 1,
  schedule: { slotsPerPeriod: 20, periodsPerRotation: 4 },
  segment: claim.segment,
  rotation: claim.rotation,
  period: period.period,
  identity: claim.identity,
  rotationBlock: { height: 70, blockHash: hashOf('block 70'), pohHash: claim.rotationHash },
  periodBlock: { height: 71, blockHash: hashOf('block 71'), pohHash: period.periodHash },
  keyProof: claim.keyProof,
  sampleProof: period.sampleProof,
  segmentRoot: replica.segmentRoot,
  replicaRoot: replica.replicaRoot,
  samplesRoot: period.samplesRoot,
};
const trusted: ProofContext = proof;
const bytes = encodeProofFile(kernels, proof);
const TAG = new TextEncoder().encode('cairn/proof-file/1');

/** Changes bytes and makes the checksum fit again, as a forger would. */
function changed(at: number, values: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, at);
  copy.set(kernels.sha256(Uint8Array.of(...TAG, ...copy.subarray(0, 512))), 512);
  return copy;
}

function codeOf(file: Uint8Array): string {
  try {
    decodeProofFile(kernels, file);
    return 'none';
  } catch (error) {
    if (error instanceof ProofFileError) return error.code;
    throw error;
  }
}

describe('a proof file', () => {
  it('decodes to what was encoded, and is valid', async () => {
    expect(bytes.length).toBe(PROOF_FILE_SIZE_BYTES);
    const decoded = decodeProofFile(kernels, bytes);
    expect(decoded).toEqual(proof);
    expect(await verifyProofFile(kernels, decoded, trusted, segment)).toEqual({ valid: true });
  });

  it('that is damaged is refused with its reason', () => {
    expect(codeOf(bytes.slice(1))).toBe('length');
    expect(codeOf(new Uint8Array(0))).toBe('length');
    expect(codeOf(new Uint8Array(545))).toBe('length');
    expect(codeOf(changed(0, [0x63]))).toBe('magic');
    expect(codeOf(changed(8, [2]))).toBe('version');
    expect(codeOf(changed(10, [2]))).toBe('mode');
    expect(codeOf(changed(11, [3]))).toBe('mode');
    expect(codeOf(changed(24, [17]))).toBe('field');
    expect(codeOf(changed(28, [0, 0, 0, 0]))).toBe('field');
    expect(codeOf(changed(39, [1]))).toBe('field');
    expect(codeOf(changed(40, [0, 0, 0, 0]))).toBe('field');
    expect(codeOf(changed(44, [0, 0, 0, 0]))).toBe('field');
    expect(codeOf(changed(119, [0xff]))).toBe('field');
    expect(codeOf(changed(191, [0xff]))).toBe('field');
  });

  it('with any single changed byte is refused', () => {
    for (let at = 0; at < bytes.length; at += 1) {
      const copy = bytes.slice();
      copy[at] = copy[at]! ^ 0x04;
      expect(codeOf(copy), `byte ${at}`).not.toBe('none');
    }
  });

  it('of random bytes is refused, without another error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (random, headed) => {
        const file = headed ? Uint8Array.of(...bytes.subarray(0, 12), ...random).slice(0, 544) : random;
        expect(codeOf(file)).not.toBe('none');
      }),
      { numRuns: 500, seed: 10 },
    );
  });

  it('is not written for a proof that no decoder would take', () => {
    for (const wrong of [{ sampleBlockSizeBytes: 0 }, { schedule: { slotsPerPeriod: 0, periodsPerRotation: 1 } }])
      expect(() => encodeProofFile(kernels, { ...proof, ...wrong })).toThrow(
        expect.objectContaining({ code: 'field' }),
      );
  });
});

describe('a forged proof file, with a fitting checksum, is refused with its reason', () => {
  const cases: [string, number, number[], string][] = [
    ['segment', 12, [4], 'key-proof'],
    ['rotation', 16, [2], 'period-outside-rotation'],
    ['period in the same rotation', 20, [5], 'sample-proof'],
    ['period of another rotation', 20, [8], 'period-outside-rotation'],
    ['leaf size', 25, [2], 'parameters'],
    ['sample block size', 28, [1], 'parameters'],
    ['segment size', 33, [28], 'parameters'],
    ['slots per period', 40, [21], 'parameters'],
    ['periods per rotation', 44, [3], 'parameters'],
    ['chain id', 48, [1], 'chain'],
    ['identity', 80, [...identity(5).publicKey], 'key-proof'],
    ['height of the rotation block', 112, [1], 'rotation-block'],
    ['hash of the rotation block', 120, [1], 'rotation-block'],
    ['rotation hash', 152, [1], 'rotation-block'],
    ['height of the period block', 184, [1], 'period-block'],
    ['hash of the period block', 192, [1], 'period-block'],
    ['period hash', 224, [1], 'period-block'],
    ['key proof', 300, [1, 2, 3], 'key-proof'],
    ['sample proof', 400, [1, 2, 3], 'sample-proof'],
    ['segment root', 416, [1, 2], 'segment-root'],
    ['replica root', 448, [1, 2], 'replica-root'],
    ['samples root', 480, [1, 2], 'samples-root'],
  ];
  for (const [field, at, values, reason] of cases)
    it(field, async () => {
      const forged = decodeProofFile(kernels, changed(at, values));
      const verdict = await verifyProofFile(kernels, forged, trusted, segment);
      expect(verdict).toMatchObject({ valid: false, reason });
    });

  it('and without the right segment nothing is said at all', async () => {
    await expect(verifyProofFile(kernels, proof, trusted, noise('else', 6 * 1024))).rejects.toMatchObject({
      code: 'segment-root',
    });
    await expect(verifyProofFile(kernels, proof, trusted, segment.slice(16))).rejects.toMatchObject({
      code: 'source-short',
    });
  });
});
