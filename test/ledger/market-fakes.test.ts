/** The market's rules, one by one: the fakes that test who gives findings. */
import { describe, expect, it } from 'vitest';
import { ZERO_HASH } from '../../native/index.ts';
import { missesOf, readFaults, readValidatorFaults } from '../../src/ledger/index.ts';
import { named } from './fixture.ts';
import { entry, proven, supplyKept, world } from './market-steps.ts';
import { MarketWorld, REWARD, type Signer, secretOf, type WorldOptions } from './market-world.ts';

const secret = secretOf('fake');
/** Replicator 0 with an accepted proof of period 1 and a fake in period 2; the next block is of slot 19. */
function faked(options: WorldOptions = {}): MarketWorld {
  const one = world(1, options);
  proven(one, 1, 0);
  one.reach(17);
  one.done([one.prove(one.replicators[0]!, 0, 2, one.fakeRoot(one.replicators[0]!, 0, 2, secret))]);
  return one;
}
/** Sealed words of the first validators, in one packet. */
function sealed(one: MarketWorld, ...words: readonly boolean[]): void {
  const says = words.map((word, n) => ({ validator: one.validators[n]!, word: () => word }));
  one.done([one.packet(one.payer, 2, [entry(one, 0)], says)]);
}
const seatsAtFault = (one: MarketWorld) =>
  one.validators.map((validator) => readFaults(one.chain.state, validator.key)?.faults ?? 0);

describe('fakes', () => {
  it('revealed, put those who approved at fault and cost their maker nothing', () => {
    const one = faked();
    const who = one.replicators[0]!;
    const [lazy] = one.validators;
    sealed(one, true, false, false);
    one.settle(2, [entry(one, 0)]);
    expect(one.replica(who)).toMatchObject({ rejected: 1, proof: { state: 'rejected' } });
    one.done([one.reveal(who, 0, 2, secret)], 24);
    expect(seatsAtFault(one)).toEqual([1, 0, 0, 0]);
    expect(readFaults(one.chain.state, lazy!.key)).toEqual({ faults: 1, permille: 100, lastSlot: 24 });
    expect(one.validators.map(({ address }) => one.chain.state.bond(address)!.bond)).toEqual([
      900n,
      1_000n,
      1_000n,
      1_000n,
    ]);
    expect(one.replica(who)).toMatchObject({ paid: 2, provenNext: 3, proof: { state: 'revealed' } });
    expect(one.identity(who)).toMatchObject({ accepted: 1, fakes: 1, paidUnits: 2n * REWARD });
    expect(missesOf(one.chain.rules.replication, one.replica(who)!, 33)).toBe(0);
    supplyKept(one);
  });

  it('catch who seals a word and never opens it, whatever it was: silence about a fake is an approval', () => {
    for (const word of [true, false]) {
      const one = faked();
      const who = one.replicators[0]!;
      const [silent, ...honest] = one.validators as [Signer, ...Signer[]];
      sealed(one, word, false, false, false);
      one.untilOpen(2);
      one.done([one.unseal(honest[0]!, 2, honest, [entry(one, 0)])]);
      expect(one.replica(who)!.proof!.state).toBe('rejected');
      one.done([one.reveal(who, 0, 2, secret)], 24);
      expect(seatsAtFault(one)).toEqual([1, 0, 0, 0]);
      expect([...readValidatorFaults(one.chain.state)].map(({ key }) => key)).toEqual([silent.key]);
      // What it says afterwards changes nothing, and counts no second time.
      one.done([one.unseal(silent, 2, [silent], [entry(one, 0)])], 25);
      expect(seatsAtFault(one)).toEqual([1, 0, 0, 0]);
    }
  });

  it('spare who opens late, but before the reveal, and who has sealed nothing', () => {
    const one = faked();
    const who = one.replicators[0]!;
    const [, , slow, silent] = one.validators as [Signer, Signer, Signer, Signer];
    sealed(one, false, false, false);
    one.untilOpen(2);
    one.done([one.unseal(one.payer, 2, one.validators.slice(0, 2), [entry(one, 0)])]);
    one.done([one.unseal(slow, 2, [slow])], 25);
    one.done([one.reveal(who, 0, 2, secret)], 26);
    expect(seatsAtFault(one)).toEqual([0, 0, 0, 0]);
    expect(one.word(silent, who)).toBe('none');
  });

  it('accepted by a supermajority that does not check are paid once, and all of it is at fault', () => {
    const one = faked();
    const who = one.replicators[0]!;
    sealed(one, true, true, true);
    one.settle(2, [entry(one, 0)]);
    expect(one.replica(who)).toMatchObject({ accepted: 2, paid: 2 });
    one.done([one.reveal(who, 0, 2, secret)], 24);
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
    expect([23, 24, 27, 28].map((at) => tried(at))).toEqual(['reveal-not-open', null, null, 'reveal-not-open']);
    expect(tried(24, one.reveal(who, 0, 2, secretOf('other')))).toBe('not-a-fake');
    expect(tried(24, one.reveal(who, 0, 2, secret, named('rest')))).toBe('not-a-fake');
    expect(tried(24, one.reveal(who, 0, 1, secret))).toBe('no-such-proof');
    expect(tried(24, one.reveal(who, 1, 2, secret))).toBe('replica-unknown');
    expect(tried(24, { ...reveal, from: one.payer })).toBe('replica-unknown');
    one.done([reveal], 24);
    expect(tried(25)).toBe('no-such-proof');
    one.done([one.prove(who, 0, 3)]);
    expect(tried(26)).toBe('no-such-proof');
  });

  it('can be revealed after the commit of the next rotation, with a key a period', () => {
    const one = new MarketWorld({ replication: { periodsPerRotation: 1 } });
    const who = one.replicators[0]!;
    one.done([one.register(who)]);
    one.reach(8);
    one.done([one.commit(who, 0, 1), one.prove(who, 0, 1)]);
    one.done([one.approve(1, [entry(one, 0)])]);
    one.settle(1, [entry(one, 0)]);
    one.reach(16);
    one.done([one.commit(who, 0, 2)]);
    one.done([one.prove(who, 0, 2, one.fakeRoot(who, 0, 2, secret))]);
    sealed(one, false, false);
    one.settle(2, [entry(one, 0)]);
    one.reach(24);
    one.done([one.commit(who, 0, 3)]);
    expect([27, 28].map((at) => one.chain.refusal(at, one.reveal(who, 0, 2, secret)))).toEqual([
      null,
      'reveal-not-open',
    ]);
  });

  it('are bounded by a share of the proofs', () => {
    const one = faked({ replication: { fakeSharePermille: 499 } });
    const who = one.replicators[0]!;
    // One fake beside one proof is a half.
    expect(one.chain.refusal(24, one.reveal(who, 0, 2, secret))).toBe('too-many-fakes');
    const fair = faked({ replication: { fakeSharePermille: 500 } });
    expect(fair.chain.refusal(24, fair.reveal(who, 0, 2, secret))).toBeNull();
  });

  it('not revealed are misses', () => {
    const one = faked();
    const who = one.replicators[0]!;
    one.reach(28);
    expect(missesOf(one.chain.rules.replication, one.replica(who)!, 28)).toBe(1);
  });

  it('work in modes open and both, with the openings outside the ledger', () => {
    for (const mode of ['open', 'both'] as const) {
      const one = world(1, { replication: { mode, fakeSharePermille: 500 } });
      const who = one.replicators[0]!;
      const root = mode === 'both' ? named('root') : ZERO_HASH;
      one.reach(8);
      one.done([one.proveOpen(who, 0, 1, named('digest'), root)]);
      one.done([one.approve(1, [entry(one, 0)])]);
      one.settle(1, [entry(one, 0)]);
      one.reach(17);
      const rest = named('rest of the body');
      const fakeRoot = mode === 'both' ? one.fakeRoot(who, 0, 2, secret) : ZERO_HASH;
      one.done([one.proveOpen(who, 0, 2, one.fakeDigest(who, 0, 2, secret, rest), fakeRoot)]);
      sealed(one, true);
      expect(one.chain.refusal(24, one.reveal(who, 0, 2, secret))).toBe('not-a-fake');
      expect(one.chain.refusal(24, one.reveal(who, 0, 2, secretOf('other'), rest))).toBe('not-a-fake');
      one.done([one.reveal(who, 0, 2, secret, rest)], 24);
      expect(seatsAtFault(one)).toEqual([1, 0, 0, 0]);
    }
  });

  it('of one part only are no fakes in mode both', () => {
    const one = world(1, { replication: { mode: 'both' } });
    const who = one.replicators[0]!;
    one.reach(9);
    const rest = named('rest');
    one.done([one.proveOpen(who, 0, 1, one.fakeDigest(who, 0, 1, secret, rest), named('true root'))]);
    expect(one.chain.refusal(16, one.reveal(who, 0, 1, secret, rest))).toBe('not-a-fake');
    one.reach(17);
    one.done([one.proveOpen(who, 0, 2, named('true digest'), one.fakeRoot(who, 0, 2, secret))]);
    expect(one.chain.refusal(24, one.reveal(who, 0, 2, secret, rest))).toBe('not-a-fake');
  });
});
