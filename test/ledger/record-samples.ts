/** One record of each kind of the market's state, and any replica record: what the tests of their bytes are made on. */
import fc from 'fast-check';
import { amount, hash, type Slot, slot } from '../../native/index.ts';
import { VERDICT_REASONS } from '../../src/codec/index.ts';
import type { IdentityRecord, SealRecord, SegmentPlaces, ValidatorFaults } from '../../src/ledger/index.ts';
import type { ReplicaRecord } from '../../src/ledger/replication/replica.ts';
import { named, person } from './fixture.ts';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
export const u53: fc.Arbitrary<Slot> = fc.maxSafeNat().map(slot);
export const bytes = (size: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: size, maxLength: size });
const digest = bytes(32).map(hash);

const proof = (validatorCount: number) =>
  fc
    .record({
      state: fc.constantFrom('pending', 'accepted', 'rejected', 'revealed' as const),
      slot: u53,
      sampleProof: bytes(80),
      samplesRoot: digest,
      openingDigest: digest,
      says: fc.array(fc.nat(2), { minLength: validatorCount, maxLength: validatorCount }),
    })
    .map(({ says, ...rest }) => {
      const bits = (wanted: number): Uint8Array => {
        const set = new Uint8Array(Math.ceil(validatorCount / 8));
        says.forEach((said, index) => {
          if (said === wanted) set[index >> 3]! |= 1 << (index & 7);
        });
        return set;
      };
      const sealed = bits(2);
      return { ...rest, spoken: bits(1).map((byte, at) => byte | sealed[at]!), sealed };
    });
/** Any replica record. */
export const replica: fc.Arbitrary<ReplicaRecord> = fc.integer({ min: 1, max: 1024 }).chain((validatorCount) =>
  fc.record({
    validatorCount: fc.constant(validatorCount),
    rotation: u32,
    commitSlot: u53,
    keyProof: bytes(80),
    replicaRoot: digest,
    commits: u32,
    accepted: u32,
    rejected: u32,
    expired: u32,
    nextPeriod: u32,
    provenNext: u32,
    since: u53,
    paid: u32,
    reason: fc.constantFrom(...VERDICT_REASONS),
    proof: fc.option(proof(validatorCount)),
  }),
);

/** Each of its numbers is another one. */
export const newcomer: IdentityRecord = {
  publicKey: person('a').key,
  deposit: amount(5n),
  slot: slot(6),
  replicas: 7,
  isLeaving: true,
  leftPeriod: 8,
  lockWindow: 9,
  lockedOld: amount(10n),
  lockedNew: amount(11n),
  accepted: 12,
  fakes: 13,
  paidUnits: amount(14n),
  provableFrom: 15,
};
export const seal: SealRecord = { isOpen: true, value: named('secret') };
export const faults: ValidatorFaults = { faults: 3, permille: 1000, lastSlot: slot(77) };
export const places: SegmentPlaces = {
  period: 9,
  paid: [1, 2, 3, 4],
  places: [
    { identity: person('old').address, provenPeriod: 9, since: slot(3) },
    { identity: person('young').address, provenPeriod: 8, since: slot(4) },
  ],
};

export const small: ReplicaRecord = {
  validatorCount: 4,
  rotation: 0x01020304,
  commitSlot: slot(5),
  keyProof: new Uint8Array(80).fill(0xaa),
  replicaRoot: named('root'),
  commits: 1,
  accepted: 2,
  rejected: 3,
  expired: 4,
  nextPeriod: 9,
  provenNext: 8,
  since: slot(3),
  paid: 2,
  reason: 'encoding',
  proof: {
    state: 'pending',
    slot: slot(6),
    sampleProof: new Uint8Array(80).fill(0xbb),
    samplesRoot: named('samples'),
    openingDigest: named('opening'),
    spoken: Uint8Array.of(0b0111),
    sealed: Uint8Array.of(0b0010),
  },
};
