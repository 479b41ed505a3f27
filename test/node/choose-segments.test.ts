import { describe, expect, it } from 'vitest';
import { type ChooseInput, chooseSegments, type SegmentNeed } from '../../src/node/replicator/choose-segments.ts';
import { kernels } from './world.ts';

const identityOf = (number: number): Uint8Array => {
  const identity = new Uint8Array(20);
  new DataView(identity.buffer).setUint32(0, number, true);
  return identity;
};
const need = (segment: number, proven = 0, committed = proven): SegmentNeed => ({ segment, proven, committed });
const input = (changes: Partial<ChooseInput>): ChooseInput => ({
  kernels,
  identity: identityOf(1),
  period: 7,
  target: 4,
  identities: 1,
  capacity: 10,
  held: new Set(),
  needs: [],
  ...changes,
});

describe('choice of segments', () => {
  it('takes those with the fewest proven replicas first, then those with the fewest commits', () => {
    const needs = [need(0, 3), need(1, 0, 2), need(2, 1), need(3, 0, 0), need(4, 0, 1), need(5, 4)];
    expect(chooseSegments(input({ needs, capacity: 1 }))).toEqual([3]);
    expect(chooseSegments(input({ needs, capacity: 3 }))).toEqual([1, 3, 4]);
    expect(chooseSegments(input({ needs }))).toEqual([0, 1, 2, 3, 4]);
  });

  it('takes none that enough others have committed to, and keeps what it holds while there is room', () => {
    const needs = [need(0, 9), need(1, 0, 4), need(2, 1)];
    expect(chooseSegments(input({ needs, held: new Set([0]) }))).toEqual([0, 2]);
  });

  it('gives a segment that others prove enough of up only for one that is short, and never one that is needed', () => {
    const needs = [need(0, 40), need(1, 3), need(2, 0)];
    const held = new Set([0, 1]);
    const periods = Array.from({ length: 20 }, (_, period) =>
      chooseSegments(input({ needs, held, capacity: 2, period })).join(),
    );
    expect(new Set(periods)).toEqual(new Set(['0,1', '1,2']));
    expect(periods.filter((chosen) => chosen === '1,2').length).toBeGreaterThan(14);
    const full = [need(0, 40), need(1, 3), need(2, 4)];
    expect(chooseSegments(input({ needs: full, held, capacity: 2 }))).toEqual([0, 1]);
  });

  it('never goes over its capacity, also when that shrank', () => {
    const needs = Array.from({ length: 30 }, (_, segment) => need(segment, segment % 5));
    for (const capacity of [0, 1, 7, 30]) {
      const held = new Set(needs.map(({ segment }) => segment).filter((segment) => segment % 2 === 0));
      expect(chooseSegments(input({ needs, held, capacity })).length).toBeLessThanOrEqual(capacity);
    }
  });

  it('spreads a thousand replicators that see the same ledger', () => {
    const segments = 200;
    const needs = Array.from({ length: segments }, (_, segment) => need(segment));
    const taken = new Array<number>(segments).fill(0);
    for (let number = 0; number < 1000; number += 1) {
      const identity = identityOf(number);
      const chosen = chooseSegments(input({ needs, identity, identities: 1000, target: 1000, capacity: 2 }));
      for (const segment of chosen) taken[segment]! += 1;
    }
    // 2,000 choices over 200 segments: ten each on average, and far from all on a few.
    expect(taken.reduce((sum, count) => sum + count, 0)).toBe(2000);
    expect(Math.min(...taken)).toBeGreaterThan(0);
    expect(Math.max(...taken)).toBeLessThan(30);
  });

  it('does not let a thousand run for one new segment, nor leave it all at once', () => {
    const joining = (period: number): number =>
      Array.from({ length: 1000 }, (_, number) =>
        chooseSegments(input({ needs: [need(0)], identity: identityOf(number), identities: 1000, period })),
      ).filter(({ length }) => length > 0).length;
    const turns = [1, 2, 3, 4].map(joining);
    expect(Math.max(...turns)).toBeLessThan(25);
    expect(Math.max(...turns)).toBeGreaterThan(0);
    const leaving = Array.from({ length: 1000 }, (_, number) =>
      chooseSegments(
        input({
          needs: [need(0, 7), need(1)],
          identity: identityOf(number),
          held: new Set([0]),
          capacity: 1,
          target: 4,
        }),
      ),
    ).filter(([only]) => only === 1).length;
    // Eight hold it and four are paid: about half of them go.
    expect(leaving).toBeGreaterThan(400);
    expect(leaving).toBeLessThan(600);
  });
});
