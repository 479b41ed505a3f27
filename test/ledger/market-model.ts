/**
 * The market said a second time, in the plainest way: sets and lists instead of records, periods walked one by one instead of counted by a formula.
 * Mode `stream`, validators with one vote each.
 */
import { type ModelIdentity, type ModelReplica, type ModelRules, sum } from './market-model-parts.ts';

export class MarketModel {
  readonly #rules: ModelRules;
  readonly balances: number[];
  pool: number;
  readonly identities: Map<number, ModelIdentity> = new Map();
  /** Holders of each segment's places. */
  readonly places: Map<number, number[]> = new Map();
  readonly rewards: Map<string, number> = new Map();
  readonly faults: number[];
  /** Periods and validators that have sealed something, and those whose secret is known: "period/validator". */
  readonly sealed: Set<string> = new Set();
  readonly opened: Set<string> = new Set();

  constructor(rules: ModelRules, balances: readonly number[], pool: number) {
    this.#rules = rules;
    this.balances = [...balances];
    this.pool = pool;
    this.faults = Array.from({ length: rules.validators }, () => 0);
  }

  /** One more fake approved: a share of the bond goes to the pool, until nothing is left of it. */
  private fault(validator: number): void {
    const { bond, slashPerFakePermille } = this.#rules;
    const taken = (faults: number): number => Math.floor((bond * Math.min(1000, faults * slashPerFakePermille)) / 1000);
    const before = this.faults[validator]!;
    this.faults[validator] = before + 1;
    this.pool += taken(before + 1) - taken(before);
  }

  get total(): number {
    const held = [...this.identities.values()].map(
      ({ deposit, locked }) => deposit + sum(locked.map(({ units }) => units)),
    );
    return sum(this.balances) + this.pool + sum(held);
  }
  period(slot: number): number {
    return Math.floor(slot / this.#rules.slotsPerPeriod);
  }
  rotation(slot: number): number {
    return Math.floor(this.period(slot) / this.#rules.periodsPerRotation);
  }
  start(period: number): number {
    return period * this.#rules.slotsPerPeriod;
  }
  deadline(period: number): number {
    return this.start(period) + this.#rules.proofDeadlineSlots;
  }

  /** Walks the periods from the first due on. */
  misses(replica: ModelReplica, slot: number): number {
    let from = replica.firstDue;
    for (const period of replica.proven) from = Math.max(from, period + 1);
    let count = 0;
    for (let period = from; this.deadline(period + 1) < slot; period++)
      if (this.#rules.periodsPerRotation === 1 || period % this.#rules.periodsPerRotation !== 0) count++;
    return count;
  }
  lapsed(replica: ModelReplica, slot: number): boolean {
    return this.misses(replica, slot) > this.#rules.missesMax;
  }

  register(who: number, deposit: number): boolean {
    if (deposit < this.#rules.minimumDeposit || this.identities.has(who)) return false;
    this.balances[who]! -= deposit;
    const empty = { accepted: 0, fakes: 0, paid: 0, left: null, lowest: 0 };
    this.identities.set(who, { deposit, replicas: new Map(), locked: [], ...empty });
    return true;
  }

  commit(who: number, segment: number, rotation: number, slot: number): boolean {
    const identity = this.identities.get(who);
    if (identity === undefined || identity.left !== null || rotation !== this.rotation(slot)) return false;
    let replica = identity.replicas.get(segment);
    if (replica?.rotation === rotation) return false;
    if (replica !== undefined && !this.lapsed(replica, slot)) {
      if (replica.proof?.state === 'pending') {
        replica.expired++;
        replica.proof = null;
      }
      replica.rotation = rotation;
      return true;
    }
    const lost = replica === undefined ? 0 : this.slash(this.misses(replica, slot));
    const count = identity.replicas.size + (replica === undefined ? 1 : 0);
    if (identity.deposit - lost < this.#rules.minimumDeposit + count * this.#rules.replicaDeposit) return false;
    if (replica !== undefined) this.end(who, segment, slot);
    this.release(who, slot);
    replica = {
      rotation,
      since: slot,
      firstDue: this.period(slot) + 1,
      proven: new Set(),
      lowest: identity.lowest,
      proof: null,
      accepted: 0,
      rejected: 0,
      expired: 0,
      paid: 0,
    };
    identity.replicas.set(segment, replica);
    return true;
  }

  prove(who: number, segment: number, period: number, slot: number, fake: boolean): boolean {
    const replica = this.identities.get(who)?.replicas.get(segment);
    if (replica === undefined || this.lapsed(replica, slot)) return false;
    const now = this.period(slot);
    if (period !== now && period !== now - 1) return false;
    if (Math.floor(period / this.#rules.periodsPerRotation) !== replica.rotation || period < replica.lowest)
      return false;
    if (replica.proof?.state === 'pending') replica.expired++;
    const late = slot > this.deadline(period);
    if (late) replica.rejected++;
    replica.lowest = period + 1;
    replica.proof = { period, slot, fake, state: late ? 'rejected' : 'pending', words: new Map() };
    return true;
  }

  /** The last slot in which words on a period's proofs are sealed. */
  closing(period: number): number {
    return this.deadline(period) + this.#rules.sealSlots;
  }

  /** One validator seals its word on one proof. */
  seal(validator: number, who: number, segment: number, period: number, valid: boolean, slot: number): void {
    const proof = this.identities.get(who)?.replicas.get(segment)?.proof;
    if (proof?.period !== period || proof.state !== 'pending' || slot > this.closing(period)) return;
    if (proof.words.has(validator)) return;
    proof.words.set(validator, valid);
    this.sealed.add(`${period}/${validator}`);
  }

  /** Validators show their secrets of a period; then proofs are settled, in this order. @param sender a validator, or undefined for somebody else */
  unseal(
    period: number,
    validators: readonly number[],
    proofs: readonly (readonly [who: number, segment: number])[],
    sender: number | undefined,
    slot: number,
  ): boolean {
    if (slot <= this.closing(period) || slot > this.deadline(period + 1)) return false;
    for (const validator of validators)
      if (this.sealed.has(`${period}/${validator}`)) this.opened.add(`${period}/${validator}`);
    for (const [who, segment] of proofs) this.settle(who, segment, period, sender, slot);
    return true;
  }

  private settle(who: number, segment: number, period: number, sender: number | undefined, slot: number): void {
    const identity = this.identities.get(who);
    const replica = identity?.replicas.get(segment);
    const proof = replica?.proof;
    if (identity === undefined || replica === undefined || proof?.period !== period || proof.state !== 'pending')
      return;
    const known = new Map([...proof.words].filter(([validator]) => this.opened.has(`${period}/${validator}`)));
    const count = (wanted: boolean): number => [...known.values()].filter((valid) => valid === wanted).length;
    if (3 * count(true) > 2 * this.#rules.validators) {
      proof.state = 'accepted';
      replica.accepted++;
      identity.accepted++;
      this.earn(who, segment, period, slot);
    } else if (3 * count(false) >= this.#rules.validators && sender !== undefined && known.get(sender) === false) {
      proof.state = 'rejected';
      replica.rejected++;
    }
  }

  reveal(who: number, segment: number, period: number, slot: number): boolean {
    const identity = this.identities.get(who);
    const replica = identity?.replicas.get(segment);
    const proof = replica?.proof;
    if (identity === undefined || replica === undefined || proof?.period !== period || proof.state === 'revealed')
      return false;
    if (!proof.fake || proof.slot > this.deadline(period)) return false;
    if (slot < this.start(period + 1) || slot > this.deadline(period + 1)) return false;
    if ((identity.fakes + 1) / (identity.accepted + identity.fakes + 1) > this.#rules.fakeSharePermille / 1000)
      return false;
    // Who has not opened what it sealed is taken for one that approved.
    for (const [validator, valid] of proof.words)
      if (valid || !this.opened.has(`${period}/${validator}`)) this.fault(validator);
    identity.fakes++;
    const wasPaid = proof.state === 'accepted';
    proof.state = 'revealed';
    if (!wasPaid) this.earn(who, segment, period, slot);
    return true;
  }

  private earn(who: number, segment: number, period: number, slot: number): void {
    const identity = this.identities.get(who)!;
    const replica = identity.replicas.get(segment)!;
    this.release(who, slot);
    const place = this.claim(who, segment, slot);
    replica.proven.add(period);
    const name = `${segment}/${period}`;
    const given = this.rewards.get(name) ?? 0;
    if (!place || given >= this.#rules.replicasPerSegment || this.pool < this.#rules.reward) return;
    this.pool -= this.#rules.reward;
    this.rewards.set(name, given + 1);
    replica.paid++;
    identity.paid += this.#rules.reward;
    const lockout = this.#rules.rewardLockoutPeriods;
    if (lockout === 0) this.balances[who]! += this.#rules.reward;
    else identity.locked.push({ window: Math.floor(this.period(slot) / lockout), units: this.#rules.reward });
  }

  /** Whether the identity holds a place afterwards. */
  private claim(who: number, segment: number, slot: number): boolean {
    const holders = this.places.get(segment) ?? [];
    this.places.set(segment, holders);
    if (holders.includes(who)) return true;
    if (holders.length < this.#rules.replicasPerSegment) {
      holders.push(who);
      return true;
    }
    const replicaOf = (holder: number): ModelReplica => this.identities.get(holder)!.replicas.get(segment)!;
    const last = (holder: number): number => Math.max(...replicaOf(holder).proven);
    const gone = holders.filter((holder) => this.lapsed(replicaOf(holder), slot));
    gone.sort((a, b) => last(a) - last(b) || this.age(b, segment, a));
    const youngest = [...holders].sort((a, b) => this.age(a, segment, b)).at(-1)!;
    const leaving = gone[0] ?? (this.age(who, segment, youngest) < 0 ? youngest : undefined);
    if (leaving === undefined) return false;
    holders.splice(holders.indexOf(leaving), 1, who);
    return true;
  }

  /** Negative when `a` is older than `b`. */
  private age(a: number, segment: number, b: number): number {
    const since = (who: number): number => this.identities.get(who)!.replicas.get(segment)!.since;
    return since(a) - since(b) || this.#rules.addressRank[a]! - this.#rules.addressRank[b]!;
  }
  older(segment: number, a: number, b: number): number {
    const since = (who: number): number => this.identities.get(who)?.replicas.get(segment)?.since ?? 0;
    return since(a) - since(b) || this.#rules.addressRank[a]! - this.#rules.addressRank[b]!;
  }

  private release(who: number, slot: number): void {
    const lockout = this.#rules.rewardLockoutPeriods;
    if (lockout === 0) return;
    const identity = this.identities.get(who)!;
    const window = Math.floor(this.period(slot) / lockout);
    const due = identity.locked.filter((one) => one.window + 2 <= window);
    this.balances[who]! += sum(due.map(({ units }) => units));
    identity.locked = identity.locked.filter((one) => !due.includes(one));
  }

  slash(misses: number): number {
    const permille = Math.min(1000, misses * this.#rules.slashPerMissPermille);
    return Math.floor((this.#rules.replicaDeposit * permille) / 1000);
  }

  private end(who: number, segment: number, slot: number): void {
    const identity = this.identities.get(who)!;
    const replica = identity.replicas.get(segment)!;
    this.release(who, slot);
    const lost = this.slash(this.misses(replica, slot));
    identity.deposit -= lost;
    this.pool += lost;
    if (this.lapsed(replica, slot)) {
      this.pool += sum(identity.locked.map(({ units }) => units));
      identity.locked = [];
    }
    identity.replicas.delete(segment);
    identity.lowest = this.period(slot) + 1;
    this.places.set(
      segment,
      (this.places.get(segment) ?? []).filter((holder) => holder !== who),
    );
  }

  retire(who: number, segment: number, slot: number): boolean {
    if (this.identities.get(who)?.replicas.get(segment) === undefined) return false;
    this.end(who, segment, slot);
    return true;
  }
  report(named: readonly (readonly [who: number, segment: number])[], slot: number): boolean {
    const gone = named.filter(([who, segment]) => {
      const replica = this.identities.get(who)?.replicas.get(segment);
      return replica !== undefined && this.lapsed(replica, slot);
    });
    for (const [who, segment] of gone) this.end(who, segment, slot);
    return gone.length > 0;
  }
  addDeposit(who: number, units: number): boolean {
    const identity = this.identities.get(who);
    if (identity === undefined || identity.left !== null || units === 0) return false;
    this.balances[who]! -= units;
    identity.deposit += units;
    return true;
  }
  unregister(who: number, slot: number): boolean {
    const identity = this.identities.get(who);
    if (identity === undefined || identity.left !== null || identity.replicas.size > 0) return false;
    identity.left = this.period(slot);
    return true;
  }
  withdraw(who: number, slot: number): boolean {
    const identity = this.identities.get(who);
    if (identity === undefined || identity.left === null) return false;
    if (this.period(slot) < identity.left + 2 + 2 * this.#rules.rewardLockoutPeriods) return false;
    this.balances[who]! += identity.deposit + sum(identity.locked.map(({ units }) => units));
    this.identities.delete(who);
    return true;
  }
}
