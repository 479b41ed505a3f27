/**
 * A small node behind `NodeApi`: one block with every kind of transaction, one account, a queue of finalized blocks that the test advances.
 */
import { amount, type Hash, height, pohCount, publicKey, type Slot, slot, ZERO_HASH } from '../../native/index.ts';
import { type Block, type Certificate, CodecError, decodeTransaction, signVote } from '../../src/codec/index.ts';
import { ApiError } from '../../src/rpc/api-error.ts';
import type { NodeApi } from '../../src/rpc/node-api.ts';
import type { AccountProofFile, Balances, Supply } from '../../src/rpc/views/accounts.ts';
import type { BlockPoint, FinalizedBlock, LatestBlockhash } from '../../src/rpc/views/blocks.ts';
import type { EvictionRow, EvictionsView } from '../../src/rpc/views/evictions.ts';
import type { ClusterNode, NodeHealth, NodeIdentity, NodeStatus, NodeVersion } from '../../src/rpc/views/node.ts';
import type { ReplicationTotals, ReplicationView, StandingsView } from '../../src/rpc/views/replication.ts';
import type { ValidatorsView, VoteAccount } from '../../src/rpc/views/stake.ts';
import type {
  SubmitOutcome,
  TransactionLocation,
  TransactionStatus,
  TransactionStatuses,
} from '../../src/rpc/views/transactions.ts';
import { BLOCK, CHAIN, digest, hasher, KEY, OTHER, POH, TRANSACTIONS } from './sample-block.ts';

export class FakeNode implements NodeApi {
  balance = 18_446_744_073_709_551_615n;
  healthy = true;
  readonly submitted: Uint8Array[] = [];
  readonly finalized: FinalizedBlock[] = [];
  readonly status_: Map<string, TransactionStatus> = new Map();
  /** KEY's evictions, served two at a time. */
  evicted: EvictionRow[] = [3, 8, 21].map((index) => ({
    index,
    balance: amount(BigInt(index) * 100n),
    height: height(index + 1),
    revived: index === 8,
    path: [digest(`step ${index}`), digest('upper step')],
  }));
  blockhashCalls = 0;
  statusCalls = 0;
  aborted = 0;
  /** Set to make `supply` fail as broken code would. */
  broken: unknown;
  #waiters: (() => void)[] = [];

  finalize(ids: Hash[]): void {
    const next = this.finalized.length + 1;
    const point = { height: height(next), slot: slot(next), hash: digest(`block ${next}`) };
    this.finalized.push({ ...point, pohCount: pohCount(next * 50_000), ids });
    for (const id of ids) this.status_.set(Buffer.from(id).toString('hex'), { state: 'finalized', ...point });
    for (const wake of this.#waiters.splice(0)) wake();
  }

  health(): NodeHealth {
    return { ok: this.healthy, reason: this.healthy ? '' : 'finality is 41 slots behind' };
  }
  version(): NodeVersion {
    return { version: '0.1.0', kernels: 'portable' as const };
  }
  genesisHash(): Hash {
    return CHAIN;
  }
  identity(): NodeIdentity {
    return { role: 'validator' as const, peer: '12D3KooWTest', publicKey: KEY.publicKey };
  }
  point(commitment: string): BlockPoint {
    const behind = commitment === 'finalized' ? 2 : commitment === 'confirmed' ? 1 : 0;
    const at = Math.max(0, this.finalized.length - behind + 2);
    return { height: height(at), slot: slot(at + 1), hash: digest(commitment) };
  }
  latestBlockhash(): LatestBlockhash {
    this.blockhashCalls++;
    return { pohHash: POH, pohCount: pohCount(300_000), height: height(4), slot: slot(6), lastValidSlot: slot(306) };
  }
  balances(addresses: readonly Uint8Array[]): Balances {
    const of = (address: Uint8Array) => (Buffer.compare(address, KEY.address) === 0 ? this.balance : 0n);
    return { slot: slot(6), balances: addresses.map(of) };
  }
  submit(transactions: readonly Uint8Array[]): SubmitOutcome[] {
    return transactions.map((bytes) => {
      try {
        const { id, fee } = decodeTransaction(hasher, bytes);
        if (fee === 0n) return { ok: false, id, code: 'fee-too-low', message: 'the fee is below the minimum 5' };
        this.submitted.push(bytes);
        this.status_.set(Buffer.from(id).toString('hex'), { state: 'pending' });
        return { ok: true, id };
      } catch (error) {
        if (!(error instanceof CodecError)) throw error;
        return { ok: false, id: null, code: error.code, message: error.message };
      }
    });
  }
  transactionStatuses(ids: readonly Hash[]): TransactionStatuses {
    this.statusCalls++;
    return { slot: slot(6), statuses: ids.map((id) => this.status_.get(Buffer.from(id).toString('hex')) ?? null) };
  }
  transaction(id: Hash): TransactionLocation | null {
    const index = TRANSACTIONS.findIndex((one) => Buffer.compare(one.id, id) === 0);
    const found = TRANSACTIONS[index];
    if (found === undefined) return null;
    const { height, slot, hash } = BLOCK.header;
    return { block: { height, slot, hash }, entry: 1, index, pohCount: pohCount(250_500), transaction: found };
  }
  block(where: { height?: number; slot?: number; hash?: Hash }): Block {
    const { header } = BLOCK;
    if (where.height === header.height || where.slot === header.slot) return BLOCK;
    if (where.hash !== undefined && Buffer.compare(where.hash, header.hash) === 0) return BLOCK;
    if (where.height === 1) throw new ApiError('not-available', 'block 1 was pruned');
    throw new ApiError('not-found', 'there is no such block');
  }
  blockBytes(at: number): Uint8Array {
    return this.block({ height: at }).bytes;
  }
  certificate(at: number): Certificate {
    const { header } = this.block({ height: at });
    const draft = {
      sourceSlot: slot(5),
      sourceHash: header.parentHash,
      targetSlot: header.slot,
      targetHash: header.hash,
      pohCount: header.pohCount,
      stateRoot: header.stateRoot,
      leavesSlot: slot(0),
      leavesHash: ZERO_HASH,
    };
    return { header, votes: [KEY, OTHER].map((key) => signVote(header.chainId, draft, key)) };
  }
  voteAccounts(): VoteAccount[] {
    return [
      { publicKey: KEY.publicKey, bond: amount(100n), lastVoteSlot: slot(6), current: true },
      { publicKey: OTHER.publicKey, bond: amount(50n), lastVoteSlot: null, current: false },
    ];
  }
  validators(): ValidatorsView {
    const row = {
      publicKey: KEY.publicKey,
      address: KEY.address,
      units: 100n,
      weight: 100n,
      stage: 'active' as const,
      slashed: false,
      asked: false,
      stale: false,
      excluded: false,
      missedEpochs: 0,
      fromEra: 0,
      untilEra: null,
      freeEpoch: null,
      lastVoteSlot: slot(6),
    };
    const leader = KEY.publicKey;
    return { slot: slot(6), epoch: 1, era: 1, majorityFloor: false, secondary: null, leader, validators: [row] };
  }
  supply(): Supply {
    if (this.broken !== undefined) throw this.broken;
    return { slot: slot(6), total: 1_000n, deposits: 100n, bonds: 150n, evicted: 30n, rewardPool: 50n };
  }
  evictions(owner: Uint8Array, fromIndex: number): EvictionsView {
    const all = Buffer.compare(owner, KEY.address) === 0 ? this.evicted : [];
    const rest = all.filter(({ index }) => index >= fromIndex);
    return { slot: slot(6), keptFrom: 3, evictions: rest.slice(0, 2), next: rest[2]?.index ?? null };
  }
  accountProof(address: Uint8Array): AccountProofFile {
    if (Buffer.compare(address, KEY.address) !== 0) throw new ApiError('not-found', 'there is no such account');
    return { block: this.point('finalized'), bytes: Uint8Array.of(1, 2, 3, 4) };
  }
  clusterNodes(): ClusterNode[] {
    const self = { peer: '12D3KooWTest', addresses: ['/ip4/127.0.0.1/tcp/9/p2p/12D3KooWTest'], self: true };
    return [
      {
        ...self,
        role: 'validator' as const,
        publicKey: KEY.publicKey,
        rpc: null,
        version: '0.1.0',
        finalizedHeight: height(4),
      },
      { ...self, self: false, role: null, publicKey: null, rpc: null, version: null, finalizedHeight: null },
    ];
  }
  status(): NodeStatus {
    const point = { height: height(4), slot: slot(6), hash: BLOCK.header.hash };
    return {
      role: 'validator',
      peer: '12D3KooWTest',
      addresses: [],
      publicKey: KEY.publicKey,
      chainId: CHAIN,
      kernels: 'portable',
      uptimeMs: 1234,
      health: this.health(),
      peers: 3,
      head: point,
      justified: point,
      finalized: { ...point, stateRoot: BLOCK.header.stateRoot },
      leader: publicKey(KEY.publicKey),
      isLeader: true,
      consensus: {
        epoch: 1,
        era: 1,
        members: 2,
        excluded: 0,
        majorityFloor: false,
        secondary: null,
        isMember: true,
        silence: { reason: 'votesLost', untilSlot: slot(40) },
        conflict: null,
        evidence: 0,
        decoys: 0,
        distrusted: [],
      },
      poh: { count: pohCount(300_000), hashesPerSecond: 100_000, behindMs: 0 },
      transactions: { final: 6, pending: 0, received: 6, refused: 0 },
      blocks: { produced: 4, received: 0, refused: 0 },
      finalityMs: { p50: 900, p99: 1500 },
      history: {
        mode: 'pruned',
        startHeight: height(1),
        firstSegment: 0,
        lengthBytes: 12_345,
        keptBytes: 12_345,
        prunedBytes: 0,
        segmentSizeBytes: 65_536,
        segments: 2,
        waitingSegments: 1,
        segmentsAtRisk: 0,
      },
      replication: this.#totals(),
      sync: null,
    };
  }
  replication(filter: { segment?: number; identity?: Uint8Array }): ReplicationView {
    const replica = { identity: OTHER.address, segment: 3, rotation: 2, commits: 2, replicaRoot: digest('root') };
    const counts = { accepted: 5, rejected: 0, expired: 1, lastPeriod: 8, proof: 'accepted' as const };
    const pay = { reason: 'unstated', paid: 4, since: 2, misses: 0, isLapsed: false };
    const earned = { replicas: 1, locked: amount(3n), paid: amount(20n), accepted: 5, fakes: 0, freePeriod: null };
    const shown = filter.segment === undefined || filter.segment === 3;
    return {
      slot: slot(6),
      totals: this.#totals(),
      identities: [
        { address: OTHER.address, publicKey: OTHER.publicKey, deposit: amount(1_000n), slot: slot(2), ...earned },
      ],
      replicas: shown ? [{ ...replica, ...counts, ...pay }] : [],
      truncated: false,
    };
  }
  standings(from: number, count: number): StandingsView {
    const row = { target: 4, replicas: 2, pending: 1, misses: 0, paid: 9, places: 2, proofAgePeriods: 1 };
    const standings = [0, 1, 2].map((segment) => {
      const proven = segment;
      return { segment, proven, ...row, isBelowTarget: true, isAtRisk: proven === 0 };
    });
    return {
      ...{ slot: slot(6), period: 8, target: 4, segments: 3, belowTarget: 3, atRisk: 1 },
      standings: standings.slice(from, from + count),
    };
  }
  firstAvailableSlot(): Slot {
    return slot(6);
  }
  timestampProof(id: Hash): Uint8Array {
    if (Buffer.compare(id, TRANSACTIONS[1]!.id) !== 0) throw new ApiError('not-found', 'no such timestamp');
    return Uint8Array.of(1, 2, 3);
  }
  async waitFinalized(after: number, timeoutMs: number, signal: AbortSignal): Promise<FinalizedBlock[]> {
    const end = performance.now() + timeoutMs;
    while (this.finalized.length <= after && performance.now() < end && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
        const timer = setTimeout(resolve, Math.max(0, end - performance.now()));
        signal.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    if (signal.aborted) this.aborted++;
    return this.finalized.slice(after, after + 32);
  }

  #totals(): ReplicationTotals {
    const proofs = { proofsAccepted: 5, proofsRejected: 0, proofsExpired: 1, verifiedHere: 5, invalidHere: 0 };
    const breach = { segmentsBelowTarget: 1, segmentsUnproven: 0 };
    return { period: 8, rotation: 2, identities: 1, replicas: 1, ...proofs, ...breach };
  }
}
