/** The market's rules, one by one: misses, what they cost, and deadlines. */
import { describe, expect, it } from 'vitest';
import { isLapsed, missesOf } from '../../src/ledger/index.ts';
import { entry, proven, supplyKept, world } from './market-steps.ts';
import { REWARD, secretOf } from './market-world.ts';

describe('misses', () => {
  it('are counted for decided periods only, and never for the first of a rotation', () => {
    const one = world(1);
    const record = one.replica(one.replicators[0]!)!;
    const rules = one.chain.rules.replication;
    // Committed in period 0, so period 1 is due first; it is decided after slot 2 * 8 + 3.
    const misses = [19, 20, 27, 28, 35, 36, 43, 44, 51, 52].map((slot) => missesOf(rules, record, slot));
    expect(misses).toEqual([0, 1, 1, 2, 2, 3, 3, 3, 3, 4]);
    expect([35, 36].map((slot) => isLapsed(rules, record, slot))).toEqual([false, true]);
  });

  it('cost a part of the deposit when the replica is given up', () => {
    const one = world(1);
    one.reach(28);
    const pool = one.pool();
    one.done([one.send(one.replicators[0]!, { kind: 'retire', segment: 0 })]);
    // Two misses of 250 thousandths of 100.
    expect(one.identity(one.replicators[0]!)).toMatchObject({ deposit: 1350n, replicas: 0 });
    expect(one.pool()).toBe(pool + 50n + 1n);
    supplyKept(one);
  });

  it('end the replica when anybody reports it, with its locked rewards, and no sooner', () => {
    const one = world(2);
    const [lazy, busy] = [one.replicators[0]!, one.replicators[1]!];
    const report = {
      kind: 'reportLapsed',
      entries: [entry(one, 0), entry(one, 1)].sort((a, b) => Buffer.compare(a.identity, b.identity)),
    } as const;
    proven(one, 1, 0, 1);
    for (const period of [2, 3]) proven(one, period, 1);
    one.reach(32);
    one.done([one.commit(busy, 0, 1)]);
    one.reach(50);
    expect(one.chain.refusal(51, one.send(one.payer, report))).toBe('nothing-lapsed');
    one.reach(51);
    expect(one.identity(lazy)).toMatchObject({ deposit: 1400n, lockedNew: REWARD });
    // The busy one holds on with the proofs of 5 and 6 it has not shown: period 5 is decided with slot 51.
    one.done([one.send(one.payer, report)]);
    expect(one.replica(lazy)).toBeUndefined();
    // 2, 3 and 5 missed: 75 of 100. What was earned in window 0 was due in window 2 and is released, not lost.
    expect(one.identity(lazy)).toMatchObject({ deposit: 1325n, replicas: 0, lockedNew: 0n, lockedOld: 0n });
    expect(one.replica(busy)).toBeDefined();
    expect(one.holders()).toEqual(['1']);
    supplyKept(one);
  });

  it('forfeit what is still locked', () => {
    const one = world(1, { replication: { rewardLockoutPeriods: 50 } });
    const who = one.replicators[0]!;
    proven(one, 1, 0);
    one.reach(51);
    const [balance, pool] = [one.balance(who), one.pool()];
    one.done([one.send(one.payer, { kind: 'reportLapsed', entries: [entry(one, 0)] })]);
    expect(one.balance(who)).toBe(balance);
    expect(one.pool()).toBe(pool + 1n + REWARD + 75n);
    supplyKept(one);
  });

  it('cannot be escaped by proving on, only by beginning anew and paying', () => {
    const one = world(1);
    const who = one.replicators[0]!;
    proven(one, 1, 0);
    one.reach(63);
    expect(one.chain.refusal(64, one.prove(who, 0, 7))).toBe('rotation-mismatch');
    one.done([one.commit(who, 0, 2)], 64);
    expect(one.identity(who)).toMatchObject({ deposit: 1300n, replicas: 1 });
    expect(one.replica(who)).toMatchObject({ since: 64, commits: 1, accepted: 0, provenNext: 9, nextPeriod: 9 });
    expect(one.holders()).toEqual([]);
    supplyKept(one);
  });

  it('of a replica with a current commit bar it from proving', () => {
    const one = world(1, { replication: { periodsPerRotation: 100 } });
    one.reach(51);
    expect(one.chain.refusal(52, one.prove(one.replicators[0]!, 0, 6))).toBe('replica-lapsed');
    expect(one.chain.refusal(52, one.commit(one.replicators[0]!, 0, 0))).toBe('already-committed');
  });

  it('a replica begun anew does not prove a period twice', () => {
    const one = world(1);
    const who = one.replicators[0]!;
    proven(one, 2, 0);
    one.done([one.send(who, { kind: 'retire', segment: 0 })]);
    one.done([one.commit(who, 0, 0)]);
    expect(one.chain.refusal(one.slot + 1, one.prove(who, 0, 2))).toBe('already-proven');
  });
});

describe('deadlines', () => {
  it('write a late proof down as rejected', () => {
    const one = world(1);
    const who = one.replicators[0]!;
    one.reach(18);
    one.done([one.prove(who, 0, 2)], 20);
    expect(one.replica(who)).toMatchObject({ rejected: 1, reason: 'late', proof: { state: 'rejected' } });
    one.done([one.approve(2, [entry(one, 0)])]);
    one.settle(2, [entry(one, 0)]);
    expect(one.replica(who)).toMatchObject({ accepted: 0, paid: 0 });
    const late = one.reveal(who, 0, 2, secretOf('x'));
    expect(one.chain.refusal(24, late)).toBe('reveal-not-open');
  });

  it('take a proof in the last slot, sealed findings up to theirs, and verdicts up to the next deadline', () => {
    const one = world(1);
    one.reach(18);
    one.done([one.prove(one.replicators[0]!, 0, 2)], 19);
    one.reach(20);
    one.done([one.approve(2, [entry(one, 0)])], 21);
    one.reach(26);
    one.done([one.unseal(one.payer, 2, one.validators, [entry(one, 0)])], 27);
    expect(one.replica(one.replicators[0]!)!.accepted).toBe(1);
  });
});
