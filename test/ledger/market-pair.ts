/** The market of the ledger and the plain model of it side by side: each action done to both, and both compared after every block. */
import { expect } from 'vitest';
import { amount } from '../../native/index.ts';
import { replicaNameOrder } from '../../src/codec/index.ts';
import { assertSupplyKept, lockedUnits, missesOf, readFaults, totalSupply } from '../../src/ledger/index.ts';
import { apply, type Draft } from './fixture.ts';
import { type Action, REPLICATORS, SEGMENTS, VALIDATORS } from './market-actions.ts';
import { MarketModel } from './market-model.ts';
import { type ModelRules, sum } from './market-model-parts.ts';
import { MarketWorld, type Signer, secretOf } from './market-world.ts';

const SECRET = secretOf('model');

/** The same market twice, and how often each thing happened. */
export class MarketPair {
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
