/**
 * A million generated Ed25519 edge cases: every backend gives the verdict known from how the case was made.
 *
 * `CAIRN_LONG_SEED` (default 1) and `CAIRN_LONG_SIZE` (cases, default 1,000,000) choose the campaign; a failure prints the seed that replays it.
 */
import { expect, it } from 'vitest';
import { BACKENDS, wrong } from '../native/ed25519-backends.ts';
import { generateCases } from '../native/ed25519-cases.ts';

const SEED = Number(process.env.CAIRN_LONG_SEED ?? 1);
const SIZE = Number(process.env.CAIRN_LONG_SIZE ?? 1_000_000);
const BATCH = 4_000;
const REPORT_EVERY = 100_000;

it(`${SIZE} generated edge cases (seed ${SEED}) get equal verdicts from all backends`, { timeout: 0 }, () => {
  let valid = 0;
  for (let from = 0; from < SIZE; from += BATCH) {
    const cases = generateCases(Math.min(BATCH, SIZE - from), SEED * 1_000_003 + from, from);
    valid += cases.filter((each) => each.valid).length;
    for (const { name, kernels } of BACKENDS) {
      const errors = wrong(kernels, cases).map((text) => `case ${from} + ${text}`);
      expect(errors, `${name}, CAIRN_LONG_SEED=${SEED} CAIRN_LONG_SIZE=${SIZE}`).toEqual([]);
    }
    if ((from + BATCH) % REPORT_EVERY === 0) console.log(`${from + BATCH} cases, ${valid} of them valid`);
  }
  console.log(`${SIZE} cases, ${valid} of them valid, on ${BACKENDS.map(({ name }) => name).join('; ')}`);
});
