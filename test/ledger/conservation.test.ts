/** Random blocks against the plainest model there is: a map of balances, deposits and a pool, in bigint. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import { findingsSecret, type Payload, replicaNameOrder, sealFindings } from '../../src/codec/index.ts';
import { assertSupplyKept, Overlay, supplyChange, totalSupply } from '../../src/ledger/index.ts';
import { apply, Chain, document, hasher, MapState, named, type Person, person, transfer, units } from './fixture.ts';
import { signer } from './market-world.ts';

const people = Array.from({ length: 5 }, (_, n) => person(`person ${n}`));
const [firstValidator, secondValidator] = [signer('validator 1'), signer('validator 2')];
const everybody = [...people, firstValidator, secondValidator];
const SUPPLY = 5n * 400n + 2n * 200n + 3n + 1n;

interface Step {
  readonly kind: 'transfer' | 'timestamp' | 'register' | 'commit' | 'prove' | 'seal' | 'unseal';
  readonly who: number;
  readonly to: number;
  readonly value: bigint;
  readonly fee: bigint;
  readonly newBlock: boolean;
}
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    { weight: 5, arbitrary: fc.constant('transfer' as const) },
    { weight: 12, arbitrary: fc.constantFrom('timestamp', 'register', 'commit', 'prove', 'seal', 'unseal' as const) },
  ),
  who: fc.nat(everybody.length - 1),
  to: fc.nat(everybody.length),
  value: fc.oneof({ weight: 8, arbitrary: fc.bigInt(0n, 80n) }, { weight: 1, arbitrary: fc.bigInt(300n, 500n) }),
  fee: fc.oneof({ weight: 9, arbitrary: fc.bigInt(2n, 6n) }, { weight: 1, arbitrary: fc.bigInt(0n, 1n) }),
  newBlock: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

/** Everybody registered, committed and proven in the first period, all of it sealed: what random steps would take long to reach. */
const opening: readonly Step[] = [
  ...(['register', 'commit', 'prove'] as const).flatMap((kind) =>
    people.map((_, who): Step => ({ kind, who, to: who + 2, value: 60n, fee: 2n, newBlock: false })),
  ),
  { kind: 'seal', who: 0, to: 0, value: 1n, fee: 2n, newBlock: true },
  { kind: 'transfer', who: 0, to: 1, value: 1n, fee: 2n, newBlock: true },
];

class Model {
  readonly balances: Map<string, bigint> = new Map();
  readonly deposits: Map<string, bigint> = new Map();
  get(who: Uint8Array): bigint {
    return this.balances.get(byteKey(who)) ?? 0n;
  }
  move(from: Uint8Array, to: Uint8Array, value: bigint): void {
    this.balances.set(byteKey(from), this.get(from) - value);
    this.balances.set(byteKey(to), this.get(to) + value);
  }
}

function payloadOf(chain: Chain, one: Step, period: number): Payload {
  const recipient =
    one.to === everybody.length ? { key: everybody[0]!.key, address: chain.rules.rewardPool } : everybody[one.to]!;
  switch (one.kind) {
    case 'transfer':
      return transfer(recipient, one.value);
    case 'timestamp':
      return { kind: 'timestamp', digest: named(`digest ${one.value}`) };
    case 'register':
      return { kind: 'register', deposit: units(one.value) };
    case 'commit':
      return {
        kind: 'commit',
        segment: one.to % 2,
        rotation: Math.floor(period / 2),
        keyProof: new Uint8Array(80),
        replicaRoot: named('r'),
      };
    case 'prove':
      return {
        kind: 'prove',
        segment: one.to % 3 === 0 ? 1 : 0,
        period,
        sampleProof: new Uint8Array(80),
        samplesRoot: named('s'),
      };
    case 'seal': {
      const entries = people
        .flatMap(({ address }) => [0, 1].map((segment) => ({ identity: address, segment })))
        .sort(replicaNameOrder);
      const words = entries.map(() => one.value % 4n !== 0n);
      const list = { period, entries };
      const { seat, signing } = firstOf(chain);
      return {
        kind: 'validations',
        ...list,
        voters: [sealFindings(hasher, chain.rules.chainId, list, words, seat, signing)],
      };
    }
    case 'unseal': {
      const { seat, signing } = firstOf(chain);
      const secret = findingsSecret(hasher, { chainId: chain.rules.chainId, seat, period }, signing);
      const { address } = people[one.to % people.length]!;
      const entries = [0, 1].map((segment) => ({ identity: address, segment, reason: 'unstated' as const }));
      return { kind: 'unseal', period, secrets: [{ seat, secret }], entries };
    }
  }
}

/** The validator that decides: three quarters of the weight are its. */
function firstOf({ genesis }: Chain) {
  const seat = genesis.validators.findIndex(({ publicKey }) => byteKey(publicKey) === byteKey(firstValidator.key));
  return { seat, signing: firstValidator.signing };
}
/** What a step pays: findings cost a minimum fee more for each signature, secret and proof. */
function feeOf({ kind, fee }: Step): bigint {
  return kind === 'seal' ? fee + 2n : kind === 'unseal' ? fee + 6n : fee;
}

/** What a transaction moves, said a second time and in the plainest way. Null when it must be refused for money. */
function moveInModel(model: Model, chain: Chain, one: Step, payload: Payload, sender: Person): boolean {
  const pool = chain.rules.rewardPool;
  const spent = payload.kind === 'transfer' ? payload.amount : payload.kind === 'register' ? payload.deposit : 0n;
  const fee = feeOf(one);
  if (one.fee < 2n || model.get(sender.address) < spent + fee) return false;
  if (payload.kind === 'transfer') {
    if (spent === 0n) return false;
    model.move(sender.address, payload.to, spent);
  } else if (payload.kind === 'register') {
    if (spent < 50n || model.deposits.has(byteKey(sender.address))) return false;
    model.deposits.set(byteKey(sender.address), spent);
    model.balances.set(byteKey(sender.address), model.get(sender.address) - spent);
  }
  model.move(sender.address, pool, fee);
  return true;
}

describe('random chains', () => {
  it('conserve the supply to the unit and agree with a naive model, block by block', () => {
    let accepted = 0;
    let rewards = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 120, size: 'max' }), (steps) => {
        const chain = new Chain(
          document(
            {
              transactions: { recencyWindowSlots: 20, minimumFee: '2' },
              replication: {
                slotsPerPeriod: 4,
                periodsPerRotation: 2,
                minimumDeposit: '50',
                rewardPerProof: '7',
                depositPerReplica: '0',
                rewardLockoutPeriods: 0,
              },
            },
            everybody.map((who, n) => [who, n < 5 ? 400n : 200n] as const),
            [
              [firstValidator, 3n],
              [secondValidator, 1n],
            ],
          ),
        );
        const model = new Model();
        for (const { address, balance } of chain.genesis.accounts) model.balances.set(byteKey(address), balance);
        let execution = chain.start(1);
        for (const one of [...opening, ...steps]) {
          if (one.newBlock) {
            const { overlay, context } = execution;
            assertSupplyKept(overlay.ops(), chain.state, overlay);
            chain.finish(execution);
            expect(totalSupply(chain.state.balances.values(), chain.state)).toBe(SUPPLY);
            execution = chain.start(context.slot + 1);
          }
          // Secrets are shown from the last slot of a period on.
          const ago = one.kind === 'unseal' && execution.context.slot % 4 < 3 ? 1 : 0;
          const period = Math.max(0, Math.floor(execution.context.slot / 4) - ago);
          const payload = payloadOf(chain, one, period);
          const sender = everybody[one.who]!;
          const before = people.map((who) => execution.overlay.balance(who.address));
          const refusal = apply(execution, chain.transaction({ from: sender, payload, fee: feeOf(one) }), sender);
          const replication = ['commit', 'prove', 'validations', 'unseal'].includes(payload.kind);
          if (refusal === null) {
            accepted++;
            expect(moveInModel(model, chain, one, payload, sender)).toBe(true);
            // A reward moves 7 from the pool to an identity: seen in the balances, taken over into the model.
            if (payload.kind === 'unseal')
              people.forEach((who, n) => {
                const own = who === sender ? feeOf(one) : 0n;
                const paid = execution.overlay.balance(who.address) + own - before[n]!;
                expect(paid === 0n || paid === 7n || paid === 14n).toBe(true);
                rewards += Number(paid);
                model.move(chain.rules.rewardPool, who.address, paid);
              });
          } else if (!replication) {
            const copy = new Model();
            for (const [key, value] of model.balances) copy.balances.set(key, value);
            for (const [key, value] of model.deposits) copy.deposits.set(key, value);
            expect(moveInModel(copy, chain, one, payload, sender)).toBe(false);
          }
          for (const who of [...everybody.map(({ address }) => address), chain.rules.rewardPool])
            expect(execution.overlay.balance(who)).toBe(model.get(who));
        }
      }),
      { numRuns: 150, seed: 21 },
    );
    // The property would be empty if everything were refused, or nothing ever rewarded.
    expect(accepted).toBeGreaterThan(1000);
    expect(rewards).toBeGreaterThan(0);
  });

  it('the supply oracle sees a unit made from nothing', () => {
    const state = new MapState();
    const overlay = new Overlay(state);
    overlay.credit(people[0]!.address, 1n);
    expect(supplyChange(overlay.ops(), state, overlay)).toBe(1n);
    expect(() => assertSupplyKept(overlay.ops(), state, overlay)).toThrowError(/changes the supply by 1/);
  });
});
