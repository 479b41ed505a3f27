/** fast-check generators of whole packets, and a naive block to put them in. */
import fc from 'fast-check';
import { address, amount, hash, height, pohCount, publicKey, signature, slot } from '../../native/index.ts';
import type {
  BlockHeader,
  Entry,
  Offence,
  Payload,
  PohPacket,
  SealedFindings,
  TransactionFields,
  Vote,
} from '../../src/codec/index.ts';
import {
  decodeHeader,
  decodeTransaction,
  decodeVote,
  EVICTION_PATH_LENGTH_MAX,
  encodeHeader,
  encodeTransaction,
  encodeVote,
  findingBitsSizeBytes,
  replicaNameOrder,
  setFinding,
  VERDICT_REASONS,
} from '../../src/codec/index.ts';
import { kernels } from './fixtures.ts';

const bytes = (sizeBytes: number) => fc.uint8Array({ minLength: sizeBytes, maxLength: sizeBytes });
const hash32 = bytes(32).map(hash);
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const u53 = fc.maxSafeNat();
const u32 = fc.nat({ max: 0xffff_ffff });
const money = u64.map(amount);
const signed = bytes(64).map(signature);
const key32 = bytes(32).map(publicKey);

export const voteFields: fc.Arbitrary<Omit<Vote, 'bytes'>> = fc.record({
  sourceSlot: u53.map(slot),
  sourceHash: hash32,
  targetSlot: u53.map(slot),
  targetHash: hash32,
  pohCount: u53.map(pohCount),
  stateRoot: hash32,
  leavesSlot: u53.map(slot),
  leavesHash: hash32,
  voter: key32,
  signature: signed,
});

export const headerFields: fc.Arbitrary<Omit<BlockHeader, 'bytes' | 'hash'>> = fc.record({
  chainId: hash32,
  height: u53.map(height),
  slot: u53.map(slot),
  parentHash: hash32,
  pohCount: u53.map(pohCount),
  pohHash: hash32,
  entriesRoot: hash32,
  transactionCount: u32,
  stateRoot: hash32,
  historyLength: u53,
  segmentCount: u32,
  segmentsRoot: hash32,
  leader: key32,
  signature: signed,
});

const vote = voteFields.map((fields) => decodeVote(encodeVote(fields)));
const header = headerFields.map((fields) => decodeHeader(kernels, encodeHeader(fields)));
const offence: fc.Arbitrary<Offence> = fc.oneof(
  fc.record({ kind: fc.constantFrom('doubleVote', 'surroundVote' as const), first: vote, second: vote }),
  fc.record({ kind: fc.constant('doubleProposal' as const), first: header, second: header }),
  fc.record({ kind: fc.constant('decoyVote' as const), secret: bytes(32), vote }),
);
const stakePayload: fc.Arbitrary<Payload> = fc.oneof(
  fc.record({ kind: fc.constant('bond' as const), amount: money }),
  fc.record({ kind: fc.constantFrom('unbond', 'withdraw', 'handOver' as const) }),
  fc.record({ kind: fc.constant('evidence' as const), offence }),
  fc.record({ kind: fc.constant('nominate' as const), secondary: key32, deadlineSlot: u53.map(slot) }),
  fc.record({ kind: fc.constant('approve' as const), secondary: key32 }),
  fc.record({ kind: fc.constant('revealDecoy' as const), header, secret: bytes(32) }),
);

const names = (max: number) =>
  fc
    .uniqueArray(fc.record({ segment: u32, identity: bytes(20).map(address) }), {
      minLength: 1,
      maxLength: max,
      size: 'small',
      selector: ({ segment, identity }) => `${segment}/${identity}`,
    })
    .map((list) => list.sort(replicaNameOrder));
/** Findings of some voters on `count` entries: each says something. */
const voters = (count: number): fc.Arbitrary<SealedFindings[]> =>
  fc.uniqueArray(fc.nat(1023), { minLength: 1, maxLength: 6 }).chain((seats) =>
    fc.tuple(
      ...seats
        .sort((a, b) => a - b)
        .map((seat) =>
          fc
            .tuple(fc.array(fc.nat(2), { minLength: count, maxLength: count }), fc.nat(count - 1), signed, hash32)
            .map(([words, sure, signatureBytes, seal]) => {
              const [spoken, sealed] = [0, 1].map(() => new Uint8Array(findingBitsSizeBytes(count)));
              words.forEach((word, index) => {
                if (word > 0 || index === sure) setFinding(spoken!, index);
                if (word === 2) setFinding(sealed!, index);
              });
              return { seat, seal, spoken: spoken!, sealed: sealed!, signature: signatureBytes };
            }),
        ),
    ),
  );
const validations: fc.Arbitrary<Payload> = names(20).chain((entries) =>
  fc.record({
    kind: fc.constant('validations' as const),
    period: u32,
    entries: fc.constant(entries),
    voters: voters(entries.length),
  }),
);

const secrets = fc
  .uniqueArray(fc.tuple(fc.nat(1023), hash32), { minLength: 1, maxLength: 6, selector: ([seat]) => seat })
  .map((list) => list.sort(([a], [b]) => a - b).map(([seat, secret]) => ({ seat, secret })));
const settled = names(20).chain((list) =>
  fc
    .array(fc.constantFrom(...VERDICT_REASONS), { minLength: list.length, maxLength: list.length })
    .map((reasons) => list.map((name, index) => ({ ...name, reason: reasons[index]! }))),
);
const unseal: fc.Arbitrary<Payload> = fc.oneof(
  fc.record({ kind: fc.constant('unseal' as const), period: u32, secrets, entries: settled }),
  fc.record({ kind: fc.constant('unseal' as const), period: u32, secrets, entries: fc.constant([]) }),
  fc.record({ kind: fc.constant('unseal' as const), period: u32, secrets: fc.constant([]), entries: settled }),
);

export const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.record({ kind: fc.constant('transfer' as const), to: bytes(20).map(address), amount: money }),
  fc.record({ kind: fc.constant('timestamp' as const), digest: hash32 }),
  fc.record({ kind: fc.constant('register' as const), deposit: money }),
  fc.record({
    kind: fc.constant('commit' as const),
    segment: u32,
    rotation: u32,
    keyProof: bytes(80),
    replicaRoot: hash32,
  }),
  fc.record({
    kind: fc.constant('prove' as const),
    segment: u32,
    period: u32,
    sampleProof: bytes(80),
    samplesRoot: hash32,
  }),
  fc.record({
    kind: fc.constant('revive' as const),
    index: u53,
    balance: money,
    height: u53.map(height),
    path: fc.nat({ max: EVICTION_PATH_LENGTH_MAX }).chain((steps) => bytes(32 * steps)),
  }),
  stakePayload,
  fc.record({
    kind: fc.constant('proveOpen' as const),
    segment: u32,
    period: u32,
    sampleProof: bytes(80),
    samplesRoot: hash32,
    openingDigest: hash32,
  }),
  validations,
  unseal,
  fc.record({
    kind: fc.constant('revealFake' as const),
    segment: u32,
    period: u32,
    secret: bytes(32),
    restHash: hash32,
  }),
  fc.record({ kind: fc.constant('addDeposit' as const), amount: money }),
  fc.record({ kind: fc.constant('retire' as const), segment: u32 }),
  fc.record({ kind: fc.constant('reportLapsed' as const), entries: names(64) }),
  fc.record({ kind: fc.constantFrom('unregister' as const, 'withdrawDeposit' as const) }),
);

/** Any well-formed transaction, its signature random. */
export const transactionFields: fc.Arbitrary<TransactionFields> = fc.record({
  lastValidHash: bytes(20),
  lastValidCount: u53.map(pohCount),
  payload,
  counter: u64,
  fee: money,
  from: key32,
  signature: signed,
});

export const pohPacketFields: fc.Arbitrary<Omit<PohPacket, 'bytes'>> = fc.record({
  pohHash: bytes(20),
  pohCount: u53.map(pohCount),
  entriesRoot: bytes(20),
  stateRoot: bytes(20),
  signature: signed,
});

const transaction = transactionFields.map((fields) => decodeTransaction(kernels, encodeTransaction(fields)));
const point = { count: u53.map(pohCount), hash: hash32 };

/** Entries of any kind in any order: well-formed bytes, not a valid sequence. */
export const entries: fc.Arbitrary<Entry[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('tick' as const), ...point }),
    fc.record({ kind: fc.constant('parent' as const), ...point }),
    fc.record({
      kind: fc.constant('transactions' as const),
      ...point,
      transactions: fc.array(transaction, { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ kind: fc.constant('votes' as const), ...point, votes: fc.array(vote, { minLength: 1, maxLength: 3 }) }),
  ),
  { minLength: 1, maxLength: 12 },
);
