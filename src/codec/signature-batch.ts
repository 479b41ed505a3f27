/**
 * Packs the signatures of many packets into the parallel arrays `kernels.ed25519Verify` takes: a batch crosses the border once.
 *
 * Everything is copied, so a batch may be transferred to another thread.
 */
import type { Hash, PublicKey, Signature } from '../../native/index.ts';
import { beforeSignature } from './domain.ts';
import { headerMessage } from './header.ts';
import type { BlockHeader, PohPacket, Transaction, Vote } from './model.ts';
import { signedBytes } from './transaction.ts';
import { voteMessage } from './vote.ts';

/** n signatures; signature i covers messages[offsets[i] .. offsets[i + 1]]. */
export interface SignatureBatch {
  /** n * 32 bytes */
  readonly publicKeys: Uint8Array;
  /** n * 64 bytes */
  readonly signatures: Uint8Array;
  readonly messages: Uint8Array;
  /** n + 1 ascending, from 0 */
  readonly offsets: Uint32Array;
}

/** One signature to check: key, signature, message (all borrowed). */
export interface SignedMessage {
  readonly publicKey: PublicKey;
  readonly signature: Signature;
  readonly message: Uint8Array;
}

/** Packs signed messages of any kind, in order. */
export function packSignedMessages(items: readonly SignedMessage[]): SignatureBatch {
  const offsets = new Uint32Array(items.length + 1);
  const publicKeys = new Uint8Array(items.length * 32);
  const signatures = new Uint8Array(items.length * 64);
  items.forEach((item, index) => {
    publicKeys.set(item.publicKey, index * 32);
    signatures.set(item.signature, index * 64);
    offsets[index + 1] = offsets[index]! + item.message.length;
  });
  const messages = new Uint8Array(offsets[items.length]!);
  items.forEach((item, index) => {
    messages.set(item.message, offsets[index]!);
  });
  return { publicKeys, signatures, messages, offsets };
}

/** What a transaction's sender signed. */
export function transactionSignature(transaction: Transaction): SignedMessage {
  return { publicKey: transaction.from, signature: transaction.signature, message: signedBytes(transaction) };
}

/** What a voter of a chain signed. */
export function voteSignature(chainId: Hash, vote: Vote): SignedMessage {
  return { publicKey: vote.voter, signature: vote.signature, message: voteMessage(chainId, vote) };
}

/** What a block's leader signed. */
export function headerSignature(header: BlockHeader): SignedMessage {
  return { publicKey: header.leader, signature: header.signature, message: headerMessage(header.bytes) };
}

/** What the leader who sent a PoH packet signed. @param leader whom the receiver expects */
export function pohPacketSignature(packet: PohPacket, leader: PublicKey): SignedMessage {
  return { publicKey: leader, signature: packet.signature, message: beforeSignature(packet.bytes) };
}

/** The transactions' signatures, packed in order. */
export function packTransactionsForVerify(transactions: readonly Transaction[]): SignatureBatch {
  return packSignedMessages(transactions.map(transactionSignature));
}

/** The signatures of a chain's votes, packed in order. */
export function packVotesForVerify(chainId: Hash, votes: readonly Vote[]): SignatureBatch {
  return packSignedMessages(votes.map((vote) => voteSignature(chainId, vote)));
}
