/** Makes a signed transaction about one's own bond from what a wallet knows. */
import { amount, pohCount } from '../../native/index.ts';
import type { BondPayload, Transaction, UnbondPayload, WithdrawPayload } from '../codec/model.ts';
import type { SigningKey } from '../codec/signing.ts';
import { signTransaction } from '../codec/transaction.ts';
import { walletHasher } from './build-transfer.ts';
import type { BlockhashView } from './client-types.ts';

export interface StakeOrder {
  /** The validator's key: its account pays and is paid. */
  readonly key: SigningKey;
  readonly payload: BondPayload | UnbondPayload | WithdrawPayload;
  readonly fee: bigint;
  readonly counter: bigint;
  /** A recent block of the chain. */
  readonly blockhash: Pick<BlockhashView, 'pohHash' | 'pohCount'>;
}

/** Builds and signs it. Throws `CodecError` or `QuantityError` naming what does not fit. */
export function buildStake({ key, payload, fee, counter, blockhash }: StakeOrder): Transaction {
  const draft = {
    lastValidHash: blockhash.pohHash.subarray(0, 20),
    lastValidCount: pohCount(blockhash.pohCount),
    payload,
    counter,
    fee: amount(fee),
  };
  return signTransaction(walletHasher, draft, key);
}
