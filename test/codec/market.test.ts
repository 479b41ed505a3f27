/** The market's payloads: pinned findings and fakes (by an independent encoder, see vectors.ts), refusals of each malformed list, sizes. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hash, signature } from '../../native/index.ts';
import {
  decodeTransaction,
  encodeHex,
  findingsSecret,
  type Payload,
  sealFindings,
  secretSeal,
  TRANSACTION_OVERHEAD_SIZE_BYTES,
  TRANSACTION_SIZE_BYTES_MAX,
  type UnsealPayload,
  VALIDATION_ENTRIES_MAX,
  VALIDATION_VOTERS_MAX,
  type ValidationsPayload,
  validationMessage,
  wordMask,
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
  fakeRoot: '480c71805e205175784373b8bb22dd4b6a4c66aef953e4bfb8ff6e72b701afc4',
  fakeHead: 'f90686f724837a800754682518f923c70d571f54ac18b94eee8a55d6e71de3a5',
  openingDigest: '629645802788b2a7fa69ca67f11b8cfe3f8255d36643a2ec4285c673f6269518',
  restHash: '7aa92794ada71ea5a0ab137741b1b9559681147e19063c21f0ba4bbc6f0e5b73',
};
/** By node:crypto alone: tools/build/write-findings-vectors.mjs. */
const VECTORS = JSON.parse(readFileSync(new URL('../vectors/findings.json', import.meta.url), 'utf8')) as {
  readonly voters: readonly {
    readonly seat: number;
    readonly words: readonly (boolean | null)[];
    readonly secret: string;
    readonly seal: string;
    readonly masks: readonly boolean[];
    readonly spoken: string;
    readonly sealed: string;
    readonly message: string;
    readonly signature: string;
  }[];
};
const list = {
  period: 45,
  entries: Array.from({ length: 9 }, (_, index) => ({ segment: 46 + index, identity: addressFrom(60 - index) })),
};
const chainId = hashOf(90);
const findings = { seal: hashOf(1), spoken: Uint8Array.of(0xff, 1), sealed: Uint8Array.of(0b010, 0) };
const subject = { identity: addressFrom(93), segment: 94, period: 95, periodHash: hashOf(92) };
const secret = pattern(32, 91);

describe('findings', () => {
  it.each(VECTORS.voters)('of seat $seat are sealed and signed as node:crypto alone does it', (voter) => {
    const subject = { chainId, seat: voter.seat, period: list.period };
    const secret = findingsSecret(kernels, subject, keyOf(1));
    expect(encodeHex(secret)).toBe(voter.secret);
    expect(encodeHex(secretSeal(kernels, subject, secret))).toBe(voter.seal);
    expect(list.entries.map((entry) => wordMask(kernels, secret, entry))).toEqual(voter.masks);
    const words = voter.words.map((word) => word ?? undefined);
    const made = sealFindings(kernels, chainId, list, words, voter.seat, keyOf(1));
    expect(encodeHex(validationMessage(chainId, list, made))).toBe(voter.message);
    const { seat, seal, spoken, sealed, signature: signedBytes } = voter;
    const texts = [made.seal, made.spoken, made.sealed, made.signature].map((bytes) => encodeHex(bytes));
    expect([made.seat, ...texts]).toEqual([seat, seal, spoken, sealed, signedBytes]);
  });

  it('have messages of odd length, which no other signed packet has', () => {
    for (let count = 1; count <= VALIDATION_ENTRIES_MAX; count++) {
      const entries = Array.from({ length: count }, (_, segment) => ({ segment, identity: addressFrom(1) }));
      const bits = new Uint8Array(Math.ceil(count / 8));
      const one = { seal: hashOf(1), spoken: bits, sealed: bits };
      expect(validationMessage(hashOf(1), { period: 1, entries }, one).length % 2).toBe(1);
    }
    for (const payload of payloads) expect(transactionOf(payload).bytes.length % 2).toBe(0);
    // What the secret comes from, too: as `key.sign` is given it.
    const asked: Uint8Array[] = [];
    const spy = {
      ...keyOf(1),
      sign: (bytes: Uint8Array) => {
        asked.push(bytes);
        return keyOf(1).sign(bytes);
      },
    };
    findingsSecret(kernels, { chainId, seat: 5, period: 6 }, spy);
    expect(asked.map(({ length }) => length % 2)).toEqual([1]);
    expect(new TextDecoder().decode(asked[0]!.subarray(0, 20))).toBe('cairn/findings-key/1');
  });

  it('cover every field', () => {
    const bytes = (change: object, bits: object = {}, chain = chainId): string =>
      encodeHex(validationMessage(chain, { ...list, ...change }, { ...findings, ...bits }));
    const shorter = list.entries.slice(0, 8);
    const others = [
      bytes({}),
      bytes({ period: 46 }),
      bytes({ entries: [...shorter, { segment: 55, identity: addressFrom(52) }] }),
      bytes({ entries: [...shorter, { segment: 54, identity: addressFrom(61) }] }),
      bytes({}, { seal: hashOf(2) }),
      bytes({}, { spoken: Uint8Array.of(0b110, 1) }),
      bytes({}, { sealed: Uint8Array.of(0, 0) }),
      bytes({}, {}, hashOf(91)),
    ];
    expect(new Set(others).size).toBe(8);
  });

  it('have secrets, seals and masks that depend on everything they are of', () => {
    const subject = { chainId, seat: 1, period: 2 };
    const others = [subject, { ...subject, seat: 2 }, { ...subject, period: 1 }, { ...subject, chainId: hashOf(2) }];
    const secrets = [
      ...others.map((each) => findingsSecret(kernels, each, keyOf(1))),
      findingsSecret(kernels, subject, keyOf(2)),
    ];
    expect(new Set(secrets.map(encodeHex)).size).toBe(5);
    const seals = [
      ...others.map((each) => secretSeal(kernels, each, hashOf(3))),
      secretSeal(kernels, subject, hashOf(4)),
    ];
    expect(new Set(seals.map(encodeHex)).size).toBe(5);
    const masks = (of: (n: number) => boolean): number =>
      Array.from({ length: 64 }, (_, n) => of(n)).filter(Boolean).length;
    const counts = [
      masks((n) => wordMask(kernels, hashOf(n), { segment: 0, identity: addressFrom(1) })),
      masks((n) => wordMask(kernels, hashOf(1), { segment: n, identity: addressFrom(1) })),
      masks((n) => wordMask(kernels, hashOf(1), { segment: 0, identity: addressFrom(n) })),
    ];
    for (const count of counts) expect(Math.abs(count - 32)).toBeLessThan(20);
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
  const opening = payloads.find((payload): payload is UnsealPayload => payload.kind === 'unseal')!;
  const unseal = bytesOf(opening);
  const SETTLED = 44 + 2 * 34;
  const report = bytesOf(payloads.find(({ kind }) => kind === 'reportLapsed')!);
  /** Where the payload's parts begin: entries, first voter, second voter. */
  const [ENTRIES, FIRST, SECOND] = [44, 44 + 9 * 24, 44 + 9 * 24 + 102];

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
    ['a sealed bit where nothing is said', changed(validations, FIRST + 36, 0x08), 'mismatch', 'validations.spoken'],
    ['a bit past the entries', changed(validations, SECOND + 35, 0b11), 'mismatch', 'validations.spoken'],
    ['a voter who says nothing', changed(validations, SECOND + 34, 0, 0, 0, 0), 'mismatch', 'validations.spoken'],
    ['513 secrets', changed(unseal, 40, 1, 2), 'count', 'unseal.secrets'],
    ['65 proofs to settle', changed(unseal, 42, 65, 0), 'count', 'unseal.entries'],
    ['neither a secret nor a proof', changed(unseal, 40, 0, 0, 0, 0), 'count', 'unseal.secrets'],
    ['512 secrets that are not there', changed(unseal, 40, 0, 2), 'truncated', 'unseal'],
    ['secrets that descend', changed(unseal, 44, 0xff, 3), 'range', 'unseal.seat'],
    ['a secret of seat 1024', changed(unseal, 44 + 34, 0, 4), 'range', 'unseal.seat'],
    ['proofs to settle that descend', changed(unseal, SETTLED, 60), 'mismatch', 'unseal.entries'],
    ['a reason there is not', changed(unseal, SETTLED + 24, 11), 'range', 'unseal.reason'],
    ['a settled entry reserved', changed(unseal, SETTLED + 25, 1), 'reserved', 'unseal.reserved'],
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
    ['kind 33', changed(bytesOf({ kind: 'unregister' }), 29, 33), 'kind', 'transaction.kind'],
    ['kind 5', changed(bytesOf({ kind: 'unregister' }), 29, 5), 'kind', 'transaction.kind'],
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
      { ...packet, voters: [{ ...first, sealed: Uint8Array.of(0xff, 1) }] },
      { ...packet, voters: [{ ...first, spoken: new Uint8Array(1) }] },
      { ...opening, secrets: [], entries: [] },
      { ...opening, secrets: [...opening.secrets].reverse() },
      { ...opening, entries: [...opening.entries].reverse() },
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
      seal: hashOf(1),
      spoken: new Uint8Array(8).fill(0xff),
      sealed: new Uint8Array(8),
      signature: signature(pattern(64, index)),
    }));
    const largest = transactionOf({ kind: 'validations', period: 1, entries, voters }).bytes;
    expect(largest).toHaveLength(TRANSACTION_SIZE_BYTES_MAX);
    expect(largest.length).toBeLessThan(65_536);
    expect(transactionOf({ kind: 'unregister' }).bytes).toHaveLength(TRANSACTION_OVERHEAD_SIZE_BYTES);
  });
});
