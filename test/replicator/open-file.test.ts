import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deriveSampleSeed, proveKey, proveSamples } from '../../replicator/key.ts';
import { verifyOpenFile } from '../../replicator/open-check.ts';
import { decodeOpenFile, encodeOpenFile, type OpenStorageProof } from '../../replicator/open-file.ts';
import { makeOpening, type OpenShape } from '../../replicator/open-proof.ts';
import { ProofFileError, proofFileMode } from '../../replicator/proof-head.ts';
import { ReplicaStore } from '../../replicator/store.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { encodeToMemory, hashOf, identity, kernels, noise } from './fixtures.ts';

const key = identity(4);
const geometry = { segmentSizeBytes: 19 * 1024, leafSizeBytes: 256 };
const segment = noise('open file', geometry.segmentSizeBytes);
const { segmentRoot } = await encodeToMemory(segment, { key: hashOf('any'), iv: noise('any', 16) }, geometry);
const subject = { identity: key.publicKey, segment: 2, rotation: 1, rotationHash: hashOf('rotation') };
const samples = { identity: key.publicKey, segment: 2, period: 6, periodHash: hashOf('period') };

/** A proof out of a replica on (simulated) disk. */
async function storedProof(layers: 1 | 2 | 4): Promise<OpenStorageProof> {
  const store = await ReplicaStore.open({
    kernels,
    files: new SimulatedDisk(1),
    directory: '/replicas',
    identity: key.publicKey,
    geometry,
    layers,
  });
  const keyProof = proveKey(key, subject);
  const header = await store.encode({ ...subject, keyProof, source: segment, segmentRoot });
  const replica = await store.get(subject);
  const sampleProof = proveSamples(key, samples);
  const seed = deriveSampleSeed(samples, sampleProof) as Uint8Array;
  const shape: OpenShape = { geometry, layers, parameters: { sampleCount: 25, checkCount: 3 } };
  const body = await makeOpening(kernels, await replica.openSource(), shape, seed);
  await replica.close();
  await store.close();
  return {
    ...shape,
    chainId: hashOf('chain'),
    schedule: { slotsPerPeriod: 20, periodsPerRotation: 4 },
    rotationBlock: { height: 70, blockHash: hashOf('block 70'), pohHash: subject.rotationHash },
    periodBlock: { height: 90, blockHash: hashOf('block 90'), pohHash: samples.periodHash },
    segmentRoot,
    segment: 2,
    rotation: 1,
    period: 6,
    identity: key.publicKey,
    keyProof,
    sampleProof,
    replicaRoot: header.replicaRoot,
    body,
  };
}

const proof = await storedProof(2);
const bytes = encodeOpenFile(kernels, proof);

/** Changes bytes and makes the checksum fit again, as a forger would. */
function changed(at: number, values: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, at);
  new DataView(copy.buffer).setUint32(copy.length - 4, kernels.crc32c(copy.subarray(0, -4)), true);
  return copy;
}

function codeOf(file: Uint8Array): string {
  try {
    decodeOpenFile(kernels, file);
    return 'none';
  } catch (error) {
    if (error instanceof ProofFileError) return error.code;
    throw error;
  }
}

describe('a proof file of mode open', () => {
  it('made from a replica on disk decodes to what was encoded, and is valid, whatever the layers', async () => {
    for (const layers of [1, 2, 4] as const) {
      const made = await storedProof(layers);
      const decoded = decodeOpenFile(kernels, encodeOpenFile(kernels, made));
      expect(decoded).toEqual(made);
      expect(verifyOpenFile(kernels, decoded, { ...made, committedRoot: made.replicaRoot })).toEqual({ valid: true });
    }
    expect(proofFileMode(bytes)).toBe('open');
    expect(proofFileMode(new Uint8Array(3))).toBeUndefined();
  });

  it('that is damaged is refused with its reason, also with a fitting checksum', () => {
    expect(codeOf(bytes.subarray(0, 500))).toBe('length');
    expect(codeOf(changed(0, [0x63]))).toBe('magic');
    expect(codeOf(changed(8, [2]))).toBe('version');
    expect(codeOf(changed(10, [1]))).toBe('mode');
    expect(codeOf(changed(11, [3]))).toBe('mode');
    expect(codeOf(changed(24, [17]))).toBe('field');
    expect(codeOf(changed(28, [0, 0, 0, 0]))).toBe('field');
    expect(codeOf(changed(30, [2]))).toBe('field');
    expect(codeOf(changed(40, [0, 0, 0, 0]))).toBe('field');
    expect(codeOf(changed(119, [0xff]))).toBe('field');
    expect(codeOf(changed(482, [2]))).toBe('field');
    expect(codeOf(changed(500, [1]))).toBe('field');
    for (let at = 0; at < bytes.length; at += 37) {
      const copy = bytes.slice();
      copy[at] = copy[at]! ^ 0x04;
      expect(codeOf(copy), `byte ${at}`).not.toBe('none');
    }
  });

  it('of random bytes is refused, without another error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1200 }), fc.boolean(), (random, headed) => {
        const file = headed ? Uint8Array.of(...bytes.subarray(0, 12), ...random) : random;
        expect(codeOf(file)).not.toBe('none');
      }),
      { numRuns: 300, seed: 17 },
    );
  });

  it('forged, with a fitting checksum, is refused with its reason', () => {
    const trusted = { ...proof, committedRoot: proof.replicaRoot };
    const reasonOf = (file: Uint8Array): string => {
      const verdict = verifyOpenFile(kernels, decodeOpenFile(kernels, file), trusted);
      return verdict.valid ? 'valid' : verdict.reason;
    };
    expect(reasonOf(bytes)).toBe('valid');
    for (const [at, values, reason] of [
      [11, [1], 'parameters'],
      [12, [3], 'key-proof'],
      [16, [2], 'period-outside-rotation'],
      [20, [5], 'sample-proof'],
      [20, [8], 'period-outside-rotation'],
      [25, [2], 'parameters'],
      [28, [26], 'parameters'],
      [40, [21], 'parameters'],
      [48, [1], 'chain'],
      [80, [1], 'key-proof'],
      [112, [71], 'rotation-block'],
      [224, [1], 'period-block'],
      [300, [1], 'key-proof'],
      [380, [1], 'sample-proof'],
      [416, [1], 'segment-root'],
      [448, [1], 'not-committed'],
      [480, [4], 'parameters'],
      [512, [1, 2, 3], 'replica-opening'],
      [bytes.length - 40, [1, 2, 3], 'segment-opening'],
    ] as const)
      expect([at, reasonOf(changed(at, values))]).toEqual([at, reason]);
  });
});
