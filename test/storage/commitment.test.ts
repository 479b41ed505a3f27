import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Commitment } from '../../storage/commitment/commitment.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import {
  deleteAccount,
  deleteBond,
  deleteRecord,
  keyName,
  NaiveState,
  putAccount,
  putBond,
  putRecord,
} from './commitment-model.ts';
import { Rig } from './commitment-rig.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Ops of one batch: some keys of each kind, each once. */
const someOps = (keysMax: number): fc.Arbitrary<StateOp[]> =>
  fc
    .record({
      first: fc.nat(700),
      count: fc.oneof(fc.nat(4), fc.nat(keysMax)),
      small: fc.uniqueArray(fc.nat(12), { maxLength: 4 }),
      deletes: fc.uniqueArray(fc.nat(700), { maxLength: 6 }),
    })
    .map(({ first, count, small, deletes }) => {
      const ops = [
        ...small.flatMap((n) => [n % 3 === 0 ? deleteRecord(n) : putRecord(n, n * 3)]),
        ...range(first, first + count).map((n) => putAccount(n % 700)),
        ...small.flatMap((n) => [n % 4 === 1 ? deleteBond(n) : putBond(n), putRecord(n + 100)]),
        ...deletes.map(deleteAccount),
      ];
      const seen = new Set<string>();
      return ops.filter((op) => !seen.has(keyName(op)) && seen.add(keyName(op)));
    });

type Step =
  | { readonly kind: 'block'; readonly parent: number; readonly ops: StateOp[] }
  | { readonly kind: 'settle'; readonly which: number }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'drop'; readonly kept: number };

const someSteps = (keysMax: number, maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 10,
        arbitrary: fc.record({ kind: fc.constant('block' as const), parent: fc.nat(3), ops: someOps(keysMax) }),
      },
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('settle' as const), which: fc.nat(3) }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), kept: fc.nat(2) }) },
    ),
    { minLength: 8, maxLength },
  );

function run(steps: readonly Step[]): void {
  const rig = new Rig();
  let live: Commitment[] = [rig.trees.tip];
  const parents = new Map<Commitment, Commitment>();
  const descends = (commitment: Commitment, from: Commitment): boolean => {
    for (let at: Commitment | undefined = commitment; at !== undefined; at = parents.get(at))
      if (at === from) return true;
    return false;
  };
  for (const step of steps) {
    if (step.kind === 'block') {
      const parent = live[Math.max(0, live.length - 1 - step.parent)]!;
      const child = rig.next(parent, step.ops);
      parents.set(child, parent);
      live.push(child);
      rig.check(child);
      rig.checkActive(child, 40);
    } else if (step.kind === 'settle') {
      const { tip } = rig.trees;
      const children = live.filter((commitment) => parents.get(commitment) === tip);
      const child = children[step.which % children.length];
      if (child === undefined) continue;
      rig.settle(child);
      for (const left of live.filter((commitment) => !descends(commitment, child)))
        expect(() => left.next(rig.states.get(left)!.next([]).batches.at(-1)!)).toThrow(/finality has moved past/);
      live = live.filter((commitment) => descends(commitment, child));
      rig.check(rig.trees.tip);
    } else if (step.kind === 'reopen') {
      if (rig.store.state === NaiveState.empty) continue;
      rig.reopen();
      live = [rig.trees.tip];
      rig.check(rig.trees.tip);
    } else rig.drop(step.kept);
  }
  for (const commitment of live) {
    rig.checkActive(commitment);
    rig.check(rig.next(commitment, [putAccount(1)]));
  }
}

describe('the commitment against the naive state', () => {
  it('holds over forks, settling, reopening and dropping, with small batches', () => {
    fc.assert(fc.property(someSteps(12, 60), run), { seed: 11, numRuns: 60 });
  });

  it('holds over forks, settling, reopening and dropping, with batches over many twigs', () => {
    fc.assert(fc.property(someSteps(700, 24), run), { seed: 12, numRuns: 25 });
  });
});
