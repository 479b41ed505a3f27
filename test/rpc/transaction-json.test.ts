import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signingKey, signTransaction } from '../../src/codec/index.ts';
import { transactionJson } from '../../src/rpc/transaction-json.ts';
import { kernels } from '../codec/fixtures.ts';
import { payload, transactionFields } from '../codec/samples.ts';

const key = signingKey(new Uint8Array(32).fill(3));

describe('a transaction as JSON', () => {
  it('has a text form whatever its kind holds', () => {
    const kinds = new Set<string>();
    fc.assert(
      fc.property(transactionFields, payload, (fields, each) => {
        const json = transactionJson(signTransaction(kernels, { ...fields, payload: each }, key));
        kinds.add(json.kind);
        expect(json.kind).toBe(each.kind);
        expect(JSON.parse(JSON.stringify(json))).toEqual(json);
        expect(JSON.stringify(json.payload)).not.toMatch(/"0":\d/);
      }),
      { numRuns: 400, seed: 5 },
    );
    expect(kinds).toContain('validations');
    expect(kinds).toContain('proveOpen');
  });
});
