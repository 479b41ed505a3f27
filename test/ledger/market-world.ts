/** A chain with a market on it: validators and replicators with real keys, and the transactions they send. */
import { amount, byteKey, type Hash, hash, sameBytes, ZERO_HASH } from '../../native/index.ts';
import {
  findingsSecret,
  type Payload,
  type ReplicaName,
  replicaNameOrder,
  type SealedFindings,
  type SeatSecret,
  type SigningKey,
  sealFindings,
  signingKey,
  type VerdictReason,
} from '../../src/codec/index.ts';
import {
  type FakeSubject,
  fakeOpeningHead,
  fakeSamplesRoot,
  type IdentityRecord,
  openingDigestOf,
  type ReplicaRecord,
  readDesignated,
  readIdentity,
  readReplica,
  readSegmentPlaces,
  sealLastSlot,
  type Word,
  WordReader,
} from '../../src/ledger/index.ts';
import type { StateReader } from '../../storage/state-reader.ts';
import { Chain, type Draft, document, hasher, kernels, named, type Person } from './fixture.ts';

/** Somebody who can sign. */
export interface Signer extends Person {
  readonly signing: SigningKey;
  /** 32 secret bytes. */
  readonly seed: Uint8Array;
}
export function signer(name: string): Signer {
  const seed = named(`seed ${name}`);
  const signing = signingKey(seed);
  return { seed, key: signing.publicKey, address: signing.address, signing };
}

/** 8 slots a period, 4 periods a rotation; of period p proofs up to slot 8 p + 3, sealed findings up to 8 p + 5, then their secrets. */
export const SCHEDULE = { slotsPerPeriod: 8, periodsPerRotation: 4, proofDeadlineSlots: 3, sealSlots: 2 } as const;
/** What somebody says of a proof; undefined: nothing. */
export type Says = (entry: ReplicaName) => boolean | undefined;
export const REWARD = 10n;
export const MINIMUM_DEPOSIT = 1000n;
export const REPLICA_DEPOSIT = 100n;
export const MARKET: Record<string, number | string> = {
  ...SCHEDULE,
  minimumDeposit: String(MINIMUM_DEPOSIT),
  rewardPerProof: String(REWARD),
  depositPerReplica: String(REPLICA_DEPOSIT),
  replicasPerSegment: 2,
  rewardLockoutPeriods: 2,
  missesMax: 2,
  slashPerMissPermille: 250,
  slashPerFakePermille: 100,
  fakeSharePermille: 500,
};

export interface WorldOptions {
  readonly replication?: Record<string, number | string>;
  readonly replicators?: number;
  readonly bonds?: readonly bigint[];
  readonly balance?: bigint;
  readonly pool?: bigint;
  readonly history?: { readonly segmentSizeBytes: number; readonly leafSizeBytes: number };
}

export class MarketWorld {
  readonly chain: Chain;
  readonly validators: readonly Signer[];
  readonly replicators: readonly Signer[];
  readonly payer: Signer = signer('payer');
  readonly supply: bigint;

  constructor({
    replication = {},
    replicators = 4,
    bonds = [1_000n, 1_000n, 1_000n, 1_000n],
    balance = 100_000n,
    pool = 100_000n,
    history = { segmentSizeBytes: 1_048_576, leafSizeBytes: 1024 },
  }: WorldOptions = {}) {
    this.validators = bonds.map((_, n) => signer(`validator ${n}`));
    this.replicators = Array.from({ length: replicators }, (_, n) => signer(`replicator ${n}`));
    const people = [this.payer, ...this.validators, ...this.replicators];
    const source = document(
      { replication: { ...MARKET, ...replication }, transactions: { recencyWindowSlots: 100 }, history },
      people.map((who) => [who, balance + (who === this.payer ? pool : 0n)] as const),
      bonds.map((bond, n) => [this.validators[n]!, bond] as const),
    );
    this.chain = new Chain(source);
    this.supply = balance * BigInt(people.length) + pool + bonds.reduce((sum, bond) => sum + bond, 0n);
    this.chain.block(1, [
      { from: this.payer, payload: { kind: 'timestamp', digest: named('fill the pool') }, fee: pool },
    ]);
  }

  get slot(): number {
    return this.chain.recent.end.slot;
  }
  get period(): number {
    return Math.floor(this.slot / this.chain.rules.replication.slotsPerPeriod);
  }

  /** A block of the next slot, or of `at`, in which everything must be accepted. */
  done(drafts: readonly Draft[], at: number = this.slot + 1): void {
    const codes = this.chain.block(at, drafts);
    const wrong = codes.findIndex((code) => code !== null);
    if (wrong >= 0) throw new Error(`draft ${wrong} (${drafts[wrong]!.payload.kind}) was refused: ${codes[wrong]}`);
  }

  /** Empty blocks up to the slot. */
  reach(at: number): void {
    while (this.slot < at) this.chain.block(this.slot + 1);
  }

  seat(validator: Signer): number {
    return this.chain.genesis.validators.findIndex(({ publicKey }) => sameBytes(publicKey, validator.key));
  }
  replica(who: Person, segment = 0): ReplicaRecord | undefined {
    return readReplica(this.chain.state, segment, who.address);
  }
  identity(who: Person): IdentityRecord | undefined {
    return readIdentity(this.chain.state, who.address);
  }
  balance(who: Person): bigint {
    return this.chain.state.balance(who.address);
  }
  pool(): bigint {
    return this.chain.state.balance(this.chain.rules.rewardPool);
  }
  holders(segment = 0): string[] {
    const names = new Map(this.replicators.map((who, n) => [byteKey(who.address), `${n}`]));
    return readSegmentPlaces(this.chain.state, segment).places.map(({ identity }) => names.get(byteKey(identity))!);
  }

  register(who: Person, deposit: bigint = MINIMUM_DEPOSIT + 4n * REPLICA_DEPOSIT): Draft {
    return { from: who, payload: { kind: 'register', deposit: amount(deposit) } };
  }
  commit(who: Person, segment: number, rotation: number): Draft {
    return {
      from: who,
      payload: {
        kind: 'commit',
        segment,
        rotation,
        keyProof: new Uint8Array(80).fill(rotation + 1),
        replicaRoot: named(`replica ${byteKey(who.address)} ${segment} ${rotation}`),
      },
    };
  }
  prove(who: Person, segment: number, period: number, samplesRoot: Hash = named(`${segment} ${period}`)): Draft {
    const sampleProof = new Uint8Array(80).fill(period + 1);
    return { from: who, payload: { kind: 'prove', segment, period, sampleProof, samplesRoot } };
  }
  proveOpen(who: Person, segment: number, period: number, openingDigest: Hash, samplesRoot: Hash = ZERO_HASH): Draft {
    const sampleProof = new Uint8Array(80).fill(period + 1);
    return { from: who, payload: { kind: 'proveOpen', segment, period, sampleProof, samplesRoot, openingDigest } };
  }
  send(from: Person, payload: Payload, fee?: bigint): Draft {
    return fee === undefined ? { from, payload } : { from, payload, fee };
  }
  /** A packet: what each validator says of each entry, sealed. */
  packet(
    from: Person,
    period: number,
    entries: readonly ReplicaName[],
    says: readonly { readonly validator: Signer; readonly word: Says }[],
  ): Draft {
    const ordered = [...entries].sort(replicaNameOrder);
    const voters = says
      .map(({ validator, word }) => this.findings(validator, period, ordered, word))
      .sort((a, b) => a.seat - b.seat);
    return {
      from,
      payload: { kind: 'validations', period, entries: ordered, voters },
      fee: BigInt(1 + voters.length),
    };
  }
  findings(validator: Signer, period: number, entries: readonly ReplicaName[], word: Says): SealedFindings {
    const { chainId } = this.chain.rules;
    return sealFindings(
      hasher,
      chainId,
      { period, entries },
      entries.map(word),
      this.seat(validator),
      validator.signing,
    );
  }
  secret(validator: Signer, period: number): SeatSecret {
    const seat = this.seat(validator);
    return {
      seat,
      secret: findingsSecret(hasher, { chainId: this.chain.rules.chainId, seat, period }, validator.signing),
    };
  }
  /** Opens what validators sealed in a period, and has entries settled. */
  unseal(
    from: Person,
    period: number,
    validators: readonly Signer[],
    entries: readonly ReplicaName[] = [],
    reason: VerdictReason = 'unstated',
  ): Draft {
    const secrets = validators.map((each) => this.secret(each, period)).sort((a, b) => a.seat - b.seat);
    const settled = [...entries].sort(replicaNameOrder).map((entry) => ({ ...entry, reason }));
    const fee = BigInt(1 + secrets.length + settled.length);
    return { from, payload: { kind: 'unseal', period, secrets, entries: settled }, fee };
  }
  /** Waits for the first slot in which a period's findings may be opened: the next block is of it. */
  untilOpen(period: number): void {
    this.reach(sealLastSlot(this.chain.rules.replication, period));
  }
  /** Opens everything and has the entries settled: what is valid by the payer, what is invalid by each validator. */
  settle(period: number, entries: readonly ReplicaName[], reason: VerdictReason = 'unstated'): void {
    this.untilOpen(period);
    this.done([
      this.unseal(this.payer, period, this.validators, entries),
      ...this.validators.map((each) => this.unseal(each, period, [], entries, reason)),
    ]);
  }
  /** What a validator is known to have said of the last proof of a replica. */
  word(validator: Signer, who: Person, segment = 0): Word {
    const { proof, nextPeriod } = this.replica(who, segment)!;
    const words = new WordReader(hasher, this.chain.state, nextPeriod - 1);
    return words.word(this.seat(validator), { segment, identity: who.address }, proof!);
  }
  /** A packet in which all validators (or those given) call all entries valid, sealed. */
  approve(period: number, entries: readonly ReplicaName[], validators: readonly Signer[] = this.validators): Draft {
    return this.packet(
      this.payer,
      period,
      entries,
      validators.map((validator) => ({ validator, word: () => true })),
    );
  }

  /** What a fake of a period is made of; the period's hash must be settled. */
  subject(who: Person, segment: number, period: number, state: StateReader = this.chain.state): FakeSubject {
    const periodHash = readDesignated(state, period)!.pohHash;
    return { identity: who.address, segment, period, periodHash };
  }
  fakeRoot(who: Person, segment: number, period: number, secret: Uint8Array, state?: StateReader): Hash {
    return fakeSamplesRoot(hasher, this.subject(who, segment, period, state), secret);
  }
  fakeDigest(who: Person, segment: number, period: number, secret: Uint8Array, restHash: Hash): Hash {
    return openingDigestOf(hasher, fakeOpeningHead(hasher, this.subject(who, segment, period), secret), restHash);
  }
  reveal(who: Person, segment: number, period: number, secret: Uint8Array, restHash: Hash = ZERO_HASH): Draft {
    return { from: who, payload: { kind: 'revealFake', segment, period, secret, restHash } };
  }
}

export const secretOf = (name: string): Uint8Array => hash(hasher.sha256(new TextEncoder().encode(`secret ${name}`)));
export { kernels };
