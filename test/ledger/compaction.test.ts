/** What compaction does with accounts, records and bonds, and within a block with transactions, votes and batches taken back. */
import { describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import { LedgerInvariantError, Overlay } from '../../src/ledger/index.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { addressAt, CompactionWorld, POOL, pay } from './compaction-world.ts';
import { Chain, document, MapState, person, transfer } from './fixture.ts';

describe('compaction', () => {
  it('deletes empty accounts, also those that the last rent empties', () => {
    const free = new CompactionWorld(0n, [0n, 5n, 0n]);
    for (let height = 1; height <= 20; height++) free.block();
    expect(free.log.writtenAt(addressAt(0))).toBeUndefined();
    expect(free.log.writtenAt(addressAt(1))).toBeDefined();
    expect(free.state.balances.size).toBe(2);
    // 32 units a block. 5 live ops; each empty block adds its head: the fifth is the first to move one, the oldest.
    const exact = new CompactionWorld(1_000_000n, [160n, 1_000_000n, 1_000_000n, 1_000_000n]);
    const reports = [1, 2, 3, 4, 5].map(() => exact.block());
    expect(reports.map(({ moves }) => moves)).toEqual([0, 0, 0, 0, 1]);
    expect(reports[4]!.ops.map(({ kind }) => kind)).toEqual(['deleteAccount', 'putAccount']);
    expect([reports[4]!.rent, exact.state.balance(POOL)]).toEqual([160n, 160n]);
    expect(reports.flatMap(({ evictions }) => evictions)).toEqual([]);
  });

  it('moves records as they are, free of charge', () => {
    const world = new CompactionWorld(1_000_000n, [10_000_000n, 10_000_000n]);
    const [key, value] = [Uint8Array.of(9, 9), Uint8Array.of(1, 2, 3)];
    world.block((overlay) => overlay.putRecord(key, value));
    let moved = 0;
    for (let height = 2; height <= 40; height++)
      for (const op of world.block().ops)
        if (op.kind === 'putRecord' && op.key[0] === 9) moved += Number(op.value.length === 3);
    expect(moved).toBeGreaterThan(3);
    expect(world.state.record(key)).toEqual(value);
  });

  it('takes an account back into life that is credited after it was deleted: one op, the last', () => {
    const state = new MapState();
    state.balances.set(byteKey(addressAt(1)), 5n);
    const overlay = new Overlay(state);
    overlay.deleteAccount(addressAt(1));
    expect([overlay.balance(addressAt(1)), overlay.ops().map(({ kind }) => kind)]).toEqual([0n, ['deleteAccount']]);
    const point = overlay.savepoint();
    overlay.credit(addressAt(1), 5n);
    expect(overlay.ops()).toEqual([{ kind: 'putAccount', address: addressAt(1), balance: 5n }]);
    overlay.rollback(point);
    expect(overlay.ops().map(({ kind }) => kind)).toEqual(['deleteAccount']);
  });

  it('moves bonds as they are, again and again: no rent, no eviction, whatever they hold', () => {
    const world = new CompactionWorld(1_000_000n, [1n, 50_000n]);
    const details = Uint8Array.from({ length: 24 }, (_, at) => at);
    const bonds = [0n, 1n, 10n ** 12n].map(
      (bond, n): StateOp => ({ kind: 'putBond', address: addressAt(70 + n), bond, lastVote: 5n, details }),
    );
    world.log.append(bonds);
    world.state.apply(bonds);
    const before = [...world.state.bonds()];
    let moved = 0;
    for (let height = 0; height < 60; height++)
      moved += world.block((overlay) => pay(overlay, 1, 2, 1n)).ops.filter(({ kind }) => kind === 'putBond').length;
    expect(moved).toBeGreaterThan(20);
    expect([...world.state.bonds()]).toEqual(before);
  });
});

describe('in a block', () => {
  const [ann, bob] = [person('ann'), person('bob')];
  const funded = [ann, bob, ...Array.from({ length: 10 }, (_, n) => person(`idle ${n}`))];
  const chain = (): Chain =>
    new Chain(
      document(
        { rent: { microunitsPerByteBlock: '1000000' } },
        funded.map((who) => [who, 10_000n] as const),
      ),
      { compacts: true },
    );

  it('the leader, who took a batch back, and a follower make the same ops', () => {
    const one = chain();
    let moves = 0;
    for (let slot = 1; slot <= 20; slot++) {
      const [leader, follower] = [one.start(slot), one.start(slot)];
      const facts = { signatureValid: true, sender: ann.address };
      const kept = one.transaction({ from: ann, payload: transfer(bob, 5n) });
      leader.apply(kept, facts);
      const point = leader.savepoint();
      leader.apply(one.transaction({ from: ann, payload: transfer(person('new'), 7n) }), facts);
      leader.takeBack(point);
      follower.apply(kept, facts);
      for (const execution of [leader, follower]) execution.executeVotes([]);
      expect(leader.compact(one.log)).toEqual(follower.compact(one.log));
      expect(leader.overlay.ops()).toEqual(follower.overlay.ops());
      moves += leader.compaction!.moves;
      one.finish(follower);
    }
    expect(moves).toBeGreaterThan(20);
  });

  it('ends it: no transaction afterwards, and no second compaction', () => {
    const one = chain();
    const execution = one.start(1);
    expect(execution.compaction).toBeNull();
    expect(() => execution.compact(one.log)).toThrowError(/after its votes/);
    expect(() => execution.electorate()).toThrowError(LedgerInvariantError);
    execution.executeVotes([]);
    expect(() => execution.executeVotes([])).toThrowError(/votes are executed once/);
    execution.compact(one.log);
    expect(() => execution.compact(one.log)).toThrowError(LedgerInvariantError);
    const late = one.transaction({ from: ann, payload: transfer(bob, 1n) });
    expect(() => execution.apply(late, { signatureValid: true, sender: ann.address })).toThrowError(/after its votes/);
  });
});
