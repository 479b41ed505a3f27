/** One block with transactions of every shape that the RPC shows, and the two keys that all of it is about. */
import { createHash } from 'node:crypto';
import { amount, type Hash, hash, height, pohCount, slot } from '../../native/index.ts';
import {
  assembleBlock,
  type Block,
  type BlockHeader,
  type Entry,
  type Payload,
  type SigningKey,
  signHeader,
  signingKey,
  signTransaction,
  type Transaction,
} from '../../src/codec/index.ts';

export const hasher: { sha256(bytes: Uint8Array): Uint8Array } = {
  sha256: (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest()),
};
/** A hash by its name. */
export const digest = (text: string): Hash => hash(hasher.sha256(Buffer.from(text)));
export const KEY: SigningKey = signingKey(new Uint8Array(32).fill(1));
export const OTHER: SigningKey = signingKey(new Uint8Array(32).fill(2));
export const CHAIN: Hash = digest('chain');
export const POH: Hash = digest('poh');

const PAYLOADS: readonly Payload[] = [
  { kind: 'transfer', to: OTHER.address, amount: amount(7n) },
  { kind: 'timestamp', digest: digest('file') },
  { kind: 'register', deposit: amount(1_000n) },
  { kind: 'commit', segment: 3, rotation: 2, keyProof: new Uint8Array(80).fill(9), replicaRoot: digest('root') },
  { kind: 'prove', segment: 3, period: 8, sampleProof: new Uint8Array(80).fill(8), samplesRoot: digest('samples') },
  {
    kind: 'unseal',
    period: 8,
    secrets: [{ seat: 2, secret: digest('secret') }],
    entries: [{ identity: OTHER.address, segment: 3, reason: 'samples-root' }],
  },
];

/** Signed by KEY. */
export function transaction(payload: Payload, counter = 1n): Transaction {
  const draft = {
    lastValidHash: POH.subarray(0, 20),
    lastValidCount: pohCount(50_000),
    payload,
    counter,
    fee: amount(5n),
  };
  return signTransaction(hasher, draft, KEY);
}

/** One of every kind, all of entry 1. */
export const TRANSACTIONS: readonly Transaction[] = PAYLOADS.map((payload) => transaction(payload));

function makeBlock(): Block {
  const draft = {
    chainId: CHAIN,
    height: height(4),
    slot: slot(6),
    parentHash: digest('parent'),
    pohCount: pohCount(300_000),
    pohHash: POH,
    entriesRoot: digest('entries'),
    transactionCount: TRANSACTIONS.length,
    stateRoot: digest('state'),
    historyLength: 12_345,
    segmentCount: 2,
    segmentsRoot: digest('segments'),
    leader: KEY.publicKey,
  };
  const header: BlockHeader = signHeader(hasher, draft, KEY);
  const entries: Entry[] = [
    { kind: 'parent', count: pohCount(250_001), hash: digest('e1') },
    { kind: 'transactions', count: pohCount(250_500), hash: digest('e2'), transactions: TRANSACTIONS },
    { kind: 'tick', count: pohCount(300_000), hash: POH },
  ];
  return assembleBlock(header, entries);
}

export const BLOCK: Block = makeBlock();
