import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { height, pohCount, slot } from '../../native/index.ts';
import {
  decodeHeader,
  decodeHex,
  decodePohPacket,
  decodeTransaction,
  decodeVote,
  encodeHex,
  pohPacketDraft,
  signPohPacket,
  TransactionKind,
} from '../../src/codec/index.ts';
import {
  headerDraft,
  headerOf,
  kernels,
  keyOf,
  nameOf,
  payloads,
  transactionOf,
  voteDraft,
  voteOf,
} from './fixtures.ts';
import { packetVectors } from './vectors.ts';

/** Those that node:crypto alone wrote. */
const findings = JSON.parse(readFileSync(new URL('../vectors/findings.json', import.meta.url), 'utf8')) as Record<
  'validations' | 'unseal',
  { readonly bytes: string; readonly id: string }
>;
const vectors = [
  ...packetVectors,
  ...(['validations', 'unseal'] as const).map((name) => ({
    name,
    bytes: findings[name].bytes,
    hash: findings[name].id,
  })),
];

function vector(name: string): { readonly bytes: Uint8Array; readonly hash: string | undefined } {
  const found = vectors.find((candidate) => candidate.name === name)!;
  return { bytes: decodeHex(found.bytes, found.bytes.length / 2, name), hash: found.hash };
}

describe('pinned packets', () => {
  it.each(payloads.map((payload) => [nameOf(payload), payload] as const))('%s', (name, payload) => {
    const { bytes, hash } = vector(name);
    expect(encodeHex(transactionOf(payload).bytes)).toBe(encodeHex(bytes));
    const decoded = decodeTransaction(kernels, bytes);
    expect(decoded.payload).toEqual(payload);
    expect(decoded.lastValidCount).toBe(pohCount(50_000));
    expect(decoded.counter).toBe(1n);
    expect(decoded.fee).toBe(1_000n);
    expect(decoded.from).toEqual(keyOf(1).publicKey);
    expect(encodeHex(decoded.id)).toBe(hash);
    expect(bytes[29]).toBe(TransactionKind[payload.kind]);
  });

  it('transfer is 176 bytes with the fields where the design puts them', () => {
    const { bytes } = vector('transfer');
    expect(bytes.length).toBe(176);
    const payload = payloads[0]!;
    if (payload.kind !== 'transfer') throw new TypeError('the first sample is a transfer');
    expect(bytes.subarray(36, 56)).toEqual(payload.to);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    expect(view.getBigUint64(56, true)).toBe(payload.amount);
    expect(view.getBigUint64(64, true)).toBe(1n);
    expect(view.getBigUint64(72, true)).toBe(1_000n);
    expect(bytes.subarray(80, 112)).toEqual(keyOf(1).publicKey);
  });

  it('vote', () => {
    const { bytes } = vector('vote');
    expect(encodeHex(voteOf(1).bytes)).toBe(encodeHex(bytes));
    const decoded = decodeVote(bytes);
    expect(decoded).toMatchObject({ ...voteDraft, sourceSlot: slot(8), targetSlot: slot(9) });
    expect(decoded.voter).toEqual(keyOf(1).publicKey);
  });

  it('header, and its hash', () => {
    const { bytes, hash } = vector('header');
    expect(encodeHex(headerOf().bytes)).toBe(encodeHex(bytes));
    const decoded = decodeHeader(kernels, bytes);
    expect(decoded).toMatchObject({ ...headerDraft, height: height(9) });
    expect(encodeHex(decoded.hash)).toBe(hash);
  });

  it('PoH packet is 132 bytes', () => {
    const { bytes } = vector('poh');
    expect(bytes.length).toBe(132);
    expect(encodeHex(signPohPacket(pohPacketDraft(headerOf()), keyOf(1)).bytes)).toBe(encodeHex(bytes));
    expect(decodePohPacket(bytes).pohCount).toBe(headerDraft.pohCount);
  });
});
