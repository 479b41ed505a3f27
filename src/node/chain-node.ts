/**
 * A chain node: validator or archive. Opens what is on disk, puts the parts together, runs until stopped.
 *
 * Start order: disk, threads, network, consensus fed from the disk (pending blocks, kept votes), RPC last: nobody is answered before the node knows its
 * chain. Stop order: RPC, consensus, production, network, threads, disk: nothing is written after the disk was closed.
 */
import {
  byteKey,
  type Hash,
  height,
  type Kernels,
  type PublicKey,
  type Slot,
  sameBytes,
  slot,
} from '../../native/index.ts';
import { type BlockHeader, encodeBase58, type SigningKey, type Vote } from '../codec/index.ts';
import {
  bestElectorate,
  type ConsensusEvent,
  type ConsensusState,
  electorateOf,
  leaderFor,
  leaderOf,
} from '../consensus/index.ts';
import { type Genesis, type LedgerRules, ledgerRules } from '../ledger/index.ts';
import { PeerFault, type Transport } from '../net/transport.ts';
import { ChainApi } from './api/chain-api.ts';
import { BlockIntake } from './chain/block-intake.ts';
import { BlockTree } from './chain/block-tree.ts';
import type { ChainBlock } from './chain/chain-block.ts';
import { ChainStore, type OpenedChain } from './chain/chain-store.ts';
import type { CheckDeps } from './chain/check-block.ts';
import { ConsensusDriver } from './chain/consensus-driver.ts';
import { ConsensusEffects } from './chain/consensus-effects.ts';
import { startConsensus } from './chain/consensus-start.ts';
import type { ChainParts } from './chain-parts.ts';
import { after, type Clock, every } from './clock.ts';
import type { ByzantineKind } from './config.ts';
import { ValidatorSide } from './duties/validator-side.ts';
import { blindVote } from './faults/blind-vote.ts';
import { lyingTransport } from './faults/lying-transport.ts';
import { FinalityLog } from './finality-log.ts';
import { HandOverRepair } from './hand-overs/hand-over-repair.ts';
import type { HistoryKeeping } from './history/history-keeping.ts';
import { HistoryPruner } from './history/history-pruner.ts';
import type { Logger } from './log.ts';
import { Mempool } from './mempool.ts';
import { machinePlatform, type Platform } from './platform.ts';
import { Producer } from './producer.ts';
import { openProofChecker } from './proof-checks/open-proof-checker.ts';
import type { ProofChecker } from './proof-checks/proof-checker.ts';
import { peerKeyMessage, type StatusMessage } from './protocols.ts';
import { BlockSource } from './relay/block-source.ts';
import { Peers } from './relay/peers.ts';
import { watchPeersReady } from './relay/peers-ready.ts';
import { Submissions } from './relay/submissions.ts';
import { VoteGossip } from './relay/vote-gossip.ts';
import { serveArchive } from './serve/archive-service.ts';
import { serveHandOvers } from './serve/hand-over-service.ts';
import { serveMarket } from './serve/market-service.ts';
import { servedByHash, servedByHeight } from './serve/recent-blocks.ts';
import { StateService } from './serve/state-service.ts';
import { SignatureChecks } from './signature-checks.ts';
import type { PohService } from './threads/index.ts';
import { TransactionIndex } from './transaction-index.ts';

/** Most transactions a node holds that are not final. */
const MEMPOOL_TRANSACTIONS_MAX = 200_000;
/** Checked signatures remembered, in each of two generations. */
const SIGNATURES_KEPT = 100_000;
/** How often storage proofs are looked for. */
const PROOF_LOOK_INTERVAL_MS = 500;
/** How often a validator looks to its duties besides voting and leading. */
const DUTIES_INTERVAL_MS = 1_000;
/** How often peers are asked for hand-overs that are missing here. */
const REPAIR_INTERVAL_MS = 5_000;
/** How often old history is looked for. */
const PRUNE_INTERVAL_MS = 2_000;

export interface ChainNodeOptions {
  readonly role: 'validator' | 'archive';
  readonly version: string;
  readonly genesis: Genesis;
  /** The validator's key; null for an archive. */
  readonly key: SigningKey | null;
  readonly dataDirectory: string;
  /** Everything is kept unless given. */
  readonly history?: HistoryKeeping;
  readonly bootstrap: readonly string[];
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly log: Logger;
  /** The machine unless given. */
  readonly platform?: Platform;
  /** Makes a liar of this validator: for demonstrations and tests. */
  readonly byzantine?: ByzantineKind | undefined;
  /** The node broke an invariant or its disk failed: it has stopped acting and should be ended. */
  readonly onFatal: (error: Error) => void;
  readonly rpcUrl: () => string | null;
}

export class ChainNode implements ChainParts {
  readonly role: 'validator' | 'archive';
  readonly version: string;
  readonly startedMs: number;
  readonly kernels: Kernels;
  readonly genesis: Genesis;
  readonly rules: LedgerRules;
  readonly key: SigningKey | null;
  readonly transport: Transport;
  readonly store: ChainStore;
  readonly tree: BlockTree;
  readonly mempool: Mempool = new Mempool(MEMPOOL_TRANSACTIONS_MAX);
  readonly transactions: TransactionIndex = new TransactionIndex();
  readonly finality: FinalityLog = new FinalityLog();
  readonly votesSeen: Map<string, number> = new Map();
  readonly rpcUrl: () => string | null;
  readonly effects: ConsensusEffects;
  readonly intake: BlockIntake;
  readonly #voteGossip: VoteGossip;
  readonly blocks: BlockSource;
  readonly peers: Peers;
  readonly submissions: Submissions;
  readonly poh: PohService | null;
  readonly producer: Producer | null;
  readonly proofs: ProofChecker | null;
  readonly #side: ValidatorSide | null;
  readonly pruner: HistoryPruner | null;
  readonly api: ChainApi;
  readonly consensus: () => ConsensusState = () => this.#state;
  readonly #options: ChainNodeOptions;
  readonly #keyProof: Uint8Array | null;
  readonly clock: Clock;
  readonly #check: CheckDeps;
  readonly #opened: OpenedChain;
  readonly #state: ConsensusState;
  readonly #driver: ConsensusDriver;
  readonly #stops: (() => void)[] = [];
  #stopWatching: () => void = () => {};
  #stateService: StateService | undefined;
  #isStopping = false;

  /** Opens the data directory and puts the node together; `start` makes it live. Throws what storage throws for a directory it cannot use. */
  static async open(options: ChainNodeOptions): Promise<ChainNode> {
    const { genesis, kernels, onFatal, dataDirectory: directory, log, platform = machinePlatform() } = options;
    const { disk, randomBytes } = platform;
    const verifier = platform.startVerifier(onFatal);
    const { hashesPerTick, ticksPerSlot } = genesis.poh;
    const rules = ledgerRules(kernels, genesis);
    const check: CheckDeps = {
      kernels,
      verifier,
      signatures: new SignatureChecks(kernels, rules.chainId, verifier, SIGNATURES_KEPT),
      rules,
      poh: { hashesPerTick, ticksPerSlot },
      idSecret: new Uint32Array(Uint8Array.from(randomBytes(16)).buffer),
    };
    try {
      const opened = await ChainStore.open({ directory, genesis, check, log, disk, randomBytes });
      return new ChainNode(options, platform, check, opened);
    } catch (error) {
      await verifier.stop();
      throw error;
    }
  }

  private constructor(options: ChainNodeOptions, platform: Platform, check: CheckDeps, opened: OpenedChain) {
    this.#options = options;
    this.#check = check;
    this.#opened = opened;
    this.clock = platform.clock;
    this.startedMs = this.clock.nowMs();
    this.role = options.role;
    this.version = options.version;
    this.kernels = options.kernels;
    this.genesis = options.genesis;
    this.rules = check.rules;
    this.key = options.key;
    this.transport = transportOf(options, check.rules.chainId);
    this.rpcUrl = options.rpcUrl;
    this.#keyProof = options.key?.sign(peerKeyMessage(check.rules.chainId, options.transport.self)) ?? null;
    this.store = opened.store;
    this.tree = new BlockTree(opened.root);
    this.#state = startConsensus(
      { genesis: this.genesis, rules: this.rules, key: this.key, opened },
      this.clock.nowMs(),
    );
    this.effects = this.#newEffects();
    const { key } = options;
    const onFatal = (error: Error): void => this.#fail(error);
    const { chainId } = this.rules;
    this.#driver = new ConsensusDriver(this.#state, this.effects, { clock: this.clock, chainId, key, onFatal });
    this.intake = this.#newIntake();
    this.#voteGossip = this.#newVoteGossip(platform);
    this.blocks = this.#newBlockSource();
    this.peers = this.#newPeers();
    this.submissions = this.#newSubmissions();
    const pace = { parameters: check.poh, slotDurationMs: this.genesis.poh.slotDurationMs };
    this.poh = key === null ? null : platform.startPoh(pace, onFatal);
    this.producer = this.#newProducer();
    this.#side = this.#newSide(platform);
    this.proofs = this.#side === null ? null : openProofChecker(this, this.#side.own, check.verifier, options.log);
    this.pruner = this.#newPruner();
    this.api = new ChainApi(this);
  }

  /** Joins the network and takes part. */
  async start(): Promise<void> {
    const { transport, blocks } = this;
    serveArchive(this);
    serveMarket(this);
    serveHandOvers(transport, this.store.handOvers);
    const clock = this.clock;
    const timers = { now: () => clock.nowMs(), after: (ms: number, run: () => void) => after(clock, ms, run) };
    this.#stateService = new StateService({ transport, source: this.store.stateSource, timers });
    blocks.serve();
    this.#voteGossip.subscribe();
    await transport.start();
    for (const block of this.#opened.pending) this.intake.block(block, null);
    await this.intake.votes(this.#opened.keptVotes, null);
    await this.peers.start();
    this.#stopWatching = watchPeersReady({
      clock,
      validatorCount: bestElectorate(this.#state).members.length,
      validatorsHeard: () => [...this.peers.statuses.values()].filter(({ role }) => role === 'validator').length,
      onReady: () => this.#feed({ kind: 'peersReady' }),
    });
    this.submissions.start();
    if (this.proofs !== null)
      this.#stops.push(every(clock, PROOF_LOOK_INTERVAL_MS, () => void this.proofs?.look(this.tree.root)));
    if (this.#side !== null) this.#stops.push(every(clock, DUTIES_INTERVAL_MS, () => this.#side?.look()));
    const repair = this.#newRepair();
    this.#stops.push(every(clock, REPAIR_INTERVAL_MS, () => void repair.look()));
    if (this.pruner !== null) this.#stops.push(every(clock, PRUNE_INTERVAL_MS, () => void this.pruner?.look()));
    this.#feed({ kind: 'wake' });
  }

  /** Stops cleanly; everything acknowledged is on disk when it resolves. What is cut short by it is no failure. */
  async stop(): Promise<void> {
    await this.#side?.leave();
    this.#isStopping = true;
    for (const stop of this.#stops) stop();
    this.#stopWatching();
    this.submissions.stop();
    this.peers.stop();
    this.#driver.stop();
    this.producer?.stop();
    await this.poh?.stop();
    await this.transport.stop();
    this.#stateService?.close();
    await this.#driver.idle();
    await this.#check.verifier.stop();
    await this.effects.idle();
    await this.pruner?.stop();
    await this.store.close();
  }

  /** Something this node cannot go on after: production and voting end at once. */
  #fail(error: Error): void {
    if (this.#isStopping) return;
    this.#driver.stop();
    this.producer?.stop();
    this.#options.onFatal(error);
  }

  #feed(event: ConsensusEvent): void {
    if (event.kind === 'vote' || event.kind === 'ownVotePersisted') this.#noteVote(event.vote);
    this.#driver.feed(event);
  }

  #noteVote({ voter, targetSlot }: Vote): void {
    const key = byteKey(voter);
    this.votesSeen.set(key, Math.max(targetSlot, this.votesSeen.get(key) ?? 0));
  }

  #newEffects(): ConsensusEffects {
    const { transport } = this;
    return new ConsensusEffects({
      check: this.#check,
      store: this.store,
      tree: this.tree,
      mempool: this.mempool,
      transactions: this.transactions,
      finality: this.finality,
      clock: this.clock,
      log: this.#options.log,
      producer: () => this.producer,
      blocks: () => this.blocks,
      feed: (event) => this.#feed(event),
      isKept: (hash) => electorateOf(this.#state, hash) !== null,
      gossipVote: (vote, again) => this.#voteGossip.send(vote, again),
      takeVotes: (votes) => this.intake.checkedVotes(votes, null),
      ban: (peer, reason) => transport.ban(peer, reason),
      suspect: (peer, code) => transport.fault(new PeerFault(peer, code, 'a block with a wrong state root')),
      onEvidence: (evidence) => this.#side?.evidence(evidence),
      onExecuted: (block) => this.#side?.executed(block),
      onWrongRoot: this.#options.byzantine === 'lazy' ? (header) => this.#voteBlindly(header) : undefined,
      onFatal: (error) => this.#fail(error),
    });
  }

  #newIntake(): BlockIntake {
    return new BlockIntake({
      kernels: this.kernels,
      onError: (error) => this.#fail(error),
      chainId: this.rules.chainId,
      signatures: this.#check.signatures,
      tree: this.tree,
      feed: (event) => this.#feed(event),
      onSeen: (header) => this.finality.seen(header.slot, this.clock.nowMs()),
    });
  }

  #newVoteGossip({ clock, randomBytes }: Platform): VoteGossip {
    const { consensus, poh } = this.genesis;
    return new VoteGossip({
      transport: this.transport,
      topic: `cairn/${encodeBase58(this.rules.chainId).slice(0, 8)}/votes`,
      clock,
      // Half of what the machine waits before it sends again.
      repeatIntervalMs: consensus.timeoutSlots * poh.slotDurationMs,
      randomBytes,
      oldestSlot: () => this.tree.root.header.slot - 2 * consensus.unfinalizedBlocksMax,
      judge: (vote, from) => this.intake.gossipedVote(vote, from),
    });
  }

  #newBlockSource(): BlockSource {
    const { store, tree } = this;
    return new BlockSource({
      kernels: this.kernels,
      transport: this.transport,
      log: this.#options.log,
      sources: () => this.peers.keepingBlocks(),
      byHash: (hash) => servedByHash(store, tree, hash),
      byHeight: (at) => servedByHeight(store, tree, at),
      onBlock: (block, from) => this.intake.block(block, from),
      onVotes: (votes, from) => void this.intake.votes(votes, from).catch((error: Error) => this.#fail(error)),
    });
  }

  #newPeers(): Peers {
    return new Peers({
      transport: this.transport,
      log: this.#options.log,
      clock: this.clock,
      chainId: this.rules.chainId,
      bootstrap: this.#options.bootstrap,
      status: () => this.#ownStatus(),
      isSigned: (key, signature, message) => this.#check.signatures.single(key, signature, message),
      onStatus: (peer, { bestHeight }) => this.#feed({ kind: 'peerTip', peer, height: height(bestHeight) }),
    });
  }

  #ownStatus(): StatusMessage {
    return {
      chainId: this.rules.chainId,
      role: this.role,
      startHeight: this.store.startHeight,
      finalizedHeight: this.tree.root.header.height,
      bestHeight: this.tree.best.header.height,
      publicKey: this.key?.publicKey ?? null,
      keyProof: this.#keyProof,
      rpc: this.rpcUrl(),
      version: this.version,
    };
  }

  #newSubmissions(): Submissions {
    return new Submissions({
      ...this.#check,
      transport: this.transport,
      clock: this.clock,
      log: this.#options.log,
      mempool: this.mempool,
      slotDurationMs: this.genesis.poh.slotDurationMs,
      best: () => this.tree.best,
      nextLeader: () => this.#nextLeader() ?? this.tree.best.header.leader,
      leader: () => this.#leader(),
    });
  }

  /** Where transactions go: this node when it leads, else the peer that signs as the leader of the next slot. */
  #leader(): string | 'self' | null {
    if (this.producer?.isLeading === true) return 'self';
    const leader = this.#nextLeader();
    return leader === null ? null : this.peers.withKey(leader);
  }

  #nextLeader(): PublicKey | null {
    const { hash, slot: bestSlot } = this.tree.best.header;
    return leaderFor(this.#state, hash, slot(bestSlot + 1));
  }

  /** What a lazy validator does with a block it should have refused. */
  #voteBlindly(header: BlockHeader): void {
    if (this.key !== null) this.#voteGossip.send(blindVote(this.#state, header, this.key));
  }

  #newProducer(): Producer | null {
    if (this.key === null || this.poh === null) return null;
    const isCensor = this.#options.byzantine === 'censor';
    return new Producer({
      ...this.#check,
      poh: this.poh,
      clock: this.clock,
      mempool: this.mempool,
      key: this.key,
      onBlock: (block) => this.effects.produced(block),
      mayLead: (parent, slot) => this.#mayLead(parent, slot),
      decoySecret: (parent, slot) => this.#side?.decoySecret(parent, slot) ?? null,
      onDecoy: (decoy, secret) => {
        this.effects.decoyed(decoy);
        this.#side?.reveal(decoy, secret);
      },
      leavesOut: isCensor ? ({ payload }) => payload.kind === 'transfer' : undefined,
      onRefused: (transaction, refusal) => this.transactions.drop(transaction.id, refusal),
      onError: (error) => this.#fail(error),
    });
  }

  #mayLead({ electorate, header }: ChainBlock, at: Slot): boolean {
    const leader = leaderOf(electorate, header, at, this.genesis.consensus);
    return this.key !== null && leader !== null && sameBytes(leader, this.key.publicKey);
  }

  #newSide({ randomBytes, wallClockMs }: Platform): ValidatorSide | null {
    if (this.key === null) return null;
    return new ValidatorSide({
      parts: this,
      key: this.key,
      log: this.#options.log,
      randomBytes,
      wallClockMs: wallClockMs(),
      nextLeader: () => this.#nextLeader(),
    });
  }

  #newRepair(): HandOverRepair {
    const { kernels, transport, store, peers, tree } = this;
    const { signatures } = this.#check;
    return new HandOverRepair({
      ...{ kernels, transport, signatures, store },
      chainId: this.rules.chainId,
      peers: () => peers.keepingBlocks(),
      final: () => tree.root,
      log: this.#options.log,
    });
  }

  #newPruner(): HistoryPruner | null {
    const { history: keeping, log } = this.#options;
    if (keeping === undefined || keeping.mode === 'archive') return null;
    const { store, rules, tree } = this;
    const onFatal = (error: Error): void => this.#fail(error);
    return new HistoryPruner({ store, keeping, rules, final: () => tree.root, log, onFatal });
  }
}

function transportOf({ transport, byzantine, kernels, key }: ChainNodeOptions, chainId: Hash): Transport {
  if (byzantine === undefined || key === null) return transport;
  return lyingTransport(transport, byzantine, kernels, chainId, key);
}
