/**
 * The replicator role: follows the final chain, keeps replicas of the segments that need them most, proves them, serves what they hold.
 *
 * Invariants
 * - One pass of work at a time; a failed pass is logged and made again, it never ends the process. A failed write to its own disk does.
 * - Nothing is taken from a peer unchecked (finality-follower.ts, segment-source.ts, the encoder's comparison of roots).
 */
import { amount } from '../../../native/index.ts';
import { CorruptReplicaError } from '../../../replicator/index.ts';
import { FilesError } from '../../../storage/index.ts';
import type { BlockHeader, SigningKey } from '../../codec/index.ts';
import { depositFor, type Genesis } from '../../ledger/index.ts';
import { PeerFault, type PeerName, type Transport } from '../../net/transport.ts';
import { ApiError } from '../../rpc/api-error.ts';
import type { CorruptionReport, HeldReplica, ReplicatorApi, ReplicatorStatus } from '../../rpc/replicator-api.ts';
import type { NodeHealth } from '../../rpc/views/node.ts';
import type { Logger } from '../log.ts';
import type { ReplicaStatus, ReplicasAnswer, StatusMessage } from '../protocols.ts';
import type { Peers } from '../relay/peers.ts';
import type { FinalityFollower } from './finality-follower.ts';
import type { KeptChain } from './kept-chain.ts';
import type { LedgerLink } from './ledger-link.ts';
import type { MarketView } from './market-view.ts';
import type { OpeningFolder } from './opening-folder.ts';
import type { PacketGatherer } from './packet-gatherer.ts';
import type { KeeperDeps, ReplicaKeeper } from './replica-keeper.ts';
import type { SegmentSource } from './segment-source.ts';

/** How many slots a registration may take before it is sent again. */
const REGISTER_RESEND_SLOTS = 12;
/** Minimum fees that are not bound as deposit. */
const FEES_RESERVED = 1000n;
/** To how many nodes each transaction is handed. */
const SUBMIT_PEERS = 2;
/** How many periods openings are kept: verdicts on a proof close before the second period after it ends. */
const OPENING_PERIODS = 3;

export interface ReplicatorDeps {
  readonly genesis: Genesis;
  readonly transport: Transport;
  readonly peers: Peers;
  readonly key: SigningKey;
  readonly follower: FinalityFollower;
  readonly segments: SegmentSource;
  readonly ledger: LedgerLink;
  readonly keeper: ReplicaKeeper;
  readonly gatherer: PacketGatherer;
  readonly folder: OpeningFolder;
  readonly store: KeeperDeps['store'];
  readonly kept: KeptChain;
  readonly market: MarketView;
  readonly served: () => number;
  readonly capacityBytes: number;
  /** Only these segments, when given. */
  readonly wanted: readonly number[] | undefined;
  /** Resolves when the next pass is due. */
  readonly pause: () => Promise<void>;
  readonly faultsAllowed: boolean;
  readonly log: Logger;
  readonly onFatal: (error: Error) => void;
}

export class ReplicatorNode implements ReplicatorApi {
  readonly #deps: ReplicatorDeps;
  readonly #startedMs = performance.now();
  #records: ReplicasAnswer | undefined;
  #registerSentSlot = Number.NEGATIVE_INFINITY;
  /** Segments given up, and the slot in which that was last sent. */
  readonly #leaving = new Map<number, number>();
  #fundSentSlot = Number.NEGATIVE_INFINITY;
  #forgottenBelow = 0;
  /** Height of the final head that the last whole pass went by. */
  #workedHeight = -1;
  /** It has unregistered: nothing is committed or proven any more, and it never registers again. */
  #hasLeft = false;
  #stopped = false;
  /** The peer of the last pass that ended early. */
  #failing: PeerName | undefined;
  #loop: Promise<void> | undefined;

  constructor(deps: ReplicatorDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#deps.keeper.stop();
    await this.#loop;
  }

  /** Pass after pass until stopped. */
  async #run(): Promise<void> {
    while (!this.#stopped) {
      const peer = this.#source();
      try {
        if (peer !== undefined) await this.#pass(peer);
      } catch (error) {
        this.#failing = peer;
        this.#blame(error as Error);
      }
      await this.#deps.pause();
    }
  }

  #blame(error: Error): void {
    if (error instanceof PeerFault) this.#deps.transport.ban(error.peer, `${error.code}: ${error.message}`);
    if (error instanceof FilesError && (error.code === 'no-space' || error.code === 'io')) this.#deps.onFatal(error);
    this.#deps.log.warn({ error: error.message }, 'pass ended early');
  }

  async #pass(peer: PeerName): Promise<void> {
    const { follower, segments, keeper, ledger, market } = this.#deps;
    await follower.update(peer);
    const head = follower.head;
    // What the ledger says changes with the final head only.
    if (head === undefined || (head.height === this.#workedHeight && !keeper.isWaiting)) return;
    this.#workedHeight = -1;
    this.#records = (await ledger.records(peer)) ?? this.#records;
    if (this.#records === undefined) return;
    if (this.#noteLeaving(this.#records.leaving)) return;
    if (!this.#records.registered) return this.#register();
    await segments.updateRoots(peer, head);
    await this.#keepChain(head);
    await market.update(peer, head);
    const chosen = this.#chosen(head);
    await this.#fundDeposit(chosen, this.#records, head);
    await this.#retire(chosen, this.#records, head);
    await keeper.work(chosen, this.#records, this.#segmentSources());
    await this.#gather(head);
    this.#workedHeight = head.height;
  }

  /** @returns whether it has left, now or before */
  #noteLeaving(leaving: boolean): boolean {
    if (leaving && !this.#hasLeft)
      this.#deps.log.warn('this identity has unregistered: it serves replicas, and neither commits nor proves');
    this.#hasLeft ||= leaving;
    return this.#hasLeft;
  }

  /** Segments given up are retired: else the ledger would count misses of them. */
  async #retire(chosen: readonly number[], records: ReplicasAnswer, head: BlockHeader): Promise<void> {
    const left = records.replicas.map(({ segment }) => segment).filter((segment) => !chosen.includes(segment));
    for (const segment of this.#leaving.keys()) if (!left.includes(segment)) this.#leaving.delete(segment);
    for (const segment of left) {
      if (head.slot - (this.#leaving.get(segment) ?? Number.NEGATIVE_INFINITY) < REGISTER_RESEND_SLOTS) continue;
      if (!(await this.#deps.ledger.send(this.targets(), head, { kind: 'retire', segment }))) continue;
      this.#leaving.set(segment, head.slot);
      this.#deps.log.info({ segment }, 'replica given up');
    }
  }

  /** Each replica ties up a part of the deposit: adds what those wanted, held and committed need, before they are committed. */
  async #fundDeposit(chosen: readonly number[], records: ReplicasAnswer, head: BlockHeader): Promise<void> {
    const { genesis, ledger, keeper, log } = this.#deps;
    const { missesMax, depositPerReplica } = genesis.replication;
    const replicas = new Set([...chosen, ...keeper.segments, ...records.replicas.map(({ segment }) => segment)]);
    const lapsed = records.replicas.filter(({ misses }) => misses > missesMax).length;
    // What lapsed is slashed when it is committed anew.
    const needed = depositFor(genesis.replication, replicas.size) + depositPerReplica * BigInt(lapsed);
    const missing = needed - BigInt(records.deposit);
    const isSent = head.slot - this.#fundSentSlot < REGISTER_RESEND_SLOTS;
    if (missing <= 0n || isSent || BigInt(records.balance) < missing) return;
    if (!(await ledger.send(this.targets(), head, { kind: 'addDeposit', amount: amount(missing) }))) return;
    this.#fundSentSlot = head.slot;
    log.info({ units: String(missing), replicas: replicas.size }, 'deposit added');
  }

  /** How many replicas the deposit and the balance cover, with some left for fees. */
  #affordable({ deposit, balance }: ReplicasAnswer): number {
    const { minimumDeposit, depositPerReplica } = this.#deps.genesis.replication;
    const { minimumFee } = this.#deps.genesis.transactions;
    const free = BigInt(deposit) + BigInt(balance) - minimumDeposit - minimumFee * FEES_RESERVED;
    if (free < 0n) return 0;
    return depositPerReplica === 0n ? Number.MAX_SAFE_INTEGER : Number(free / depositPerReplica);
  }

  /** Lands what validators found out about own proofs that are pending. */
  async #gather({ slot }: BlockHeader): Promise<void> {
    const { gatherer, folder, genesis } = this.#deps;
    const pending = (this.#records?.replicas ?? []).filter(({ proof }) => proof === 'pending');
    for (const period of new Set(pending.map(({ lastPeriod }) => lastPeriod))) {
      const own = pending.filter(({ lastPeriod }) => lastPeriod === period).map(({ segment }) => segment);
      await gatherer.gather(period, own, slot);
    }
    const period = Math.floor(slot / genesis.replication.slotsPerPeriod);
    if (period <= this.#forgottenBelow) return;
    this.#forgottenBelow = period;
    await folder.forgetBelow(period - OPENING_PERIODS);
  }

  /** For those who will want history when nobody else is left to ask. */
  async #keepChain(header: BlockHeader): Promise<void> {
    const { kept, follower, segments } = this.#deps;
    const frames = follower.proof;
    if (frames !== undefined) await kept.note({ header, frames, roots: segments.roots });
  }

  /** Who is asked for segments: archives, then other replicators, then validators, which have pruned; who failed last goes behind. */
  #segmentSources(): PeerName[] {
    const rank = (peer: PeerName, { role, startHeight }: StatusMessage): number =>
      (peer === this.#failing ? 4 : 0) + (role === 'replicator' ? 1 : role === 'archive' && startHeight <= 1 ? 0 : 2);
    return [...this.#deps.peers.statuses]
      .map(([peer, status]) => ({ peer, rank: rank(peer, status) }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ peer }) => peer);
  }

  /** A peer to read from: archives keep everything; else a validator. The one that failed last only when there is no other. */
  #source(): PeerName | undefined {
    const statuses = [...this.#deps.peers.statuses];
    const serving = statuses.filter(([, { role }]) => role !== 'replicator');
    const others = serving.filter(([peer]) => peer !== this.#failing);
    const candidates = others.length > 0 ? others : serving;
    const archive = candidates.find(([, { role, startHeight }]) => role === 'archive' && startHeight <= 1);
    return (archive ?? candidates[0])?.[0];
  }

  /** Who takes our transactions: validators. */
  targets(): PeerName[] {
    return this.validators().slice(0, SUBMIT_PEERS);
  }

  /** Connected validators. */
  validators(): PeerName[] {
    return [...this.#deps.peers.statuses].filter(([, { role }]) => role === 'validator').map(([peer]) => peer);
  }

  async #register(): Promise<void> {
    const { follower, genesis, ledger } = this.#deps;
    const head = follower.head!;
    if (head.slot - this.#registerSentSlot < REGISTER_RESEND_SLOTS) return;
    const deposit = amount(genesis.replication.minimumDeposit);
    if (await ledger.send(this.targets(), head, { kind: 'register', deposit })) this.#registerSentSlot = head.slot;
  }

  /** The segments to keep: those asked for, else those that need replicas most. */
  #chosen({ segmentCount, slot }: BlockHeader): number[] {
    const { wanted, capacityBytes, genesis, keeper, market } = this.#deps;
    const affordable = this.#records === undefined ? 0 : this.#affordable(this.#records);
    const capacity = Math.min(affordable, Math.floor(capacityBytes / genesis.history.segmentSizeBytes));
    if (wanted !== undefined) return wanted.filter((segment) => segment < segmentCount).slice(0, capacity);
    const held = new Set([...keeper.segments, ...(this.#records?.replicas ?? []).map(({ segment }) => segment)]);
    // What was given up stays so until the ledger has forgotten it.
    for (const segment of this.#leaving.keys()) held.delete(segment);
    const left = this.#leaving;
    return market.choose({ segmentCount, slot, capacity, held, left, records: this.#records?.replicas ?? [] });
  }

  health(): NodeHealth {
    if (this.#source() === undefined) return { ok: false, reason: 'no archive or validator is connected' };
    if (this.#deps.follower.head === undefined) return { ok: false, reason: 'no final block seen yet' };
    return { ok: true, reason: '' };
  }

  status(): ReplicatorStatus {
    const { transport, key, keeper, segments, capacityBytes, genesis } = this.#deps;
    const { encodes, rotations, proofsSent } = keeper.counts;
    return {
      role: 'replicator',
      peer: transport.self,
      addresses: transport.addresses(),
      publicKey: key.publicKey,
      identity: key.address,
      uptimeMs: performance.now() - this.#startedMs,
      health: this.health(),
      peers: transport.peers().length,
      capacityBytes,
      usedBytes: keeper.held.length * genesis.history.segmentSizeBytes,
      replicas: this.#rows(),
      bytesServed: this.#deps.served(),
      segmentsFetched: Math.floor(segments.bytesFetched / genesis.history.segmentSizeBytes),
      encodes,
      rotations,
      proofsSent,
      fakesSent: keeper.counts.fakesSent,
      reveals: keeper.counts.reveals,
      packetsSent: this.#deps.gatherer.packetsSent,
      market: this.#marketStatus(),
      corrupted: keeper.hasCorrupted,
    };
  }

  #marketStatus(): ReplicatorStatus['market'] {
    const records = this.#records;
    if (records === undefined) return null;
    const { registered, balance, deposit, locked, accepted, fakes, replicas } = records;
    const sum = (of: (one: ReplicaStatus) => number): number => replicas.reduce((total, one) => total + of(one), 0);
    return {
      registered,
      balance: amount(BigInt(balance)),
      deposit: amount(BigInt(deposit)),
      locked: amount(BigInt(locked)),
      accepted,
      fakes,
      rejected: sum(({ rejected }) => rejected),
      expired: sum(({ expired }) => expired),
      paid: sum(({ paid }) => paid),
      misses: sum(({ misses }) => misses),
    };
  }

  #rows(): HeldReplica[] {
    const { keeper, genesis } = this.#deps;
    const sizeBytes = genesis.history.segmentSizeBytes;
    const rows = keeper.held.map(({ segment, rotation }): HeldReplica => {
      const record = this.#records?.replicas.find((one) => one.segment === segment && one.rotation === rotation);
      const state = record === undefined ? 'committing' : 'proving';
      return { segment, rotation, sizeBytes, state, progress: 1, lastPeriod: keeper.lastPeriodSent(segment, rotation) };
    });
    for (const { action, progress } of keeper.current) {
      const { segment, rotation } = action;
      rows.push({ segment, rotation, sizeBytes, state: 'encoding', progress, lastPeriod: null });
    }
    return rows;
  }

  async readHistory(segment: number, offset: number, sizeBytes: number): Promise<Uint8Array> {
    const held = this.#deps.keeper.held.findLast((one) => one.segment === segment);
    if (held === undefined) throw new ApiError('not-found', `no replica of segment ${segment} is kept here`);
    const replica = await this.#deps.store.get(held);
    try {
      return await replica.read(offset, sizeBytes);
    } catch (error) {
      if (error instanceof CorruptReplicaError)
        throw new ApiError('not-available', `this replica is damaged: ${error.message}`);
      throw error;
    } finally {
      await replica.close();
    }
  }

  async injectCorruption(segment: number | null): Promise<CorruptionReport> {
    const { faultsAllowed, keeper, store, genesis, log } = this.#deps;
    if (!faultsAllowed) throw new ApiError('not-supported', 'faults.corruptByte is not set in the configuration');
    const held = keeper.held.findLast((one) => segment === null || one.segment === segment);
    if (held === undefined) throw new ApiError('not-found', 'no such replica is kept here');
    // The middle of the replica: what lies after it decodes wrongly at most in one more cipher block, until it is encoded again.
    const offset = genesis.history.segmentSizeBytes / 2;
    await store.injectCorruption(held, offset);
    keeper.markCorrupted(held.segment);
    log.warn({ segment: held.segment, offset }, 'one byte of a replica flipped on request');
    return { segment: held.segment, offset };
  }
}
