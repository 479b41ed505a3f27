/**
 * The port between the RPC server (this floor) and a node (the floor above): what a validator or an archive answers.
 *
 * Invariants
 * - Everything here is in the program's own types: bytes, branded numbers, bigint amounts. Text (base58, bech32m, base64,
 *   decimal strings) exists only in the server and the client.
 * - A call either resolves, or throws `ApiError` with a code that names why. Anything else thrown is an internal error:
 *   the server logs it and tells the caller nothing but "internal error".
 * - Every list in an answer has a maximum, named below; the server checks the request's side of it before calling.
 * - Methods never change what they return afterwards; the server only reads.
 *
 * `T | Promise<T>` is written `Answer<T>`: what is in memory may be answered at once.
 */
import type { Address, Hash, Height, Slot } from '../../native/index.ts';
import type { Block, Certificate } from '../codec/model.ts';
import type { AccountProofFile, Balances, Supply } from './views/accounts.ts';
import type { BlockPoint, BlockSelector, Commitment, FinalizedBlock, LatestBlockhash } from './views/blocks.ts';
import type { EvictionsView } from './views/evictions.ts';
import type { ClusterNode, NodeHealth, NodeIdentity, NodeStatus, NodeVersion } from './views/node.ts';
import type { ReplicationFilter, ReplicationView, StandingsView } from './views/replication.ts';
import type { ValidatorsView, VoteAccount } from './views/stake.ts';
import type { SubmitOutcome, TransactionLocation, TransactionStatuses } from './views/transactions.ts';

export type Answer<T> = T | Promise<T>;

export interface NodeApi {
  health(): Answer<NodeHealth>;
  version(): Answer<NodeVersion>;
  /** The chain id. */
  genesisHash(): Answer<Hash>;
  identity(): Answer<NodeIdentity>;
  /** The best, justified or final block. */
  point(commitment: Commitment): Answer<BlockPoint>;
  latestBlockhash(commitment: Commitment): Answer<LatestBlockhash>;
  /** `confirmed` may be answered from the finalized state; `slot` says from which block. */
  balances(addresses: readonly Address[], commitment: Commitment): Answer<Balances>;
  /** Checks and queues transactions; one outcome each, in order. Bytes are borrowed until it resolves. */
  submit(transactions: readonly Uint8Array[]): Answer<readonly SubmitOutcome[]>;
  transactionStatuses(ids: readonly Hash[]): Answer<TransactionStatuses>;
  /** A finalized transaction; null when there is none. */
  transaction(id: Hash): Answer<TransactionLocation | null>;
  /** Slot of the first block that `block` can answer; 0 while there is none. */
  firstAvailableSlot(): Answer<Slot>;
  /** A finalized block. Throws `not-found` or `not-available` (before the first one kept). A slot without a block is `not-found`. */
  block(where: BlockSelector): Answer<Block>;
  /** A finalized block's exact bytes. Throws as `block`. */
  blockBytes(height: Height): Answer<Uint8Array>;
  /** The votes that made the block at this height justified or final. Throws `not-found` or `not-available`. */
  certificate(height: Height): Answer<Certificate>;
  voteAccounts(): Answer<readonly VoteAccount[]>;
  validators(): Answer<ValidatorsView>;
  supply(): Answer<Supply>;
  /** Evictions of an address, from number `fromIndex` on. */
  evictions(owner: Address, fromIndex: number): Answer<EvictionsView>;
  /** Proof file (docs/format/proofs.md) of an account in the newest finalized state. Throws `not-found` when there is no such account. */
  accountProof(address: Address): Answer<AccountProofFile>;
  clusterNodes(): Answer<readonly ClusterNode[]>;
  status(): Answer<NodeStatus>;
  replication(filter: ReplicationFilter): Answer<ReplicationView>;
  /** Segments `from` .. `from + count - 1`, at most REPLICATION_ROWS_MAX. */
  standings(from: number, count: number): Answer<StandingsView>;
  /** The proof file (docs/format) for a finalized timestamp transaction. Throws `not-found` or `not-available`. */
  timestampProof(id: Hash): Answer<Uint8Array>;
  /**
   * Finalized blocks above `afterHeight`, ascending and without gaps, at most FINALIZED_BLOCKS_MAX; waits for the first one up to
   * `timeoutMs` (0 .. WAIT_TIMEOUT_MS_MAX), then resolves to an empty list. `signal` aborts when the caller has gone:
   * resolve to whatever is there. Throws `not-available` when `afterHeight + 1` is before this node's history.
   */
  waitFinalized(afterHeight: Height, timeoutMs: number, signal: AbortSignal): Promise<readonly FinalizedBlock[]>;
}
