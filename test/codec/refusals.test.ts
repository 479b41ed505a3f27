import { describe, expect, it } from 'vitest';
import { amount, hash, pohCount } from '../../native/index.ts';
import {
  BLOCK_SIZE_BYTES_MAX,
  ByteWriter,
  CERTIFICATE_VOTES_MAX,
  CodecError,
  type CodecErrorCode,
  decodeBlock,
  decodeCertificate,
  decodeHeader,
  decodePohPacket,
  decodeTransaction,
  decodeVote,
  type Entry,
  encodeBlock,
  encodeCertificate,
  signTransaction,
  TRANSACTION_SIZE_BYTES_MAX,
} from '../../src/codec/index.ts';
import {
  hashOf,
  headerOf,
  kernels,
  keyOf,
  nameOf,
  pattern,
  payloads,
  thrownBy,
  transactionOf,
  voteOf,
} from './fixtures.ts';

function expectRefused(call: () => unknown, code: CodecErrorCode, field: string): void {
  const error = thrownBy(call);
  expect(error).toBeInstanceOf(CodecError);
  expect(error).toMatchObject({ code, field });
  expect((error as CodecError).message).toContain(field);
}

/** A copy with some bytes replaced. */
function changed(bytes: Uint8Array, offset: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, offset);
  return copy;
}

const sampleEntries: readonly Entry[] = [
  { kind: 'parent', count: pohCount(1), hash: hashOf(1) },
  { kind: 'transactions', count: pohCount(2), hash: hashOf(2), transactions: payloads.map((p) => transactionOf(p)) },
  { kind: 'votes', count: pohCount(3), hash: hashOf(3), votes: [voteOf(1)] },
  { kind: 'tick', count: pohCount(4), hash: hashOf(4) },
];
const sampleBlock = encodeBlock(headerOf({ transactionCount: payloads.length }), sampleEntries);

describe('transaction refusals', () => {
  const transfer = transactionOf(payloads[0]!).bytes;
  const revive = transactionOf(payloads[5]!).bytes;
  const decode = (bytes: Uint8Array) => () => decodeTransaction(kernels, bytes);
  const named = (name: string): Uint8Array => transactionOf(payloads.find((one) => nameOf(one) === name)!).bytes;
  const evidence = named('evidence doubleVote');

  it.each([
    ['version', decode(changed(transfer, 28, 2)), 'version', 'transaction.version'],
    ['kind', decode(changed(transfer, 29, 7)), 'kind', 'transaction.kind'],
    ['flags', decode(changed(transfer, 30, 1)), 'reserved', 'transaction.flags'],
    ['reserved', decode(changed(transfer, 35, 1)), 'reserved', 'transaction.reserved'],
    ['count past 2^53', decode(changed(transfer, 27, 0xff)), 'range', 'transaction.lastValidCount'],
    ['one byte short', decode(transfer.subarray(0, 175)), 'truncated', 'transaction.signature'],
    ['one byte more', decode(Uint8Array.from([...transfer, 0])), 'trailing', 'transaction'],
    ['empty', decode(new Uint8Array(0)), 'truncated', 'transaction.lastValidHash'],
    ['too large', decode(new Uint8Array(TRANSACTION_SIZE_BYTES_MAX + 1)), 'size', 'transaction'],
    ['44 steps', decode(changed(revive, 60, 44, 0)), 'count', 'revive.path'],
    ['more steps than bytes', decode(changed(revive, 60, 9, 0)), 'truncated', 'revive.path'],
    ['a step too few', decode(changed(revive, 60, 2, 0)), 'trailing', 'transaction'],
    ['revive reserved', decode(changed(revive, 63, 1)), 'reserved', 'revive.reserved'],
    ['eviction past 2^53', decode(changed(revive, 43, 0xff)), 'range', 'revive.index'],
    ['eviction height past 2^53', decode(changed(revive, 59, 0xff)), 'range', 'revive.height'],
    ['kind past the last', decode(changed(transfer, 29, 16)), 'kind', 'transaction.kind'],
    ['offence', decode(changed(evidence, 36, 4)), 'kind', 'evidence.offence'],
    ['evidence reserved', decode(changed(evidence, 43, 1)), 'reserved', 'evidence.reserved'],
    ['votes in the place of headers', decode(changed(evidence, 36, 2)), 'range', 'header.height'],
    ['a secret in the place of a vote', decode(changed(evidence, 36, 3)), 'version', 'vote.version'],
    ['version of the vote within', decode(changed(evidence, 44 + 264, 2)), 'version', 'vote.version'],
    ['slot of the header within', decode(changed(named('revealDecoy'), 36 + 55, 1)), 'range', 'header.slot'],
    ['secret cut off', decode(named('revealDecoy').subarray(0, 400)), 'truncated', 'revealDecoy.secret'],
    ['deadline past 2^53', decode(changed(named('nominate'), 75, 1)), 'range', 'nominate.deadlineSlot'],
    ['something in a hand-over', decode(Uint8Array.from([...named('handOver'), 0])), 'trailing', 'transaction'],
  ] as const)('%s', (_, call, code, field) => expectRefused(call, code, field));

  it('drafts that do not fit', () => {
    const draft = {
      lastValidHash: pattern(20, 1),
      lastValidCount: pohCount(1),
      payload: { kind: 'timestamp', digest: hashOf(1) } as const,
      counter: 1n,
      fee: amount(1n),
    };
    const sign = (change: object) => () => signTransaction(kernels, { ...draft, ...change }, keyOf(1));
    expectRefused(sign({ counter: 2n ** 64n }), 'range', 'transaction.counter');
    expectRefused(sign({ counter: -1n }), 'range', 'transaction.counter');
    expectRefused(sign({ lastValidHash: pattern(32, 1) }), 'length', 'transaction.lastValidHash');
    expectRefused(sign({ lastValidCount: 1.5 }), 'range', 'transaction.lastValidCount');
    const eviction = { kind: 'revive', index: 1, balance: 1n, height: 1 };
    expectRefused(sign({ payload: { ...eviction, path: new Uint8Array(33) } }), 'length', 'revive.path');
    expectRefused(sign({ payload: { ...eviction, path: new Uint8Array(32 * 44) } }), 'count', 'revive.path');
    expectRefused(sign({ payload: { ...eviction, index: 2 ** 53, path: new Uint8Array(0) } }), 'range', 'revive.index');
    const vote = { ...voteOf(1), bytes: new Uint8Array(263) };
    const offence = { kind: 'decoyVote', secret: pattern(32, 1), vote };
    expectRefused(sign({ payload: { kind: 'evidence', offence } }), 'length', 'evidence.vote');
    expectRefused(
      sign({ payload: { kind: 'revealDecoy', header: headerOf(), secret: pattern(31, 1) } }),
      'length',
      'revealDecoy.secret',
    );
    expectRefused(sign({ payload: { kind: 'bond', amount: -1n } }), 'range', 'bond.amount');
  });
});

describe('vote, header and PoH packet refusals', () => {
  const vote = voteOf(1).bytes;
  const header = headerOf().bytes;
  it.each([
    ['vote version', () => decodeVote(changed(vote, 0, 9)), 'version', 'vote.version'],
    ['vote reserved', () => decodeVote(changed(vote, 7, 1)), 'reserved', 'vote.reserved'],
    ['vote slot', () => decodeVote(changed(vote, 55, 1)), 'range', 'vote.targetSlot'],
    ['vote short', () => decodeVote(vote.subarray(1, 264).subarray(0, 0)), 'truncated', 'vote.version'],
    ['vote long', () => decodeVote(Uint8Array.from([...vote, 1])), 'trailing', 'vote'],
    ['header version', () => decodeHeader(kernels, changed(header, 0, 2)), 'version', 'header.version'],
    ['header reserved', () => decodeHeader(kernels, changed(header, 1, 1)), 'reserved', 'header.reserved'],
    ['header height', () => decodeHeader(kernels, changed(header, 47, 1)), 'range', 'header.height'],
    ['header short', () => decodeHeader(kernels, header.subarray(0, 335)), 'truncated', 'header.signature'],
    ['PoH packet short', () => decodePohPacket(new Uint8Array(131)), 'truncated', 'pohPacket.signature'],
    ['PoH packet long', () => decodePohPacket(new Uint8Array(133)), 'trailing', 'pohPacket'],
  ] as const)('%s', (_, call, code, field) => expectRefused(call, code, field));
});

describe('block refusals', () => {
  const decode = (bytes: Uint8Array) => () => decodeBlock(kernels, bytes);
  /** Offset of the transactions entry: header, count, the parent entry. */
  const batch = 336 + 4 + 41;

  it.each([
    ['no entries', decode(changed(sampleBlock, 336, 0)), 'count', 'block.entryCount'],
    ['more entries than allowed', decode(changed(sampleBlock, 336, 1, 0, 1)), 'count', 'block.entryCount'],
    ['more entries than bytes', decode(changed(sampleBlock, 336, 0xff, 0xff)), 'truncated', 'block.entryCount'],
    ['fewer entries than bytes', decode(changed(sampleBlock, 336, 3)), 'trailing', 'block'],
    ['unknown entry kind', decode(changed(sampleBlock, 340, 4)), 'kind', 'entry.kind'],
    ['empty batch', decode(changed(sampleBlock, batch + 41, 0)), 'count', 'entry.itemCount'],
    ['batch of 2^32 - 1', decode(changed(sampleBlock, batch + 41, 255, 255, 255, 255)), 'count', 'entry.itemCount'],
    ['transaction count', decode(changed(sampleBlock, 160, 5)), 'mismatch', 'header.transactionCount'],
    ['cut', decode(sampleBlock.subarray(0, -1)), 'truncated', 'entry.hash'],
    ['too large', decode(new Uint8Array(BLOCK_SIZE_BYTES_MAX + 1)), 'size', 'block'],
  ] as const)('%s', (_, call, code, field) => expectRefused(call, code, field));

  it('does not encode what it would refuse', () => {
    const header = headerOf();
    expectRefused(() => encodeBlock(header, []), 'count', 'block.entryCount');
    expectRefused(() => encodeBlock(header, sampleEntries), 'mismatch', 'header.transactionCount');
    const empty: Entry = { kind: 'votes', count: pohCount(1), hash: hash(new Uint8Array(32)), votes: [] };
    expectRefused(() => encodeBlock(header, [empty]), 'count', 'entry.itemCount');
  });
});

describe('certificate refusals', () => {
  const bytes = encodeCertificate({ header: headerOf(), votes: [voteOf(1), voteOf(2)] });
  const decode = (changedBytes: Uint8Array) => () => decodeCertificate(kernels, changedBytes);

  it('version, reserved, count, order', () => {
    expectRefused(decode(changed(bytes, 0, 0)), 'version', 'certificate.version');
    expectRefused(decode(changed(bytes, 3, 1)), 'reserved', 'certificate.reserved');
    expectRefused(decode(changed(bytes, 4, 1)), 'trailing', 'certificate');
    expectRefused(decode(changed(bytes, 4, 3)), 'truncated', 'vote.version');
    const many = CERTIFICATE_VOTES_MAX + 1;
    expectRefused(decode(changed(bytes, 4, many & 0xff, many >>> 8)), 'count', 'certificate.voteCount');
    const swapped = changed(bytes, 344, ...bytes.subarray(344 + 264), ...bytes.subarray(344, 344 + 264));
    expectRefused(decode(swapped), 'mismatch', 'certificate.votes');
  });

  it('two votes of one voter', () => {
    expectRefused(
      () => encodeCertificate({ header: headerOf(), votes: [voteOf(1), voteOf(1)] }),
      'mismatch',
      'certificate.votes',
    );
  });
});

describe('the writer', () => {
  it('neither overruns nor underfills its plan', () => {
    const writer = new ByteWriter(4);
    writer.u32(1, 'a');
    expectRefused(() => writer.u8(1, 'b'), 'size', 'b');
    expectRefused(() => new ByteWriter(2).done('c'), 'size', 'c');
    expectRefused(() => new ByteWriter(1).u8(256, 'd'), 'range', 'd');
  });
});
