/**
 * Hostile bytes into every parser: each must return a value that encodes back to exactly those bytes, or throw a CodecError.
 * Seeded; `CAIRN_FUZZ` sets how many inputs in total (default 200,000), `CAIRN_FUZZ_SEED` (default 0) which.
 */
import { describe, expect, it } from 'vitest';
import { pohCount } from '../../native/index.ts';
import {
  CodecError,
  decodeBlock,
  decodeCertificate,
  decodeHeader,
  decodePohPacket,
  decodeTransaction,
  decodeVote,
  type Entry,
  encodeBlock,
  encodeCertificate,
  encodeHeader,
  encodePohPacket,
  encodeTransaction,
  encodeVote,
  pohPacketDraft,
  signPohPacket,
} from '../../src/codec/index.ts';
import { hashOf, headerOf, kernels, keyOf, payloads, transactionOf, voteOf } from './fixtures.ts';
import { type Mutator, mutatorOf } from './mutator.ts';

const inputsTotal = Number(process.env.CAIRN_FUZZ ?? 200_000);
const seed = Number(process.env.CAIRN_FUZZ_SEED ?? 0);

const entries: readonly Entry[] = [
  { kind: 'parent', count: pohCount(1), hash: hashOf(1) },
  { kind: 'transactions', count: pohCount(2), hash: hashOf(2), transactions: payloads.map((p) => transactionOf(p)) },
  { kind: 'votes', count: pohCount(3), hash: hashOf(3), votes: [voteOf(1), voteOf(2)] },
  { kind: 'tick', count: pohCount(10), hash: hashOf(4) },
];
const block = encodeBlock(headerOf({ transactionCount: payloads.length }), entries);

interface Target {
  readonly name: string;
  readonly share: number;
  readonly seeds: readonly Uint8Array[];
  /** Decodes and encodes again. */
  readonly pass: (bytes: Uint8Array) => Uint8Array;
}

const targets: readonly Target[] = [
  {
    name: 'transaction',
    share: 0.35,
    seeds: payloads.map((payload) => transactionOf(payload).bytes),
    pass: (bytes) => encodeTransaction(decodeTransaction(kernels, bytes)),
  },
  { name: 'vote', share: 0.15, seeds: [voteOf(1).bytes], pass: (bytes) => encodeVote(decodeVote(bytes)) },
  {
    name: 'header',
    share: 0.15,
    seeds: [headerOf().bytes],
    pass: (bytes) => encodeHeader(decodeHeader(kernels, bytes)),
  },
  {
    name: 'PoH packet',
    share: 0.1,
    seeds: [signPohPacket(pohPacketDraft(headerOf()), keyOf(1)).bytes],
    pass: (bytes) => encodePohPacket(decodePohPacket(bytes)),
  },
  {
    name: 'block',
    share: 0.15,
    seeds: [block],
    pass: (bytes) => {
      const decoded = decodeBlock(kernels, bytes);
      return encodeBlock(decoded.header, decoded.entries);
    },
  },
  {
    name: 'certificate',
    share: 0.1,
    seeds: [encodeCertificate({ header: headerOf(), votes: [voteOf(1), voteOf(2), voteOf(3)] })],
    pass: (bytes) => encodeCertificate(decodeCertificate(kernels, bytes)),
  },
];

/** Runs one input; returns whether it was accepted. Throws on any behaviour but the two allowed ones. */
function survives(target: Target, bytes: Uint8Array): boolean {
  let again: Uint8Array;
  try {
    again = target.pass(bytes);
  } catch (error) {
    if (error instanceof CodecError) return false;
    throw error;
  }
  if (Buffer.compare(again, bytes) !== 0) throw new TypeError(`${target.name}: accepted, but encodes differently`);
  return true;
}

describe('hostile bytes', () => {
  it.each(targets)('$name', (target) => {
    const mutator: Mutator = mutatorOf(0xca1e + target.name.length + seed * 1_000);
    const inputs = Math.ceil(inputsTotal * target.share);
    let accepted = 0;
    for (let index = 0; index < inputs; index++) {
      if (survives(target, mutator.mutate(target.seeds[index % target.seeds.length]!))) accepted++;
    }
    // Both ways must have been taken, else the inputs test nothing.
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(inputs);
  });
});
