import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { PeerFault } from '../../src/net/transport.ts';
import { MESSAGE_DEPTH_MAX, messageFault } from '../../src/node/message-scan.ts';
import {
  decodeMessage,
  EmptyRequest,
  encodeMessage,
  FindingsSecretAnswer,
  FindingsSecretRequest,
  HashRequest,
  OpeningRequest,
  PendingProofsAnswer,
  PendingProofsRequest,
  RangeRequest,
  ReplicasAnswer,
  ReplicasRequest,
  SegmentRequest,
  StandingsAnswer,
  StatusMessage,
  ValidationsAnswer,
  ValidationsRequest,
} from '../../src/node/protocols.ts';
import { frameTransactions, unframeTransactions } from '../../src/node/relay/submissions.ts';
import { mutatorOf } from '../codec/mutator.ts';
import { newWorld, rootOf, transactionOn } from './world.ts';

const samples: readonly (readonly [z.ZodType<unknown>, Record<string, unknown>])[] = [
  [HashRequest, { hash: new Uint8Array(32).fill(7) }],
  [RangeRequest, { from: 65, countMax: 1024 }],
  [SegmentRequest, { index: 70_000, offset: 12 }],
  [ReplicasRequest, { identity: new Uint8Array(20) }],
  [EmptyRequest, {}],
  [
    StatusMessage,
    {
      chainId: new Uint8Array(32),
      role: 'validator',
      startHeight: 1,
      finalizedHeight: 2 ** 40,
      bestHeight: 100,
      publicKey: null,
      keyProof: null,
      rpc: 'http://127.0.0.1:1',
      version: '0.1.0',
    },
  ],
  [
    ReplicasAnswer,
    {
      slot: 3,
      registered: true,
      leaving: false,
      balance: '18446744073709551615',
      deposit: '1000',
      locked: '0',
      accepted: 7,
      fakes: 1,
      replicas: Array.from({ length: 40 }, (_, segment) => ({
        segment,
        rotation: 1,
        commitSlot: 77,
        lastPeriod: -1,
        proof: 'revealed',
        accepted: 0,
        rejected: 200,
        expired: 3,
        reason: 'segment-opening',
        paid: 9,
        misses: 2,
      })),
    },
  ],
  [OpeningRequest, { segment: 3, period: 70_000 }],
  [PendingProofsRequest, { period: 4 }],
  [PendingProofsAnswer, { entries: [{ segment: 1, identity: new Uint8Array(20).fill(3) }] }],
  [ValidationsRequest, { period: 4, entries: [{ segment: 1, identity: new Uint8Array(20).fill(3) }] }],
  [
    ValidationsAnswer,
    {
      ...{ seat: 3, seal: new Uint8Array(32).fill(9), spoken: Uint8Array.of(1), sealed: Uint8Array.of(0) },
      signature: new Uint8Array(64).fill(8),
    },
  ],
  [FindingsSecretRequest, { period: 4 }],
  [FindingsSecretAnswer, { seat: 1023, secret: new Uint8Array(32).fill(10) }],
  [StandingsAnswer, { slot: 8, target: 4, identities: 2, standings: [{ segment: 0, proven: 1, replicas: 3 }] }],
];

/** The fault's code, or null when the bytes were taken; anything else thrown fails the test. */
function verdict(schema: z.ZodType<unknown>, bytes: Uint8Array): string | null {
  try {
    decodeMessage(schema, bytes, 'peer', '/x');
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(PeerFault);
    return (error as PeerFault).code;
  }
}

describe('messages', () => {
  it('come back as they were sent', () => {
    for (const [schema, value] of samples)
      expect(decodeMessage(schema, encodeMessage(value), 'peer', '/x')).toStrictEqual(value);
  });

  it('are refused with a fault when a field is missing, strange or too large', () => {
    const [status] = samples[5]!;
    const good = samples[5]![1];
    for (const key of Object.keys(good)) {
      const { [key]: _, ...without } = good;
      expect(verdict(status, encodeMessage(without))).toBe('malformed-message');
      expect(verdict(status, encodeMessage({ ...good, [key]: [1] }))).toBe('malformed-message');
    }
    for (const change of [
      { more: 1 },
      { bestHeight: -1 },
      { bestHeight: 2 ** 60 },
      { rpc: 'x'.repeat(257) },
      { chainId: new Uint8Array(31) },
    ])
      expect(verdict(status, encodeMessage({ ...good, ...change }))).toBe('malformed-message');
    expect(verdict(RangeRequest, encodeMessage({ from: 0.5, countMax: 1 }))).toBe('malformed-message');
  });

  it('are never more than plain values: extensions, depth, false lengths and rests are faults', () => {
    const generous = new Packr({ useRecords: false });
    const hostile: Uint8Array[] = [
      generous.pack(new Date(0)),
      generous.pack({ from: new Date(0), countMax: 1 }),
      generous.pack(new Set([1])),
      Uint8Array.of(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1),
      Uint8Array.of(0xd4, 0x78, 0, 0x92, 0xa3, 0x28, 0x61, 0x2b, 0xa1, 0x67),
      Uint8Array.of(0xc1),
      Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0xdf, 0x7f, 0xff, 0xff, 0xff, 0x01),
      Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff, 0x01),
      Uint8Array.of(0x80, 0x00),
      new Uint8Array(0),
      ...[10, 3_500, 8_000, 1_000_000].map((depth) => Uint8Array.from([...new Uint8Array(depth).fill(0x91), 1])),
    ];
    for (const bytes of hostile)
      for (const [schema] of samples) expect(verdict(schema, bytes)).toBe('malformed-message');
    const flat = (depth: number): Uint8Array => Uint8Array.from([...new Uint8Array(depth).fill(0x91), 1]);
    expect(messageFault(flat(MESSAGE_DEPTH_MAX))).toBeNull();
    expect(messageFault(flat(MESSAGE_DEPTH_MAX + 1))).toContain('deeper');
  });

  it('agree with the decoder on every plain value', () => {
    const packr = new Packr({ useRecords: false });
    const plain = fc.letrec((tie) => ({
      leaf: fc.oneof(
        fc.integer(),
        fc.double(),
        fc.string(),
        fc.boolean(),
        fc.constant(null),
        fc.uint8Array({ maxLength: 300 }),
      ),
      value: fc.oneof(
        { depthSize: 'small', maxDepth: 3 },
        tie('leaf'),
        fc.array(tie('value'), { maxLength: 20 }),
        fc.dictionary(fc.string(), tie('value')),
      ),
    })).value;
    fc.assert(
      fc.property(plain, (value) => {
        const bytes = packr.pack(value);
        expect(messageFault(bytes)).toBeNull();
        expect(messageFault(Uint8Array.from([...bytes, 0]))).not.toBeNull();
        expect(messageFault(bytes.subarray(0, -1))).not.toBeNull();
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  it('bring nothing but faults when their bytes are mangled', () => {
    const mutator = mutatorOf(5);
    const started = performance.now();
    for (let round = 0; round < 4_000; round += 1) {
      const [schema, value] = samples[round % samples.length]!;
      let bytes: Uint8Array = Uint8Array.from(encodeMessage(value));
      for (let times = 0; times <= round % 3; times += 1) bytes = bytes.length === 0 ? bytes : mutator.mutate(bytes);
      verdict(schema, bytes);
    }
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});

describe('submissions on the wire', () => {
  const world = newWorld();
  const transactions = Array.from({ length: 5 }, (_, at) =>
    transactionOn(world, rootOf(world).header, { counter: BigInt(at) }),
  );

  it('come apart as they were put together', () => {
    expect(unframeTransactions(frameTransactions(transactions), 'peer')).toEqual(
      transactions.map(({ bytes }) => bytes),
    );
    expect(unframeTransactions(new Uint8Array(0), 'peer')).toEqual([]);
    const many = frameTransactions(Array.from({ length: 512 }, () => transactions[0]!));
    expect(unframeTransactions(many, 'peer')).toHaveLength(512);
    expect(() =>
      unframeTransactions(Uint8Array.from([...many, ...frameTransactions([transactions[0]!])]), 'peer'),
    ).toThrow(PeerFault);
  });

  it('are copies: the frame may change afterwards', () => {
    const framed = frameTransactions(transactions);
    const packets = unframeTransactions(framed, 'peer');
    framed.fill(0);
    expect(packets[0]).toEqual(transactions[0]!.bytes);
  });

  it('bring nothing but faults when they are mangled, and never more bytes than came', () => {
    const mutator = mutatorOf(6);
    for (let round = 0; round < 4_000; round += 1) {
      const bytes = mutator.mutate(frameTransactions(transactions));
      try {
        const packets = unframeTransactions(bytes, 'peer');
        expect(packets.reduce((sum, { length }) => sum + length + 2, 0)).toBe(bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(PeerFault);
      }
    }
    expect(() => unframeTransactions(Uint8Array.of(0, 0), 'peer')).toThrow(PeerFault);
    expect(() => unframeTransactions(Uint8Array.of(5), 'peer')).toThrow(PeerFault);
  });
});
