/** Our one Ed25519 rule: every backend gives the same verdicts, on vectors and on generated edge cases. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openBinding } from '../../native/binding.ts';
import { packageRoot } from '../../native/worker-url.ts';
import { BACKENDS, verdicts, wrong } from './ed25519-backends.ts';
import { caseFromHex, type Ed25519Case, generateCases } from './ed25519-cases.ts';
import { seededBytes, VARIANTS } from './variants.ts';

const GENERATED = 4000;
const SEED = 20_25;
const ROOT = packageRoot(import.meta.filename);

interface OurVectors {
  readonly cases: readonly { name: string; publicKey: string; message: string; signature: string; valid: boolean }[];
}

function ourVectors(): Ed25519Case[] {
  const { cases } = JSON.parse(readFileSync(join(ROOT, 'test/vectors/ed25519.json'), 'utf8')) as OurVectors;
  return cases.map((vector) => caseFromHex(vector.name, vector, vector.valid));
}

interface WycheproofFile {
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string };
    readonly tests: readonly { tcId: number; msg: string; sig: string; result: string }[];
  }[];
}

const SHARED = join(ROOT, '../shared/vectors');

function wycheproof(): Ed25519Case[] {
  const file = JSON.parse(readFileSync(join(SHARED, 'wycheproof/ed25519_test.json'), 'utf8')) as WycheproofFile;
  return file.testGroups.flatMap(({ publicKey, tests }) =>
    tests.map(({ tcId, msg, sig, result }) => {
      const hexadecimal = { publicKey: publicKey.pk, message: msg, signature: sig };
      return caseFromHex(`wycheproof ${tcId}`, hexadecimal, result === 'valid');
    }),
  );
}

function speccheck(): Ed25519Case[] {
  const path = join(SHARED, 'ed25519-speccheck/cases.json');
  const cases = JSON.parse(readFileSync(path, 'utf8')) as { message: string; pub_key: string; signature: string }[];
  // Case 3 mixes torsion into both points and satisfies the cofactorless equation; all others break one of our byte checks or the equation.
  return cases.map(({ message, pub_key, signature }, i) =>
    caseFromHex(`speccheck ${i}`, { publicKey: pub_key, message, signature }, i === 3),
  );
}

const CHALLENGES = VARIANTS.length > 1 ? openBinding([]).ed25519Challenges : undefined;
const generated = generateCases(GENERATED, SEED);

describe.each(BACKENDS)('ed25519 by $name', ({ kernels }) => {
  it('gives the verdicts of our vectors', () => {
    const cases = ourVectors();
    expect(cases.length).toBeGreaterThan(40);
    expect(wrong(kernels, cases)).toEqual([]);
  });

  it.skipIf(!existsSync(SHARED))('gives the verdicts of the whole speccheck and Wycheproof sets', () => {
    const cases = [...speccheck(), ...wycheproof()];
    // Signatures of other lengths cannot even be packed; see the next test.
    const packable = cases.filter(({ signature }) => signature.length === 64);
    expect(packable.length).toBeGreaterThan(140);
    expect(wrong(kernels, packable)).toEqual([]);
    for (const odd of cases.filter(({ signature }) => signature.length !== 64))
      expect(() => verdicts(kernels, [odd])).toThrow(TypeError);
  });

  it(`gives the verdicts of ${GENERATED} generated edge cases`, () => {
    expect(wrong(kernels, generated)).toEqual([]);
  });

  it('judges each signature by itself, wherever the bad ones lie in a batch', () => {
    const good = generated.filter(({ valid }) => valid).slice(0, 24);
    const bad = generated.filter(({ valid }) => !valid).slice(0, 24);
    for (let pattern = 1; pattern < 40; pattern += 3) {
      const batch = Array.from({ length: 17 }, (_, i) => ((pattern >> (i % 6)) & 1 ? bad : good)[(pattern + i) % 24]!);
      expect(wrong(kernels, batch)).toEqual([]);
    }
    expect(verdicts(kernels, [])).toHaveLength(0);
  });
});

describe.runIf(CHALLENGES !== undefined)('challenges in eight lanes', () => {
  it('are SHA-512 of R, A and the message, for every length and mix of lengths', () => {
    const lengths = [...Array(520).keys(), 0, 5000, 1, 47, 48, 63, 64, 65, 3, 175, 176, 1000];
    const n = lengths.length;
    const offsets = new Uint32Array(n + 1);
    for (const [i, length] of lengths.entries()) offsets[i + 1] = offsets[i]! + length;
    const random = seededBytes(5);
    const [keys, signatures, messages] = [random(32 * n), random(64 * n), random(offsets[n]!)];
    const digests = new Uint8Array(64 * n);
    CHALLENGES?.(keys, signatures, messages, offsets, digests);
    for (let i = 0; i < n; i++) {
      const hash = createHash('sha512').update(signatures.subarray(64 * i, 64 * i + 32));
      hash.update(keys.subarray(32 * i, 32 * i + 32)).update(messages.subarray(offsets[i], offsets[i + 1]));
      expect(Buffer.from(digests.subarray(64 * i, 64 * i + 64)).equals(hash.digest()), `length ${lengths[i]}`).toBe(
        true,
      );
    }
  });
});

describe('the generated cases', () => {
  it('hold what they promise: both verdicts, also where torsion cancels', () => {
    const kinds = new Set(generated.map(({ kind }) => kind.replace(/\d+/g, 'n')));
    expect(kinds.size).toBeGreaterThan(12);
    const both = generated.filter(({ kind }) => kind === 'torsion in A and R');
    expect(both.some(({ valid }) => valid)).toBe(true);
    expect(both.some(({ valid }) => !valid)).toBe(true);
    expect(generated.filter(({ valid }) => valid).length).toBeGreaterThan(GENERATED / 15);
  });
});
