/** The market's payloads: pinned findings and fakes (by an independent encoder, see vectors.ts), refusals of each malformed list, sizes. */
import { describe, expect, it } from 'vitest';
import { hash, signature } from '../../native/index.ts';
import {
  decodeTransaction,
  encodeHex,
  type Payload,
  signFindings,
  TRANSACTION_OVERHEAD_SIZE_BYTES,
  TRANSACTION_SIZE_BYTES_MAX,
  VALIDATION_ENTRIES_MAX,
  VALIDATION_VOTERS_MAX,
  type ValidationsPayload,
  validationMessage,
} from '../../src/codec/index.ts';
import {
  fakeOpening,
  fakeOpeningHead,
  fakeSamplesRoot,
  openingDigest,
  openingDigestOf,
  openingRestHash,
} from '../../src/ledger/index.ts';
import { addressFrom, hashOf, kernels, keyOf, pattern, payloads, thrownBy, transactionOf } from './fixtures.ts';

const PINNED = {
  message:
    '636169726e2f76616c69646174696f6e732f31e7eef5fc030a11181f262d343b424950575e656c737a81888f969da4abb2b9c02d0000000300000007000000454c535a61686f767d848b9299a0a7aeb5bcc3ca08000000646b727980878e959ca3aab1b8bfc6cdd4dbe2e909000000838a91989fa6adb4bbc2c9d0d7dee5ecf3fa01080502',
  signature:
    'beb9618a920e19486c0f78a227d295d3657dc810838aed9de1cda493965825b94bf716d31fcef97b76b37bb13b67fe852242a26a15ddf527de6176dd7e0a2b01',
  fakeRoot: '480c71805e205175784373b8bb22dd4b6a4c66aef953e4bfb8ff6e72b701afc4',
  fakeHead: 'f90686f724837a800754682518f923c70d571f54ac18b94eee8a55d6e71de3a5',
  openingDigest: '629645802788b2a7fa69ca67f11b8cfe3f8255d36643a2ec4285c673f6269518',
  restHash: '7aa92794ada71ea5a0ab137741b1b9559681147e19063c21f0ba4bbc6f0e5b73',
};
const list = {
  period: 45,
  entries: [0, 1, 2].map((index) => ({ segment: 7 + index, identity: addressFrom(60 + index) })),
};
const findings = { valid: Uint8Array.of(0b101), invalid: Uint8Array.of(0b010) };
const subject = { identity: addressFrom(93), segment: 94, period: 95, periodHash: hashOf(92) };
const secret = pattern(32, 91);

describe('findings', () => {
  it('are signed over pinned bytes', () => {
    expect(encodeHex(validationMessage(hashOf(90), list, findings))).toBe(PINNED.message);
    const signed = signFindings(hashOf(90), list, findings, 5, keyOf(1));
    expect(encodeHex(signed.signature)).toBe(PINNED.signature);
    expect(signed).toMatchObject({ seat: 5, ...findings });
  });

  it('have messages of odd length, which no other signed packet has', () => {
    for (let count = 1; count <= VALIDATION_ENTRIES_MAX; count++) {
      const entries = Array.from({ length: count }, (_, segment) => ({ segment, identity: addressFrom(1) }));
      const bits = new Uint8Array(Math.ceil(count / 8));
      expect(validationMessage(hashOf(1), { period: 1, entries }, { valid: bits, invalid: bits }).length % 2).toBe(1);
    }
    for (const payload of payloads) expect(transactionOf(payload).bytes.length % 2).toBe(0);
  });

  it('cover every field', () => {
    const bytes = (change: object, bits: object = {}, chain = hashOf(90)): string =>
      encodeHex(validationMessage(chain, { ...list, ...change }, { ...findings, ...bits }));
    const others = [
      bytes({ period: 46 }),
      bytes({ entries: list.entries.slice(0, 2) }),
      bytes({ entries: [...list.entries.slice(0, 2), { segment: 10, identity: addressFrom(62) }] }),
      bytes({ entries: [...list.entries.slice(0, 2), { segment: 9, identity: addressFrom(61) }] }),
      bytes({}, { valid: Uint8Array.of(0b001) }),
      bytes({}, { invalid: Uint8Array.of(0) }),
      bytes({}, {}, hashOf(91)),
    ];
    expect(new Set([PINNED.message, ...others]).size).toBe(8);
  });
});

describe('fakes', () => {
  it('have pinned values', () => {
    expect(encodeHex(fakeSamplesRoot(kernels, subject, secret))).toBe(PINNED.fakeRoot);
    expect(encodeHex(fakeOpeningHead(kernels, subject, secret))).toBe(PINNED.fakeHead);
    const body = pattern(1000, 96);
    expect(encodeHex(openingDigest(kernels, body))).toBe(PINNED.openingDigest);
    expect(encodeHex(openingRestHash(kernels, body))).toBe(PINNED.restHash);
  });

  it('differ from a true body in their first 32 bytes only, and have the digest that the reveal rebuilds', () => {
    const body = pattern(1000, 96);
    const fake = fakeOpening(kernels, subject, secret, body);
    expect(fake.subarray(32)).toEqual(body.subarray(32));
    expect(encodeHex(fake.subarray(0, 32))).toBe(PINNED.fakeHead);
    const rebuilt = openingDigestOf(kernels, fakeOpeningHead(kernels, subject, secret), openingRestHash(kernels, body));
    expect(rebuilt).toEqual(openingDigest(kernels, fake));
    expect(body).toEqual(pattern(1000, 96));
  });

  it('depend on everything that names the proof, the hash nobody knew before the commit above all', () => {
    const values = [
      { ...subject },
      { ...subject, identity: addressFrom(1) },
      { ...subject, segment: 1 },
      { ...subject, period: 1 },
      { ...subject, periodHash: hashOf(1) },
    ].flatMap((each) => [fakeSamplesRoot(kernels, each, secret), fakeOpeningHead(kernels, each, secret)]);
    values.push(hash(fakeSamplesRoot(kernels, subject, pattern(32, 1))));
    expect(new Set(values.map(encodeHex)).size).toBe(values.length);
  });
});

describe('refusals', () => {
  const packet = payloads.find((payload): payload is ValidationsPayload => payload.kind === 'validations')!;
  const bytesOf = (payload: Payload): Uint8Array => transactionOf(payload).bytes;
  const changed = (bytes: Uint8Array, at: number, ...values: number[]): Uint8Array => {
    const copy = Uint8Array.from(bytes);
    copy.set(values, at);
    return copy;
  };
  const validations = bytesOf(packet);
  const report = bytesOf(payloads.find(({ kind }) => kind === 'reportLapsed')!);
  /** Where the payload's parts begin: entries, first voter, second voter. */
  const [ENTRIES, FIRST, SECOND] = [44, 44 + 9 * 24, 44 + 9 * 24 + 70];

  it.each([
    ['no entries', changed(validations, 40, 0, 0), 'count', 'validations.entries'],
    ['65 entries', changed(validations, 40, 65, 0), 'count', 'validations.entries'],
    ['no voters', changed(validations, 42, 0, 0), 'count', 'validations.voters'],
    ['513 voters', changed(validations, 42, 1, 2), 'count', 'validations.voters'],
    ['512 voters that are not there', changed(validations, 42, 0, 2), 'truncated', 'validations'],
    [
      'an entry twice',
      changed(validations, ENTRIES + 24, ...validations.subarray(ENTRIES, ENTRIES + 24)),
      'mismatch',
      'validations.entries',
    ],
    ['entries that descend', changed(validations, ENTRIES, 60), 'mismatch', 'validations.entries'],
    ['seats that descend', changed(validations, FIRST, 0xff, 3), 'range', 'validations.seat'],
    ['a seat past 1023', changed(validations, SECOND, 0, 4), 'range', 'validations.seat'],
    ['both words on an entry', changed(validations, FIRST + 4, 0x03), 'mismatch', 'validations.valid'],
    ['a bit past the entries', changed(validations, SECOND + 3, 0b11), 'mismatch', 'validations.valid'],
    ['a voter who says nothing', changed(validations, SECOND + 2, 0, 0), 'mismatch', 'validations.valid'],
    ['no replicas reported', changed(report, 36, 0), 'count', 'reportLapsed.entries'],
    ['65 replicas reported', changed(report, 36, 65), 'count', 'reportLapsed.entries'],
    ['report reserved', changed(report, 38, 1), 'reserved', 'reportLapsed.reserved'],
    [
      'a replica reported twice',
      changed(report, 40 + 24, ...report.subarray(40, 64)),
      'mismatch',
      'reportLapsed.entries',
    ],
    [
      'one byte in an empty payload',
      Uint8Array.from([...bytesOf({ kind: 'unregister' }), 0]),
      'trailing',
      'transaction',
    ],
    ['kind 23', changed(bytesOf({ kind: 'unregister' }), 29, 23), 'kind', 'transaction.kind'],
    ['kind 32', changed(bytesOf({ kind: 'unregister' }), 29, 32), 'kind', 'transaction.kind'],
  ] as const)('%s', (_, bytes, code, field) => {
    const error = thrownBy(() => decodeTransaction(kernels, bytes)) as { code: string; field: string };
    expect(error).toMatchObject({ name: 'CodecError', code });
    expect(error.field.startsWith(field)).toBe(true);
  });

  it('of packets nobody could decode again', () => {
    const { entries, voters } = packet;
    const [first, second] = [voters[0]!, voters[1]!];
    for (const payload of [
      { ...packet, entries: [] },
      { ...packet, entries: [...entries].reverse() },
      { ...packet, voters: [] },
      { ...packet, voters: [second, first] },
      { ...packet, voters: [{ ...first, seat: 1024 }] },
      { ...packet, voters: [{ ...first, invalid: first.valid }] },
      { ...packet, voters: [{ ...first, valid: new Uint8Array(1) }] },
    ])
      expect(thrownBy(() => transactionOf(payload))).toMatchObject({ name: 'CodecError' });
  });
});

describe('sizes', () => {
  it('the largest packet is the largest transaction and fits a submission; an empty payload is the smallest', () => {
    const entries = Array.from({ length: VALIDATION_ENTRIES_MAX }, (_, segment) => ({
      segment,
      identity: addressFrom(segment),
    }));
    const voters = Array.from({ length: VALIDATION_VOTERS_MAX }, (_, index) => ({
      seat: 2 * index,
      valid: new Uint8Array(8).fill(0xff),
      invalid: new Uint8Array(8),
      signature: signature(pattern(64, index)),
    }));
    const largest = transactionOf({ kind: 'validations', period: 1, entries, voters }).bytes;
    expect(largest).toHaveLength(TRANSACTION_SIZE_BYTES_MAX);
    expect(largest.length).toBeLessThan(65_536);
    expect(transactionOf({ kind: 'unregister' }).bytes).toHaveLength(TRANSACTION_OVERHEAD_SIZE_BYTES);
  });
});
