import { describe, expect, it } from 'vitest';
import { amount, height, pohCount } from '../../native/index.ts';
import {
  EVICTION_PATH_LENGTH_MAX,
  headerSignature,
  LAPSED_MAX,
  type Payload,
  packSignedMessages,
  packTransactionsForVerify,
  packVotesForVerify,
  pohPacketDraft,
  pohPacketSignature,
  type SignatureBatch,
  type SignedMessage,
  signedBytes,
  signPohPacket,
  signTransaction,
  voteMessage,
} from '../../src/codec/index.ts';
import {
  addressFrom,
  chainId,
  hashOf,
  headerOf,
  kernels,
  keyOf,
  pattern,
  payloads,
  transactionOf,
  voteOf,
} from './fixtures.ts';

function verdictsOf(batch: SignatureBatch): number[] {
  const verdicts = new Uint8Array(batch.offsets.length - 1).fill(7);
  kernels.ed25519Verify(batch.publicKeys, batch.signatures, batch.messages, batch.offsets, verdicts);
  return [...verdicts];
}

const transactions = payloads.map((payload, index) => transactionOf(payload, BigInt(index), index + 1));

describe('packed signatures', () => {
  it('verify in one batch, and a changed one is found where it stands', () => {
    expect(verdictsOf(packTransactionsForVerify(transactions))).toEqual(transactions.map(() => 1));
    const batch = packTransactionsForVerify(transactions);
    batch.messages[batch.offsets[3]! + 40]! ^= 1;
    expect(verdictsOf(batch)).toEqual(transactions.map((_, index) => (index === 3 ? 0 : 1)));
    expect(verdictsOf(packTransactionsForVerify([]))).toEqual([]);
  });

  it('votes', () => {
    const votes = [1, 2, 3].map((seed) => voteOf(seed));
    expect(verdictsOf(packVotesForVerify(chainId, votes))).toEqual([1, 1, 1]);
    expect(verdictsOf(packVotesForVerify(hashOf(31), votes))).toEqual([0, 0, 0]);
    const stolen = { ...votes[0]!, voter: votes[1]!.voter };
    expect(verdictsOf(packVotesForVerify(chainId, [stolen, votes[2]!]))).toEqual([0, 1]);
  });

  it('headers and PoH packets', () => {
    const header = headerOf();
    const packet = signPohPacket(pohPacketDraft(header), keyOf(1));
    const items: SignedMessage[] = [
      headerSignature(header),
      pohPacketSignature(packet, keyOf(1).publicKey),
      pohPacketSignature(packet, keyOf(2).publicKey),
    ];
    expect(verdictsOf(packSignedMessages(items))).toEqual([1, 1, 0]);
  });
});

describe('no signed message of one kind can be one of another kind', () => {
  it('their lengths differ: transactions, votes, headers, PoH packets', () => {
    const signed = (payload: Payload) =>
      signTransaction(
        kernels,
        { lastValidHash: pattern(20, 1), lastValidCount: pohCount(1), payload, counter: 0n, fee: amount(0n) },
        keyOf(1),
      );
    const revivals = Array.from({ length: EVICTION_PATH_LENGTH_MAX + 1 }, (_, steps) =>
      signed({ kind: 'revive', index: 0, balance: amount(1n), height: height(1), path: pattern(32 * steps, 1) }),
    );
    const names = (count: number) =>
      Array.from({ length: count }, (_, segment) => ({ segment, identity: addressFrom(1) }));
    const reports = Array.from({ length: LAPSED_MAX }, (_, index) =>
      signed({ kind: 'reportLapsed', entries: names(index + 1) }),
    );
    const packets = Array.from({ length: 20 }, (_, entries) =>
      [1, 2, 3, 4, 5].map((count) => {
        const spoken = new Uint8Array(Math.ceil((entries + 1) / 8));
        spoken[0] = 1;
        const sealed = new Uint8Array(spoken.length);
        const one = { seal: hashOf(2), spoken, sealed, signature: voteOf(1).signature };
        const voters = Array.from({ length: count }, (_, seat) => ({ seat, ...one }));
        return signed({ kind: 'validations', period: 1, entries: names(entries + 1), voters });
      }),
    ).flat();
    const openings = Array.from({ length: 20 }, (_, secrets) =>
      Array.from({ length: 20 }, (_, entries) => {
        const payload = {
          secrets: Array.from({ length: secrets }, (_, seat) => ({ seat, secret: hashOf(1) })),
          entries: names(entries + 1).map((name) => ({ ...name, reason: 'unstated' as const })),
        };
        return signed({ kind: 'unseal', period: 1, ...payload });
      }),
    ).flat();
    const transactionLengths = new Set(
      [...transactions, ...revivals, ...reports, ...packets, ...openings].map((item) => signedBytes(item).length),
    );
    const vote = voteMessage(chainId, voteOf(1)).length;
    const packet = pohPacketSignature(signPohPacket(pohPacketDraft(headerOf()), keyOf(1)), keyOf(1).publicKey);
    const others = [vote, headerSignature(headerOf()).message.length, packet.message.length];
    expect(new Set(others).size).toBe(3);
    for (const length of others) expect(transactionLengths.has(length)).toBe(false);
  });
});
