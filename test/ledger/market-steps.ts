/** Steps that the tests of the market's rules share. */
import { expect } from 'vitest';
import type { ReplicaName } from '../../src/codec/index.ts';
import { totalSupply } from '../../src/ledger/index.ts';
import { MarketWorld, type WorldOptions } from './market-world.ts';

/** Registers the first `count` replicators and lets them commit to segment 0, one a block, the first the oldest. */
export function world(count: number, options: WorldOptions = {}): MarketWorld {
  const one = new MarketWorld(options);
  const busy = one.replicators.slice(0, count);
  one.done(busy.map((who) => one.register(who)));
  for (const who of busy) one.done([one.commit(who, 0, 0)]);
  return one;
}
/** A replicator's replica, as packets name it. */
export const entry = (one: MarketWorld, n: number, segment: number = 0): ReplicaName => ({
  segment,
  identity: one.replicators[n]!.address,
});
/** No unit was made or lost. */
export function supplyKept(one: MarketWorld): void {
  expect(totalSupply(one.chain.state.balances.values(), one.chain.state)).toBe(one.supply);
}
/** Proofs of the given replicators for a period, sealed findings by one packet, settled by their secrets. */
export function proven(one: MarketWorld, period: number, ...numbers: number[]): void {
  one.reach(period * 8);
  one.done(numbers.map((n) => one.prove(one.replicators[n]!, 0, period)));
  const entries = numbers.map((n) => entry(one, n));
  one.done([one.approve(period, entries)]);
  one.untilOpen(period);
  one.done([one.unseal(one.payer, period, one.validators, entries)]);
}
