/** Rent: what a time costs, and what compaction charges whom. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import { RENT_RATE_MAX, rentUpTo } from '../../src/ledger/index.ts';
import { RentMeter } from '../../src/ledger/rent.ts';
import { SeededRandom } from '../../tools/workload/random.ts';
import { addressAt, CompactionWorld, POOL, pay } from './compaction-world.ts';

describe('rent', () => {
  it('telescopes: however a stretch is split, the parts sum to the whole', () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, RENT_RATE_MAX),
        fc.array(fc.maxSafeNat(), { minLength: 2, maxLength: 20 }),
        (microunitsPerByteBlock, heights) => {
          const rules = { microunitsPerByteBlock };
          const ascending = heights.sort((a, b) => a - b);
          let sum = 0n;
          for (let at = 1; at < ascending.length; at++)
            sum += new RentMeter(rules, ascending[at]!).due(ascending[at - 1]!);
          expect(sum).toBe(rentUpTo(rules, ascending.at(-1)!) - rentUpTo(rules, ascending[0]!));
        },
      ),
      { numRuns: 300, seed: 3 },
    );
  });

  it('is the rate times 32 bytes times blocks, in millionths, rounded down', () => {
    const rules = { microunitsPerByteBlock: 1n };
    expect([0, 31_249, 31_250, 62_499, 62_500].map((height) => rentUpTo(rules, height))).toEqual([0n, 0n, 1n, 1n, 2n]);
    expect(rentUpTo({ microunitsPerByteBlock: 1_000_000n }, 3)).toBe(96n);
    expect(rentUpTo({ microunitsPerByteBlock: 0n }, 2 ** 53 - 1)).toBe(0n);
    // No rounding at the far end of both ranges.
    expect(rentUpTo({ microunitsPerByteBlock: RENT_RATE_MAX }, 2 ** 53 - 1)).toBe(32_000_000n * (2n ** 53n - 1n));
  });
});

describe('compaction', () => {
  it('charges an untouched account R(last move) - R(genesis), whatever moved it how often', () => {
    for (const seed of [1, 2, 3]) {
      const random = new SeededRandom(seed);
      const world = new CompactionWorld(
        7777n,
        Array.from({ length: 40 }, () => 1_000_000n),
      );
      let moved = 0;
      let lastMove = 0;
      for (let height = 1; height <= 1500; height++) {
        const { ops } = world.block((overlay) => {
          for (let n = random.below(seed * 6); n > 0; n--) pay(overlay, 1 + random.below(39), 1 + random.below(39), 3n);
        });
        if (ops.some((op) => op.kind === 'putAccount' && byteKey(op.address) === byteKey(addressAt(0)))) {
          moved++;
          lastMove = height;
        }
      }
      expect(moved).toBeGreaterThan(5);
      expect(world.log.writtenAt(addressAt(0))).toBe(lastMove);
      expect(1_000_000n - world.balance(0)).toBe(rentUpTo({ microunitsPerByteBlock: 7777n }, lastMove));
    }
  });

  it('a touch starts the rent anew', () => {
    const world = new CompactionWorld(1_000_000n, [10_000n, 10_000n]);
    // 3 live ops of 3; a head and two touched ops a block: the others are moved soon.
    for (let height = 1; height <= 50; height++) world.block((overlay) => pay(overlay, 0, 0, 0n));
    expect(world.balance(0)).toBe(10_000n);
    expect(world.balance(1)).toBe(
      10_000n - rentUpTo({ microunitsPerByteBlock: 1_000_000n }, world.log.writtenAt(addressAt(1))!),
    );
    expect(world.balance(1)).toBeLessThan(10_000n - 1000n);
  });

  it('exempts the reward pool, and keeps it even when it is empty', () => {
    const world = new CompactionWorld(0n, [5n, 5n]);
    let moved = 0;
    for (let height = 1; height <= 30; height++) {
      const { ops } = world.block();
      for (const op of ops) {
        if ('address' in op && byteKey(op.address) === byteKey(POOL)) {
          expect(op.kind).toBe('putAccount');
          moved++;
        }
      }
    }
    expect(moved).toBeGreaterThan(3);
    expect(world.log.writtenAt(POOL)).toBeDefined();
    const charged = new CompactionWorld(1_000_000n, [1_000_000n]);
    for (let height = 1; height <= 30; height++) charged.block();
    expect(charged.state.balance(POOL) + charged.balance(0)).toBe(1_000_000n);
    expect(charged.state.balance(POOL)).toBeGreaterThan(0n);
  });
});
