/** Several hundred seeded runs of a small network; every one ends in progress and breaks no oracle. */
import { describe, it } from 'vitest';
import { play, SCENARIOS } from './scenarios.ts';

const SEEDS = Number(process.env.CAIRN_CONSENSUS_SEEDS ?? 20);
const FIRST = Number(process.env.CAIRN_CONSENSUS_FIRST ?? 1);

describe('simulated networks', () => {
  for (const scenario of SCENARIOS)
    it(`${scenario.name}: ${SEEDS} seeds`, () => {
      for (let seed = FIRST; seed < FIRST + SEEDS; seed++)
        try {
          play(scenario, seed);
        } catch (cause) {
          throw new Error(`scenario "${scenario.name}", seed ${seed}: ${(cause as Error).message}`, { cause });
        }
    });
});
