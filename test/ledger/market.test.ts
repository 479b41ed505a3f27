/** The market's rules, one by one: who holds a place and is paid, when and out of what; deposits, modes, standings. */
import { describe, expect, it } from 'vitest';
import { amount } from '../../native/index.ts';
import { segmentStandings } from '../../src/ledger/index.ts';
import { named } from './fixture.ts';
import { entry, proven, supplyKept, world } from './market-steps.ts';
import { MarketWorld, MINIMUM_DEPOSIT, REPLICA_DEPOSIT, REWARD } from './market-world.ts';

describe('places', () => {
  it('are held by the oldest proven, and only they are paid', () => {
    const one = world(4, { replication: { rewardLockoutPeriods: 0 } });
    const before = one.replicators.map((who) => one.balance(who));
    proven(one, 2, 0, 1, 2, 3);
    expect(one.replicators.map((who, n) => one.balance(who) - before[n]!)).toEqual([9n, 9n, -1n, -1n]);
    expect(one.holders()).toEqual(['0', '1']);
    expect(one.replicators.map((who) => one.replica(who)!.paid)).toEqual([1, 1, 0, 0]);
    expect(one.replicators.map((who) => one.replica(who)!.accepted)).toEqual([1, 1, 1, 1]);
    supplyKept(one);
  });

  it('go to an older one that proves later, but never is more than the target paid for a period', () => {
    const one = world(3);
    proven(one, 2, 1, 2);
    expect(one.holders()).toEqual(['1', '2']);
    one.reach(24);
    one.done([0, 1, 2].map((n) => one.prove(one.replicators[n]!, 0, 3)));
    one.done([
      one.approve(
        3,
        [0, 1, 2].map((n) => entry(one, n)),
      ),
    ]);
    one.settle(3, [entry(one, 1), entry(one, 2)]);
    one.done([one.unseal(one.payer, 3, [], [entry(one, 0)])]);
    expect(one.holders()).toEqual(['0', '1']);
    expect([0, 1, 2].map((n) => one.replica(one.replicators[n]!)!.paid)).toEqual([0, 2, 2]);
    one.reach(32);
    one.done([0, 1, 2].map((n) => one.commit(one.replicators[n]!, 0, 1)));
    proven(one, 5, 0, 1, 2);
    expect([0, 1, 2].map((n) => one.replica(one.replicators[n]!)!.paid)).toEqual([1, 3, 2]);
    supplyKept(one);
  });

  it('pass to the next when a holder lapses', () => {
    const one = world(3);
    proven(one, 1, 0, 1, 2);
    expect(one.holders()).toEqual(['0', '1']);
    for (const period of [2, 3]) proven(one, period, 1, 2);
    one.reach(32);
    one.done([1, 2].map((n) => one.commit(one.replicators[n]!, 0, 1)));
    // Replicator 0 proved period 1 last; 2, 3, 5 are due (4 begins a rotation). Three misses are one too many.
    proven(one, 5, 1, 2);
    expect(one.holders()).toEqual(['0', '1']);
    proven(one, 6, 1, 2);
    expect(one.holders()).toEqual(['1', '2']);
    expect(one.replica(one.replicators[2]!)!.paid).toBe(1);
  });

  it('are taken away with the replica', () => {
    const one = world(2);
    proven(one, 2, 0, 1);
    one.done([one.send(one.replicators[0]!, { kind: 'retire', segment: 0 })]);
    expect(one.holders()).toEqual(['1']);
    expect(one.replica(one.replicators[0]!)).toBeUndefined();
    expect(one.identity(one.replicators[0]!)).toMatchObject({ replicas: 0, deposit: 1400n });
  });
});

describe('lockout', () => {
  it('holds rewards for more than R and at most 2 R periods', () => {
    const one = world(1);
    const who = one.replicators[0]!;
    proven(one, 1, 0); // window 0
    expect(one.identity(who)).toMatchObject({ lockedNew: REWARD, lockedOld: 0n, paidUnits: REWARD });
    proven(one, 2, 0); // window 1
    expect(one.identity(who)).toMatchObject({ lockWindow: 1, lockedNew: REWARD, lockedOld: REWARD });
    proven(one, 3, 0);
    expect(one.identity(who)).toMatchObject({ lockWindow: 1, lockedNew: 2n * REWARD, lockedOld: REWARD });
    one.reach(32);
    const before = one.balance(who);
    one.done([one.commit(who, 0, 1)]);
    expect(one.balance(who)).toBe(before - 1n);
    proven(one, 5, 0); // window 2 releases window 0
    expect(one.balance(who)).toBe(before - 2n + REWARD);
    expect(one.identity(who)).toMatchObject({
      lockWindow: 2,
      lockedNew: REWARD,
      lockedOld: 2n * REWARD,
      paidUnits: 4n * REWARD,
    });
    supplyKept(one);
  });

  it('gives everything back at the end, after the wait, and no sooner', () => {
    const one = world(1);
    const who = one.replicators[0]!;
    proven(one, 2, 0);
    const { send } = one;
    expect(one.chain.refusal(one.slot + 1, send(who, { kind: 'unregister' }))).toBe('replicas-held');
    expect(one.chain.refusal(one.slot + 1, send(who, { kind: 'withdrawDeposit' }))).toBe('not-unregistered');
    one.done([send(who, { kind: 'retire', segment: 0 })]);
    one.done([send(who, { kind: 'unregister' })]);
    expect(one.identity(who)).toMatchObject({ isLeaving: true, leftPeriod: 3 });
    expect(one.chain.refusal(one.slot + 1, send(who, { kind: 'unregister' }))).toBe('identity-leaving');
    expect(one.chain.refusal(one.slot + 1, one.commit(who, 1, 0))).toBe('identity-leaving');
    expect(one.chain.refusal(one.slot + 1, send(who, { kind: 'addDeposit', amount: amount(5n) }))).toBe(
      'identity-leaving',
    );
    // Left in period 3: 2 + 2 * 2 periods later is period 9, slot 72.
    one.reach(70);
    expect(one.chain.refusal(71, send(who, { kind: 'withdrawDeposit' }))).toBe('lockout');
    const before = one.balance(who);
    one.done([send(who, { kind: 'withdrawDeposit' })], 72);
    expect(one.balance(who)).toBe(before - 1n + 1400n + REWARD);
    expect(one.identity(who)).toBeUndefined();
    supplyKept(one);
  });
});

describe('deposits', () => {
  it('cover each replica', () => {
    const one = new MarketWorld();
    const who = one.replicators[0]!;
    one.done([one.register(who, MINIMUM_DEPOSIT + REPLICA_DEPOSIT)]);
    one.done([one.commit(who, 0, 0)]);
    expect(one.chain.refusal(one.slot + 1, one.commit(who, 1, 0))).toBe('deposit-short');
    expect(one.chain.refusal(one.slot + 1, one.send(who, { kind: 'addDeposit', amount: amount(0n) }))).toBe(
      'amount-zero',
    );
    expect(one.chain.refusal(one.slot + 1, one.send(one.payer, { kind: 'addDeposit', amount: amount(1n) }))).toBe(
      'identity-unknown',
    );
    one.done([one.send(who, { kind: 'addDeposit', amount: amount(REPLICA_DEPOSIT - 1n) })]);
    expect(one.chain.refusal(one.slot + 1, one.commit(who, 1, 0))).toBe('deposit-short');
    one.done([one.send(who, { kind: 'addDeposit', amount: amount(1n) })]);
    one.done([one.commit(who, 1, 0)]);
    expect(one.identity(who)).toMatchObject({ deposit: MINIMUM_DEPOSIT + 2n * REPLICA_DEPOSIT, replicas: 2 });
    supplyKept(one);
  });
});

describe('modes', () => {
  it('take their own kind of proof only', () => {
    const stream = world(1);
    stream.reach(16);
    const who = stream.replicators[0]!;
    expect(stream.chain.refusal(17, stream.proveOpen(who, 0, 2, named('d')))).toBe('mode-mismatch');
    const open = world(1, { replication: { mode: 'open' } });
    open.reach(16);
    expect(open.chain.refusal(17, open.prove(who, 0, 2))).toBe('mode-mismatch');
    expect(open.chain.refusal(17, open.proveOpen(who, 0, 2, named('d'), named('root')))).toBe('mode-mismatch');
    expect(open.chain.refusal(17, open.proveOpen(who, 0, 2, named('d')))).toBeNull();
  });

  it('open wants the commit before the hash of the period', () => {
    const one = new MarketWorld({ replication: { mode: 'open' } });
    const who = one.replicators[0]!;
    one.done([one.register(who)]);
    one.reach(15);
    one.done([one.commit(who, 0, 0)], 16);
    // Slot 16 designates period 2: a commit in that very block is in time, one after it is not.
    expect(one.chain.refusal(17, one.proveOpen(who, 0, 2, named('d')))).toBeNull();
    expect(one.chain.refusal(17, one.proveOpen(who, 0, 1, named('d')))).toBe('commit-too-late');
    expect(one.chain.refusal(16 + 1, one.proveOpen(who, 0, 3, named('d')))).toBe('period-not-open');
    const slow = new MarketWorld({ replication: { mode: 'open' } });
    slow.done([slow.register(who)]);
    slow.reach(16);
    slow.done([slow.commit(who, 0, 0)], 17);
    expect(slow.chain.refusal(18, slow.proveOpen(who, 0, 2, named('d')))).toBe('commit-too-late');
  });
});

describe('standings', () => {
  it('show each segment against the target', () => {
    const one = world(3);
    const [first] = one.replicators;
    one.done([one.commit(first!, 2, 0)]);
    proven(one, 2, 0, 1);
    const standings = (slot: number) => segmentStandings(one.chain.rules, one.chain.state, slot, 4);
    const now = standings(one.slot);
    expect(now.map(({ proven: count, isBelowTarget }) => [count, isBelowTarget])).toEqual([
      [2, false],
      [0, true],
      [0, true],
      [0, true],
    ]);
    expect(now[0]).toMatchObject({
      segment: 0,
      target: 2,
      replicas: 3,
      places: 2,
      provenPeriod: 2,
      paid: 2,
      pending: 0,
    });
    expect(now[1]).toMatchObject({ replicas: 0, provenPeriod: null });
    // Both die after period 2: the breach shows as soon as period 3 is decided, before anything has lapsed.
    expect(standings(35)[0]).toMatchObject({ proven: 2, isBelowTarget: false });
    expect(standings(36)[0]).toMatchObject({ proven: 0, isBelowTarget: true, missesMost: 3 });
  });
});
