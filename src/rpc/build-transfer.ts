/**
 * Makes a signed transfer from what a wallet knows. Hashing is node:crypto's: a wallet needs no kernels.
 */
import { createHash } from 'node:crypto';
import { type Address, amount, pohCount } from '../../native/index.ts';
import type { Transaction } from '../codec/model.ts';
import type { SigningKey } from '../codec/signing.ts';
import { parseAddress } from '../codec/text.ts';
import { signTransaction } from '../codec/transaction.ts';
import type { BlockhashView } from './client-types.ts';

export interface TransferOrder {
  readonly key: SigningKey;
  /** Recipient: `cairn1...` text or 20 bytes. */
  readonly to: string | Address;
  /** In the smallest unit, 0 .. 2^64 - 1. */
  readonly amount: bigint;
  readonly fee: bigint;
  /** Makes two otherwise equal transfers different; any u64 this sender has not used within the recency window. */
  readonly counter: bigint;
  /** A recent block of the chain. */
  readonly blockhash: Pick<BlockhashView, 'pohHash' | 'pohCount'>;
}

/** SHA-256 for the codec, without kernels. */
export const walletHasher: { sha256(bytes: Uint8Array): Uint8Array } = {
  sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
};

/** Builds and signs a transfer. Throws `CodecError` or `QuantityError` naming what does not fit. */
export function buildTransfer(order: TransferOrder): Transaction {
  const to = typeof order.to === 'string' ? parseAddress(order.to, 'to') : order.to;
  return signTransaction(
    walletHasher,
    {
      lastValidHash: order.blockhash.pohHash.subarray(0, 20),
      lastValidCount: pohCount(order.blockhash.pohCount),
      payload: { kind: 'transfer', to, amount: amount(order.amount) },
      counter: order.counter,
      fee: amount(order.fee),
    },
    order.key,
  );
}
