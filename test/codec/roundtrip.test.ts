import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countTransactions,
  decodeBlock,
  decodeCertificate,
  decodeHeader,
  decodePohPacket,
  decodeTransaction,
  decodeVote,
  encodeBlock,
  encodeCertificate,
  encodeHeader,
  encodePohPacket,
  encodeTransaction,
  encodeVote,
} from '../../src/codec/index.ts';
import { headerOf, kernels, voteOf } from './fixtures.ts';
import { entries, headerFields, pohPacketFields, transactionFields, voteFields } from './samples.ts';

const options = { seed: 20_240_601, numRuns: 200 };

describe('decode(encode(x)) = x, and encode(decode(b)) = b', () => {
  it('transactions of all kinds', () => {
    fc.assert(
      fc.property(transactionFields, (fields) => {
        const bytes = encodeTransaction(fields);
        const decoded = decodeTransaction(kernels, bytes);
        expect(decoded).toEqual({ ...fields, bytes, id: kernels.sha256(bytes.subarray(0, -64)) });
        expect(encodeTransaction(decoded)).toEqual(bytes);
      }),
      options,
    );
  });

  it('votes', () => {
    fc.assert(
      fc.property(voteFields, (fields) => {
        const bytes = encodeVote(fields);
        expect(decodeVote(bytes)).toEqual({ ...fields, bytes });
      }),
      options,
    );
  });

  it('headers', () => {
    fc.assert(
      fc.property(headerFields, (fields) => {
        const bytes = encodeHeader(fields);
        const { hash, ...decoded } = decodeHeader(kernels, bytes);
        expect(decoded).toEqual({ ...fields, bytes });
        const tagged = Buffer.concat([Buffer.from('cairn/block/1'), bytes]);
        expect(hash).toEqual(kernels.sha256(tagged));
      }),
      options,
    );
  });

  it('PoH packets', () => {
    fc.assert(
      fc.property(pohPacketFields, (fields) => {
        const bytes = encodePohPacket(fields);
        expect(decodePohPacket(bytes)).toEqual({ ...fields, bytes });
      }),
      options,
    );
  });

  it('blocks with any entries', () => {
    fc.assert(
      fc.property(entries, (sample) => {
        const header = headerOf({ transactionCount: countTransactions(sample) });
        const bytes = encodeBlock(header, sample);
        const decoded = decodeBlock(kernels, bytes);
        expect(decoded.header).toEqual(header);
        expect(decoded.entries).toEqual(sample);
        expect(encodeBlock(decoded.header, decoded.entries)).toEqual(bytes);
      }),
      { ...options, numRuns: 60 },
    );
  });

  it('certificates, votes in voter order', () => {
    const votes = [5, 3, 9, 1].map((seed) => voteOf(seed));
    const sorted = [...votes].sort((a, b) => Buffer.compare(a.voter, b.voter));
    const bytes = encodeCertificate({ header: headerOf(), votes });
    const decoded = decodeCertificate(kernels, bytes);
    expect(decoded).toEqual({ header: headerOf(), votes: sorted });
    expect(encodeCertificate(decoded)).toEqual(bytes);
  });

  it('decodes in place: a packet inside a larger buffer', () => {
    fc.assert(
      fc.property(transactionFields, fc.nat({ max: 40 }), (fields, shift) => {
        const bytes = encodeTransaction(fields);
        const larger = new Uint8Array(bytes.length + shift + 9).fill(0xee);
        larger.set(bytes, shift);
        expect(decodeTransaction(kernels, larger.subarray(shift, shift + bytes.length)).id).toEqual(
          decodeTransaction(kernels, bytes).id,
        );
      }),
      { ...options, numRuns: 30 },
    );
  });
});
