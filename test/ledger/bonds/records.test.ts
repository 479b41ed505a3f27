/** The bytes of docs/format/records.md, "Stake": pinned, written down by hand from the tables there; and what no decoder lets through. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Hash, hash, type PublicKey, publicKey, slot } from '../../../native/index.ts';
import { addressOf } from '../../../src/codec/index.ts';
import { decodeStatus, decodeValidator, encodeStatus, encodeValidator } from '../../../src/ledger/bonds/bond.ts';
import { decodeEpoch, encodeEpoch } from '../../../src/ledger/bonds/epoch-record.ts';
import { genesisStakeOps } from '../../../src/ledger/bonds/genesis-bonds.ts';
import { slotOfTallyKey, tallyKey, validatorKey } from '../../../src/ledger/bonds/keys.ts';
import { decodeNomination, encodeNomination } from '../../../src/ledger/bonds/nomination-record.ts';
import { decodeProgress, encodeProgress } from '../../../src/ledger/bonds/progress-record.ts';
import { freeSeat, hasSeat, NO_SEATS, unionOf, withoutSeat, withSeat } from '../../../src/ledger/bonds/seat-set.ts';
import { decodeSeatsTaken, encodeSeatsTaken } from '../../../src/ledger/bonds/seats-record.ts';
import { decodeTally, encodeTally } from '../../../src/ledger/bonds/tally-record.ts';
import { genesisFrom, LedgerInvariantError, RecordError } from '../../../src/ledger/index.ts';
import { document, kernels } from '../fixture.ts';
import { actor } from './stake-world.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
const fill = (value: number): Uint8Array => new Uint8Array(32).fill(value);
const hashOf = (value: number): Hash => hash(fill(value));
const keyOf = (value: number): PublicKey => publicKey(fill(value));
const H = (value: string): string => value.repeat(32);

const judge = { epoch: 7, era: 2, majorityFloor: true, excluded: Uint8Array.of(5, 1), parent: hashOf(0xaa) };
const earlier = { epoch: 5, era: 1, majorityFloor: false, excluded: NO_SEATS, parent: hashOf(0xbb) };
const point = (at: number, value: number) => ({ slot: slot(at), hash: hashOf(value) });

/** A record's name, its value, its bytes by the tables of the document. */
const vectors = [
  {
    name: 'epoch',
    value: { judges: [earlier, judge], eraFirstSlot: slot(48), finalSlot: slot(55), fullEpochs: 6, stalledEpochs: 3 },
    bytes: `01 02 000000000000 3000000000000000 3700000000000000 06000000 03000000
      05000000 01000000 00 00000000000000 ${H('bb')} 07000000 02000000 01 00 0200 00000000 ${H('aa')} 0501`,
    encode: encodeEpoch,
    decode: decodeEpoch,
    fixed: [2, 3, 4, 5, 6, 7, 41, 44, 47, 89, 92, 95],
  },
  {
    name: 'progress',
    value: {
      handOver: true,
      judgeEpoch: 7,
      blocks: 5,
      leader: keyOf(1),
      justified: point(60, 2),
      final: point(59, 3),
      present: Uint8Array.of(0b101, 0x80),
    },
    bytes: `01 01 0000 07000000 05000000 00000000 ${H('01')} 3c00000000000000 ${H('02')} 3b00000000000000 ${H('03')} 0200 0580`,
    encode: encodeProgress,
    decode: decodeProgress,
    fixed: [2, 3, 12, 13, 14, 15],
  },
  {
    name: 'tally',
    value: {
      justified: true,
      judge,
      hash: hashOf(4),
      stateRoot: hashOf(5),
      counted: Uint8Array.of(7),
      linked: Uint8Array.of(3),
      waiting: [
        { source: 257, seats: Uint8Array.of(0, 1) },
        { source: 300, seats: Uint8Array.of(16) },
      ],
    },
    bytes: `01 01 02 0000000000 07000000 02000000 01 00 0200 00000000 ${H('aa')} 0501 ${H('04')} ${H('05')}
      0100 07 0100 03 0101000000000000 0200 0001 2c01000000000000 0100 10`,
    encode: encodeTally,
    decode: decodeTally,
    fixed: [3, 4, 7, 17, 23],
  },
  {
    name: 'nomination',
    value: {
      secondary: keyOf(6),
      pending: { nominated: keyOf(7), deadlineSlot: slot(513), approvals: Uint8Array.of(9) },
    },
    bytes: `01 03 000000000000 ${H('06')} ${H('07')} 0102000000000000 0100 09`,
    encode: encodeNomination,
    decode: decodeNomination,
    fixed: [2, 7],
  },
  {
    name: 'validator',
    value: { publicKey: keyOf(8), weight: 2n ** 40n + 1n, bondedSlot: slot(9), askedSlot: slot(258) },
    bytes: `01 00000000000000 ${H('08')} 0100000000010000 0900000000000000 0201000000000000`,
    encode: encodeValidator,
    decode: decodeValidator,
    fixed: [1, 7],
  },
  {
    name: 'seats',
    value: Uint8Array.of(0xff, 0, 1),
    bytes: '01 00000000000000 0300 ff0001',
    encode: encodeSeatsTaken,
    decode: decodeSeatsTaken,
    fixed: [1, 7],
  },
] as const;
type Codec = {
  readonly name: string;
  readonly value: unknown;
  readonly bytes: string;
  readonly fixed: readonly number[];
  encode(value: unknown): Uint8Array;
  decode(value: Uint8Array): unknown;
};
const codecs = vectors as unknown as readonly Codec[];

describe('stake records', () => {
  it.each(codecs)('$name has the bytes of the document', ({ value, bytes: written, encode, decode }) => {
    expect(hex(encode(value))).toBe(hex(bytes(written)));
    expect(decode(bytes(written))).toEqual(value);
  });

  it.each(codecs)(
    '$name: no other length, version or reserved byte is let through',
    ({ bytes: written, decode, fixed }) => {
      const value = bytes(written);
      for (let length = 0; length < value.length; length++)
        expect(() => decode(value.subarray(0, length))).toThrowError(RecordError);
      expect(() => decode(Uint8Array.from([...value, 0]))).toThrowError(/after the end/);
      for (const at of [0, ...fixed]) {
        const wrong = value.slice();
        wrong[at]! ^= 0x40;
        expect(() => decode(wrong), String(at)).toThrowError(RecordError);
      }
    },
  );

  it.each(codecs)(
    '$name: any bytes are refused as corrupt, or encode back to themselves',
    ({ bytes: written, decode, encode }) => {
      const value = bytes(written);
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.nat(value.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
          (changes) => {
            const changed = value.slice();
            for (const [at, to] of changes) changed[at] = to;
            let decoded: unknown;
            try {
              decoded = decode(changed);
            } catch (error) {
              expect(error).toBeInstanceOf(RecordError);
              return;
            }
            expect(hex(encode(decoded))).toBe(hex(changed));
          },
        ),
        { numRuns: 2000, seed: 3 },
      );
    },
  );

  it('what a flag says is not there is zero, and sources ascend', () => {
    const nomination = bytes(vectors[3].bytes);
    for (const flags of [0, 1, 2]) {
      const wrong = nomination.slice();
      wrong[1] = flags;
      expect(() => decodeNomination(wrong)).toThrowError(/must be zero/);
    }
    for (const value of [
      { secondary: null, pending: null },
      { ...vectors[3].value, secondary: null },
      { ...vectors[3].value, pending: null },
    ])
      expect(decodeNomination(encodeNomination(value))).toEqual(value);
    const tally = vectors[2].value;
    const swapped = encodeTally({ ...tally, waiting: [...tally.waiting].reverse() });
    expect(() => decodeTally(swapped)).toThrowError(/must be above 300, found 257/);
  });

  it('a bond has 24 bytes of details, and its absence where tables have the last vote', () => {
    const status = {
      units: 77n,
      seat: 513,
      fromEra: 3,
      untilEra: null,
      slashed: true,
      leaving: true,
      excludedFrom: 9,
      leftEpoch: 12,
      absentFrom: 4,
    };
    const details = bytes('03000000 ffffffff 0102 0300 09000000 0c000000 00000000');
    expect(encodeStatus(status)).toEqual({ bond: 77n, lastVote: 5n, details });
    expect(decodeStatus({ bond: 77n, lastVote: 5n, details })).toEqual(status);
    const never = { ...status, fromEra: null, excludedFrom: null, leftEpoch: null, absentFrom: null };
    const plain = { ...never, seat: 0, slashed: false, leaving: false };
    expect(encodeStatus(plain)).toEqual({
      bond: 77n,
      lastVote: 0n,
      details: bytes('ffffffff ffffffff 0000 0000 ffffffff ffffffff 00000000'),
    });
    const refused = (change: string, lastVote = 0n): void =>
      void expect(() => decodeStatus({ bond: 1n, lastVote, details: bytes(change) })).toThrowError(RecordError);
    refused('03000000 ffffffff 0004 0300 09000000 0c000000 00000000');
    refused('03000000 ffffffff 0102 0400 09000000 0c000000 00000000');
    refused('03000000 ffffffff 0102 0300 09000000 0c000000 01000000');
    refused('03000000 ffffffff 0102 0300 09000000 0c000000 00000000', 2n ** 32n);
    refused('03000000 ffffffff 0102 0300 09000000 0c000000');
  });

  it('keys sort as slots do, and name what they are for', () => {
    expect(hex(tallyKey(2 ** 33 + 1))).toBe('080000000200000001');
    expect(slotOfTallyKey(tallyKey(2 ** 40 + 7))).toBe(2 ** 40 + 7);
    expect(() => slotOfTallyKey(Uint8Array.of(8, 0))).toThrowError(LedgerInvariantError);
    expect(hex(validatorKey(new Uint8Array(20).fill(9)))).toBe(`07${'09'.repeat(20)}`);
  });

  it('a state without its records is not taken for an empty one; a bond without a record is corrupt', () => {
    for (const { name, decode } of codecs) expect(() => decode(new Uint8Array(0)), name).toThrowError(RecordError);
  });

  it('batch 0 holds the bonds by address, each before its record, then epoch, progress and seats', () => {
    const [ann, bob] = [actor('ann'), actor('bob')];
    const genesis = genesisFrom(
      document(
        {},
        [],
        [
          [ann, 5n],
          [bob, 9n],
        ],
      ),
    );
    const ops = genesisStakeOps(kernels, genesis);
    const sorted = [ann, bob].sort((x, y) => Buffer.compare(x.address, y.address));
    expect(ops.map((op) => [op.kind, 'address' in op ? hex(op.address) : hex(op.key)])).toEqual([
      ...sorted.flatMap(({ address }) => [
        ['putBond', hex(address)],
        ['putRecord', `07${hex(address)}`],
      ]),
      ['putRecord', '0600'],
      ['putRecord', '0601'],
      ['putRecord', '0602'],
      ['putRecord', '09'],
    ]);
    expect(genesis.validators.map(({ publicKey: key }) => hex(addressOf(key)))).toEqual([
      hex(bob.address),
      hex(ann.address),
    ]);
    expect(ops.find((op) => op.kind === 'putBond' && hex(op.address) === hex(bob.address))).toMatchObject({
      bond: 9n,
      lastVote: 0n,
      details: bytes('00000000 ffffffff 0000 0000 ffffffff ffffffff 00000000'),
    });
    const values = ops.slice(-4).map((op) => ('value' in op ? hex(op.value) : ''));
    const list = bytes(`${hex(bob.key)} 0900000000000000 0000 03 00 ${hex(ann.key)} 0500000000000000 0100 03 00`);
    const listDigest = hex(kernels.sha256(Buffer.concat([Buffer.from('cairn/electorate/1'), list])));
    expect(values).toEqual([
      hex(bytes(`01 01 000000000000 ${'00'.repeat(24)} ${'00'.repeat(48)}`)),
      hex(bytes(`01 00 0000 00000000 00000000 00000000 ${hex(bob.key)} ${'00'.repeat(80)} 0000`)),
      hex(bytes('01 00000000000000 0100 03')),
      hex(bytes(`01 00 0200 00000000 00000000 00000000 ${listDigest}`)),
    ]);
  });
});

describe('sets of seats', () => {
  it('agree with sets of numbers, and have one form each', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1023), { maxLength: 20 }),
        fc.array(fc.nat(1023), { maxLength: 20 }),
        (added, removed) => {
          let set = added.reduce(withSeat, NO_SEATS);
          const plain = new Set(added);
          for (const seat of removed) {
            set = withoutSeat(set, seat);
            plain.delete(seat);
          }
          for (let seat = 0; seat < 1024; seat++) expect(hasSeat(set, seat)).toBe(plain.has(seat));
          expect([...set]).toEqual([...[...plain].sort((a, b) => b - a).reduce(withSeat, NO_SEATS)]);
          const free = Array.from({ length: 1024 }, (_, seat) => seat).find((seat) => !plain.has(seat));
          expect(freeSeat(set)).toBe(free);
          const both = unionOf(set, removed.reduce(withSeat, NO_SEATS));
          for (const seat of [...plain, ...removed]) expect(hasSeat(both, seat)).toBe(true);
        },
      ),
      { numRuns: 100, seed: 1 },
    );
    expect(freeSeat(new Uint8Array(128).fill(0xff))).toBeNull();
  });
});
