/** The sampler against the exact probabilities, and the built-in workload's promises. */
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../tools/workload/random.ts';
import { recomputeFromTransfers } from '../../tools/workload/recompute.ts';
import { Zipf } from '../../tools/workload/zipf.ts';
import { planZipf } from '../../tools/workload/zipf-plan.ts';

function exact(count: number, s: number, v: number): number[] {
  const weights = Array.from({ length: count }, (_, k) => (v + k) ** -s);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** Pearson's statistic over cells that expect at least 20 picks each. */
function chiSquare(counts: number[], probabilities: number[], picks: number): { statistic: number; cells: number } {
  let statistic = 0;
  let cells = 0;
  let expected = 0;
  let found = 0;
  for (const [k, probability] of probabilities.entries()) {
    expected += probability * picks;
    found += counts[k] ?? 0;
    if (expected < 20 && k < probabilities.length - 1) continue;
    statistic += (found - expected) ** 2 / expected;
    cells += 1;
    expected = 0;
    found = 0;
  }
  return { statistic, cells };
}

describe('Zipf', () => {
  it.each([
    [1000, 1.0001, 2.7],
    [50, 1.0001, 2.7],
    [200, 2.5, 1],
    [2, 1.0001, 2.7],
  ])('%i values, s = %f, v = %f: picks follow the exact probabilities', (count, s, v) => {
    const picks = 200_000;
    const zipf = new Zipf(new SeededRandom(7), { count, s, v });
    const counts = new Array<number>(count).fill(0);
    for (let i = 0; i < picks; i += 1) counts[zipf.next()]! += 1;
    const { statistic, cells } = chiSquare(counts, exact(count, s, v), picks);
    // Mean cells - 1, standard deviation sqrt(2 (cells - 1)); the seed is fixed, so this cannot flicker.
    const freedom = cells - 1;
    expect(statistic).toBeLessThan(freedom + 4 * Math.sqrt(2 * freedom));
  });

  it('always stays in range and repeats for the same seed', () => {
    const first = new Zipf(new SeededRandom(3), { count: 10_000_000 });
    const second = new Zipf(new SeededRandom(3), { count: 10_000_000 });
    for (let i = 0; i < 10_000; i += 1) {
      const pick = first.next();
      expect(pick).toBe(second.next());
      expect(Number.isInteger(pick) && pick >= 0 && pick < 10_000_000).toBe(true);
    }
    expect(new Zipf(new SeededRandom(1), { count: 1 }).next()).toBe(0);
  });

  it('refuses what has no such distribution', () => {
    const random = new SeededRandom(1);
    expect(() => new Zipf(random, { count: 0 })).toThrow(RangeError);
    expect(() => new Zipf(random, { count: 5, s: 1 })).toThrow(RangeError);
    expect(() => new Zipf(random, { count: 5, v: 0.5 })).toThrow(RangeError);
  });
});

describe('SeededRandom', () => {
  it('is uniform over tenths and differs between seeds', () => {
    const random = new SeededRandom(42);
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i += 1) tenths[random.below(10)]! += 1;
    for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    expect(new SeededRandom(1).unit()).not.toBe(new SeededRandom(2).unit());
    expect(new SeededRandom(1).unit()).not.toBe(new SeededRandom(1 + 2 ** 32).unit());
  });
});

describe('the built-in workload', () => {
  it('repeats for one seed, never pays an account by itself, and pays at least 1', () => {
    const [one, two] = [1, 1].map(() => planZipf({ accountCount: 20, seed: 9, fee: 10n }));
    expect(one?.accounts).toEqual(two?.accounts);
    for (let index = 0; index < 2000; index += 1) {
      const transfer = one!.next(index);
      expect(transfer).toEqual(two!.next(index));
      expect(transfer.from).not.toBe(transfer.to);
      expect(transfer.amount >= 1n && transfer.amount <= 1000n).toBe(true);
    }
  });

  it('gives every account its own key, another for another seed', () => {
    const seeds = [1, 2].flatMap((seed) =>
      planZipf({ accountCount: 50, seed, fee: 0n }).accounts.map((account) =>
        Buffer.from(account.seed).toString('hex'),
      ),
    );
    expect(new Set(seeds).size).toBe(100);
  });
});

describe('recomputation from final transfers', () => {
  it('adds up by hand, whatever the order', () => {
    const opening = [['a', 100n] as const, ['b', 50n] as const, ['c', 0n] as const];
    const transfers = [
      ['a', 'b', 10n],
      ['b', 'c', 60n],
      ['a', 'a', 5n],
    ] as const;
    for (const order of [transfers, [...transfers].reverse()]) {
      const sums = recomputeFromTransfers(opening, order, 2n);
      expect([...sums].map(([name, { final }]) => [name, final])).toEqual([
        ['a', 86n],
        ['b', -2n],
        ['c', 60n],
      ]);
      expect(sums.get('a')).toEqual({
        genesis: 100n,
        final: 86n,
        sent: 15n,
        received: 5n,
        transfersSent: 2,
        feesPaid: 4n,
      });
    }
  });
});
