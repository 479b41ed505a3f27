import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signature, slot } from '../../native/index.ts';
import type { Payload } from '../../src/codec/index.ts';
import {
  BlockExecution,
  checkTransaction,
  executeBlock,
  executeTransaction,
  type RefusalCode,
} from '../../src/ledger/index.ts';
import { apply, Chain, document, named, person, transfer, units } from './fixture.ts';

const [ann, bob, poor, validator] = [person('ann'), person('bob'), person('poor'), person('validator')];

function chain(changes: Parameters<typeof document>[0] = {}): Chain {
  return new Chain(
    document(
      {
        transactions: { recencyWindowSlots: 10, minimumFee: '3', blockTransactionsMax: 6 },
        ...changes,
        replication: { depositPerReplica: '0', ...changes.replication },
      },
      [
        [ann, 10_000n],
        [bob, 10_000n],
        [poor, 10n],
        [validator, 10_000n],
      ],
    ),
  );
}

const commit = (segment: number, rotation: number): Payload => ({
  kind: 'commit',
  segment,
  rotation,
  keyProof: new Uint8Array(80).fill(7),
  replicaRoot: named('replica'),
});
const prove = (segment: number, period: number): Payload => ({
  kind: 'prove',
  segment,
  period,
  sampleProof: new Uint8Array(80).fill(8),
  samplesRoot: named('samples'),
});
const register = (deposit: bigint): Payload => ({ kind: 'register', deposit: units(deposit) });

describe('executeTransaction', () => {
  it('moves amount and fee, to the unit', () => {
    const one = chain();
    expect(one.block(1, [{ from: ann, payload: transfer(bob, 100n), fee: 5n }])).toEqual([null]);
    expect(one.state.balance(ann.address)).toBe(9_895n);
    expect(one.state.balance(bob.address)).toBe(10_100n);
    expect(one.state.balance(one.rules.rewardPool)).toBe(5n);
  });

  it('a transfer to oneself costs the fee and needs the whole sum', () => {
    const one = chain();
    expect(one.block(1, [{ from: ann, payload: transfer(ann, 9_997n), fee: 3n }])).toEqual([null]);
    expect(one.state.balance(ann.address)).toBe(9_997n);
    expect(one.refusal(2, { from: ann, payload: transfer(ann, 9_997n), fee: 3n })).toBe('insufficient-funds');
  });

  it('spends the last unit, and not one more', () => {
    const one = chain();
    expect(one.refusal(1, { from: poor, payload: transfer(bob, 7n), fee: 3n })).toBeNull();
    expect(one.refusal(1, { from: poor, payload: transfer(bob, 8n), fee: 3n })).toBe('insufficient-funds');
    expect(one.refusal(1, { from: poor, payload: transfer(bob, 7n), fee: 4n })).toBe('insufficient-funds');
    expect(one.refusal(1, { from: poor, payload: transfer(bob, 2n ** 64n - 1n), fee: 2n ** 64n - 1n })).toBe(
      'insufficient-funds',
    );
  });

  it('a timestamp writes nothing but its fee', () => {
    const one = chain();
    const execution = one.start(1);
    const payload: Payload = { kind: 'timestamp', digest: named('file') };
    const before = execution.overlay.ops().length;
    expect(apply(execution, one.transaction({ from: ann, payload, fee: 4n }), ann)).toBeNull();
    expect(execution.overlay.ops().slice(before)).toEqual([
      { kind: 'putAccount', address: new Uint8Array(ann.address), balance: 9_996n },
      { kind: 'putAccount', address: new Uint8Array(one.rules.rewardPool), balance: 4n },
    ]);
  });

  it('gives each refusal its own code and changes nothing', () => {
    const one = chain();
    expect(one.block(1, [{ from: bob, payload: register(1000n), fee: 3n }])).toEqual([null]);
    expect(one.block(2, [{ from: bob, payload: commit(0, 0), fee: 3n }])).toEqual([null]);
    expect(one.block(3, [{ from: bob, payload: prove(0, 0), fee: 3n }])).toEqual([null]);
    const applied = { from: ann, payload: transfer(bob, 1n), fee: 3n, counter: 77n };
    const old = { lastValidHash: one.recent.end.pohHash.slice(0, 20), lastValidCount: 3 * one.rules.hashesPerSlot };
    one.block(4, [{ ...applied, ...old }]);
    const voter = { seat: 9, seal: named('seal'), spoken: Uint8Array.of(1), sealed: Uint8Array.of(0) };
    const findings: Payload = {
      kind: 'validations',
      period: 1,
      entries: [{ segment: 0, identity: bob.address }],
      voters: [{ ...voter, signature: signature(new Uint8Array(64)) }],
    };
    const cases: [RefusalCode, number, Parameters<Chain['transaction']>[0]][] = [
      ['fee-too-low', 5, { from: ann, payload: transfer(bob, 1n), fee: 2n }],
      ['stale-last-valid-hash', 14, { from: ann, payload: transfer(bob, 1n), fee: 3n, ...old }],
      [
        'unknown-last-valid-hash',
        5,
        { from: ann, payload: transfer(bob, 1n), fee: 3n, lastValidHash: new Uint8Array(20) },
      ],
      ['replayed', 5, { ...applied, ...old }],
      ['insufficient-funds', 5, { from: poor, payload: transfer(bob, 8n), fee: 3n }],
      ['insufficient-funds', 5, { from: ann, payload: register(9_999n), fee: 3n }],
      ['amount-zero', 5, { from: ann, payload: transfer(bob, 0n), fee: 3n }],
      ['deposit-too-low', 5, { from: ann, payload: register(999n), fee: 3n }],
      ['already-registered', 5, { from: bob, payload: register(1000n), fee: 3n }],
      ['identity-unknown', 5, { from: ann, payload: commit(0, 0), fee: 3n }],
      ['segment-unknown', 5, { from: bob, payload: commit(4, 0), fee: 3n }],
      ['rotation-not-current', 5, { from: bob, payload: commit(1, 1), fee: 3n }],
      ['already-committed', 5, { from: bob, payload: commit(0, 0), fee: 3n }],
      ['replica-unknown', 5, { from: bob, payload: prove(1, 0), fee: 3n }],
      ['replica-unknown', 5, { from: ann, payload: prove(0, 0), fee: 3n }],
      ['period-not-open', 5, { from: bob, payload: prove(0, 1), fee: 3n }],
      ['already-proven', 5, { from: bob, payload: prove(0, 0), fee: 3n }],
      ['fee-too-low', 5, { from: ann, payload: findings, fee: 5n }],
      ['not-a-validator', 5, { from: ann, payload: findings, fee: 6n }],
    ];
    for (const [code, at, draft] of cases) {
      const execution = one.start(at);
      const before = execution.overlay.ops();
      expect([code, apply(execution, one.transaction(draft), draft.from)]).toEqual([code, code]);
      expect(execution.overlay.ops()).toEqual(before);
      expect(execution.transactionCount).toBe(0);
    }
  });

  it('refuses a proof of another rotation than the commit, and a bad signature before anything else', () => {
    const one = chain({ replication: { slotsPerPeriod: 4, periodsPerRotation: 1 } });
    one.block(1, [{ from: bob, payload: register(1000n), fee: 3n }]);
    one.block(2, [{ from: bob, payload: commit(0, 0), fee: 3n }]);
    expect(one.refusal(4, { from: bob, payload: prove(0, 1), fee: 3n })).toBe('rotation-mismatch');
    const execution = one.start(3);
    const bad = one.transaction({ from: poor, payload: transfer(bob, 0n), fee: 0n, lastValidHash: new Uint8Array(20) });
    const facts = { signatureValid: false, sender: poor.address };
    expect(executeTransaction(execution.context, execution.overlay, bad, facts)?.code).toBe('bad-signature');
    expect(checkTransaction(execution.context, one.state, bad, facts)?.code).toBe('bad-signature');
  });

  it('names the first failing check in the written order', () => {
    const one = chain();
    one.block(1);
    const stale = { lastValidHash: new Uint8Array(20), lastValidCount: 0 };
    // Each line mends the first fault of the line before.
    const nothing = transfer(bob, 0n);
    expect(one.refusal(30, { from: person('nobody'), payload: nothing, fee: 0n, ...stale })).toBe('fee-too-low');
    expect(one.refusal(30, { from: person('nobody'), payload: nothing, fee: 3n, ...stale })).toBe(
      'stale-last-valid-hash',
    );
    expect(one.refusal(9, { from: person('nobody'), payload: nothing, fee: 3n, ...stale })).toBe(
      'unknown-last-valid-hash',
    );
    expect(one.refusal(9, { from: person('nobody'), payload: nothing, fee: 3n })).toBe('insufficient-funds');
    expect(one.refusal(9, { from: ann, payload: nothing, fee: 3n })).toBe('amount-zero');
    expect(one.refusal(9, { from: ann, payload: transfer(bob, 1n), fee: 3n })).toBeNull();
  });

  it('accepts a reference exactly as old as the window', () => {
    const one = chain();
    const genesis = { lastValidHash: one.rules.chainId.slice(0, 20), lastValidCount: 0 };
    const draft = { from: ann, payload: transfer(bob, 1n), fee: 3n, ...genesis };
    expect(one.refusal(10, draft)).toBeNull();
    expect(one.refusal(11, draft)).toBe('stale-last-valid-hash');
  });

  it('applies a transaction once in a block, once on a branch, and once on each of two forks', () => {
    const one = chain();
    one.block(1);
    const transaction = one.transaction({ from: ann, payload: transfer(bob, 10n), fee: 3n, counter: 5n });
    const left = one.start(2);
    expect(apply(left, transaction, ann)).toBeNull();
    expect(apply(left, transaction, ann)).toBe('replayed');
    const signedAgain = { ...transaction, signature: named('other') as never };
    expect(apply(left, signedAgain, ann)).toBe('replayed');
    const leftWindow = left.finish(named('left 2'));
    const parent = { hash: named('left block'), stateRoot: named('left state') };
    const next = BlockExecution.start({
      ...left.context,
      slot: slot(3),
      recent: leftWindow,
      state: left.overlay,
      parent,
    });
    expect(apply(next, transaction, ann)).toBe('replayed');
    // The fork beside it has not seen the transaction, and one that refers to the fork's own block is unknown elsewhere.
    const right = one.start(3);
    expect(apply(right, transaction, ann)).toBeNull();
    const ofLeft = one.transaction({
      from: ann,
      payload: transfer(bob, 10n),
      fee: 3n,
      lastValidHash: named('left 2').slice(0, 20),
      lastValidCount: 2 * one.rules.hashesPerSlot,
    });
    expect(apply(next, ofLeft, ann)).toBeNull();
    expect(apply(one.start(3), ofLeft, ann)).toBe('unknown-last-valid-hash');
    // A chain with another genesis refuses it as well.
    const other = chain({ name: 'other' });
    other.block(1);
    const elsewhere = chain({ name: 'other' });
    expect(apply(elsewhere.start(2), transaction, ann)).toBe('unknown-last-valid-hash');
  });

  it('still refuses the replay in the last slot in which its reference is valid', () => {
    const one = chain();
    one.block(1);
    const transaction = one.transaction({ from: ann, payload: transfer(bob, 10n), fee: 3n });
    const first = one.start(2);
    expect(apply(first, transaction, ann)).toBeNull();
    one.finish(first);
    for (let at = 3; at <= 11; at++) {
      const execution = one.start(at);
      expect(apply(execution, transaction, ann)).toBe('replayed');
      one.finish(execution);
    }
    expect(apply(one.start(12), transaction, ann)).toBe('stale-last-valid-hash');
  });
});

describe('BlockExecution savepoints', () => {
  it('take transactions back as if they had never been: state, ops and ids', () => {
    const draft = fc.record({ sender: fc.nat(1), value: fc.bigInt(0n, 300n), counter: fc.bigInt(0n, 12n) });
    const batches = fc.array(fc.record({ keep: fc.boolean(), drafts: fc.array(draft, { maxLength: 6, size: 'max' }) }));
    fc.assert(
      fc.property(batches, (list) => {
        const one = chain({ transactions: { recencyWindowSlots: 10, minimumFee: '3', blockTransactionsMax: 100 } });
        const [tried, kept] = [one.start(1), one.start(1)];
        for (const { keep, drafts } of list) {
          const savepoint = tried.savepoint();
          for (const { sender, value, counter } of drafts) {
            const from = sender === 0 ? ann : bob;
            const transaction = one.transaction({ from, payload: transfer(poor, value), fee: 3n, counter });
            const code = apply(tried, transaction, from);
            if (keep) expect(apply(kept, transaction, from)).toBe(code);
          }
          if (keep) tried.keep(savepoint);
          else tried.takeBack(savepoint);
          expect(tried.overlay.ops()).toEqual(kept.overlay.ops());
          expect(tried.transactionCount).toBe(kept.transactionCount);
        }
      }),
      { numRuns: 100, seed: 13 },
    );
  });
});

describe('executeBlock', () => {
  function packed(one: Chain, drafts: readonly Parameters<Chain['transaction']>[0][]) {
    const transactions = drafts.map((draft) => one.transaction(draft));
    const senders = new Uint8Array(drafts.length * 20);
    drafts.forEach((draft, index) => {
      senders.set(draft.from.address, index * 20);
    });
    return { transactions, facts: { verdicts: new Uint8Array(drafts.length).fill(1), senders } };
  }
  const pay = (value: bigint) => ({ from: ann, payload: transfer(bob, value), fee: 3n });

  it('gives the same ops as the leader who filled the block, every time', () => {
    const one = chain();
    const drafts = [pay(1n), { from: bob, payload: register(1000n), fee: 3n }, pay(2n)];
    const { transactions, facts } = packed(one, drafts);
    const leader = one.start(1);
    transactions.forEach((transaction, index) => {
      expect(apply(leader, transaction, drafts[index]!.from)).toBeNull();
    });
    for (let run = 0; run < 3; run++) {
      const follower = one.start(1);
      expect(executeBlock(follower, transactions, facts)).toBeNull();
      expect(follower.overlay.ops()).toEqual(leader.overlay.ops());
    }
  });

  it('names the first refused transaction', () => {
    const one = chain();
    const { transactions, facts } = packed(one, [pay(1n), pay(20_000n), pay(0n)]);
    expect(executeBlock(one.start(1), transactions, facts)).toMatchObject({
      index: 1,
      refusal: { code: 'insufficient-funds' },
    });
    facts.verdicts[0] = 0;
    expect(executeBlock(one.start(1), transactions, facts)).toMatchObject({
      index: 0,
      refusal: { code: 'bad-signature' },
    });
  });

  it('takes exactly the largest block', () => {
    const one = chain();
    const full = packed(
      one,
      Array.from({ length: 6 }, () => pay(1n)),
    );
    const execution = one.start(1);
    expect(executeBlock(execution, full.transactions, full.facts)).toBeNull();
    expect(apply(execution, one.transaction(pay(1n)), ann)).toBe('too-many-transactions');
    const over = packed(
      one,
      Array.from({ length: 7 }, () => pay(1n)),
    );
    expect(executeBlock(one.start(1), over.transactions, over.facts)).toMatchObject({
      index: -1,
      refusal: { code: 'too-many-transactions' },
    });
  });

  it('does not start on a slot at or before the parent, and wants facts for each transaction', () => {
    const one = chain();
    one.block(2);
    expect(() => one.start(2)).toThrowError(/does not follow/);
    const { transactions, facts } = packed(one, [pay(1n)]);
    expect(() => executeBlock(one.start(3), transactions, { ...facts, senders: new Uint8Array(19) })).toThrowError(
      /as many/,
    );
  });
});
