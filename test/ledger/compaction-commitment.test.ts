/** Compaction on the real commitment (ops tree, activity tree) and on the log model: the same blocks, the same counts. */
import { describe, expect, it } from 'vitest';
import { compact } from '../../src/ledger/compaction.ts';
import { chainIdOf } from '../../src/ledger/genesis.ts';
import { genesisBatch, genesisFrom, genesisOps, Overlay, rewardPoolAddress } from '../../src/ledger/index.ts';
import { CommitmentTrees } from '../../storage/commitment/trees.ts';
import { encodeBatch } from '../../storage/oplog/batch.ts';
import { LogModel } from '../../tools/bench/log-model.ts';
import { SeededRandom } from '../../tools/workload/random.ts';
import { Zipf } from '../../tools/workload/zipf.ts';
import { document, hasher, kernels, MapState, person } from './fixture.ts';

describe('compaction over the real commitment', () => {
  it('makes the blocks that the model makes', () => {
    const people = Array.from({ length: 300 }, (_, n) => person(`person ${n}`));
    const genesis = genesisFrom(
      document(
        {},
        people.map((who) => [who, 2_000n] as const),
      ),
    );
    const rules = { rent: { microunitsPerByteBlock: 2_000_000n }, rewardPool: rewardPoolAddress(hasher) };
    const state = new MapState().apply(genesisOps(hasher, genesis));
    const log = new LogModel();
    log.append(genesisOps(hasher, genesis));
    let commitment = CommitmentTrees.empty(kernels, chainIdOf(hasher, genesis)).tip.next(genesisBatch(hasher, genesis));
    const random = new SeededRandom(4);
    const picks = new Zipf(random, { count: people.length });
    const seen = { moves: 0, rent: 0n, evictions: 0, deletions: 0 };
    for (let block = 1; block <= 120; block++) {
      const pairs = Array.from({ length: random.below(25) }, () => [picks.next(), picks.next()] as const);
      const made = [log, commitment].map((activity) => {
        const overlay = new Overlay(state);
        for (const [from, to] of pairs) {
          const value = overlay.balance(people[from]!.address) / 3n;
          overlay.debit(people[from]!.address, value);
          overlay.credit(people[to]!.address, value);
        }
        const outcome = compact(kernels, rules, overlay, activity);
        return { outcome, ops: overlay.ops() };
      });
      expect(made[1]).toEqual(made[0]);
      const [{ outcome, ops }] = made as [(typeof made)[0]];
      commitment = commitment.next(encodeBatch(commitment.place, ops));
      log.append(ops);
      state.apply(ops);
      const counts = ({ opCount, floor, activeCount, place }: typeof log | typeof commitment) => [
        opCount,
        floor,
        activeCount,
        place.height,
      ];
      expect(counts(commitment)).toEqual(counts(log));
      seen.moves += outcome.moves;
      seen.rent += outcome.rent;
      seen.evictions += outcome.evictions.length;
      seen.deletions += ops.filter(({ kind }) => kind === 'deleteAccount').length;
    }
    expect(seen.moves).toBeGreaterThan(500);
    expect(seen.rent).toBeGreaterThan(1000n);
    expect(seen.evictions).toBeGreaterThan(20);
    expect(seen.deletions).toBeGreaterThanOrEqual(seen.evictions);
  });
});
