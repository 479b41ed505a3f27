/** The market's rules, one by one: sealed findings, what opens them, and what settles a proof. */
import { describe, expect, it } from 'vitest';
import { hash } from '../../native/index.ts';
import { type SealedFindings, validationMessage } from '../../src/codec/index.ts';
import { readSeal } from '../../src/ledger/index.ts';
import { type Draft, named } from './fixture.ts';
import { entry, proven, supplyKept, world } from './market-steps.ts';
import { MarketWorld, type Signer } from './market-world.ts';

/** Replicators 0 .. count - 1 with proofs of period 2; the next block is of slot 18. */
function proofs(count: number, options: ConstructorParameters<typeof MarketWorld>[0] = {}): MarketWorld {
  const one = world(count, options);
  one.reach(16);
  one.done(one.replicators.slice(0, count).map((who) => one.prove(who, 0, 2)));
  return one;
}
const states = (one: MarketWorld, count: number) =>
  one.replicators.slice(0, count).map((who) => one.replica(who)!.proof!.state);
const votersOf = (draft: Draft): readonly SealedFindings[] =>
  (draft.payload as Extract<Draft['payload'], { kind: 'validations' }>).voters;

describe('sealed findings', () => {
  it('settle many identities at once, add up from packets and openings of several, and count only once opened', () => {
    const one = proofs(3);
    const entries = [0, 1, 2].map((n) => entry(one, n));
    const [a, b, c, d] = one.validators as [Signer, Signer, Signer, Signer];
    one.done([one.approve(2, entries, [a])]);
    one.done([one.approve(2, entries.slice(0, 1), [b, c]), one.approve(2, entries, [d, b])]);
    expect(states(one, 3)).toEqual(['pending', 'pending', 'pending']);
    one.untilOpen(2);
    one.done([one.unseal(one.payer, 2, [a, b], entries)]);
    expect(one.word(a, one.replicators[0]!)).toBe('valid');
    expect(one.word(c, one.replicators[0]!)).toBe('sealed');
    expect(one.word(c, one.replicators[1]!)).toBe('none');
    expect(states(one, 3)).toEqual(['pending', 'pending', 'pending']);
    one.done([one.unseal(one.payer, 2, [d], entries.slice(1))]);
    expect(states(one, 3)).toEqual(['pending', 'accepted', 'accepted']);
    one.done([one.unseal(one.payer, 2, [c, a], entries)]);
    expect(states(one, 3)).toEqual(['accepted', 'accepted', 'accepted']);
    expect(one.replicators.slice(0, 3).map((who) => one.replica(who)!.accepted)).toEqual([1, 1, 1]);
    supplyKept(one);
  });

  it('land up to their last slot, and what opens them after it, up to the next deadline', () => {
    const one = proofs(1);
    const sealed = one.approve(2, [entry(one, 0)]);
    const open = one.unseal(one.payer, 2, one.validators, [entry(one, 0)]);
    const tried = (draft: Draft) => [20, 21, 22, 27, 28].map((at) => one.chain.refusal(at, draft));
    expect(tried(sealed)).toEqual([null, null, 'sealing-closed', 'sealing-closed', 'sealing-closed']);
    expect(tried(open)).toEqual(['findings-sealed', 'findings-sealed', null, null, 'period-decided']);
    one.done([sealed], 21);
    one.done([open], 27);
    expect(states(one, 1)).toEqual(['accepted']);
  });

  it('too late or not at all are no findings: whoever saw the others’ words first has no weight', () => {
    const one = proofs(1);
    const [a, b, c, late] = one.validators as [Signer, Signer, Signer, Signer];
    one.done([one.approve(2, [entry(one, 0)], [a, b])]);
    one.untilOpen(2);
    expect(one.chain.refusal(22, one.approve(2, [entry(one, 0)], [c, late]))).toBe('sealing-closed');
    one.done([one.unseal(one.payer, 2, one.validators, [entry(one, 0)])]);
    expect(states(one, 1)).toEqual(['pending']);
    expect(one.word(late, one.replicators[0]!)).toBe('none');
    expect(readSeal(one.chain.state, 2, one.seat(late))).toBeUndefined();
  });

  it('are bound by the first seal, and the first word under it', () => {
    const one = proofs(2);
    const entries = [entry(one, 0), entry(one, 1)];
    const [a, b, c, d] = one.validators as [Signer, Signer, Signer, Signer];
    one.done([one.packet(one.payer, 2, [entry(one, 0)], [{ validator: a, word: () => false }])]);
    // Another word on the first proof is passed over, one on the second is not.
    one.done([one.approve(2, entries, [a, b, c])]);
    // Under another seal nothing is heard, and the first one's secret opens everything that counts.
    const other = one.packet(one.payer, 2, [entry(one, 1)], [{ validator: d, word: () => false }]);
    one.done([other]);
    const list = { period: 2, entries: [entry(one, 0)] };
    const forged = { ...votersOf(one.approve(2, list.entries, [d]))[0]!, seal: named('another seal') };
    const signature = d.signing.sign(validationMessage(one.chain.rules.chainId, list, forged));
    one.done([{ from: d, fee: 2n, payload: { kind: 'validations', ...list, voters: [{ ...forged, signature }] } }]);
    one.settle(2, entries, 'samples-root');
    expect(one.validators.map((each) => one.word(each, one.replicators[0]!))).toEqual([
      'invalid',
      'valid',
      'valid',
      'none',
    ]);
    expect(one.validators.map((each) => one.word(each, one.replicators[1]!))).toEqual([
      'valid',
      'valid',
      'valid',
      'invalid',
    ]);
  });

  it('are opened by their own secret only: neither another seat’s, nor another period’s, nor any other', () => {
    const one = proofs(1);
    const [a, b] = one.validators as [Signer, Signer];
    one.done([one.approve(2, [entry(one, 0)])]);
    one.untilOpen(2);
    const seat = one.seat(a);
    for (const secret of [one.secret(b, 2).secret, one.secret(a, 1).secret, hash(new Uint8Array(32))])
      one.done([{ from: one.payer, ...unsealing(2, [{ seat, secret }]) }]);
    expect(one.word(a, one.replicators[0]!)).toBe('sealed');
    // A seal taken from somebody else cannot be opened with what opens it there.
    expect(readSeal(one.chain.state, 2, seat)!.value).not.toEqual(readSeal(one.chain.state, 2, one.seat(b))!.value);
    one.done([one.unseal(one.payer, 2, [a])]);
    expect(one.word(a, one.replicators[0]!)).toBe('valid');
  });

  it('of another seat, copied with its seal, are never opened', () => {
    const one = proofs(1);
    const [honest, copier] = one.validators as [Signer, Signer];
    const list = { period: 2, entries: [entry(one, 0)] };
    const [theirs] = votersOf(one.approve(2, list.entries, [honest]));
    const copied = { ...theirs!, seat: one.seat(copier) };
    const signature = copier.signing.sign(validationMessage(one.chain.rules.chainId, list, copied));
    const voters = [theirs!, { ...copied, signature }].sort((x, y) => x.seat - y.seat);
    one.done([{ from: one.payer, fee: 3n, payload: { kind: 'validations', ...list, voters } }]);
    one.untilOpen(2);
    const { secret } = one.secret(honest, 2);
    const secrets = [honest, copier].map((each) => ({ seat: one.seat(each), secret })).sort((x, y) => x.seat - y.seat);
    one.done([{ from: one.payer, ...unsealing(2, secrets) }]);
    expect(one.word(honest, one.replicators[0]!)).toBe('valid');
    expect(one.word(copier, one.replicators[0]!)).toBe('sealed');
  });

  it('are refused for a stranger and too low a fee; a wrong signature is passed over, and paid for', () => {
    const one = world(2);
    proven(one, 1, 1);
    one.reach(16);
    one.done([one.prove(one.replicators[0]!, 0, 2)]);
    const good = one.approve(2, [entry(one, 0)]);
    const payload = good.payload as Extract<typeof good.payload, { kind: 'validations' }>;
    const [first] = payload.voters;
    const at = one.slot + 1;
    expect(one.chain.refusal(at, { ...good, fee: 4n })).toBe('fee-too-low');
    const voters = [...payload.voters.slice(0, 3), { ...first!, seat: 4 }];
    expect(one.chain.refusal(at, { ...good, payload: { ...payload, voters } })).toBe('not-a-validator');
    expect(one.chain.refusal(22, { ...one.unseal(one.payer, 2, one.validators, [entry(one, 0)]), fee: 5n })).toBe(
      'fee-too-low',
    );
    const flipped = first!.sealed.map((byte) => byte ^ 1);
    // Each of these is signed for another list, another seal, other findings, another seat or another chain.
    const alien = new MarketWorld({ replication: { missesMax: 7 } }).approve(2, [entry(one, 0)]).payload;
    const wrong: object[] = [
      { period: 3 },
      { entries: [entry(one, 1)] },
      { voters: [{ ...first!, seal: named('another') }] },
      { voters: [{ ...first!, sealed: flipped }] },
      { voters: [{ ...first!, seat: first!.seat + 1 }] },
      alien,
    ];
    const changes = wrong.map((change) => ({ ...good, payload: { ...payload, ...change } }));
    const before = one.balance(one.payer);
    one.done(changes);
    expect(one.balance(one.payer)).toBe(before - 5n * BigInt(wrong.length));
    expect(one.replica(one.replicators[0]!)!.proof).toMatchObject({
      spoken: Uint8Array.of(0),
      sealed: Uint8Array.of(0),
    });
    // One wrong voter does not spoil the others' words.
    const spoiled = { ...payload.voters[3]!, signature: first!.signature };
    one.done([{ ...good, payload: { ...payload, voters: [...payload.voters.slice(0, 3), spoiled] } }]);
    one.settle(2, [entry(one, 0)]);
    expect(one.replica(one.replicators[0]!)!.proof!.state).toBe('accepted');
  });

  it('skip what is not pending and say nothing for others', () => {
    const one = proofs(1);
    const absent = { segment: 3, identity: one.replicators[0]!.address };
    one.done([one.approve(2, [entry(one, 0), entry(one, 1), absent])]);
    one.settle(2, [entry(one, 0), entry(one, 1), absent]);
    expect(one.replica(one.replicators[0]!)!.accepted).toBe(1);
    expect(one.replica(one.replicators[1]!)).toBeUndefined();
  });

  it('tell nothing before they are opened: sealed bits of one word are as often set as not', () => {
    const one = new MarketWorld();
    const entries = Array.from({ length: 64 }, (_, segment) => ({ segment, identity: one.payer.address }));
    const set = (word: boolean) =>
      one.validators.flatMap((validator) =>
        Array.from({ length: 8 }, (_, period) => one.findings(validator, period, entries, () => word).sealed).flatMap(
          (bits) => entries.filter((_, index) => ((bits[index >> 3]! >> (index & 7)) & 1) === 1),
        ),
      ).length;
    // 2,048 coins each: five standard deviations are 113.
    for (const word of [true, false]) expect(Math.abs(set(word) - 1024)).toBeLessThan(113);
    expect(set(true) + set(false)).toBe(2048);
  });

  it('are forgotten when their period can no longer be settled', () => {
    const one = proofs(1);
    one.done([one.approve(2, [entry(one, 0)])]);
    const kept = () => one.validators.filter((each) => readSeal(one.chain.state, 2, one.seat(each)) !== undefined);
    one.reach(39);
    expect(kept()).toHaveLength(4);
    one.reach(40);
    expect(kept()).toHaveLength(0);
  });
});

describe('a rejection', () => {
  it('takes a third of the weight, and a validator among it that says why', () => {
    const one = proofs(1);
    const who = one.replicators[0]!;
    const [a, b, c, d] = one.validators as [Signer, Signer, Signer, Signer];
    const says = [a, b, c].map((validator, n) => ({ validator, word: () => n === 2 }));
    one.done([one.packet(one.payer, 2, [entry(one, 0)], says)]);
    one.untilOpen(2);
    one.done([one.unseal(a, 2, [a, c], [entry(one, 0)], 'encoding')]);
    expect(one.replica(who)!.proof!.state).toBe('pending');
    // Neither a stranger, nor who approved, nor who said nothing may name a reason.
    one.done([one.payer, c, d].map((from) => one.unseal(from, 2, [b], [entry(one, 0)], 'late')));
    expect(one.replica(who)).toMatchObject({ rejected: 0, proof: { state: 'pending' } });
    one.done([one.unseal(b, 2, [], [entry(one, 0)], 'samples-root')]);
    expect(one.replica(who)).toMatchObject({ rejected: 1, reason: 'samples-root', proof: { state: 'rejected' } });
  });
});

function unsealing(period: number, secrets: readonly { seat: number; secret: ReturnType<typeof hash> }[]) {
  return { fee: BigInt(1 + secrets.length), payload: { kind: 'unseal' as const, period, secrets, entries: [] } };
}
