/** The committed vectors, made anew by both twins and compared; and what a verifier says of them. */
import { readFileSync } from 'node:fs';
import { hexToBytes } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { type Kernels, loadKernels } from '../../native/index.ts';
import { portableKernels } from '../../native/portable/index.ts';
import { verifyOpenFile } from '../../replicator/open-check.ts';
import { decodeOpenFile } from '../../replicator/open-file.ts';
import { verifyProofFile } from '../../replicator/proof-check.ts';
import { decodeProofFile } from '../../replicator/proof-file.ts';
import { proofFileMode } from '../../replicator/proof-head.ts';
import { verifyStream } from '../../replicator/verify.ts';
import { type ReplicationVector, replicationVectors } from '../../tools/vectors/replication.ts';
import { noise } from './fixtures.ts';

const PATH = new URL('../vectors/replication.json', import.meta.url);
const committed = JSON.parse(readFileSync(PATH, 'utf8')) as { vectors: readonly ReplicationVector[] };

describe('the committed vectors', () => {
  const twins: [string, Kernels][] = [
    ['portable', portableKernels(undefined)],
    [`loaded (${loadKernels().name})`, loadKernels()],
  ];
  for (const [name, kernels] of twins)
    it(`are what the ${name} kernels make`, async () => {
      expect(await replicationVectors(kernels)).toEqual(committed);
    });

  it('cover 1, 2 and 4 layers', () => {
    expect(new Set(committed.vectors.map(({ input }) => input.layers))).toEqual(new Set([1, 2, 4]));
  });

  it('are accepted by the verifier, from the proof file and from the parts', async () => {
    const kernels = loadKernels();
    for (const vector of committed.vectors) {
      const { input } = vector;
      const file = hexToBytes(vector.proofFile);
      expect(proofFileMode(file)).toBe('stream');
      const proof = decodeProofFile(kernels, file);
      const segment = noise(input.segmentLabel, input.segmentSizeBytes);
      expect(await verifyProofFile(kernels, proof, proof, segment)).toEqual({ valid: true });
      const claim = {
        identity: hexToBytes(vector.identity),
        segment: input.segment,
        rotation: input.rotation,
        rotationHash: hexToBytes(input.rotationHash),
        keyProof: hexToBytes(vector.keyProof),
        replicaRoot: hexToBytes(vector.replicaRoot),
        proofs: [
          {
            period: input.period,
            periodHash: hexToBytes(input.periodHash),
            sampleProof: hexToBytes(vector.sampleProof),
            samplesRoot: hexToBytes(vector.samplesRoot),
          },
        ],
      };
      expect(
        await verifyStream(kernels, {
          segment,
          geometry: input,
          layers: input.layers,
          sampleBlockSizeBytes: input.sampleBlockSizeBytes,
          segmentRoot: hexToBytes(vector.segmentRoot),
          claims: [claim],
        }),
      ).toEqual([{ valid: true }]);
    }
  });

  it('of mode open are accepted, and refused without the commitment', () => {
    const kernels = loadKernels();
    const files = committed.vectors.flatMap(({ open }) =>
      open.proofFile === null ? [] : [hexToBytes(open.proofFile)],
    );
    expect(files.length).toBeGreaterThan(5);
    for (const file of files) {
      expect(proofFileMode(file)).toBe('open');
      const proof = decodeOpenFile(kernels, file);
      const trusted = { ...proof, committedRoot: proof.replicaRoot };
      expect(verifyOpenFile(kernels, proof, trusted)).toEqual({ valid: true });
      expect(verifyOpenFile(kernels, proof, { ...trusted, committedRoot: undefined })).toMatchObject({
        valid: false,
        reason: 'not-committed',
      });
    }
  });
});
