/**
 * The package's client (`cairn/client`): read a node, make and submit transactions, wait for finality, verify what was served.
 *
 * Invariants: every call ends in bounded time; reads are retried, submissions never (sending the same bytes again is safe, but is the
 * caller's decision); nothing a node answers is trusted beyond its form, and proofs are checked by the verifying functions exported here.
 */
import { WalletClient } from './client-wallet.ts';

export {
  addressOf,
  decodeBlock,
  decodeCertificate,
  decodeTransaction,
  encodeBase58,
  formatAddress,
  parseAddress,
  parseHash,
  parsePublicKey,
  type SigningKey,
  signingKey,
  signTransaction,
} from '../codec/index.ts';
export { decodeTimestampProof, type TimestampResult, verifyTimestamp } from '../poh/index.ts';
export { buildRevive, type ReviveOrder } from './build-revive.ts';
export { type BondOrder, buildStake, type DepositOrder, type StakeOrder } from './build-stake.ts';
export { buildTransfer, type TransferOrder } from './build-transfer.ts';
export type { ConnectionOptions } from './client-connection.ts';
export { ClientError, type ClientErrorCode } from './client-error.ts';
export { FaultsClient } from './client-faults.ts';
export { ReplicatorClient } from './client-replicator.ts';
export * from './client-types.ts';
export { QUERY_ITEMS_MAX } from './views/accounts.ts';
export { FINALIZED_BLOCKS_MAX, WAIT_TIMEOUT_MS_MAX } from './views/blocks.ts';
export { SUBMIT_ITEMS_MAX } from './views/transactions.ts';

export class CairnClient extends WalletClient {}
