/** Several hundred seeded runs of a small network; every one ends in progress and breaks no oracle. */
import { describe, it } from 'vitest';
import { CHANGING_SCENARIOS } from './changing-scenarios.ts';
import { play, SCENARIOS } from './scenarios.ts';

const SEEDS = Number(process.env.CAIRN_CONSENSUS_SEEDS ?? 20);
const FIRST = Number(process.env.CAIRN_CONSENSUS_FIRST ?? 1);

/** For a shared core; a run of the usual size takes a second. */
const TIMEOUT_MS = 60_000 + 3000 * SEEDS;

/** Epochs take their time: a run with changing electorates lasts minutes of virtual time. */
const CHANGING_SEEDS = Math.ceil(SEEDS / 5);

const runs = [
  ...SCENARIOS.map((scenario) => ({ scenario, seeds: SEEDS })),
  ...CHANGING_SCENARIOS.map((scenario) => ({ scenario, seeds: CHANGING_SEEDS })),
];

describe('simulated networks', { timeout: TIMEOUT_MS }, () => {
  for (const { scenario, seeds } of runs)
    it(`${scenario.name}: ${seeds} seeds`, () => {
      for (let seed = FIRST; seed < FIRST + seeds; seed++)
        try {
          play(scenario, seed);
        } catch (cause) {
          throw new Error(`scenario "${scenario.name}", seed ${seed}: ${(cause as Error).message}`, { cause });
        }
    });
});
