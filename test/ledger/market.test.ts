/** The market's rules, one by one: who is paid, when, out of what; what misses, fakes and lies cost. */
import { describe, expect, it } from 'vitest';
import { amount, ZERO_HASH } from '../../native/index.ts';
import {
  isLapsed,
  missesOf,
  readFaults,
  readValidatorFaults,
  segmentStandings,
  totalSupply,
} from '../../src/ledger/index.ts';
import { named } from './fixture.ts';
import { MarketWorld, MINIMUM_DEPOSIT, REPLICA_DEPOSIT, REWARD, secretOf, type WorldOptions } from './market-world.ts';

/** Registers the first `count` replicators and lets them commit to segment 0, one a block, the first the oldest. */
function world(count: number, options: WorldOptions = {}): MarketWorld {
  const one = new MarketWorld(options);
  const busy = one.replicators.slice(0, count);
  one.done(busy.map((who) => one.register(who)));
  for (const who of busy) one.done([one.commit(who, 0, 0)]);
  return one;
}
const entry = (one: MarketWorld, n: number, segment = 0) => ({ segment, identity: one.replicators[n]!.address });
function supplyKept(one: MarketWorld): void {
  expect(totalSupply(one.chain.state.balances.values(), one.chain.state)).toBe(one.supply);
}
/** Proofs of the given replicators for a period, settled by one packet. */
function proven(one: MarketWorld, period: number, ...numbers: number[]): void {
  one.reach(period * 4);
  one.done(numbers.map((n) => one.prove(one.replicators[n]!, 0, period)));
  one.done([
    one.approve(
      period,
      numbers.map((n) => entry(one, n)),
    ),
  ]);
}

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
    proven(one, 3, 1, 2);
    one.done([one.prove(one.replicators[0]!, 0, 3)]);
    one.done([one.approve(3, [entry(one, 0)])]);
    expect(one.holders()).toEqual(['0', '1']);
    expect([0, 1, 2].map((n) => one.replica(one.replicators[n]!)!.paid)).toEqual([0, 2, 2]);
    one.reach(16);
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
    one.reach(16);
    one.done([1, 2].map((n) => one.commit(one.replicators[n]!, 0, 1)));
    // Replicator 0 proved period 1 last; 2, 3, 5 are due (4 begins a rotation). Three misses are one too many.
    proven(one, 5, 1, 2);
    expect(one.holders()).toEqual(['0', '1']);
    proven(one, 6, 1, 2);
    proven(one, 7, 1, 2);
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
    one.reach(16);
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
    // Left in period 3: 2 + 2 * 2 periods later is period 9, slot 36.
    one.reach(34);
    expect(one.chain.refusal(35, send(who, { kind: 'withdrawDeposit' }))).toBe('lockout');
    const before = one.balance(who);
    one.done([send(who, { kind: 'withdrawDeposit' })], 36);
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

describe('misses', () => {
  it('are counted for decided periods only, and never for the first of a rotation', () => {
    const one = world(1);
    const record = one.replica(one.replicators[0]!)!;
    const rules = one.chain.rules.replication;
    // Committed in period 0, so period 1 is due first; it is decided after slot 2 * 4 + 4.
    const misses = [12, 13, 16, 17, 20, 21, 24, 25, 28, 29].map((slot) => missesOf(rules, record, slot));
    expect(misses).toEqual([0, 1, 1, 2, 2, 3, 3, 3, 3, 4]);
    expect([20, 21].map((slot) => isLapsed(rules, record, slot))).toEqual([false, true]);
  });

  it('cost a part of the deposit when the replica is given up', () => {
    const one = world(1);
    one.reach(17);
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
    one.reach(16);
    one.done([one.commit(busy, 0, 1)]);
    one.reach(27);
    expect(one.chain.refusal(28, one.send(one.payer, report))).toBe('nothing-lapsed');
    one.reach(28);
    expect(one.identity(lazy)).toMatchObject({ deposit: 1400n, lockedNew: REWARD });
    // The busy one holds on with the proofs of 5 and 6 it has not shown: periods 5 is decided with slot 28.
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
    one.reach(28);
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
    one.reach(16);
    one.reach(31);
    expect(one.chain.refusal(32, one.prove(who, 0, 7))).toBe('rotation-mismatch');
    one.done([one.commit(who, 0, 2)], 32);
    expect(one.identity(who)).toMatchObject({ deposit: 1325n, replicas: 1 });
    expect(one.replica(who)).toMatchObject({ since: 32, commits: 1, accepted: 0, provenNext: 9, nextPeriod: 9 });
    expect(one.holders()).toEqual([]);
    supplyKept(one);
  });

  it('of a replica with a current commit bar it from proving', () => {
    const one = world(1, { replication: { periodsPerRotation: 100 } });
    one.reach(27);
    expect(one.chain.refusal(28, one.prove(one.replicators[0]!, 0, 7))).toBe('replica-lapsed');
    expect(one.chain.refusal(28, one.commit(one.replicators[0]!, 0, 0))).toBe('already-committed');
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
    one.reach(11);
    one.done([one.prove(who, 0, 2)], 13);
    expect(one.replica(who)).toMatchObject({ rejected: 1, reason: 'late', proof: { state: 'rejected' } });
    one.done([one.approve(2, [entry(one, 0)])]);
    expect(one.replica(who)).toMatchObject({ accepted: 0, paid: 0 });
    const late = one.reveal(who, 0, 2, secretOf('x'));
    expect(one.chain.refusal(one.slot + 1, late)).toBe('reveal-not-open');
  });

  it('take a proof in the last slot, and verdicts up to the next deadline', () => {
    for (const [at, accepted] of [
      [16, 1],
      [17, 0],
    ] as const) {
      const one = world(1);
      one.reach(11);
      one.done([one.prove(one.replicators[0]!, 0, 2)], 12);
      one.reach(at - 1);
      one.done([one.approve(2, [entry(one, 0)])]);
      expect(one.replica(one.replicators[0]!)!.accepted).toBe(accepted);
    }
  });
});

describe('validation packets', () => {
  it('settle many identities at once, and add up with packets and verdicts before', () => {
    const one = world(3);
    one.reach(8);
    one.done([0, 1, 2].map((n) => one.prove(one.replicators[n]!, 0, 2)));
    const entries = [0, 1, 2].map((n) => entry(one, n));
    one.done([one.approve(2, entries, one.validators.slice(0, 1))]);
    one.done([one.verdicts(one.validators[1]!, one.about(one.replicators[0]!, 0, 2, true))]);
    expect(one.replicators.slice(0, 3).map((who) => one.replica(who)!.proof!.state)).toEqual([
      'pending',
      'pending',
      'pending',
    ]);
    one.done([one.approve(2, entries.slice(0, 1), one.validators.slice(1, 3))]);
    expect(one.replicators.slice(0, 3).map((who) => one.replica(who)!.proof!.state)).toEqual([
      'accepted',
      'pending',
      'pending',
    ]);
    one.done([one.approve(2, entries)]);
    expect(one.replicators.slice(0, 3).map((who) => one.replica(who)!.proof!.state)).toEqual([
      'accepted',
      'accepted',
      'accepted',
    ]);
    expect(one.replicators.slice(0, 3).map((who) => one.replica(who)!.accepted)).toEqual([1, 1, 1]);
    supplyKept(one);
  });

  it('are refused for a stranger and too low a fee; a wrong signature is passed over, and paid for', () => {
    const one = world(2);
    proven(one, 1, 1);
    one.reach(8);
    one.done([one.prove(one.replicators[0]!, 0, 2)]);
    const good = one.approve(2, [entry(one, 0)]);
    const payload = good.payload as Extract<typeof good.payload, { kind: 'validations' }>;
    const [first] = payload.voters;
    const at = one.slot + 1;
    expect(one.chain.refusal(at, { ...good, fee: 4n })).toBe('fee-too-low');
    const voters = [...payload.voters.slice(0, 3), { ...first!, seat: 4 }];
    expect(one.chain.refusal(at, { ...good, payload: { ...payload, voters } })).toBe('not-a-validator');
    // Each of these is signed for another list, other findings, another seat or another chain.
    const alien = new MarketWorld({ replication: { missesMax: 7 } }).approve(2, [entry(one, 0)]).payload;
    const wrong: object[] = [
      { period: 1 },
      { entries: [entry(one, 1)] },
      { voters: [{ ...first!, valid: Uint8Array.of(0), invalid: Uint8Array.of(1) }] },
      { voters: [{ ...first!, seat: first!.seat + 1 }] },
      alien,
    ];
    for (const change of wrong) {
      const before = one.balance(one.payer);
      one.done([{ ...good, payload: { ...payload, ...change } }]);
      expect(one.balance(one.payer)).toBe(before - 5n);
      expect(one.replica(one.replicators[0]!)!.proof).toMatchObject({
        valid: Uint8Array.of(0),
        invalid: Uint8Array.of(0),
      });
    }
    // One wrong voter does not spoil the others' words.
    const spoiled = { ...payload.voters[3]!, signature: first!.signature };
    one.done([{ ...good, payload: { ...payload, voters: [...payload.voters.slice(0, 3), spoiled] } }]);
    expect(one.replica(one.replicators[0]!)!.proof!.state).toBe('accepted');
  });

  it('skip what is not pending and say nothing for others', () => {
    const one = world(2);
    one.reach(8);
    one.done([one.prove(one.replicators[0]!, 0, 2)]);
    const absent = { segment: 3, identity: one.replicators[0]!.address };
    one.done([one.approve(2, [entry(one, 0), entry(one, 1), absent])]);
    expect(one.replica(one.replicators[0]!)!.accepted).toBe(1);
    expect(one.replica(one.replicators[1]!)).toMatchObject({ accepted: 0, proof: null });
  });
});

describe('fakes', () => {
  const secret = secretOf('fake');
  /** Replicator 0 with an accepted proof of period 1 and a fake in period 2. */
  function faked(options: WorldOptions = {}): MarketWorld {
    const one = world(1, options);
    proven(one, 1, 0);
    one.reach(9);
    one.done([one.prove(one.replicators[0]!, 0, 2, one.fakeRoot(one.replicators[0]!, 0, 2, secret))]);
    return one;
  }
  const seatsAtFault = (one: MarketWorld) =>
    one.validators.map((validator) => readFaults(one.chain.state, validator.key)?.faults ?? 0);

  it('revealed, put those who approved at fault and cost their maker nothing', () => {
    const one = faked();
    const who = one.replicators[0]!;
    const [lazy, ...honest] = one.validators;
    one.done(honest.slice(0, 2).map((validator) => one.verdicts(validator, one.about(who, 0, 2, false))));
    expect(one.replica(who)).toMatchObject({ rejected: 1, proof: { state: 'rejected' } });
    // The lazy one signed for a packet that lands after the rejection: its word stands all the same.
    one.done([one.approve(2, [entry(one, 0)], [lazy!])]);
    one.done([one.reveal(who, 0, 2, secret)], 13);
    expect(seatsAtFault(one)).toEqual([1, 0, 0, 0]);
    expect(readFaults(one.chain.state, lazy!.key)).toEqual({ faults: 1, permille: 100, lastSlot: 13 });
    expect(one.validators.map(({ address }) => one.chain.state.bond(address)!.bond)).toEqual([
      900n,
      1_000n,
      1_000n,
      1_000n,
    ]);
    expect(one.replica(who)).toMatchObject({ paid: 2, provenNext: 3, proof: { state: 'revealed' } });
    expect(one.identity(who)).toMatchObject({ accepted: 1, fakes: 1, paidUnits: 2n * REWARD });
    expect(missesOf(one.chain.rules.replication, one.replica(who)!, 17)).toBe(0);
    supplyKept(one);
  });

  it('catch who takes its approval back, and who approves after the reveal', () => {
    const one = faked();
    const who = one.replicators[0]!;
    const [turncoat, late] = one.validators;
    one.done([one.verdicts(turncoat!, one.about(who, 0, 2, false))]);
    one.done([one.approve(2, [entry(one, 0)], [turncoat!])]);
    // With both words it counts for neither: one invalid of four would not reject, two would.
    expect(one.replica(who)!.proof!.state).toBe('pending');
    one.done([one.verdicts(one.validators[2]!, one.about(who, 0, 2, false))]);
    expect(one.replica(who)!.proof!.state).toBe('pending');
    one.reach(12);
    one.done([one.reveal(who, 0, 2, secret)]);
    expect(seatsAtFault(one)).toEqual([1, 0, 0, 0]);
    one.done([one.approve(2, [entry(one, 0)], [late!, turncoat!])]);
    expect(seatsAtFault(one)).toEqual([1, 1, 0, 0]);
    expect([...readValidatorFaults(one.chain.state)]).toHaveLength(2);
  });

  it('accepted by a supermajority that does not check are paid once, and all of it is at fault', () => {
    const one = faked();
    const who = one.replicators[0]!;
    one.done([one.approve(2, [entry(one, 0)], one.validators.slice(0, 3))]);
    expect(one.replica(who)).toMatchObject({ accepted: 2, paid: 2 });
    one.reach(12);
    one.done([one.reveal(who, 0, 2, secret)]);
    expect(seatsAtFault(one)).toEqual([1, 1, 1, 0]);
    expect(one.replica(who)).toMatchObject({ accepted: 2, paid: 2, proof: { state: 'revealed' } });
    expect(one.identity(who)).toMatchObject({ fakes: 1, paidUnits: 2n * REWARD });
    supplyKept(one);
  });

  it('are revealed in their slots only, by their maker, with their secret, once', () => {
    const one = faked();
    const who = one.replicators[0]!;
    const reveal = one.reveal(who, 0, 2, secret);
    const tried = (at: number, draft = reveal) => one.chain.refusal(at, draft);
    expect([12, 13, 16, 17].map((at) => tried(at))).toEqual(['reveal-not-open', null, null, 'reveal-not-open']);
    expect(tried(13, one.reveal(who, 0, 2, secretOf('other')))).toBe('not-a-fake');
    expect(tried(13, one.reveal(who, 0, 2, secret, named('rest')))).toBe('not-a-fake');
    expect(tried(13, one.reveal(who, 0, 1, secret))).toBe('no-such-proof');
    expect(tried(13, one.reveal(who, 1, 2, secret))).toBe('replica-unknown');
    expect(tried(13, { ...reveal, from: one.payer })).toBe('replica-unknown');
    one.done([reveal], 13);
    expect(tried(14)).toBe('no-such-proof');
    one.done([one.prove(who, 0, 3)]);
    expect(tried(15)).toBe('no-such-proof');
  });

  it('can be revealed to the last slot of the longest deadline, with a key a period', () => {
    const one = new MarketWorld({ replication: { periodsPerRotation: 1, proofDeadlineSlots: 7 } });
    const who = one.replicators[0]!;
    one.done([one.register(who)]);
    one.reach(4);
    one.done([one.commit(who, 0, 1), one.prove(who, 0, 1)]);
    one.done([one.approve(1, [entry(one, 0)])]);
    one.reach(8);
    one.done([one.commit(who, 0, 2)]);
    one.done([one.prove(who, 0, 2, one.fakeRoot(who, 0, 2, secret))]);
    one.reach(18);
    expect([19, 20].map((at) => one.chain.refusal(at, one.reveal(who, 0, 2, secret)))).toEqual([
      null,
      'reveal-not-open',
    ]);
  });

  it('are bounded by a share of the proofs', () => {
    const one = faked({ replication: { fakeSharePermille: 499 } });
    const who = one.replicators[0]!;
    // One fake beside one proof is a half.
    expect(one.chain.refusal(13, one.reveal(who, 0, 2, secret))).toBe('too-many-fakes');
    const fair = faked({ replication: { fakeSharePermille: 500 } });
    expect(fair.chain.refusal(13, fair.reveal(who, 0, 2, secret))).toBeNull();
  });

  it('not revealed are misses', () => {
    const one = faked();
    const who = one.replicators[0]!;
    one.reach(17);
    expect(missesOf(one.chain.rules.replication, one.replica(who)!, 17)).toBe(1);
  });

  it('work in modes open and both, with the openings outside the ledger', () => {
    for (const mode of ['open', 'both'] as const) {
      const one = world(1, { replication: { mode, fakeSharePermille: 500 } });
      const who = one.replicators[0]!;
      const root = mode === 'both' ? named('root') : ZERO_HASH;
      one.reach(4);
      one.done([one.proveOpen(who, 0, 1, named('digest'), root)]);
      one.done([one.approve(1, [entry(one, 0)])]);
      one.reach(9);
      const rest = named('rest of the body');
      const fakeRoot = mode === 'both' ? one.fakeRoot(who, 0, 2, secret) : ZERO_HASH;
      one.done([one.proveOpen(who, 0, 2, one.fakeDigest(who, 0, 2, secret, rest), fakeRoot)]);
      one.done([one.approve(2, [entry(one, 0)], one.validators.slice(0, 1))]);
      expect(one.chain.refusal(13, one.reveal(who, 0, 2, secret))).toBe('not-a-fake');
      expect(one.chain.refusal(13, one.reveal(who, 0, 2, secretOf('other'), rest))).toBe('not-a-fake');
      one.done([one.reveal(who, 0, 2, secret, rest)], 13);
      expect(seatsAtFault(one)).toEqual([1, 0, 0, 0]);
    }
  });

  it('of one part only are no fakes in mode both', () => {
    const one = world(1, { replication: { mode: 'both' } });
    const who = one.replicators[0]!;
    one.reach(5);
    const rest = named('rest');
    one.done([one.proveOpen(who, 0, 1, one.fakeDigest(who, 0, 1, secret, rest), named('true root'))]);
    expect(one.chain.refusal(9, one.reveal(who, 0, 1, secret, rest))).toBe('not-a-fake');
    one.reach(9);
    one.done([one.proveOpen(who, 0, 2, named('true digest'), one.fakeRoot(who, 0, 2, secret))]);
    expect(one.chain.refusal(13, one.reveal(who, 0, 2, secret, rest))).toBe('not-a-fake');
  });
});

describe('modes', () => {
  it('take their own kind of proof only', () => {
    const stream = world(1);
    stream.reach(8);
    const who = stream.replicators[0]!;
    expect(stream.chain.refusal(9, stream.proveOpen(who, 0, 2, named('d')))).toBe('mode-mismatch');
    const open = world(1, { replication: { mode: 'open' } });
    open.reach(8);
    expect(open.chain.refusal(9, open.prove(who, 0, 2))).toBe('mode-mismatch');
    expect(open.chain.refusal(9, open.proveOpen(who, 0, 2, named('d'), named('root')))).toBe('mode-mismatch');
    expect(open.chain.refusal(9, open.proveOpen(who, 0, 2, named('d')))).toBeNull();
  });

  it('open wants the commit before the hash of the period', () => {
    const one = new MarketWorld({ replication: { mode: 'open' } });
    const who = one.replicators[0]!;
    one.done([one.register(who)]);
    one.reach(7);
    one.done([one.commit(who, 0, 0)], 8);
    // Slot 8 designates period 2: a commit in that very block is in time, one after it is not.
    expect(one.chain.refusal(9, one.proveOpen(who, 0, 2, named('d')))).toBeNull();
    expect(one.chain.refusal(9, one.proveOpen(who, 0, 1, named('d')))).toBe('commit-too-late');
    expect(one.chain.refusal(8 + 1, one.proveOpen(who, 0, 3, named('d')))).toBe('period-not-open');
    const slow = new MarketWorld({ replication: { mode: 'open' } });
    slow.done([slow.register(who)]);
    slow.reach(8);
    slow.done([slow.commit(who, 0, 0)], 9);
    expect(slow.chain.refusal(10, slow.proveOpen(who, 0, 2, named('d')))).toBe('commit-too-late');
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
    expect(standings(20)[0]).toMatchObject({ proven: 2, isBelowTarget: false });
    expect(standings(21)[0]).toMatchObject({ proven: 0, isBelowTarget: true, missesMost: 2 });
  });
});
