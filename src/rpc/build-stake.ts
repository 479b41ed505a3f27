/** Makes a signed transaction about one's own bond, or a replicator's deposit, from what a wallet knows. */
import { amount, pohCount } from '../../native/index.ts';
import type {
  ReportLapsedPayload,
  RetirePayload,
  UnregisterPayload,
  WithdrawDepositPayload,
} from '../codec/market-model.ts';
import type { BondPayload, Transaction, UnbondPayload, WithdrawPayload } from '../codec/model.ts';
import type { SigningKey } from '../codec/signing.ts';
import { signTransaction } from '../codec/transaction.ts';
import { walletHasher } from './build-transfer.ts';
import type { BlockhashView } from './client-types.ts';

/** What a validator does with its bond. */
export type BondOrder = BondPayload | UnbondPayload | WithdrawPayload;
/** What a replicator's owner does with its deposit, and what anybody may report. */
export type DepositOrder = RetirePayload | UnregisterPayload | WithdrawDepositPayload | ReportLapsedPayload;

export interface StakeOrder<P extends BondOrder | DepositOrder = BondOrder | DepositOrder> {
  /** The validator's or replicator's key: its account pays and is paid. */
  readonly key: SigningKey;
  readonly payload: P;
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
