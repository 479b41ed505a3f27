import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { decodeStateProof, verifyStateProof } from '../../storage/commitment/state-proof.ts';
import { commitmentVectors } from './commitment-vectors.ts';
import { kernels } from './kernels-fixture.ts';

const file = JSON.parse(readFileSync(new URL('../vectors/commitment.json', import.meta.url), 'utf8')) as {
  small: { batches: { stateRoot: string }[]; proofs: { proof: string; opNumber: number }[] };
};

it('the vectors in the repository are what the naive state and the trees give', () => {
  expect(commitmentVectors()).toEqual(file);
});

it('their proofs hold for the last state root', () => {
  const root = Buffer.from(file.small.batches.at(-1)!.stateRoot, 'hex');
  expect(file.small.proofs).toHaveLength(4);
  for (const { proof, opNumber } of file.small.proofs) {
    const read = decodeStateProof(Buffer.from(proof, 'hex'));
    expect(read.opNumber).toBe(opNumber);
    expect(verifyStateProof(kernels, read, root).holds).toBe(true);
  }
});
