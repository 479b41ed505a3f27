/**
 * Random lives of a market against the plain model: the same refusals, and after every block the same units in the same hands.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { amount } from '../../native/index.ts';
import { replicaNameOrder } from '../../src/codec/index.ts';
import { assertSupplyKept, lockedUnits, missesOf, readFaults, totalSupply } from '../../src/ledger/index.ts';
import { apply, type Draft } from './fixture.ts';
import { MarketModel, type ModelRules, sum } from './market-model.ts';
import { MarketWorld, type Signer, secretOf } from './market-world.ts';

/** More lives, and others: CAIRN_MARKET_RUNS, CAIRN_MARKET_SEED. */
const RUNS = Number(process.env.CAIRN_MARKET_RUNS ?? 15);
const SEED = Number(process.env.CAIRN_MARKET_SEED ?? 6);
const REPLICATORS = 4;
const VALIDATORS = 4;
const SEGMENTS = 2;
const SECRET = secretOf('model');

const who = fc.nat(REPLICATORS - 1);
const segment = fc.nat(SEGMENTS - 1);
const words = fc.array(fc.constantFrom(true, true, true, false, undefined), {
  minLength: VALIDATORS,
  maxLength: VALIDATORS,
});
type Action =
  | { kind: 'register' | 'addDeposit'; who: number; units: number }
  | { kind: 'commit'; who: number; segment: number; off: number }
  | { kind: 'prove'; who: number; segment: number; ago: number; fake: boolean }
  | { kind: 'packet'; ago: number; segments: number; words: (boolean | undefined)[] }
  | { kind: 'unseal'; ago: number; segments: number; validators: number[]; sender: number | undefined }
  | { kind: 'reveal'; who: number; segment: number; ago: number }
  | { kind: 'retire'; who: number; segment: number }
  | { kind: 'report' }
  | { kind: 'unregister' | 'withdraw'; who: number }
  | { kind: 'slots'; count: number }
  | { kind: 'until'; phase: 'proofs' | 'secrets' };
/** What happens; `ago` is how many periods back it is about. */
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('register' as const), who, units: fc.integer({ min: 95, max: 180 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), who, segment, off: fc.constantFrom(0, 0, 0, 0, 1) }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('prove' as const),
      who,
      segment,
      ago: fc.constantFrom(0, 0, 0, 1, 2),
      fake: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('packet' as const),
      ago: fc.constantFrom(0, 0, 1),
      segments: fc.constantFrom(1, 2),
      words,
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('unseal' as const),
      ago: fc.constantFrom(0, 1, 1),
      segments: fc.constantFrom(1, 2),
      validators: fc.subarray(Array.from({ length: VALIDATORS }, (_, n) => n)),
      sender: fc.option(fc.nat(VALIDATORS - 1), { nil: undefined }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('reveal' as const), who, segment, ago: fc.constantFrom(1, 1, 2) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('retire' as const), who, segment }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('report' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('addDeposit' as const), who, units: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('unregister' as const, 'withdraw' as const), who }) },
  {
    weight: 16,
    arbitrary: fc.record({ kind: fc.constant('slots' as const), count: fc.constantFrom(1, 1, 1, 2, 4, 18) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('until' as const),
      phase: fc.constantFrom('proofs' as const, 'secrets' as const),
    }),
  },
);

/** Everybody registered and committed to both segments: what random actions would take long to reach. */
const opening: Action[] = [
  ...[0, 1, 2, 3].map((n): Action => ({ kind: 'register', who: n, units: 130 })),
  ...[0, 1, 2, 3].flatMap((n): Action[] => [
    { kind: 'commit', who: n, segment: 0, off: 0 },
    { kind: 'commit', who: n, segment: 1, off: 0 },
  ]),
  { kind: 'until', phase: 'proofs' },
];
/** A period in which everybody proves and everything is approved, but for what the random actions between do. */
const busy: Action[] = [
  { kind: 'until', phase: 'proofs' },
  ...[1, 2].map((ago): Action => ({ kind: 'reveal', who: 3, segment: 0, ago })),
  ...[0, 1, 2, 3].flatMap((n): Action[] => [
    { kind: 'commit', who: n, segment: 0, off: 0 },
    { kind: 'prove', who: n, segment: 0, ago: 0, fake: n === 3 },
    { kind: 'prove', who: n, segment: 1, ago: 0, fake: false },
  ]),
  { kind: 'packet', ago: 0, segments: 2, words: [true, true, true, undefined] },
  { kind: 'until', phase: 'secrets' },
  { kind: 'unseal', ago: 0, segments: 2, validators: [0, 1, 2], sender: undefined },
];

/** One leaves for good, and comes back. */
const leaving: Action[] = [
  { kind: 'retire', who: 2, segment: 0 },
  { kind: 'retire', who: 2, segment: 1 },
  { kind: 'unregister', who: 2 },
  { kind: 'slots', count: 24 },
  { kind: 'withdraw', who: 2 },
  { kind: 'slots', count: 40 },
  { kind: 'withdraw', who: 2 },
  { kind: 'register', who: 2, units: 130 },
];

const parameters = fc.record({
  replicasPerSegment: fc.integer({ min: 1, max: 3 }),
  rewardLockoutPeriods: fc.nat(3),
  missesMax: fc.nat(2),
  slashPerMissPermille: fc.constantFrom(0, 333, 700),
  fakeSharePermille: fc.constantFrom(0, 340, 500),
  proofDeadlineSlots: fc.integer({ min: 1, max: 3 }),
  sealSlots: fc.constant(1),
  periodsPerRotation: fc.constantFrom(1, 2, 5),
});

/** The same market twice, and how often each thing happened. */
class Pair {
  readonly world: MarketWorld;
  readonly model: MarketModel;
  readonly counts: Map<string, number>;
  execution: ReturnType<MarketWorld['chain']['start']>;

  constructor(changes: Record<string, number>, counts: Map<string, number>) {
    const fixed = {
      slotsPerPeriod: 6,
      slashPerFakePermille: 10,
      minimumDeposit: '100',
      depositPerReplica: '10',
      rewardPerProof: '3',
    };
    this.world = new MarketWorld({
      replication: { ...fixed, ...changes },
      replicators: REPLICATORS,
      balance: 1000n,
      pool: 60n,
      bonds: Array.from({ length: VALIDATORS }, () => 1_001n),
    });
    const ranks = [...this.world.replicators].sort((a, b) => Buffer.compare(a.address, b.address));
    const rules = {
      ...this.world.chain.rules.replication,
      ...{ reward: 3, minimumDeposit: 100, replicaDeposit: 10, validators: VALIDATORS, bond: 1_001 },
      addressRank: this.world.replicators.map((one) => ranks.indexOf(one)),
    } as unknown as ModelRules;
    this.model = new MarketModel(
      rules,
      this.world.replicators.map(() => 1000),
      60,
    );
    this.counts = counts;
    this.execution = this.world.chain.start(this.world.slot + 1);
  }

  get slot(): number {
    return this.execution.context.slot;
  }
  period(ago: number): number {
    return Math.max(0, this.model.period(this.slot) - ago);
  }

  /** Sends a transaction and says whether it was taken; its fee is paid in the model as well. */
  send(draft: Draft, expected: () => boolean, payer?: number): void {
    const transaction = this.world.chain.transaction(draft);
    const code = apply(this.execution, transaction, draft.from);
    const isTaken = expected();
    expect([draft.payload.kind, this.slot, code === null]).toEqual([draft.payload.kind, this.slot, isTaken]);
    if (!isTaken) return;
    this.counts.set(draft.payload.kind, (this.counts.get(draft.payload.kind) ?? 0) + 1);
    this.model.pool += Number(draft.fee ?? 1n);
    if (payer !== undefined) this.model.balances[payer]! -= Number(draft.fee ?? 1n);
  }

  act(one: Action): void {
    if (one.kind === 'packet') this.packet(one);
    else if (one.kind === 'report') this.report();
    else if (one.kind === 'slots') for (let n = 0; n < one.count; n++) this.next();
    else if (one.kind === 'prove') this.prove(one);
    else if (one.kind === 'unseal') this.unseal(one);
    else if (one.kind === 'until') this.until(one.phase);
    else this.deal(one, this.world.replicators[one.who]!);
  }

  /** What concerns one identity and its sender only. */
  private deal(
    one: Exclude<Action, { kind: 'packet' | 'report' | 'slots' | 'prove' | 'unseal' | 'until' }>,
    person: Signer,
  ): void {
    const { world, model, slot } = this;
    const { who: n } = one;
    const send = (draft: Draft, expected: () => boolean): void => this.send(draft, expected, n);
    if (one.kind === 'register') send(world.register(person, BigInt(one.units)), () => model.register(n, one.units));
    else if (one.kind === 'addDeposit')
      send(world.send(person, { kind: 'addDeposit', amount: amount(BigInt(one.units)) }), () =>
        model.addDeposit(n, one.units),
      );
    else if (one.kind === 'commit') {
      const rotation = model.rotation(slot) + one.off;
      send(world.commit(person, one.segment, rotation), () => model.commit(n, one.segment, rotation, slot));
    } else if (one.kind === 'reveal') {
      const period = this.period(one.ago);
      send(world.reveal(person, one.segment, period, SECRET), () => model.reveal(n, one.segment, period, slot));
    } else if (one.kind === 'retire')
      send(world.send(person, { kind: 'retire', segment: one.segment }), () => model.retire(n, one.segment, slot));
    else if (one.kind === 'unregister')
      send(world.send(person, { kind: 'unregister' }), () => model.unregister(n, slot));
    else send(world.send(person, { kind: 'withdrawDeposit' }), () => model.withdraw(n, slot));
  }

  private unseal(one: Extract<Action, { kind: 'unseal' }>): void {
    const { world, model, slot } = this;
    const period = this.period(one.ago);
    const proofs = world.replicators
      .flatMap(({ address }, n) =>
        Array.from({ length: one.segments }, (_, at) => ({ segment: at, identity: address, n })),
      )
      .sort((a, b) => a.segment - b.segment || model.older(a.segment, a.n, b.n));
    const secrets = one.validators.map((n) => world.validators[n]!);
    const from = one.sender === undefined ? world.payer : world.validators[one.sender]!;
    const names = proofs.map(({ n, segment: at }) => [n, at] as const);
    this.send(world.unseal(from, period, secrets, proofs, 'encoding'), () =>
      model.unseal(period, one.validators, names, one.sender, slot),
    );
  }

  /** Goes on to the second slot of the next period, or to the first in which this period's secrets are taken, if that is ahead. */
  private until(phase: 'proofs' | 'secrets'): void {
    const period = this.period(0);
    const wanted = phase === 'proofs' ? this.model.start(period + 1) + 1 : this.model.closing(period) + 1;
    while (this.slot < wanted) this.next();
  }

  private report(): void {
    const { world, model, slot } = this;
    const entries = world.replicators
      .flatMap((each, n) => [0, 1].map((at) => ({ segment: at, identity: each.address, n })))
      .sort(replicaNameOrder);
    const named = entries.map(({ n, segment: at }) => [n, at] as const);
    this.send(world.send(world.payer, { kind: 'reportLapsed', entries }), () => model.report(named, slot));
  }

  private prove(one: Extract<Action, { kind: 'prove' }>): void {
    const { world, model, slot } = this;
    const period = this.period(one.ago);
    const person = world.replicators[one.who]!;
    // A fake needs the period's hash: settled by the first block after the period's first slot, this one at the latest.
    const isFake = one.fake && one.ago < 2 && slot > model.start(period);
    const draft = isFake
      ? world.prove(
          person,
          one.segment,
          period,
          world.fakeRoot(person, one.segment, period, SECRET, this.execution.overlay),
        )
      : world.prove(person, one.segment, period);
    this.send(draft, () => model.prove(one.who, one.segment, period, slot, isFake), one.who);
  }

  private packet(one: Extract<Action, { kind: 'packet' }>): void {
    const { world, model, slot } = this;
    const period = this.period(one.ago);
    const says = world.validators.flatMap((validator, n) => {
      const word = one.words[n];
      return word === undefined ? [] : [{ validator, word: () => word, n, valid: word }];
    });
    if (says.length === 0) return;
    const entries = world.replicators.flatMap((each, n) =>
      Array.from({ length: one.segments }, (_, at) => ({ segment: at, identity: each.address, n })),
    );
    this.send(world.packet(world.payer, period, entries, says), () => {
      const ordered = entries.sort((a, b) => a.segment - b.segment || model.older(a.segment, a.n, b.n));
      const seated = [...says].sort((a, b) => world.seat(a.validator) - world.seat(b.validator));
      if (slot > model.closing(period)) return false;
      for (const { n, segment: at } of ordered)
        for (const say of seated) model.seal(say.n, n, at, period, say.valid, slot);
      return true;
    });
  }

  /** Ends the block and compares everything. */
  next(): void {
    const { world, execution } = this;
    assertSupplyKept(execution.overlay.ops(), world.chain.state, execution.overlay);
    world.chain.finish(execution);
    this.compare();
    this.execution = world.chain.start(world.slot + 1);
  }

  private compare(): void {
    const { world, model } = this;
    expect(totalSupply(world.chain.state.balances.values(), world.chain.state)).toBe(world.supply);
    expect(world.replicators.map((one) => Number(world.balance(one)))).toEqual(model.balances);
    expect(Number(world.pool())).toBe(model.pool);
    const faults = world.validators.map(({ key }) => readFaults(world.chain.state, key)?.faults ?? 0);
    expect(faults).toEqual(model.faults);
    this.counts.set('faults', Math.max(this.counts.get('faults') ?? 0, sum(faults)));
    for (const [n, person] of world.replicators.entries()) this.compareIdentity(n, person);
    for (let at = 0; at < SEGMENTS; at++) {
      const holders = [...(model.places.get(at) ?? [])].sort((a, b) => model.older(at, a, b));
      expect(world.holders(at)).toEqual(holders.map(String));
    }
  }

  private compareIdentity(n: number, person: MarketWorld['replicators'][number]): void {
    const { world, model } = this;
    const [record, identity] = [world.identity(person), model.identities.get(n)];
    expect(record === undefined).toBe(identity === undefined);
    if (record === undefined || identity === undefined) return;
    expect(record).toMatchObject({
      replicas: identity.replicas.size,
      accepted: identity.accepted,
      fakes: identity.fakes,
    });
    expect(Number(record.deposit)).toBe(identity.deposit);
    expect(Number(record.paidUnits)).toBe(identity.paid);
    expect(Number(lockedUnits(record))).toBe(sum(identity.locked.map(({ units }) => units)));
    for (let at = 0; at < SEGMENTS; at++) {
      const [replica, plain] = [world.replica(person, at), identity.replicas.get(at)];
      expect(replica === undefined).toBe(plain === undefined);
      if (replica === undefined || plain === undefined) continue;
      const { accepted, rejected, expired, paid } = plain;
      expect(replica).toMatchObject({ accepted, rejected, expired, paid });
      expect(replica.proof?.state).toBe(plain.proof?.state);
      expect(missesOf(world.chain.rules.replication, replica, world.slot)).toBe(model.misses(plain, world.slot));
    }
  }
}

it('pays, locks, slashes and refuses as the plain model does, and mints nothing', () => {
  const counts = new Map<string, number>();
  fc.assert(
    fc.property(
      parameters,
      fc.array(
        fc.oneof(
          { weight: 6, arbitrary: fc.tuple(action) },
          { weight: 1, arbitrary: fc.constantFrom(busy, busy, busy, leaving) },
        ),
        {
          minLength: 20,
          maxLength: 90,
          size: 'max',
        },
      ),
      (changes, steps) => {
        const pair = new Pair(changes, counts);
        for (const one of [...opening, ...busy, ...steps.flat()]) pair.act(one);
        pair.next();
      },
    ),
    { numRuns: RUNS, seed: SEED },
  );
  // The property would be empty if one of the kinds were never accepted.
  for (const kind of [
    'register',
    'commit',
    'prove',
    'validations',
    'unseal',
    'revealFake',
    'retire',
    'reportLapsed',
    'addDeposit',
    'unregister',
    'withdrawDeposit',
    'faults',
  ])
    expect([kind, (counts.get(kind) ?? 0) > 0]).toEqual([kind, true]);
});
