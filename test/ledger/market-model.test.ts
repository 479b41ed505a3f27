/**
 * Random lives of a market against the plain model: the same refusals, and after every block the same units in the same hands.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { action, busy, leaving, opening, parameters } from './market-actions.ts';
import { MarketPair } from './market-pair.ts';

/** More lives, and others: CAIRN_MARKET_RUNS, CAIRN_MARKET_SEED. */
const RUNS = Number(process.env.CAIRN_MARKET_RUNS ?? 15);
const SEED = Number(process.env.CAIRN_MARKET_SEED ?? 6);

it('pays, locks, slashes and refuses as the plain model does, and mints nothing', () => {
  const counts = new Map<string, number>();
  fc.assert(
    fc.property(
      parameters,
      fc.array(
        fc.oneof(
          { weight: 6, arbitrary: fc.tuple(action) },
          { weight: 1, arbitrary: fc.constantFrom(busy, busy, busy, leaving) },
        ),
        {
          minLength: 20,
          maxLength: 90,
          size: 'max',
        },
      ),
      (changes, steps) => {
        const pair = new MarketPair(changes, counts);
        for (const one of [...opening, ...busy, ...steps.flat()]) pair.act(one);
        pair.next();
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
  // The property would be empty if one of the kinds were never accepted.
  for (const kind of [
    'register',
    'commit',
    'prove',
    'validations',
    'unseal',
    'revealFake',
    'retire',
    'reportLapsed',
    'addDeposit',
    'unregister',
    'withdrawDeposit',
    'faults',
  ])
    expect([kind, (counts.get(kind) ?? 0) > 0]).toEqual([kind, true]);
});
