/** Parties that do not keep to the rules, played out on the ledger, with the odds that docs/soundness.md states: lazy, colluding, spamming; and a thousand at once. */
import { describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import { replicaNameOrder } from '../../src/codec/index.ts';
import { readFaults, readIdentity, readReplica, totalSupply } from '../../src/ledger/index.ts';
import { apply, type Draft } from './fixture.ts';
import { MarketWorld, secretOf } from './market-world.ts';

/** A reproducible coin: xorshift on 32 bits. */
function coins(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

interface Life {
  readonly fakeShare: number;
  readonly periods: number;
  readonly seed: number;
  /** Share of proofs that the lazy validator does check. */
  readonly checks?: number;
  /** Seats that know every fake beforehand (its maker tells them). */
  readonly told?: readonly number[];
  /** It shows its secret only where nobody else has rejected anything. */
  readonly copies?: boolean;
}

/** The period in which validator 0, who approves unseen, is first at fault; null when never. All else is done as it should be. */
function lazyLife({ fakeShare, periods, seed, checks = 0, told = [], copies = false }: Life): number | null {
  const one = new MarketWorld({
    replicators: 4,
    replication: { periodsPerRotation: 1000, fakeSharePermille: 500, missesMax: 1000, replicasPerSegment: 4 },
  });
  const coin = coins(seed);
  const makers = one.replicators;
  const [lazy, ...honest] = one.validators;
  one.done(makers.map((who) => one.register(who)));
  one.done(makers.map((who) => one.commit(who, 0, 0)));
  const entries = makers.map(({ address }) => ({ segment: 0, identity: address }));
  for (let period = 1; period <= periods; period++) {
    one.reach(period * 8 + 1);
    const secret = secretOf(`${seed} ${period}`);
    // A fake counts only beside enough proofs: the first periods are proven truly.
    const fakes = makers.map(() => period > 1 && coin() < fakeShare);
    one.done(
      makers.map((who, n) =>
        fakes[n] ? one.prove(who, 0, period, one.fakeRoot(who, 0, period, secret)) : one.prove(who, 0, period),
      ),
    );
    const isFake = (identity: Uint8Array): boolean =>
      fakes[makers.findIndex(({ address }) => byteKey(address) === byteKey(identity))]!;
    const looks = makers.map(() => coin() < checks);
    const says =
      (n: number) =>
      (entry: { identity: Uint8Array }): boolean => {
        const maker = makers.findIndex(({ address }) => byteKey(address) === byteKey(entry.identity));
        return n > 0 || told.includes(n) || looks[maker]! ? !isFake(entry.identity) : true;
      };
    const packet = one.packet(
      one.payer,
      period,
      entries,
      [lazy!, ...honest].map((validator, n) => ({ validator, word: says(n) })),
    );
    one.done([packet]);
    one.untilOpen(period);
    one.done([one.unseal(one.payer, period, honest, entries)]);
    // All the others' words stand there now: what a copier was waiting for. It can say no other than it has sealed.
    const hasSeenRejection = makers.some((who) => one.word(honest[0]!, who) === 'invalid');
    if (!copies || !hasSeenRejection) one.done([one.unseal(lazy!, period, [lazy!], entries)]);
    one.reach(period * 8 + 7);
    const reveals = makers.flatMap((who, n) => (fakes[n] ? [one.reveal(who, 0, period, secret)] : []));
    // Whoever has revealed as many as it may keeps still: its fake is a miss.
    one.chain.block(one.slot + 1, reveals);
    for (const validator of honest) expect(readFaults(one.chain.state, validator.key)).toBeUndefined();
    if (readFaults(one.chain.state, lazy!.key) !== undefined) return period - 1;
  }
  return null;
}

describe('a lazy validator', () => {
  it('is at fault within n periods with odds 1 - (1 - f)^(n m), f the share of fakes, m the proofs of a period', () => {
    const [fakeShare, periods, lives] = [0.05, 6, 60];
    const caught = Array.from({ length: lives }, (_, n) =>
      lazyLife({ fakeShare, periods: periods + 1, seed: 1000 + n }),
    );
    for (const n of [1, 3, 6]) {
      const expected = 1 - (1 - fakeShare) ** (4 * n);
      const seen = caught.filter((period) => period !== null && period <= n).length / lives;
      // Within three standard deviations of what the formula says.
      expect(Math.abs(seen - expected)).toBeLessThan(3 * Math.sqrt((expected * (1 - expected)) / lives));
    }
  });

  it('who waits for the others and says what they say is caught with the same odds', () => {
    const [fakeShare, periods, lives] = [0.05, 6, 60];
    const caught = Array.from({ length: lives }, (_, n) =>
      lazyLife({ fakeShare, periods: periods + 1, seed: 3000 + n, copies: true }),
    );
    for (const n of [1, 3, 6]) {
      const expected = 1 - (1 - fakeShare) ** (4 * n);
      const seen = caught.filter((period) => period !== null && period <= n).length / lives;
      expect(Math.abs(seen - expected)).toBeLessThan(3 * Math.sqrt((expected * (1 - expected)) / lives));
    }
  });

  it('who checks half of the proofs is caught as by half the fakes', () => {
    const [fakeShare, periods, lives] = [0.2, 3, 40];
    const caught = Array.from({ length: lives }, (_, n) =>
      lazyLife({ fakeShare, periods: periods + 1, seed: 5000 + n, checks: 0.5 }),
    );
    const expected = 1 - (1 - fakeShare / 2) ** (4 * periods);
    const seen = caught.filter((period) => period !== null).length / lives;
    expect(Math.abs(seen - expected)).toBeLessThan(3 * Math.sqrt((expected * (1 - expected)) / lives));
  });

  it('whom every maker of fakes warns is never caught: collusion with all of them hides laziness', () => {
    for (let n = 0; n < 4; n++) expect(lazyLife({ fakeShare: 0.3, periods: 6, seed: 9000 + n, told: [0] })).toBeNull();
  });
});

describe('colluders', () => {
  it('of two thirds and no more accept nothing; more accept a fake, are paid for it once, and are all at fault', () => {
    const one = new MarketWorld({ replication: { rewardLockoutPeriods: 0 } });
    const who = one.replicators[0]!;
    const entry = { segment: 0, identity: who.address };
    const secret = secretOf('collusion');
    one.done([one.register(who)]);
    one.done([one.commit(who, 0, 0)]);
    one.reach(9);
    one.done([one.prove(who, 0, 1)]);
    one.done([one.approve(1, [entry])]);
    one.settle(1, [entry]);
    one.reach(17);
    one.done([one.prove(who, 0, 2, one.fakeRoot(who, 0, 2, secret))]);
    one.done([one.approve(2, [entry], one.validators.slice(0, 3))]);
    one.untilOpen(2);
    one.done([one.unseal(one.payer, 2, one.validators.slice(0, 2), [entry])]);
    expect(one.replica(who)).toMatchObject({ accepted: 1, proof: { state: 'pending' } });
    one.done([one.unseal(one.payer, 2, one.validators.slice(2, 3), [entry])]);
    expect(one.replica(who)).toMatchObject({ accepted: 2, paid: 2 });
    one.done([one.reveal(who, 0, 2, secret)]);
    expect(one.validators.map(({ key }) => readFaults(one.chain.state, key)?.permille ?? 0)).toEqual([
      100, 100, 100, 0,
    ]);
  });

  it('cannot make an honest validator guilty: a true proof is no fake under any secret tried', () => {
    const one = new MarketWorld();
    const who = one.replicators[0]!;
    one.done([one.register(who)]);
    one.done([one.commit(who, 0, 0)]);
    one.reach(17);
    one.done([one.prove(who, 0, 2)]);
    one.done([one.approve(2, [{ segment: 0, identity: who.address }])]);
    for (let n = 0; n < 200; n++)
      expect(one.chain.refusal(24, one.reveal(who, 0, 2, secretOf(`try ${n}`)))).toBe('not-a-fake');
  });
});

describe('spam', () => {
  it('of wrong proofs earns nothing, and ends with the replica and a part of the deposit', () => {
    const one = new MarketWorld({ replication: { periodsPerRotation: 1000 } });
    const who = one.replicators[0]!;
    one.done([one.register(who)]);
    one.done([one.commit(who, 0, 0)]);
    const before = one.balance(who);
    let period = 1;
    for (; ; period++) {
      one.reach(period * 8);
      const draft = one.prove(who, 0, period);
      if (one.chain.refusal(one.slot + 1, draft) === 'replica-lapsed') break;
      one.done([draft]);
      const entries = [{ segment: 0, identity: who.address }];
      const says = one.validators.slice(0, 2).map((validator) => ({ validator, word: () => false }));
      one.done([one.packet(one.payer, period, entries, says)]);
      one.settle(period, entries, 'samples-root');
      expect(one.replica(who)).toMatchObject({ accepted: 0, reason: 'samples-root', proof: { state: 'rejected' } });
    }
    // Four proofs went in before the third miss was decided.
    expect(period).toBe(5);
    expect(one.balance(who)).toBe(before - 4n);
    one.done([one.send(one.payer, { kind: 'reportLapsed', entries: [{ segment: 0, identity: who.address }] })]);
    expect(one.identity(who)).toMatchObject({ deposit: 1325n, replicas: 0, paidUnits: 0n });
  });
});

describe('a thousand identities at once', () => {
  const COUNT = 1000;

  it('cost a bounded number of ops each, and one segment pays no more of them than its target', () => {
    const one = new MarketWorld({ replicators: COUNT, replication: { rewardLockoutPeriods: 0 }, balance: 10_000n });
    const crowd = one.replicators;
    const opsOf = (drafts: readonly Draft[]): number => {
      const execution = one.chain.start(one.slot + 1);
      for (const draft of drafts) expect(apply(execution, one.chain.transaction(draft), draft.from)).toBeNull();
      const count = execution.overlay.ops().length;
      one.chain.finish(execution);
      return count;
    };
    // Sender and record each; pool, a designated hash, and what every block writes of stake besides.
    expect(opsOf(crowd.map((who) => one.register(who)))).toBeLessThanOrEqual(2 * COUNT + 6);
    // Sender, identity, replica each.
    expect(opsOf(crowd.map((who) => one.commit(who, 0, 0)))).toBeLessThanOrEqual(3 * COUNT + 6);
    one.reach(9);
    expect(opsOf(crowd.map((who) => one.prove(who, 0, 1)))).toBeLessThanOrEqual(2 * COUNT + 6);
    const entries = crowd.map(({ address }) => ({ segment: 0, identity: address })).sort(replicaNameOrder);
    const packets = Array.from({ length: Math.ceil(COUNT / 64) }, (_, n) =>
      one.approve(1, entries.slice(64 * n, 64 * n + 64)),
    );
    const startedMs = performance.now();
    // A replica each; four seals, the payer, the pool.
    expect(opsOf(packets)).toBeLessThanOrEqual(COUNT + 16);
    one.untilOpen(1);
    const openings = Array.from({ length: Math.ceil(COUNT / 64) }, (_, n) =>
      one.unseal(one.payer, 1, n === 0 ? one.validators : [], entries.slice(64 * n, 64 * n + 64)),
    );
    // Identity and replica each, the segment's places, the payer, the pool, two paid balances, a designated hash.
    expect(opsOf(openings)).toBeLessThanOrEqual(2 * COUNT + 16);
    // 64 signatures, 1,000 settlements: far below a slot even here. A bound of the order, not a benchmark.
    expect(performance.now() - startedMs).toBeLessThan(20_000);
    const records = crowd.map((who) => readReplica(one.chain.state, 0, who.address)!);
    expect(records.every(({ accepted }) => accepted === 1)).toBe(true);
    expect(records.filter(({ paid }) => paid > 0)).toHaveLength(2);
    expect(one.holders()).toHaveLength(2);
    expect(readIdentity(one.chain.state, crowd[0]!.address)!.replicas).toBe(1);
    expect(totalSupply(one.chain.state.balances.values(), one.chain.state)).toBe(one.supply);
  });
});
