/** A chain with a market on it: validators and replicators with real keys, and the transactions they send. */
import { amount, byteKey, type Hash, hash, sameBytes, ZERO_HASH } from '../../native/index.ts';
import {
  findingBitsSizeBytes,
  type Payload,
  type ReplicaName,
  replicaNameOrder,
  type SignedFindings,
  type SigningKey,
  setFinding,
  signFindings,
  signingKey,
  type Verdict,
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

/** 4 slots a period, 4 periods a rotation, proofs in time for 4 slots. */
export const SCHEDULE = { slotsPerPeriod: 4, periodsPerRotation: 4, proofDeadlineSlots: 4 } as const;
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
  verdicts(validator: Person, ...verdicts: Verdict[]): Draft {
    return { from: validator, payload: { kind: 'verdicts', verdicts } };
  }
  about(who: Person, segment: number, period: number, valid: boolean): Verdict {
    return { identity: who.address, segment, period, valid };
  }

  /** A packet: what each validator says of each entry. */
  packet(
    from: Person,
    period: number,
    entries: readonly ReplicaName[],
    says: readonly { readonly validator: Signer; readonly word: (entry: ReplicaName) => boolean | undefined }[],
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
  findings(
    validator: Signer,
    period: number,
    entries: readonly ReplicaName[],
    word: (entry: ReplicaName) => boolean | undefined,
  ): SignedFindings {
    const [valid, invalid] = [0, 1].map(() => new Uint8Array(findingBitsSizeBytes(entries.length)));
    for (const [index, entry] of entries.entries()) {
      const says = word(entry);
      if (says !== undefined) setFinding(says ? valid! : invalid!, index);
    }
    const findings = { valid: valid!, invalid: invalid! };
    return signFindings(
      this.chain.rules.chainId,
      { period, entries },
      findings,
      this.seat(validator),
      validator.signing,
    );
  }
  /** A packet in which all validators (or those given) call all entries valid. */
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
