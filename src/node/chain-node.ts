/**
 * A chain node: validator or archive. Opens what is on disk, puts the parts together, runs until stopped.
 *
 * Start order: disk, threads, network, consensus fed from the disk (pending blocks, kept votes), RPC last: nobody is answered before the node knows its
 * chain. Stop order: RPC, consensus, production, network, threads, disk: nothing is written after the disk was closed.
 */
import { byteKey, type Kernels } from '../../native/index.ts';
import type { SigningKey, Vote } from '../codec/index.ts';
import { bestElectorate, type ConsensusEvent, type ConsensusState } from '../consensus/index.ts';
import { type Genesis, type LedgerRules, ledgerRules } from '../ledger/index.ts';
import type { Transport } from '../net/transport.ts';
import { ChainApi } from './api/chain-api.ts';
import type { BlockIntake } from './chain/block-intake.ts';
import { BlockTree } from './chain/block-tree.ts';
import { ChainStore, type OpenedChain } from './chain/chain-store.ts';
import type { CheckDeps } from './chain/check-block.ts';
import { ConsensusDriver } from './chain/consensus-driver.ts';
import type { ConsensusEffects } from './chain/consensus-effects.ts';
import { startConsensus } from './chain/consensus-start.ts';
import type { ChainNodeOptions } from './chain-options.ts';
import type { ChainParts } from './chain-parts.ts';
import {
  newBlockSource,
  newEffects,
  newIntake,
  newPeers,
  newProducer,
  newPruner,
  newRepair,
  newSide,
  newSubmissions,
  newVoteGossip,
  transportOf,
  type Wiring,
} from './chain-wiring.ts';
import { after, type Clock, every } from './clock.ts';
import type { ValidatorSide } from './duties/validator-side.ts';
import { FinalityLog } from './finality-log.ts';
import type { HandOverRepair } from './hand-overs/hand-over-repair.ts';
import type { HistoryPruner } from './history/history-pruner.ts';
import { Mempool } from './mempool.ts';
import { machinePlatform, type Platform } from './platform.ts';
import type { Producer } from './producer.ts';
import { openProofChecker } from './proof-checks/open-proof-checker.ts';
import type { ProofChecker } from './proof-checks/proof-checker.ts';
import type { BlockSource } from './relay/block-source.ts';
import type { Peers } from './relay/peers.ts';
import { watchPeersReady } from './relay/peers-ready.ts';
import type { Submissions } from './relay/submissions.ts';
import type { VoteGossip } from './relay/vote-gossip.ts';
import { serveArchive } from './serve/archive-service.ts';
import { serveHandOvers } from './serve/hand-over-service.ts';
import { serveMarket } from './serve/market-service.ts';
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
  readonly clock: Clock;
  readonly #check: CheckDeps;
  readonly #opened: OpenedChain;
  readonly #state: ConsensusState;
  readonly #driver: ConsensusDriver;
  readonly #repair: HandOverRepair;
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
    this.store = opened.store;
    this.tree = new BlockTree(opened.root);
    this.#state = startConsensus(
      { genesis: this.genesis, rules: this.rules, key: this.key, opened },
      this.clock.nowMs(),
    );
    const { key } = options;
    const onFatal = (error: Error): void => this.#fail(error);
    const wiring = this.#wiring(platform);
    this.effects = newEffects(wiring);
    const { chainId } = this.rules;
    this.#driver = new ConsensusDriver(this.#state, this.effects, { clock: this.clock, chainId, key, onFatal });
    this.intake = newIntake(wiring);
    this.#voteGossip = newVoteGossip(wiring);
    this.blocks = newBlockSource(wiring);
    this.peers = newPeers(wiring);
    this.submissions = newSubmissions(wiring);
    const pace = { parameters: check.poh, slotDurationMs: this.genesis.poh.slotDurationMs };
    this.poh = key === null ? null : platform.startPoh(pace, onFatal);
    this.producer = key === null || this.poh === null ? null : newProducer(wiring, key, this.poh);
    this.#side = key === null ? null : newSide(wiring, key);
    this.proofs = this.#side === null ? null : openProofChecker(this, this.#side.own, check.verifier, options);
    this.pruner = newPruner(wiring);
    this.#repair = newRepair(wiring);
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
    this.#stops.push(every(clock, REPAIR_INTERVAL_MS, () => void this.#repair.look()));
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

  #wiring(platform: Platform): Wiring {
    return {
      parts: this,
      options: this.#options,
      platform,
      check: this.#check,
      voteGossip: () => this.#voteGossip,
      side: () => this.#side,
      feed: (event) => this.#feed(event),
      fail: (error) => this.#fail(error),
    };
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
}
