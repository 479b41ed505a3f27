/** The market's rules, one by one: packets of findings, and the fakes that test who gives them. */
import { describe, expect, it } from 'vitest';
import { ZERO_HASH } from '../../native/index.ts';
import { missesOf, readFaults, readValidatorFaults } from '../../src/ledger/index.ts';
import { named } from './fixture.ts';
import { entry, proven, supplyKept, world } from './market-steps.ts';
import { MarketWorld, REWARD, secretOf, type WorldOptions } from './market-world.ts';

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
