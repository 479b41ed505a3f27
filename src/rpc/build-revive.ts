/**
 * Makes a signed revival from what a node said of an eviction. What the node said is not trusted: a wrong path is refused by the ledger, and costs nothing.
 */
import { amount, height, pohCount } from '../../native/index.ts';
import type { Transaction } from '../codec/model.ts';
import type { SigningKey } from '../codec/signing.ts';
import { signTransaction } from '../codec/transaction.ts';
import { walletHasher } from './build-transfer.ts';
import type { BlockhashView, EvictionView } from './client-types.ts';

export interface ReviveOrder {
  /** Key of the evicted account. */
  readonly key: SigningKey;
  readonly eviction: Pick<EvictionView, 'index' | 'balance' | 'height' | 'path'>;
  /** Taken from what is revived when the account holds less. */
  readonly fee: bigint;
  readonly counter: bigint;
  /** A recent block of the chain. */
  readonly blockhash: Pick<BlockhashView, 'pohHash' | 'pohCount'>;
}

/** Builds and signs a revival. Throws `CodecError` or `QuantityError` naming what does not fit. */
export function buildRevive({ key, eviction, fee, counter, blockhash }: ReviveOrder): Transaction {
  const { index, balance, path } = eviction;
  return signTransaction(
    walletHasher,
    {
      lastValidHash: blockhash.pohHash.subarray(0, 20),
      lastValidCount: pohCount(blockhash.pohCount),
      payload: { kind: 'revive', index, balance: amount(balance), height: height(eviction.height), path },
      counter,
      fee: amount(fee),
    },
    key,
  );
}
