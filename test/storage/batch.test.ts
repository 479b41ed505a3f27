import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Batch,
  BatchError,
  batchDigest,
  checkBatch,
  decodeBatch,
  encodeBatch,
  opOffsets,
  readOps,
} from '../../storage/oplog/batch.ts';
import type { BatchPlace, StateOp } from '../../storage/state-reader.ts';
import { kernels } from './kernels-fixture.ts';

const bytes = (min: number, max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: min, maxLength: max });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const address = bytes(20, 20);
const op: fc.Arbitrary<StateOp> = fc.oneof(
  fc.record({ kind: fc.constant('putAccount' as const), address, balance: u64 }),
  fc.record({ kind: fc.constant('deleteAccount' as const), address }),
  fc.record({ kind: fc.constant('putRecord' as const), key: bytes(1, 64), value: bytes(0, 70) }),
  fc.record({ kind: fc.constant('deleteRecord' as const), key: bytes(1, 64) }),
  fc.record({ kind: fc.constant('putBond' as const), address, bond: u64, lastVote: u64, details: bytes(24, 24) }),
  fc.record({ kind: fc.constant('deleteBond' as const), address }),
);
const batches: fc.Arbitrary<Batch> = fc.record({
  height: fc.maxSafeNat(),
  previousFrameSizeBytes: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  frameOffset: fc.maxSafeNat(),
  floor: fc.maxSafeNat(),
  previousDigest: bytes(32, 32),
  ops: fc.array(op, { maxLength: 12 }),
});
const encode = (batch: Batch): Uint8Array => encodeBatch(batch, batch.ops);

const place: BatchPlace = {
  height: 7,
  previousFrameSizeBytes: 0x0a0b,
  frameOffset: 0x0102_0304_0506,
  floor: 0x0c0d,
  previousDigest: new Uint8Array(32).fill(0xee),
};

const refusal = (work: () => unknown): string => {
  try {
    work();
    return 'accepted';
  } catch (error) {
    if (error instanceof BatchError) return error.code;
    throw error;
  }
};

const account = (fill: number): StateOp => ({
  kind: 'putAccount',
  address: new Uint8Array(20).fill(fill),
  balance: 5n,
});
const bond = (fill: number): StateOp => ({
  kind: 'putBond',
  address: new Uint8Array(20).fill(fill),
  bond: 6n,
  lastVote: 7n,
  details: new Uint8Array(24).fill(8),
});
const key = Uint8Array.of(1, 2, 3);

/** Sizes of all ops, from their documented layout, without the code under test. */
const sizeOf = (one: StateOp): number => {
  if (one.kind === 'putAccount') return 32;
  if (one.kind === 'putBond') return 64;
  if (one.kind === 'deleteAccount' || one.kind === 'deleteBond') return 24;
  const value = one.kind === 'putRecord' ? one.value.length : 0;
  return Math.ceil((4 + one.key.length + value) / 4) * 4;
};

describe('batch encoding', () => {
  it('decodes what it encoded, whatever the ops', () => {
    fc.assert(
      fc.property(batches, (batch) => {
        const encoded = encode(batch);
        const { ops, ...head } = batch;
        expect(decodeBatch(encoded)).toEqual(batch);
        expect(checkBatch(encoded)).toEqual({ ...head, opCount: ops.length });
      }),
      { seed: 10, numRuns: 300 },
    );
  });

  it('has the documented bytes', () => {
    const encoded = encodeBatch(place, [
      account(9),
      { kind: 'putRecord', key, value: Uint8Array.of(255) },
      { kind: 'deleteRecord', key },
      { kind: 'deleteAccount', address: new Uint8Array(20).fill(4) },
      bond(3),
      { kind: 'deleteBond', address: new Uint8Array(20).fill(2) },
    ]);
    const head = `070000000000000006000000${'0b0a0000'}${'0605040302010000'}${'0d0c000000000000'}${'ee'.repeat(32)}`;
    const ops = [
      `01140800${'09'.repeat(20)}0500000000000000`,
      '02030100010203ff',
      '0303000001020300',
      `04140000${'04'.repeat(20)}`,
      `05142800${'03'.repeat(20)}06000000000000000700000000000000${'08'.repeat(24)}`,
      `06140000${'02'.repeat(20)}`,
    ];
    expect(Buffer.from(encoded).toString('hex')).toBe(head + ops.join(''));
    expect([...opOffsets(encoded)]).toEqual([0, 64, 96, 104, 112, 136, 200, 224]);
  });

  it('has the documented digest', () => {
    const encoded = encodeBatch(place, [account(1)]);
    const tagged = Buffer.concat([Buffer.from('cairn/batch/1'), encoded]);
    expect(batchDigest(kernels, encoded)).toEqual(kernels.sha256(tagged));
  });

  it('tells where each op begins, and hands over runs of accounts as one', () => {
    fc.assert(
      fc.property(batches, (batch) => {
        const encoded = encode(batch);
        const offsets = [0, 64];
        for (const one of batch.ops) offsets.push(offsets.at(-1)! + sizeOf(one));
        expect([...opOffsets(encoded)]).toEqual(offsets);
        const seen: [string, number][] = [];
        const note =
          (kind: string) =>
          (at: number): void => {
            seen.push([kind, at]);
          };
        let runs = 0;
        readOps(encoded, {
          accounts(offset, count) {
            runs += 1;
            for (let index = 0; index < count; index++) seen.push(['putAccount', offset + 32 * index]);
          },
          deleteAccount: note('deleteAccount'),
          putRecord: (_key, _value, at) => seen.push(['putRecord', at]),
          deleteRecord: (_key, at) => seen.push(['deleteRecord', at]),
          putBond: note('putBond'),
          deleteBond: note('deleteBond'),
        });
        expect(seen).toEqual(batch.ops.map(({ kind }, index) => [kind, offsets[index + 1]]));
        const starts = batch.ops.filter(
          ({ kind }, index) => kind === 'putAccount' && batch.ops[index - 1]?.kind !== 'putAccount',
        );
        expect(runs).toBe(starts.length);
      }),
      { seed: 13, numRuns: 200 },
    );
  });

  it('is canonical: any changed byte decodes to another value or is refused', () => {
    fc.assert(
      fc.property(batches, fc.nat(), fc.integer({ min: 1, max: 255 }), (batch, position, change) => {
        const encoded = encode(batch);
        encoded[position % encoded.length]! ^= change;
        const code = refusal(() => {
          const again = decodeBatch(encoded);
          expect(encode(again)).toEqual(encoded);
          expect(again).not.toEqual(batch);
        });
        expect(code).not.toBe('');
      }),
      { seed: 11, numRuns: 500 },
    );
  });

  it('never crashes on rubbish, nor on rubbish ops behind a good head', () => {
    const head = encodeBatch(place, []);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(12), (rubbish, opCount) => {
        refusal(() => decodeBatch(rubbish));
        const padded = new Uint8Array(64 + Math.ceil(rubbish.length / 4) * 4);
        padded.set(head);
        padded[8] = opCount;
        padded.set(rubbish, 64);
        // Half of them with a known kind and lengths that may fit.
        if (rubbish.length > 4 && rubbish[0]! % 2 === 0) {
          padded[64] = 1 + (rubbish[0]! % 6);
          padded[65] = rubbish[1]! < 128 ? 20 : rubbish[1]! % 70;
          padded[67] = 0;
        }
        refusal(() => decodeBatch(padded));
        refusal(() => opOffsets(padded));
      }),
      { seed: 12, numRuns: 1000 },
    );
  });

  it('refuses each fault with its own code', () => {
    // Ops at 64 (account), 96 (record, 12 bytes with 3 of padding), 108 (bond), 172 (delete).
    const good = encodeBatch(place, [
      account(9),
      { kind: 'putRecord', key, value: Uint8Array.of(1, 2) },
      bond(9),
      { kind: 'deleteAccount', address: new Uint8Array(20) },
    ]);
    expect(good.length).toBe(196);
    const patched = (...changes: [number, number][]): Uint8Array => {
      const copy = good.slice();
      for (const [at, value] of changes) copy[at] = value;
      return copy;
    };
    const check = (batch: Uint8Array): string => {
      const code = refusal(() => checkBatch(batch));
      expect(refusal(() => opOffsets(batch))).toBe(code);
      return code;
    };
    expect(check(good)).toBe('accepted');
    expect(check(good.subarray(0, 60))).toBe('length');
    expect(check(good.subarray(0, good.length - 1))).toBe('length');
    expect(check(patched([7, 1]))).toBe('height');
    expect(check(patched([23, 1]))).toBe('frame-offset');
    expect(check(patched([31, 1]))).toBe('floor');
    expect(check(patched([11, 255]))).toBe('op-count');
    expect(check(patched([8, 5]))).toBe('truncated');
    expect(check(patched([8, 3]))).toBe('trailing');
    for (const kind of [0, 7, 255]) expect(check(patched([64, kind]))).toBe('op-kind');
    expect(check(patched([65, 19]))).toBe('key-length');
    expect(check(patched([66, 9]))).toBe('value-length');
    expect(check(patched([97, 0]))).toBe('key-length');
    expect(check(patched([97, 65]))).toBe('key-length');
    expect(check(patched([99, 255]))).toBe('value-length');
    expect(check(patched([98, 200]))).toBe('truncated');
    expect(check(patched([107, 1]))).toBe('padding');
    expect(check(patched([96, 3]))).toBe('value-length');
    expect(check(patched([109, 21]))).toBe('key-length');
    expect(check(patched([110, 39]))).toBe('value-length');
    expect(check(patched([108, 6]))).toBe('value-length');
    expect(check(patched([173, 19]))).toBe('key-length');
    expect(check(patched([174, 8]))).toBe('value-length');
    for (const end of [68, 92]) expect(check(good.subarray(0, end))).toBe('op-count');
    for (const end of [100, 104, 168, 176, 192]) expect(check(good.subarray(0, end))).toBe('truncated');
  });

  it('refuses to encode values outside the ranges', () => {
    const one = (bad: StateOp): string => refusal(() => encodeBatch(place, [bad]));
    const at = (changed: Partial<BatchPlace>): string => refusal(() => encodeBatch({ ...place, ...changed }, []));
    expect(one({ kind: 'putAccount', address: new Uint8Array(19), balance: 1n })).toBe('key-length');
    expect(one({ kind: 'putAccount', address: new Uint8Array(20), balance: -1n })).toBe('balance');
    expect(one({ kind: 'putAccount', address: new Uint8Array(20), balance: 2n ** 64n })).toBe('balance');
    expect(one({ kind: 'deleteAccount', address: new Uint8Array(21) })).toBe('key-length');
    expect(one({ kind: 'deleteBond', address: new Uint8Array(0) })).toBe('key-length');
    expect(one({ kind: 'putRecord', key: new Uint8Array(0), value: key })).toBe('key-length');
    expect(one({ kind: 'putRecord', key: new Uint8Array(65), value: key })).toBe('key-length');
    expect(one({ kind: 'putRecord', key, value: new Uint8Array(4097) })).toBe('value-length');
    const good = { kind: 'putBond', address: new Uint8Array(20), bond: 1n, lastVote: 1n } as const;
    expect(one({ ...good, details: new Uint8Array(23) })).toBe('value-length');
    expect(one({ ...good, details: new Uint8Array(24), bond: -1n })).toBe('bond');
    expect(one({ ...good, details: new Uint8Array(24), lastVote: 2n ** 64n })).toBe('last-vote');
    expect(at({})).toBe('accepted');
    expect(at({ height: -1 })).toBe('height');
    expect(at({ height: 1.5 })).toBe('height');
    expect(at({ previousFrameSizeBytes: 2 ** 32 })).toBe('previous-frame-size');
    expect(at({ frameOffset: -8 })).toBe('frame-offset');
    expect(at({ floor: 2 ** 53 })).toBe('floor');
    expect(at({ previousDigest: new Uint8Array(31) })).toBe('previous-digest');
  });
});
