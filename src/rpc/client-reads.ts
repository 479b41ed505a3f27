/**
 * The client's reads: one function a method, with a typed result.
 *
 * Invariant: what is taken apart here is checked (check.ts), so a node that answers nonsense causes `bad-response`, not a TypeError far away.
 * Views that are passed on whole (status, replication, blocks as JSON) are checked to be objects; their members are the node's word.
 */
import type { Address, Hash } from '../../native/index.ts';
import { EVICTION_PATH_LENGTH_MAX } from '../codec/model.ts';
import { decodeBase58, encodeBase58, formatAddress } from '../codec/text.ts';
import { amountOf, arrayOf, asArray, asObject, base64Of, numberOf, stringOf, textOrNull } from './check.ts';
import { type CallOptions, type ConnectionOptions, RpcConnection } from './client-connection.ts';
import { ClientError } from './client-error.ts';
import type {
  BlockhashView,
  BlockView,
  ClusterNodeView,
  EvictionsAnswer,
  EvictionView,
  FinalizedBlockView,
  ReplicationRows,
  StandingRows,
  StatusRow,
  StatusView,
  SupplyView,
  TransactionView,
  ValidatorsRows,
  VoteAccountView,
} from './client-types.ts';
import type { Commitment } from './views/blocks.ts';

export interface ReadOptions {
  /** Default `finalized`. */
  readonly commitment?: Commitment;
  readonly signal?: AbortSignal;
}

/** An address as text or bytes. */
export type AddressLike = string | Address;
/** A hash or id as base58 text or bytes. */
export type HashLike = string | Hash;

export class ReadClient {
  protected readonly connection: RpcConnection;

  constructor(options: ConnectionOptions | string) {
    this.connection = new RpcConnection(typeof options === 'string' ? { url: options } : options);
  }

  get url(): string {
    return this.connection.url;
  }

  /** Resolves when the node says it is healthy; throws `ClientError` (`rpc`) with its reason when it is not. */
  async health(): Promise<void> {
    await this.read('getHealth', []);
  }

  async version(): Promise<{ readonly version: string; readonly kernels: string }> {
    const value = asObject(await this.read('getVersion', []), 'getVersion');
    return { version: stringOf(value, 'cairn-core'), kernels: stringOf(value, 'kernels') };
  }

  /** The chain id, base58. */
  async genesisHash(): Promise<string> {
    return stringOf({ result: await this.read('getGenesisHash', []) }, 'result');
  }

  async identity(): Promise<{ readonly identity: string | null; readonly role: string; readonly peer: string }> {
    const value = asObject(await this.read('getIdentity', []), 'getIdentity');
    return { identity: textOrNull(value, 'identity'), role: stringOf(value, 'role'), peer: stringOf(value, 'peer') };
  }

  async slot(options: ReadOptions = {}): Promise<number> {
    return numberOf({ result: await this.read('getSlot', [config(options)], options) }, 'result');
  }

  async blockHeight(options: ReadOptions = {}): Promise<number> {
    return numberOf({ result: await this.read('getBlockHeight', [config(options)], options) }, 'result');
  }

  /** Slot of the first block that the node can give. */
  async firstAvailableBlock(): Promise<number> {
    return numberOf({ result: await this.read('getFirstAvailableBlock', []) }, 'result');
  }

  async balance(address: AddressLike, options: ReadOptions = {}): Promise<bigint> {
    const params = [addressText(address), config(options)];
    return amountOf(asObject(await this.read('getBalance', params, options), 'getBalance'), 'value');
  }

  /** At most QUERY_ITEMS_MAX addresses; 0n for an account that does not exist. */
  async balances(addresses: readonly AddressLike[], options: ReadOptions = {}): Promise<bigint[]> {
    const params = [addresses.map(addressText), config(options)];
    const rows = arrayOf(asObject(await this.read('getMultipleAccounts', params, options), 'accounts'), 'value');
    return rows.map((row) => (row === null ? 0n : amountOf(asObject(row, 'account'), 'balance')));
  }

  /** Straight from the node; `latestBlockhash` keeps it for a while. */
  async fetchBlockhash(options: ReadOptions = {}): Promise<BlockhashView> {
    const answer = asObject(await this.read('getLatestBlockhash', [config(options)], options), 'getLatestBlockhash');
    const value = asObject(answer.value, 'value');
    return {
      pohHash: decodeBase58(stringOf(value, 'blockhash'), 32, 'blockhash'),
      pohCount: numberOf(value, 'pohCount'),
      slot: numberOf(asObject(answer.context, 'context'), 'slot'),
      lastValidSlot: numberOf(value, 'lastValidSlot'),
    };
  }

  /** At most QUERY_ITEMS_MAX ids; null: never seen. */
  async statuses(ids: readonly HashLike[], options: ReadOptions = {}): Promise<(StatusRow | null)[]> {
    const answer = asObject(await this.read('getSignatureStatuses', [ids.map(hashText)], options), 'statuses');
    return arrayOf(answer, 'value').map((row) =>
      row === null ? null : (asObject(row, 'status') as unknown as StatusRow),
    );
  }

  /** A finalized transaction, or null. */
  async transaction(id: HashLike, options: ReadOptions = {}): Promise<TransactionView | null> {
    return (await this.read('getTransaction', [hashText(id)], options)) as TransactionView | null;
  }

  /** A finalized block by its height, slot or hash. */
  async block(
    where: { readonly height: number } | { readonly slot: number } | { readonly hash: string },
    details: 'full' | 'signatures' | 'none' = 'full',
  ): Promise<BlockView> {
    const block = asObject(await this.read('getBlock', [where, { transactionDetails: details }]), 'getBlock');
    return block as unknown as BlockView;
  }

  /** A finalized block's exact bytes, to decode and check. */
  async blockBytes(height: number): Promise<Uint8Array> {
    return base64Of({ result: await this.read('cairn_getBlockBytes', [height]) }, 'result');
  }

  /** An encoded certificate (docs/format/packets.md). */
  async certificate(height: number): Promise<Uint8Array> {
    return base64Of(asObject(await this.read('cairn_getCertificate', [height]), 'certificate'), 'certificate');
  }

  /** The proof file of a finalized timestamp transaction. */
  async timestampProof(id: HashLike): Promise<Uint8Array> {
    return base64Of({ result: await this.read('cairn_getTimestampProof', [hashText(id)]) }, 'result');
  }

  async voteAccounts(): Promise<VoteAccountView[]> {
    const answer = asObject(await this.read('getVoteAccounts', []), 'getVoteAccounts');
    const rows = (key: string, current: boolean) =>
      arrayOf(answer, key).map((item) => {
        const row = asObject(item, key);
        const lastVoteSlot = row.lastVote === null ? null : numberOf(row, 'lastVote');
        return { publicKey: stringOf(row, 'votePubkey'), bond: amountOf(row, 'activatedStake'), lastVoteSlot, current };
      });
    return [...rows('current', true), ...rows('delinquent', false)];
  }

  /** Every bond as the last final block shows it. */
  async validators(): Promise<ValidatorsRows> {
    return asObject(await this.read('cairn_getValidators', []), 'cairn_getValidators') as unknown as ValidatorsRows;
  }

  async supply(): Promise<SupplyView> {
    const answer = asObject(await this.read('getSupply', []), 'getSupply');
    const value = asObject(answer.value, 'value');
    return {
      slot: numberOf(asObject(answer.context, 'context'), 'slot'),
      total: amountOf(value, 'total'),
      deposits: amountOf(value, 'deposits'),
      bonds: amountOf(value, 'bonds'),
      evicted: amountOf(value, 'evicted'),
      rewardPool: amountOf(value, 'rewardPool'),
    };
  }

  /** Proof file of an account in the node's newest finalized state: check it with `verifyAccountProof`. Rejects when there is none. */
  async accountProof(
    address: AddressLike,
  ): Promise<{ readonly height: number; readonly hash: string; readonly proof: Uint8Array }> {
    const answer = asObject(await this.read('cairn_getAccountProof', [addressText(address)]), 'account proof');
    const value = asObject(answer.value, 'account proof');
    return { height: numberOf(value, 'height'), hash: stringOf(value, 'hash'), proof: base64Of(value, 'proof') };
  }

  /** All evictions of an address that the node has kept, ascending. */
  async evictions(address: AddressLike): Promise<EvictionsAnswer> {
    const evictions: EvictionView[] = [];
    for (let from = 0; ; ) {
      const answer = asObject(await this.read('cairn_getEvictions', [addressText(address), from]), 'evictions');
      evictions.push(...arrayOf(answer, 'evictions').map(evictionView));
      if (answer.next === null) return { evictions, keptFrom: numberOf(answer, 'keptFrom') };
      const next = numberOf(answer, 'next');
      // A node must not keep a client asking for ever.
      if (next <= from) throw new ClientError('bad-response', `evictions go on from ${next} after ${from}`);
      from = next;
    }
  }

  async clusterNodes(): Promise<ClusterNodeView[]> {
    return asArray(await this.read('getClusterNodes', []), 'getClusterNodes') as ClusterNodeView[];
  }

  async status(options: ReadOptions = {}): Promise<StatusView> {
    return asObject(await this.read('cairn_getStatus', [], options), 'cairn_getStatus') as unknown as StatusView;
  }

  async replication(filter: { readonly segment?: number; readonly identity?: string } = {}): Promise<ReplicationRows> {
    const view = asObject(await this.read('cairn_getReplication', [filter]), 'cairn_getReplication');
    return view as unknown as ReplicationRows;
  }

  /** How segments from `from` on stand against the replication target; all that one answer holds, unless fewer are wanted. */
  async standings(from: number = 0, count?: number): Promise<StandingRows> {
    const params = count === undefined ? [from] : [from, count];
    return asObject(await this.read('cairn_getStandings', params), 'cairn_getStandings') as unknown as StandingRows;
  }

  /** Finalized blocks above a height, at most FINALIZED_BLOCKS_MAX, waiting up to `timeoutMs` for the first; empty when none came. */
  async waitFinalized(
    afterHeight: number,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<FinalizedBlockView[]> {
    const { timeoutMs, signal } = options;
    const answer = await this.connection.call(
      'cairn_waitFinalized',
      { afterHeight, timeoutMs },
      { isRead: true, extraTimeoutMs: timeoutMs, signal },
    );
    return arrayOf(asObject(answer, 'cairn_waitFinalized'), 'blocks') as FinalizedBlockView[];
  }

  protected read(method: string, params: readonly unknown[], options: ReadOptions = {}): Promise<unknown> {
    const call: CallOptions = { isRead: true, signal: options.signal };
    return this.connection.call(method, params, call);
  }
}

function evictionView(item: unknown): EvictionView {
  const row = asObject(item, 'eviction');
  const path = arrayOf(row, 'path').map((step) => decodeBase58(stringOf({ step }, 'step'), 32, 'path'));
  if (path.length > EVICTION_PATH_LENGTH_MAX)
    throw new ClientError('bad-response', `a path has at most ${EVICTION_PATH_LENGTH_MAX} steps, found ${path.length}`);
  return {
    index: numberOf(row, 'index'),
    balance: amountOf(row, 'balance'),
    height: numberOf(row, 'height'),
    revived: row.revived === true,
    path: Uint8Array.from(path.flatMap((step) => [...step])),
  };
}

function config(options: ReadOptions): { commitment: Commitment } {
  return { commitment: options.commitment ?? 'finalized' };
}

function addressText(value: AddressLike): string {
  return typeof value === 'string' ? value : formatAddress(value);
}

export function hashText(value: HashLike): string {
  return typeof value === 'string' ? value : encodeBase58(value);
}
