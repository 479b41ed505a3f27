/**
 * What a validator or an archive answers over RPC: reads of the block tree, the state, the history and the counters; submission.
 *
 * Invariants: answers only read; `finalized` is answered from what is durable; lists stay within node-api.ts' maxima.
 */
import { type Address, byteKey, type Hash, type Height, height, type Slot, slot } from '../../../native/index.ts';
import {
  type Block,
  type BlockHeader,
  blockTransactions,
  type Certificate,
  decodeBlock,
  decodeCertificate,
  formatAddress,
} from '../../codec/index.ts';
import { type ConsensusState, justifiedHeader, voteTally } from '../../consensus/index.ts';
import { replicationOverview, replicationSums } from '../../ledger/index.ts';
import { buildTimestampProof, encodeTimestampProof } from '../../poh/index.ts';
import { ApiError } from '../../rpc/api-error.ts';
import type { NodeApi } from '../../rpc/node-api.ts';
import type { AccountProofFile, Balances, Supply } from '../../rpc/views/accounts.ts';
import {
  type BlockPoint,
  type BlockSelector,
  type Commitment,
  FINALIZED_BLOCKS_MAX,
  type FinalizedBlock,
  type LatestBlockhash,
} from '../../rpc/views/blocks.ts';
import type { EvictionsView } from '../../rpc/views/evictions.ts';
import type { ClusterNode, NodeHealth, NodeIdentity, NodeStatus, NodeVersion } from '../../rpc/views/node.ts';
import {
  REPLICATION_ROWS_MAX,
  type ReplicationFilter,
  type ReplicationView,
  type StandingsView,
} from '../../rpc/views/replication.ts';
import type { ValidatorsView, VoteAccount } from '../../rpc/views/stake.ts';
import type {
  SubmitOutcome,
  TransactionLocation,
  TransactionStatus,
  TransactionStatuses,
} from '../../rpc/views/transactions.ts';
import type { ChainBlock } from '../chain/chain-block.ts';
import type { ChainParts } from '../chain-parts.ts';
import { clusterNodes } from './cluster.ts';
import { evictionsView } from './evictions.ts';
import { validatorsView, voteAccounts } from './stake.ts';
import { identityRow, standingsView } from './standings.ts';
import { healthOf, nodeStatus, replicationTotals } from './status.ts';
import { supplyOf } from './supply.ts';

/** How much longer the supply is not counted than it took to count it: whoever asks all the time gets a hundredth of the event loop. */
const SUPPLY_REST = 99;

export class ChainApi implements NodeApi {
  readonly #parts: ChainParts;
  #supply: Supply | undefined;
  #countAgainMs = 0;

  constructor(parts: ChainParts) {
    this.#parts = parts;
  }

  health(): NodeHealth {
    return healthOf(this.#parts);
  }

  version(): NodeVersion {
    return { version: this.#parts.version, kernels: this.#parts.kernels.name };
  }

  genesisHash(): Hash {
    return this.#parts.rules.chainId;
  }

  identity(): NodeIdentity {
    const { role, transport, key } = this.#parts;
    return { role, peer: transport.self, publicKey: key?.publicKey ?? null };
  }

  point(commitment: Commitment): BlockPoint {
    return pointOf(this.#headerAt(commitment));
  }

  latestBlockhash(commitment: Commitment): LatestBlockhash {
    const header = this.#headerAt(commitment);
    const { pohHash, pohCount } = header;
    const lastValidSlot = slot(header.slot + this.#parts.rules.recencyWindowSlots);
    return { pohHash, pohCount, height: header.height, slot: header.slot, lastValidSlot };
  }

  balances(addresses: readonly Address[], commitment: Commitment): Balances {
    const block = this.#blockAt(commitment);
    return { slot: block.header.slot, balances: addresses.map((one) => block.state.balance(one)) };
  }

  async submit(transactions: readonly Uint8Array[]): Promise<SubmitOutcome[]> {
    // Copied: the caller's buffers are borrowed, and what is accepted outlives this call.
    const answers = await this.#parts.submissions.submit(transactions.map((bytes) => Uint8Array.from(bytes)));
    return answers.map((answer) => {
      if (answer.accepted) return { ok: true, id: answer.transaction.id };
      return { ok: false, id: answer.transaction?.id ?? null, code: answer.code, message: answer.message };
    });
  }

  async transactionStatuses(ids: readonly Hash[]): Promise<TransactionStatuses> {
    const statuses = ids.map((id) => this.#statusOf(id));
    return { slot: this.#parts.tree.best.header.slot, statuses: await Promise.all(statuses) };
  }

  async #statusOf(id: Hash): Promise<TransactionStatus | null> {
    const { transactions, tree, consensus, mempool, store } = this.#parts;
    const branch = new Set(tree.branch(tree.best).map(({ header }) => byteKey(header.hash)));
    for (const hash of transactions.holding(id)) {
      const block = tree.verified(hash);
      if (block === undefined || !branch.has(byteKey(hash))) continue;
      const state = voteTally(consensus(), hash)?.justified === true ? 'confirmed' : 'processed';
      return { state, height: block.header.height, slot: block.header.slot };
    }
    if (mempool.has(id)) return { state: 'pending' };
    const final = await store.transaction(id);
    if (final !== undefined) return { state: 'finalized', height: height(final.height), slot: slot(final.slot) };
    const dropped = transactions.dropped(id);
    return dropped === undefined ? null : { state: 'dropped', ...dropped };
  }

  async transaction(id: Hash): Promise<TransactionLocation | null> {
    const place = await this.#parts.store.transaction(id);
    if (place === undefined) return null;
    const block = await this.#finalBlock(place.height);
    const entry = block.entries[place.entry];
    const transaction = entry?.kind === 'transactions' ? entry.transactions[place.index] : undefined;
    if (entry === undefined || transaction === undefined) return null;
    const { entry: entryIndex, index } = place;
    return { block: pointOf(block.header), entry: entryIndex, index, pohCount: entry.count, transaction };
  }

  async block(where: BlockSelector): Promise<Block> {
    if ('height' in where) return this.#finalBlock(where.height);
    const { store } = this.#parts;
    if ('slot' in where && store.startHeight > 1 && where.slot < store.kept.startSlot)
      throw this.#cleanedUp(`Block ${where.slot}`);
    const at = 'hash' in where ? await store.heightOfHash(where.hash) : await store.heightOfSlot(where.slot);
    if (at === undefined) throw new ApiError('not-found', 'no final block of this slot or hash is kept here');
    return this.#finalBlock(at);
  }

  async blockBytes(at: Height): Promise<Uint8Array> {
    const { store, tree } = this.#parts;
    if (at > tree.root.header.height)
      throw new ApiError('not-found', `height ${at} is above the final height ${tree.root.header.height}`);
    const bytes = await store.finalBlock(at);
    if (bytes === undefined) throw this.#cleanedUp(`Block of height ${at}`);
    return bytes;
  }

  firstAvailableSlot(): Slot {
    return slot(this.#parts.store.kept.startSlot);
  }

  /** In Solana's words, as tools look for them. */
  #cleanedUp(what: string): ApiError {
    const { startHeight, kept } = this.#parts.store;
    return new ApiError(
      'not-available',
      `${what} cleaned up, does not exist on node. First available block: ${kept.startSlot} (height ${startHeight}); archives keep all`,
    );
  }

  async #finalBlock(at: number): Promise<Block> {
    return decodeBlock(this.#parts.kernels, await this.blockBytes(height(at)));
  }

  async certificate(at: Height): Promise<Certificate> {
    const bytes = await this.#parts.store.certificate(at);
    if (bytes === undefined) throw new ApiError('not-available', `no certificate of height ${at} is kept here`);
    return decodeCertificate(this.#parts.kernels, bytes);
  }

  voteAccounts(): VoteAccount[] {
    return voteAccounts(this.#parts);
  }

  validators(): ValidatorsView {
    return validatorsView(this.#parts);
  }

  /** Counted over every account of the final state, so not anew whenever somebody asks: `slot` says when it was. */
  supply(): Supply {
    const { tree, clock } = this.#parts;
    const startedMs = clock.nowMs();
    if (
      this.#supply === undefined ||
      (this.#supply.slot !== tree.root.header.slot && startedMs >= this.#countAgainMs)
    ) {
      this.#supply = supplyOf(this.#parts);
      const endedMs = clock.nowMs();
      this.#countAgainMs = endedMs + SUPPLY_REST * (endedMs - startedMs);
    }
    return this.#supply;
  }

  evictions(owner: Address, fromIndex: number): EvictionsView {
    return evictionsView(this.#parts, owner, fromIndex);
  }

  async accountProof(address: Address): Promise<AccountProofFile> {
    const proof = await this.#parts.store.proveAccount(address, this.#parts.tree.root.header);
    if (proof === undefined) throw new ApiError('not-found', `there is no account ${formatAddress(address)}`);
    const { height, slot, hash } = proof.header;
    return { block: { height, slot, hash }, bytes: proof.bytes };
  }

  clusterNodes(): ClusterNode[] {
    return clusterNodes(this.#parts);
  }

  status(): NodeStatus {
    return nodeStatus(this.#parts, this.#headerAt('confirmed'));
  }

  replication(filter: ReplicationFilter): ReplicationView {
    const { rules, tree } = this.#parts;
    const { state, header } = tree.root;
    const overview = replicationOverview(rules, state, header.slot, { ...filter, rowsMax: REPLICATION_ROWS_MAX });
    return {
      slot: header.slot,
      totals: replicationTotals(this.#parts, replicationSums(rules, state, header.slot)),
      identities: overview.identities.map(identityRow),
      replicas: overview.replicas.map((row) => ({ ...row, replicaRoot: row.replicaRoot as Hash })),
      truncated: overview.truncated,
    };
  }

  standings(from: number, count: number): StandingsView {
    return standingsView(this.#parts, from, count);
  }

  async timestampProof(id: Hash): Promise<Uint8Array> {
    const place = await this.#parts.store.transaction(id);
    if (place === undefined) throw new ApiError('not-found', 'no final transaction of this id is known here');
    const proof = buildTimestampProof(this.#parts.kernels, await this.#finalBlock(place.height), id);
    if (proof === undefined) throw new ApiError('invalid-parameter', 'this transaction is no timestamp');
    return encodeTimestampProof(proof);
  }

  async waitFinalized(after: Height, timeoutMs: number, signal: AbortSignal): Promise<readonly FinalizedBlock[]> {
    const { store, tree, finality } = this.#parts;
    const from = after + 1;
    // The latest blocks' ids are in memory for longer than a short history is on disk.
    if (from < store.startHeight && finality.from(from, 1) === undefined)
      throw this.#cleanedUp(`Block of height ${from}`);
    if (tree.root.header.height < from) await finality.next(timeoutMs, signal);
    const countMax = Math.min(FINALIZED_BLOCKS_MAX, tree.root.header.height - after);
    if (countMax <= 0) return [];
    return finality.from(from, countMax) ?? (await this.#readFinalized(from, countMax));
  }

  async #readFinalized(from: number, countMax: number): Promise<FinalizedBlock[]> {
    const blocks: FinalizedBlock[] = [];
    for (let at = from; at < from + countMax; at += 1) {
      const { header, entries } = await this.#finalBlock(at);
      const ids = blockTransactions(entries).map(({ id }) => id);
      blocks.push({ ...pointOf(header), pohCount: header.pohCount, ids });
    }
    return blocks;
  }

  #headerAt(commitment: Commitment): BlockHeader {
    const { tree, consensus } = this.#parts;
    if (commitment === 'processed') return tree.best.header;
    return commitment === 'confirmed' ? justifiedOf(consensus()) : tree.root.header;
  }

  #blockAt(commitment: Commitment): ChainBlock {
    const { tree } = this.#parts;
    return tree.verified(this.#headerAt(commitment).hash) ?? tree.root;
  }
}

function justifiedOf(state: ConsensusState): BlockHeader {
  return justifiedHeader(state);
}

function pointOf({ height: at, slot: inSlot, hash }: BlockHeader): BlockPoint {
  return { height: at, slot: inSlot, hash };
}
