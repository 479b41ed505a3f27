/** The plan by which test files are started: every file once, networks of processes side by side with what computes, long ones first. */
import { describe, expect, it } from 'vitest';
import { type PlannedFile, planOrder } from '../../tools/build/test-order.ts';

const alone = (...names: string[]): PlannedFile[] => names.map((name) => ({ name, isShared: false }));
const namesOf = (files: readonly PlannedFile[], workers: number): string[] =>
  planOrder(files, workers).map(({ name }) => name);

describe('the order of test files', () => {
  const files = alone('a', 'e2e/disk-full', 'b', 'simulate/hours', 'e2e/stake', 'crash/sigkill', 'e2e/new');

  it('has every file once, whatever order they came in', () => {
    const order = namesOf(files, 2);
    expect([...order].sort()).toEqual(files.map(({ name }) => name).sort());
    expect(namesOf([...files].reverse(), 2)).toEqual(order);
    expect(namesOf([], 2)).toEqual([]);
  });

  it('starts a network and the longest of the others, and the next network when that one is done by the plan', () => {
    expect(namesOf(files, 2)).toEqual([
      'e2e/stake',
      'simulate/hours',
      'crash/sigkill',
      'e2e/disk-full',
      'a',
      'b',
      'e2e/new',
    ]);
  });

  it('keeps files that share a process for the end, so that they stand together', () => {
    const shared = [{ name: 'ledger/long', isShared: true }, ...alone('z'), { name: 'codec/x', isShared: true }];
    expect(namesOf(shared, 2)).toEqual(['z', 'codec/x', 'ledger/long']);
  });
});
