import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Batch, BatchError, checkBatch, decodeBatch, encodeBatch } from '../../storage/oplog/batch.ts';
import type { StateOp } from '../../storage/state-reader.ts';

const bytes = (min: number, max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: min, maxLength: max });
const op: fc.Arbitrary<StateOp> = fc.oneof(
  fc.record({
    kind: fc.constant('putAccount' as const),
    address: bytes(20, 20),
    balance: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  fc.record({ kind: fc.constant('putRecord' as const), key: bytes(1, 64), value: bytes(0, 70) }),
  fc.record({ kind: fc.constant('deleteRecord' as const), key: bytes(1, 64) }),
);
const batches: fc.Arbitrary<Batch> = fc.record({
  height: fc.maxSafeNat(),
  ops: fc.array(op, { maxLength: 12 }),
});

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
const key = Uint8Array.of(1, 2, 3);

describe('batch encoding', () => {
  it('decodes what it encoded, whatever the ops', () => {
    fc.assert(
      fc.property(batches, (batch) => {
        const encoded = encodeBatch(batch);
        expect(decodeBatch(encoded)).toEqual(batch);
        expect(checkBatch(encoded)).toEqual({ height: batch.height, opCount: batch.ops.length });
      }),
      { seed: 10, numRuns: 300 },
    );
  });

  it('has the documented bytes', () => {
    const encoded = encodeBatch({
      height: 7,
      ops: [account(9), { kind: 'putRecord', key, value: Uint8Array.of(255) }],
    });
    expect(Buffer.from(encoded).toString('hex')).toBe(
      `07000000000000000200000000000000${'01140800'}${'09'.repeat(20)}0500000000000000${'02030100'}010203ff`,
    );
  });

  it('is canonical: any changed byte decodes to another value or is refused', () => {
    fc.assert(
      fc.property(batches, fc.nat(), fc.integer({ min: 1, max: 255 }), (batch, position, change) => {
        const encoded = encodeBatch(batch);
        encoded[position % encoded.length]! ^= change;
        const code = refusal(() => {
          const again = decodeBatch(encoded);
          expect(encodeBatch(again)).toEqual(encoded);
        });
        expect(code).not.toBe('');
      }),
      { seed: 11, numRuns: 500 },
    );
  });

  it('never crashes on rubbish', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (rubbish) => {
        refusal(() => decodeBatch(rubbish));
      }),
      { seed: 12, numRuns: 500 },
    );
  });

  it('refuses each fault with its own code', () => {
    const good = encodeBatch({ height: 7, ops: [account(9), { kind: 'putRecord', key, value: Uint8Array.of(1, 2) }] });
    const patched = (...changes: [number, number][]): Uint8Array => {
      const copy = good.slice();
      for (const [at, value] of changes) copy[at] = value;
      return copy;
    };
    expect(refusal(() => checkBatch(good))).toBe('accepted');
    expect(refusal(() => checkBatch(good.subarray(0, 12)))).toBe('length');
    expect(refusal(() => checkBatch(good.subarray(0, good.length - 1)))).toBe('length');
    expect(refusal(() => checkBatch(patched([7, 1])))).toBe('height');
    expect(refusal(() => checkBatch(patched([11, 255])))).toBe('op-count');
    expect(refusal(() => checkBatch(patched([8, 3])))).toBe('truncated');
    expect(refusal(() => checkBatch(patched([8, 1])))).toBe('trailing');
    expect(refusal(() => checkBatch(patched([12, 1])))).toBe('reserved');
    expect(refusal(() => checkBatch(patched([16, 4])))).toBe('op-kind');
    expect(refusal(() => checkBatch(patched([17, 19])))).toBe('key-length');
    expect(refusal(() => checkBatch(patched([18, 9])))).toBe('value-length');
    expect(refusal(() => checkBatch(patched([49, 0])))).toBe('key-length');
    expect(refusal(() => checkBatch(patched([51, 255])))).toBe('value-length');
    expect(refusal(() => checkBatch(patched([50, 200])))).toBe('truncated');
    expect(refusal(() => checkBatch(patched([good.length - 1, 1])))).toBe('padding');
    expect(refusal(() => checkBatch(patched([48, 3])))).toBe('value-length');
    expect(refusal(() => checkBatch(good.subarray(0, 44)))).toBe('truncated');
  });

  it('refuses to encode values outside the ranges', () => {
    const one = (bad: StateOp): string => refusal(() => encodeBatch({ height: 1, ops: [bad] }));
    expect(one({ kind: 'putAccount', address: new Uint8Array(19), balance: 1n })).toBe('key-length');
    expect(one({ kind: 'putAccount', address: new Uint8Array(20), balance: -1n })).toBe('balance');
    expect(one({ kind: 'putAccount', address: new Uint8Array(20), balance: 2n ** 64n })).toBe('balance');
    expect(one({ kind: 'putRecord', key: new Uint8Array(0), value: key })).toBe('key-length');
    expect(one({ kind: 'putRecord', key: new Uint8Array(65), value: key })).toBe('key-length');
    expect(one({ kind: 'putRecord', key, value: new Uint8Array(4097) })).toBe('value-length');
    expect(refusal(() => encodeBatch({ height: -1, ops: [] }))).toBe('height');
    expect(refusal(() => encodeBatch({ height: 1.5, ops: [] }))).toBe('height');
  });
});
