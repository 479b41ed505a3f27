/**
 * Fixed keys and sample packets for the tests of packets and PoH. Everything follows from small seeds: no randomness, no clock.
 */
import {
  type Address,
  address,
  amount,
  type Hash,
  hash,
  height,
  type Kernels,
  loadKernels,
  pohCount,
  slot,
} from '../../native/index.ts';
import {
  type BlockHeader,
  type BlockHeaderDraft,
  findingsSecret,
  type Offence,
  type Payload,
  type ReplicaName,
  type SigningKey,
  sealFindings,
  signHeader,
  signingKey,
  signTransaction,
  signVote,
  type Transaction,
  type Vote,
  type VoteDraft,
} from '../../src/codec/index.ts';

export const kernels: Kernels = loadKernels();

/** `sizeBytes` bytes that depend on `seed` only. */
export function pattern(sizeBytes: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, index) => (seed * 31 + index * 7 + 1) & 0xff);
}

export const keyOf = (seed: number): SigningKey => signingKey(pattern(32, seed));
export const hashOf = (seed: number): Hash => hash(pattern(32, seed));
export const addressFrom = (seed: number): Address => address(pattern(20, seed));

/** Nine entries: bit sets of two bytes. Both samples are made by node:crypto alone as well: test/vectors/findings.json. */
const FINDINGS_PERIOD = 45;
const FINDINGS_CHAIN: Hash = hashOf(90);
function findingsEntries(): ReplicaName[] {
  return Array.from({ length: 9 }, (_, index) => ({ segment: 46 + index, identity: addressFrom(60 - index) }));
}
function validationsSample(): Payload {
  const list = { period: FINDINGS_PERIOD, entries: findingsEntries() };
  const words = [
    [3, [true, false, true, undefined, true, true, false, true, true]],
    [1023, [...Array<undefined>(8).fill(undefined), false]],
  ] as const;
  const voters = words.map(([seat, said]) => sealFindings(kernels, FINDINGS_CHAIN, list, said, seat, keyOf(1)));
  return { kind: 'validations', ...list, voters };
}
function unsealSample(): Payload {
  const period = FINDINGS_PERIOD;
  const secrets = [3, 1023].map((seat) => ({
    seat,
    secret: findingsSecret(kernels, { chainId: FINDINGS_CHAIN, seat, period }, keyOf(1)),
  }));
  const [first, second] = findingsEntries();
  const entries = [
    { ...first!, reason: 'unstated' as const },
    { ...second!, reason: 'samples-root' as const },
  ];
  return { kind: 'unseal', period, secrets, entries };
}

const plainPayloads: readonly Payload[] = [
  { kind: 'transfer', to: addressFrom(3), amount: amount(123_456_789_012n) },
  { kind: 'timestamp', digest: hashOf(4) },
  { kind: 'register', deposit: amount(5_000n) },
  { kind: 'commit', segment: 6, rotation: 7, keyProof: pattern(80, 8), replicaRoot: hashOf(9) },
  { kind: 'prove', segment: 10, period: 11, sampleProof: pattern(80, 12), samplesRoot: hashOf(13) },
  { kind: 'revive', index: 2 ** 33 + 5, balance: amount(9_000n), height: height(77), path: pattern(96, 19) },
  {
    kind: 'proveOpen',
    segment: 40,
    period: 41,
    sampleProof: pattern(80, 42),
    samplesRoot: hashOf(43),
    openingDigest: hashOf(44),
  },
  validationsSample(),
  unsealSample(),
  { kind: 'revealFake', segment: 49, period: 50, secret: pattern(32, 51), restHash: hashOf(52) },
  { kind: 'addDeposit', amount: amount(7_777n) },
  { kind: 'retire', segment: 53 },
  {
    kind: 'reportLapsed',
    entries: [
      { segment: 54, identity: addressFrom(55) },
      { segment: 54, identity: addressFrom(56) },
      { segment: 57, identity: addressFrom(1) },
    ],
  },
  { kind: 'unregister' },
  { kind: 'withdrawDeposit' },
];

export function transactionOf(payload: Payload, counter: bigint = 1n, keySeed: number = 1): Transaction {
  const draft = {
    lastValidHash: pattern(20, 2),
    lastValidCount: pohCount(50_000),
    payload,
    counter,
    fee: amount(1_000n),
  };
  return signTransaction(kernels, draft, keyOf(keySeed));
}

export const voteDraft: VoteDraft = {
  sourceSlot: slot(8),
  sourceHash: hashOf(20),
  targetSlot: slot(9),
  targetHash: hashOf(21),
  pohCount: pohCount(450_000),
  stateRoot: hashOf(22),
  leavesSlot: slot(0),
  leavesHash: hash(new Uint8Array(32)),
};

/** The chain of everything here. */
export const chainId: BlockHeaderDraft['chainId'] = hashOf(30);

export const voteOf = (keySeed: number, draft: VoteDraft = voteDraft): Vote => signVote(chainId, draft, keyOf(keySeed));

export const headerDraft: BlockHeaderDraft = {
  chainId,
  height: height(9),
  slot: slot(10),
  parentHash: hashOf(31),
  pohCount: pohCount(500_000),
  pohHash: hashOf(32),
  entriesRoot: hashOf(33),
  transactionCount: 0,
  stateRoot: hashOf(34),
  historyLength: 2 ** 40 + 5,
  segmentCount: 12,
  segmentsRoot: hashOf(35),
};

export const headerOf = (draft: Partial<BlockHeaderDraft> = {}, keySeed: number = 1): BlockHeader =>
  signHeader(kernels, { ...headerDraft, ...draft }, keyOf(keySeed));

const offences: readonly Offence[] = [
  { kind: 'doubleVote', first: voteOf(1), second: voteOf(1, { ...voteDraft, targetHash: hashOf(40) }) },
  {
    kind: 'surroundVote',
    first: voteOf(2, { ...voteDraft, sourceSlot: slot(3), targetSlot: slot(12) }),
    second: voteOf(2),
  },
  { kind: 'doubleProposal', first: headerOf(), second: headerOf({ stateRoot: hashOf(41) }) },
  { kind: 'decoyVote', secret: pattern(32, 42), vote: voteOf(3) },
];

/** One payload of each kind, and of each offence. */
export const payloads: readonly Payload[] = [
  ...plainPayloads,
  { kind: 'bond', amount: amount(77_000n) },
  { kind: 'unbond' },
  { kind: 'withdraw' },
  ...offences.map((offence): Payload => ({ kind: 'evidence', offence })),
  { kind: 'nominate', secondary: keyOf(5).publicKey, deadlineSlot: slot(2 ** 33 + 1) },
  { kind: 'approve', secondary: keyOf(6).publicKey },
  { kind: 'handOver' },
  { kind: 'revealDecoy', header: headerOf({ slot: slot(8) }), secret: pattern(32, 43) },
];

/** A payload's name: its kind, and its offence's. */
export function nameOf(payload: Payload): string {
  return payload.kind === 'evidence' ? `evidence ${payload.offence.kind}` : payload.kind;
}

/** The error a call throws; fails the test when it throws none. */
export function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new TypeError('nothing was thrown');
}
