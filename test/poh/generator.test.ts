import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hash, pohCount } from '../../native/index.ts';
import { isTickCount, PohError, PohGenerator, type PohPoint } from '../../src/poh/index.ts';
import { hashOf, kernels, pattern, thrownBy } from '../codec/fixtures.ts';
import { naiveSteps, parameters } from './chain.ts';

const start = { count: pohCount(0), hash: hashOf(1) };

describe('the generator against the naive twin', () => {
  it('any mix of advances and mixins gives the naive hash and a tick at every boundary', () => {
    const action = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant('mixin' as const));
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const generator = new PohGenerator(kernels, parameters, start);
        let naive: Uint8Array = start.hash;
        let count = 0;
        const ticks: number[] = [];
        for (const [index, current] of actions.entries()) {
          if (current === 'mixin') {
            if (generator.stepsBeforeTick === 0) continue;
            const digest = pattern(32, index);
            naive = naiveSteps(naive, 1, digest);
            count += 1;
            expect(generator.mixin(digest)).toEqual({ count, hash: naive });
          } else {
            const tick: PohPoint | undefined = generator.advance(current);
            naive = naiveSteps(naive, generator.count - count);
            count = generator.count;
            if (tick !== undefined) ticks.push(tick.count);
            if (tick !== undefined) expect(tick.hash).toEqual(naive);
          }
          expect(generator.point()).toEqual({ count, hash: naive });
        }
        const boundaries = Array.from({ length: Math.floor(count / 16) }, (_, index) => (index + 1) * 16);
        expect(ticks).toEqual(boundaries);
      }),
      { seed: 99, numRuns: 150 },
    );
  });

  it('never mixes in on a boundary', () => {
    const generator = new PohGenerator(kernels, parameters, start);
    generator.advance(15);
    expect(generator.stepsBeforeTick).toBe(0);
    expect(thrownBy(() => generator.mixin(hashOf(2)))).toMatchObject({ name: 'PohError', code: 'boundary' });
    expect(generator.count).toBe(15);
    expect(isTickCount(parameters, generator.advance(100)!.count)).toBe(true);
    expect(generator.count).toBe(16);
  });

  it('copies what it is given and what it gives', () => {
    const mine = { count: pohCount(0), hash: hash(hashOf(1).slice()) };
    const generator = new PohGenerator(kernels, parameters, mine);
    mine.hash.fill(0);
    const given = generator.point();
    generator.advance(3);
    expect(given.hash).toEqual(hashOf(1));
  });

  it('refuses parameters and arguments out of range', () => {
    const make = (change: object) => () => new PohGenerator(kernels, { ...parameters, ...change }, start);
    expect(thrownBy(make({ hashesPerTick: 1 }))).toBeInstanceOf(PohError);
    expect(thrownBy(make({ hashesPerTick: 2 ** 31 }))).toBeInstanceOf(PohError);
    expect(thrownBy(make({ ticksPerSlot: 0 }))).toBeInstanceOf(PohError);
    const generator = new PohGenerator(kernels, parameters, start);
    expect(thrownBy(() => generator.advance(0))).toMatchObject({ code: 'steps' });
    expect(thrownBy(() => generator.mixin(pattern(20, 1)))).toMatchObject({ code: 'hash' });
  });
});
