import { describe, expect, it } from 'vitest';
import type { Hash } from '../../native/index.ts';
import { amount } from '../../native/index.ts';
import { CodecError, type Payload } from '../../src/codec/index.ts';
import {
  buildTimestampProof,
  decodeTimestampProof,
  encodeTimestampProof,
  type TimestampProof,
  type TimestampResult,
  verifyTimestamp,
} from '../../src/poh/index.ts';
import { addressFrom, hashOf, kernels, payloads, thrownBy } from '../codec/fixtures.ts';
import { mutatorOf } from '../codec/mutator.ts';
import { endOf, genesis, makeBlock } from './chain.ts';

const transfer = (seed: number): Payload => ({ kind: 'transfer', to: addressFrom(seed), amount: amount(1n) });
const digestOf = (index: number): Hash => hashOf(100 + index);
/** Seven transactions (an odd tree) in the second of several batches; timestamps at 0, 3 and 6. */
const mixed: readonly Payload[] = Array.from({ length: 7 }, (_, index) =>
  index % 3 === 0 ? { kind: 'timestamp', digest: digestOf(index) } : transfer(index),
);
const first = makeBlock(genesis, 1);
const block = makeBlock(endOf(first), 2, [
  { atStep: 7, payloads: [transfer(40)] },
  { atStep: 21, payloads: mixed },
  { atStep: 22, payloads: [{ kind: 'timestamp', digest: digestOf(50) }] },
]);
const transactions = block.entries.flatMap((entry) => (entry.kind === 'transactions' ? entry.transactions : []));
const stamped = transactions.filter((transaction) => transaction.payload.kind === 'timestamp');

function proofOf(index: number): TimestampProof {
  const proof = buildTimestampProof(kernels, block, stamped[index]!.id);
  if (proof === undefined) throw new TypeError('the block holds this timestamp');
  return proof;
}

const check = (proof: TimestampProof, digest: Uint8Array, trusted: Hash = block.header.hash): TimestampResult =>
  verifyTimestamp(kernels, proof, trusted, digest);

describe('timestamp proofs', () => {
  it('hold for every timestamp of a block, through the file', () => {
    expect(stamped.length).toBe(4);
    for (const [index, digest] of [digestOf(0), digestOf(3), digestOf(6), digestOf(50)].entries()) {
      const bytes = encodeTimestampProof(proofOf(index));
      const proof = decodeTimestampProof(kernels, bytes);
      const expectedCount = index === 3 ? 64 + 22 : 64 + 21;
      expect(check(proof, digest)).toMatchObject({ ok: true, count: expectedCount, header: { slot: 2 } });
      expect(encodeTimestampProof(proof)).toEqual(bytes);
    }
  });

  it('are made only for timestamp transactions of the block', () => {
    const other = transactions.find((transaction) => transaction.payload.kind === 'transfer')!;
    expect(buildTimestampProof(kernels, block, other.id)).toBeUndefined();
    expect(buildTimestampProof(kernels, block, hashOf(1))).toBeUndefined();
    expect(buildTimestampProof(kernels, first, stamped[0]!.id)).toBeUndefined();
  });

  it('are refused with the reason', () => {
    const proof = proofOf(1);
    expect(check(proof, digestOf(3), first.header.hash)).toEqual({ ok: false, fault: 'block-hash' });
    expect(check(proof, digestOf(0))).toEqual({ ok: false, fault: 'digest' });
    expect(check({ ...proof, entryCount: proofOf(3).entryCount }, digestOf(3))).toEqual({
      ok: false,
      fault: 'entries-root',
    });
    expect(check({ ...proof, transaction: stamped[0]! }, digestOf(0))).toEqual({ ok: false, fault: 'entries-root' });
    const header = { ...proof.header, signature: proof.transaction.signature };
    expect(check({ ...proof, header }, digestOf(3))).toEqual({ ok: false, fault: 'header-signature' });
  });

  it('every bit of every byte counts', () => {
    const bytes = encodeTimestampProof(proofOf(1));
    expect(bytes.length).toBe(580 + 32 * 3 + 32 * 3);
    for (let offset = 0; offset < bytes.length; offset++) {
      for (const bit of offset < 24 ? [0, 1, 2, 3, 4, 5, 6, 7] : [offset % 8]) {
        const tampered = bytes.slice();
        tampered[offset]! ^= 1 << bit;
        let accepted = false;
        try {
          accepted = check(decodeTimestampProof(kernels, tampered), digestOf(3)).ok;
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
        expect(accepted, `byte ${offset}, bit ${bit}`).toBe(false);
      }
    }
  });

  it('malformed files are refused with a CodecError, whatever they hold', () => {
    const good = encodeTimestampProof(proofOf(0));
    expect(thrownBy(() => decodeTimestampProof(kernels, good.subarray(0, -1)))).toMatchObject({ code: 'truncated' });
    expect(thrownBy(() => decodeTimestampProof(kernels, new Uint8Array(600)))).toMatchObject({ code: 'magic' });
    expect(thrownBy(() => decodeTimestampProof(kernels, Uint8Array.from([...good, 0])))).toMatchObject({
      code: 'trailing',
    });
    const mutator = mutatorOf(11);
    const inputs = Math.ceil(Number(process.env.CAIRN_FUZZ ?? 200_000) / 20);
    for (let index = 0; index < inputs; index++) {
      const bytes = mutator.mutate(good);
      try {
        expect(Buffer.compare(encodeTimestampProof(decodeTimestampProof(kernels, bytes)), bytes)).toBe(0);
      } catch (error) {
        if (!(error instanceof CodecError)) throw error;
      }
    }
  });

  it('sits beside other kinds in a batch', () => {
    const all = makeBlock(genesis, 1, [{ atStep: 9, payloads }]);
    const id = all.entries.flatMap((entry) => (entry.kind === 'transactions' ? entry.transactions : []))[1]!.id;
    const proof = buildTimestampProof(kernels, all, id)!;
    expect(check(proof, hashOf(4), all.header.hash)).toMatchObject({ ok: true, count: 9 });
  });
});
