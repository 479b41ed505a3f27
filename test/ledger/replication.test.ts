/** The life of replicas on the ledger: register, commit, prove, findings, and what follows from them. */
import { describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import { findingsSecret, type ReplicaName, replicaNameOrder, sealFindings } from '../../src/codec/index.ts';
import {
  pendingProofs,
  provenBySegment,
  readIdentity,
  readReplica,
  replicationOverview,
  replicationSums,
} from '../../src/ledger/index.ts';
import { Chain, type Draft, document, hasher, named, type Person, person, transfer, units } from './fixture.ts';
import { signer } from './market-world.ts';

const [rita, ron, payer] = [person('rita'), person('ron'), person('payer')];
const validators = Array.from({ length: 4 }, (_, n) => signer(`validator ${n}`));
/** Of period p proofs up to slot 8 p + 4, sealed findings up to 8 p + 5, then their secrets. Rotation r is slots 16 r .. 16 r + 15. */
const longer = { slotsPerPeriod: 8, periodsPerRotation: 2, proofDeadlineSlots: 4, sealSlots: 1 };

/** Four validators with the given bonds, a pool of 100 units to pay rewards of 10 from (or others), and registered identities. */
function world(bonds: readonly bigint[] = [1n, 1n, 1n, 1n], poolFee = 100n, reward = '10'): Chain {
  const funded = [rita, ron, payer, ...validators].map((who) => [who, 10_000n] as const);
  const chain = new Chain(
    document(
      {
        replication: {
          ...longer,
          minimumDeposit: '1000',
          rewardPerProof: reward,
          depositPerReplica: '0',
          rewardLockoutPeriods: 0,
          missesMax: 1000,
        },
      },
      funded,
      bonds.map((bond, n) => [validators[n]!, bond] as const),
    ),
  );
  const codes = chain.block(1, [
    { from: payer, payload: transfer(ron, 1n), fee: poolFee },
    { from: rita, payload: { kind: 'register', deposit: units(1000n) } },
    { from: ron, payload: { kind: 'register', deposit: units(1500n) } },
  ]);
  expect(codes).toEqual([null, null, null]);
  return chain;
}

const commit = (from: Person, segment: number, rotation: number): Draft => ({
  from,
  payload: {
    kind: 'commit',
    segment,
    rotation,
    keyProof: new Uint8Array(80).fill(rotation + 1),
    replicaRoot: named(`replica ${segment} ${rotation}`),
  },
});
const prove = (from: Person, segment: number, period: number): Draft => ({
  from,
  payload: {
    kind: 'prove',
    segment,
    period,
    sampleProof: new Uint8Array(80).fill(period + 1),
    samplesRoot: named(`samples ${segment} ${period}`),
  },
});
/** A validator's word on a proof. */
interface Word extends ReplicaName {
  readonly valid: boolean;
}
const about = (who: Person, segment: number, valid: boolean): Word => ({ identity: who.address, segment, valid });
/** A packet with one validator's words on proofs of a period. */
function seal(chain: Chain, n: number, period: number, ...words: Word[]): Draft {
  const sorted = [...words].sort(replicaNameOrder);
  const list = { period, entries: sorted.map(({ segment, identity }) => ({ segment, identity })) };
  const said = sorted.map(({ valid }) => valid);
  const voter = sealFindings(hasher, chain.rules.chainId, list, said, bit(chain, n), validators[n]!.signing);
  return { from: payer, fee: 2n, payload: { kind: 'validations', ...list, voters: [voter] } };
}
/** A validator shows its secret of a period, and has proofs settled. */
function open(chain: Chain, n: number, period: number, ...names: ReplicaName[]): Draft {
  const subject = { chainId: chain.rules.chainId, seat: bit(chain, n), period };
  const secrets = [{ seat: subject.seat, secret: findingsSecret(hasher, subject, validators[n]!.signing) }];
  const entries = names.map(({ segment, identity }) => ({ segment, identity, reason: 'samples-root' as const }));
  const fee = BigInt(2 + entries.length);
  return { from: validators[n]!, fee, payload: { kind: 'unseal', period, secrets, entries } };
}
/** Rita's proof of segment 0 and a period settled by words of the first validators: up to slot 8 period + 7. */
function settled(chain: Chain, period: number, ...words: boolean[]): void {
  const at = period * 8;
  done(chain, at + 5, ...words.map((valid, n) => seal(chain, n, period, about(rita, 0, valid))));
  const name = { segment: 0, identity: rita.address };
  done(chain, at + 6, ...words.map((_, n) => open(chain, n, period, name)));
}
const record = (chain: Chain, who: Person, segment = 0) => readReplica(chain.state, segment, who.address)!;
const sumsOf = (chain: Chain) => replicationSums(chain.rules, chain.state, chain.recent.end.slot);

/** A block in which everything must be accepted. */
function done(chain: Chain, atSlot: number, ...drafts: Draft[]): void {
  expect(chain.block(atSlot, drafts)).toEqual(drafts.map(() => null));
}

describe('replication', () => {
  it('holds deposits, to be seen under the identity', () => {
    const chain = world();
    expect(chain.state.balance(rita.address)).toBe(10_000n - 1000n - 1n);
    expect(readIdentity(chain.state, rita.address)).toMatchObject({
      publicKey: rita.key,
      deposit: 1000n,
      slot: 1,
      replicas: 0,
    });
    const { identities, sums } = replicationOverview(chain.rules, chain.state, 1, { rowsMax: 10 });
    expect(identities.map(({ deposit }) => deposit).sort()).toEqual([1000n, 1500n]);
    expect(sums).toMatchObject({ identities: 2, replicas: 0, period: 0, rotation: 0 });
  });

  it('accepts a proof with more than 2/3 of the bonds, pays its reward, and ignores later words', () => {
    const chain = world();
    const name = about(rita, 0, true);
    done(chain, 2, commit(rita, 0, 0));
    done(chain, 3, prove(rita, 0, 0));
    expect(record(chain, rita).proof).toMatchObject({ state: 'pending', slot: 3 });
    done(chain, 4, ...[0, 1, 2].map((n) => seal(chain, n, 0, name)), seal(chain, 3, 0, about(rita, 0, false)));
    done(chain, 6, open(chain, 0, 0, name), open(chain, 1, 0, name));
    expect(record(chain, rita)).toMatchObject({ accepted: 0, proof: { state: 'pending' } });
    const before = chain.state.balance(rita.address);
    const pool = chain.state.balance(chain.rules.rewardPool);
    done(chain, 7, open(chain, 2, 0, name));
    expect(record(chain, rita)).toMatchObject({ accepted: 1, rejected: 0, proof: { state: 'accepted' } });
    expect(chain.state.balance(rita.address)).toBe(before + 10n);
    expect(chain.state.balance(chain.rules.rewardPool)).toBe(pool - 10n + 3n);
    const after = record(chain, rita);
    done(chain, 8, open(chain, 3, 0, name));
    expect(record(chain, rita)).toEqual(after);
    expect([...provenBySegment(chain.rules, chain.state, 8)]).toEqual([[0, 1]]);
  });

  it('rejects at exactly 1/3 of the bonds, and does not accept at exactly 2/3', () => {
    // Bonds 3, 1, 1, 1: the first alone is 1/2, two others exactly 1/3, the first and one other exactly 2/3.
    for (const [valid, invalid, state] of [
      [[0, 1], [], 'pending'],
      [[0, 1, 2], [], 'accepted'],
      [[0, 1], [2], 'pending'],
      [[0], [1, 2], 'rejected'],
      [[], [1], 'pending'],
      [[], [0], 'rejected'],
    ] as const) {
      const chain = world([3n, 1n, 1n, 1n]);
      done(chain, 2, commit(rita, 0, 0));
      done(chain, 3, prove(rita, 0, 0));
      const says = [...valid.map((n) => [n, true] as const), ...invalid.map((n) => [n, false] as const)];
      done(chain, 4, ...says.map(([n, word]) => seal(chain, n, 0, about(rita, 0, word))));
      chain.block(5);
      done(chain, 6, ...says.map(([n]) => open(chain, n, 0, about(rita, 0, true))));
      expect(record(chain, rita).proof?.state).toBe(state);
      expect(record(chain, rita).accepted).toBe(state === 'accepted' ? 1 : 0);
      expect(record(chain, rita).rejected).toBe(state === 'rejected' ? 1 : 0);
    }
  });

  it('counts a validator once, whatever it says afterwards', () => {
    const chain = world();
    done(chain, 2, commit(rita, 0, 0), prove(rita, 0, 0));
    const [same, other] = [about(rita, 0, true), about(rita, 0, false)];
    done(chain, 3, seal(chain, 0, 0, same), seal(chain, 0, 0, other), seal(chain, 1, 0, other));
    const first = record(chain, rita);
    expect(first.proof!.spoken).toEqual(Uint8Array.of((1 << bit(chain, 0)) | (1 << bit(chain, 1))));
    done(chain, 4, seal(chain, 0, 0, other), seal(chain, 1, 0, same));
    expect(record(chain, rita)).toEqual(first);
  });

  it('skips words on what is not pending, without refusing the rest', () => {
    const chain = world();
    done(chain, 2, commit(rita, 0, 0), commit(ron, 1, 0), prove(ron, 1, 0));
    const stale = [
      about(rita, 0, true), // nothing proven yet
      about(ron, 0, true), // no such replica
      about(person('stranger'), 1, true),
      about(ron, 7, true),
    ];
    done(chain, 3, seal(chain, 0, 0, ...stale, about(ron, 1, true)));
    expect(record(chain, ron, 1).proof?.spoken).toEqual(Uint8Array.of(1 << bit(chain, 0)));
    expect(record(chain, rita).proof).toBeNull();
    expect(readReplica(chain.state, 0, ron.address)).toBeUndefined();
    const families = [1, 2, 3, 0x22];
    const count = (): number => families.flatMap((family) => [...chain.state.records(Uint8Array.of(family))]).length;
    const before = count();
    // Another period, and nothing that is heard: no record of it either.
    done(chain, 4, seal(chain, 1, 0, ...stale), seal(chain, 1, 1, about(ron, 1, true)));
    expect(count()).toBe(before);
  });

  it('accepts without a reward when the pool holds too little', () => {
    const chain = world([1n], 1n, '11');
    done(chain, 2, commit(rita, 0, 0), prove(rita, 0, 0));
    const before = chain.state.balance(rita.address);
    done(chain, 3, seal(chain, 0, 0, about(rita, 0, true)));
    chain.block(5);
    done(chain, 6, open(chain, 0, 0, about(rita, 0, true)));
    // Fees so far: 3 + 2 + 2 + 3 = 10, less than the reward of 11.
    expect(chain.state.balance(chain.rules.rewardPool)).toBe(10n);
    expect(record(chain, rita).accepted).toBe(1);
    expect(chain.state.balance(rita.address)).toBe(before);
  });

  it('lets a proof stand in its own and the next period, and nowhere else', () => {
    const chain = world();
    done(chain, 2, commit(rita, 0, 0));
    for (const [at, code] of [
      [7, 'period-not-open'],
      [8, null],
      [15, null],
      [23, null],
      [24, 'period-not-open'],
    ] as const)
      expect(chain.refusal(at, prove(rita, 0, 1))).toBe(code);
    done(chain, 9, prove(rita, 0, 1));
    expect(chain.refusal(10, prove(rita, 0, 1))).toBe('already-proven');
    expect(chain.refusal(10, prove(rita, 0, 0))).toBe('already-proven');
  });

  it('counts an unsettled proof as expired when the next one replaces it', () => {
    const chain = world();
    done(chain, 2, commit(rita, 0, 0), prove(rita, 0, 0));
    done(chain, 3, ...[0, 1, 2].map((n) => seal(chain, n, 0, about(rita, 0, true))));
    done(chain, 8, prove(rita, 0, 1));
    expect(record(chain, rita)).toMatchObject({
      expired: 1,
      nextPeriod: 2,
      proof: { state: 'pending', spoken: Uint8Array.of(0) },
    });
    // What opens the findings on the replaced proof comes too late.
    done(chain, 9, ...[0, 1, 2].map((n) => open(chain, n, 0, about(rita, 0, true))));
    expect(record(chain, rita)).toMatchObject({ accepted: 0, proof: { state: 'pending', spoken: Uint8Array.of(0) } });
    expect(sumsOf(chain)).toMatchObject({ proofsExpired: 1, proofsPending: 1 });
  });

  it('rotates: a commit each rotation, old proofs refused, counters kept, a pending proof expired', () => {
    const chain = world();
    done(chain, 2, commit(rita, 0, 0), prove(rita, 0, 0));
    settled(chain, 0, true, true, true);
    done(chain, 8, prove(rita, 0, 1));
    expect(chain.refusal(15, commit(rita, 0, 1))).toBe('rotation-not-current');
    expect(chain.refusal(15, commit(rita, 0, 0))).toBe('already-committed');
    // Without a new commit the replica of the old rotation proves nothing in the new one.
    expect(chain.refusal(16, prove(rita, 0, 2))).toBe('rotation-mismatch');
    done(chain, 16, commit(rita, 0, 1));
    expect(record(chain, rita)).toMatchObject({
      rotation: 1,
      commits: 2,
      accepted: 1,
      expired: 1,
      nextPeriod: 2,
      proof: null,
    });
    // Period 1 is still open, but belongs to the rotation before.
    expect(chain.refusal(17, prove(rita, 0, 1))).toBe('rotation-mismatch');
    done(chain, 17, prove(rita, 0, 2));
    settled(chain, 2, false, false);
    expect(record(chain, rita)).toMatchObject({ accepted: 1, rejected: 1, expired: 1, proof: { state: 'rejected' } });
    expect(sumsOf(chain)).toMatchObject({
      replicas: 1,
      proofsAccepted: 1,
      proofsRejected: 1,
      proofsExpired: 1,
      proofsPending: 0,
    });
  });

  it('does not count a settled proof as expired when a new commit follows', () => {
    const chain = world();
    done(chain, 2, commit(rita, 0, 0), prove(rita, 0, 0));
    settled(chain, 0, true, true, true);
    done(chain, 16, commit(rita, 0, 1));
    expect(record(chain, rita)).toMatchObject({ commits: 2, accepted: 1, expired: 0, proof: { state: 'accepted' } });
    done(chain, 17, prove(rita, 0, 2));
    settled(chain, 2, false, false);
    done(chain, 24, prove(rita, 0, 3));
    expect(record(chain, rita)).toMatchObject({ accepted: 1, rejected: 1, expired: 0 });
  });

  it('commits only to segments that history has completed', () => {
    const chain = world();
    chain.segmentCount = 1;
    expect(chain.refusal(2, commit(rita, 0, 0))).toBeNull();
    expect(chain.refusal(2, commit(rita, 1, 0))).toBe('segment-unknown');
    expect(chain.refusal(2, commit(rita, 0xffffffff, 0))).toBe('segment-unknown');
  });

  it('gives rows by segment and identity, and says when it left some out', () => {
    const chain = world();
    done(chain, 2, commit(rita, 0, 0), commit(rita, 1, 0), commit(ron, 1, 0), prove(ron, 1, 0));
    const view = (filter: object) => replicationOverview(chain.rules, chain.state, 2, { rowsMax: 10, ...filter });
    expect(view({}).replicas).toHaveLength(3);
    expect(view({ segment: 1 }).replicas.map((row) => row.segment)).toEqual([1, 1]);
    expect(view({ identity: rita.address }).replicas.map((row) => row.segment)).toEqual([0, 1]);
    expect(view({ identity: ron.address, segment: 1 }).replicas).toMatchObject([
      { proof: 'pending', lastPeriod: 0, commits: 1 },
    ]);
    expect(view({ identity: ron.address, segment: 0 }).replicas).toEqual([]);
    expect(view({ identity: person('stranger').address })).toMatchObject({ identities: [], replicas: [] });
    expect(view({}).truncated).toBe(false);
    expect(view({ rowsMax: 1 })).toMatchObject({ truncated: true, identities: { length: 1 }, replicas: { length: 1 } });
    expect(view({ rowsMax: 1 }).sums.replicas).toBe(3);
  });

  it('tells a validator what it has still to check, with both challenges', () => {
    const chain = world();
    done(chain, 2, commit(rita, 0, 0), prove(rita, 0, 0));
    const index = bit(chain, 2);
    const work = [...pendingProofs(chain.rules, chain.state, index, 3)];
    expect(work).toMatchObject([{ segment: 0, identity: rita.address, period: 0, publicKey: rita.key }]);
    expect(work[0]!.periodHash).toEqual({ slot: 0, pohHash: chain.rules.chainId });
    expect(work[0]!.proof.samplesRoot).toEqual(named('samples 0 0'));
    done(chain, 3, seal(chain, 2, 0, about(rita, 0, true)));
    expect([...pendingProofs(chain.rules, chain.state, index, 3)]).toEqual([]);
    expect([...pendingProofs(chain.rules, chain.state, bit(chain, 0), 3)]).toHaveLength(1);
    // In slot 5 the last block that takes findings is final.
    expect([4, 5].map((at) => [...pendingProofs(chain.rules, chain.state, bit(chain, 0), at)].length)).toEqual([1, 0]);
  });
});

/** A validator's place in order of rank. */
function bit(chain: Chain, n: number): number {
  return chain.genesis.validators.findIndex(({ publicKey }) => byteKey(publicKey) === byteKey(validators[n]!.key));
}
