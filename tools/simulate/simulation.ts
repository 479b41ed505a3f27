/**
 * One simulation: real nodes on simulated machines and wires, faults by plan, oracles throughout. In phases: some time with faults, in which only safety
 * is asked for; then the faults end for a core quorum, and everybody in it must finalize new blocks within a bound.
 *
 * Invariant: everything follows from the options. Two runs with equal ones give the same trace, byte by byte.
 */
import { loadKernels } from '../../native/index.ts';
import { MemoryNetwork } from '../../src/net/memory-network.ts';
import { FilesError } from '../../storage/index.ts';
import { Byzantium } from './byzantine.ts';
import { type ChainSetup, setUpChain } from './chain-setup.ts';
import { Chance } from './chance.ts';
import { CLAIM_BOUND_MS, EVIDENCE_CLAIM } from './claims.ts';
import { Clients } from './clients.ts';
import { newEar } from './ear.ts';
import { FaultRunner } from './fault-runner.ts';
import { planFaults } from './faults.ts';
import { type FinalitySummary, FinalityTimes } from './finality-times.ts';
import { CALM, Links } from './links.ts';
import { meshOf } from './mesh.ts';
import { NodeDisk } from './node-disk.ts';
import { onNodeLog } from './node-log.ts';
import { Oracles } from './oracles.ts';
import type { Plant } from './plant.ts';
import { expectProgress } from './progress.ts';
import type { Scenario } from './scenario.ts';
import { SharedKernels } from './shared-kernels.ts';
import { type NodeEvents, SimulatedNode } from './simulated-node.ts';
import { Trace } from './trace.ts';
import { Violation } from './violation.ts';
import { VirtualTime } from './virtual-time.ts';
import { wideAreaDelay } from './wide-area.ts';

/** Slots as on the devnet: all durations below are for these. */
export const USUAL_SLOT_MS = 500;
/** A phase with faults. */
export const FAULTY_PHASE_MS = 90_000;
/** The phase after it where no progress is claimed. */
const QUIET_MS = 30_000;
/** How often the oracles look. */
const LOOK_MS = 100;
const WIDE_AREA_LOOK_MS = 10;
/** How often claims are looked at. */
const CLAIM_LOOK_MS = 1_000;

export interface SimulationOptions {
  readonly seed: number;
  readonly scenario: Scenario;
  /** Virtual time to run at least, ms; a phase that has begun is finished. */
  readonly durationMs: number;
  /** In place of the scenario's number. */
  readonly validators?: number;
  /** 500 ms unless given. Longer ones stretch faults, phases and bounds alike: as many slots an hour fewer, as much faster the run. */
  readonly slotDurationMs?: number;
  /** Distances of five regions. */
  readonly wideArea?: boolean;
  /** Faults left out, by number. */
  readonly without?: ReadonlySet<number>;
  /** A bug to plant: what the nodes are given is changed. */
  readonly plant?: Plant;
  /** Lines of the timeline. */
  readonly onTrace?: (line: string) => void;
  /** Told now and then how far virtual time is. */
  readonly onProgress?: (nowMs: number) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly scenario: string;
  readonly violation: Violation | null;
  readonly simulatedMs: number;
  readonly finalHeight: number;
  readonly finalTransactions: number;
  readonly phases: number;
  /** Numbers of the faults that struck. */
  readonly faults: readonly number[];
  readonly boots: number;
  /** Nodes killed while a vote or an own slot was being written. */
  readonly killsAtWork: number;
  readonly events: number;
  readonly traceDigest: string;
  /** Finality conflicted where that was not excluded, and the culprits were named. */
  readonly forked: boolean;
  readonly finality: FinalitySummary | null;
  /** Bytes a second each node sent, on average. */
  readonly bytesPerSecond: number;
}

/** What an honest node holds against a validator. */
export interface FoundEvidence {
  readonly by: string;
  /** Of its lives. */
  readonly life: number;
  readonly against: number;
  readonly kind: string;
}

/** Runs one simulation to its end, or to the first violation. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(options);
  return simulation.run();
}

export class Simulation {
  readonly options: SimulationOptions;
  readonly time: VirtualTime = new VirtualTime();
  readonly trace: Trace;
  readonly links: Links;
  readonly chain: ChainSetup;
  readonly shared: SharedKernels;
  readonly oracles: Oracles;
  readonly nodes: readonly SimulatedNode[];
  readonly times: FinalityTimes = new FinalityTimes();
  /** Evidence found by honest nodes, in which of their lives. */
  readonly evidence: FoundEvidence[] = [];
  readonly clients: Clients;
  readonly #network: MemoryNetwork;
  readonly #chance: Chance;
  readonly #faults: FaultRunner;
  readonly byzantium: Byzantium;
  /** How much longer slots are than usual. */
  readonly stretch: number;
  #violation: Violation | undefined;
  #failure: Error | undefined;
  #phases = 0;
  #isLooking = false;

  constructor(options: SimulationOptions) {
    this.options = options;
    const { seed, scenario, plant, wideArea = false } = options;
    const { time } = this;
    this.trace = new Trace(() => time.nowMs, options.onTrace);
    this.#chance = new Chance(seed, 'simulation');
    this.links = new Links(time, new Chance(seed, 'links'));
    const timers = { now: () => time.nowMs, after: (ms: number, run: () => void) => time.after(ms, run) };
    const isMeshed = meshOf(() => this.nodes.map(({ name }) => name));
    const { link, replay } = this.links;
    this.#network = new MemoryNetwork({ timers, link, replay, isMeshed });
    this.shared = new SharedKernels(loadKernels(), plant?.kernels);
    const bonds = scenario.bonds ?? Array.from({ length: options.validators ?? scenario.validators ?? 4 }, () => 100n);
    const { unfinalizedBlocksMax = 64 } = scenario;
    const { slotDurationMs = USUAL_SLOT_MS } = options;
    this.stretch = slotDurationMs / USUAL_SLOT_MS;
    const { consensus = {}, candidates = 0 } = scenario;
    const stake = { timeoutSlots: 4, unfinalizedBlocksMax, consensus, candidates };
    this.chain = setUpChain(this.shared, { bonds, slotDurationMs, ...stake });
    const cheats = new Set([...Object.keys(scenario.byzantine ?? {}).map(Number), ...(scenario.twins ?? [])]);
    // Who has lost its vote file keeps silent: it counts on nobody, and never signs anything wrong.
    const dishonest = new Set([...cheats, ...(scenario.losesVoteFile ?? [])]);
    this.oracles = new Oracles({
      chain: this.chain,
      shared: this.shared,
      trace: this.trace,
      isHonest: (rank) => !cheats.has(rank),
      claimsSafety: scenario.claimsSafety ?? true,
      onFinal: (block) => this.clients.probes.final(block),
    });
    this.clients = new Clients(this, this.#chance);
    this.byzantium = new Byzantium(this, new Chance(seed, 'byzantine'));
    this.nodes = this.#makeNodes(dishonest);
    if (wideArea) this.links.base = wideAreaDelay(this.nodes.map(({ name }) => name));
    this.links.quality = scenario.wire ?? CALM;
    this.#faults = new FaultRunner(this, new Chance(seed, 'fault runner'));
  }

  get nowMs(): number {
    return this.time.nowMs;
  }

  /** Runs phases until the time is up or something is wrong. */
  async run(): Promise<SimulationResult> {
    const { durationMs } = this.options;
    for (const node of this.nodes) this.time.after(this.#chance.between(0, 300), () => node.boot());
    this.#every(this.options.wideArea === true ? WIDE_AREA_LOOK_MS : LOOK_MS * this.stretch, () => void this.#look());
    this.clients.start();
    try {
      while (this.#phases === 0 || this.nowMs < durationMs) await this.#phase();
    } catch (error) {
      this.#stop(error as Error);
    }
    this.trace.add('end', null, { height: this.oracles.finalHeight });
    for (const node of this.nodes) node.kill('process');
    if (this.#failure !== undefined) throw this.#failure;
    return this.#result();
  }

  /** Something was found: the run ends with the event under way. */
  stop(error: Error): void {
    this.#stop(error);
  }

  async #phase(): Promise<void> {
    const { scenario, seed, without } = this.options;
    const fromMs = this.nowMs + (this.#phases === 0 ? 5_000 : 0);
    const toMs = fromMs + (scenario.faultyMs ?? FAULTY_PHASE_MS) * this.stretch;
    const names = this.nodes.map(({ name }) => name);
    const plan = planFaults(seed, this.#phases, scenario.faults, names, { fromMs, toMs, stretch: this.stretch });
    this.#phases += 1;
    this.#faults.begin(
      plan.filter(({ number }) => without?.has(number) !== true),
      fromMs,
      toMs,
    );
    await this.#runUntil(toMs);
    const core = this.#faults.calm();
    this.trace.add('calm', null, { core: core.map(({ name }) => name) });
    if (scenario.claimsProgress ?? true) {
      await expectProgress(this, core, this.#faults, (ms, isDone) => this.#runUntil(ms, isDone));
      await this.#expectClaims();
    } else await this.#runUntil(this.nowMs + QUIET_MS * this.stretch);
    await this.#look();
    if (this.#violation !== undefined) throw this.#violation;
    this.oracles.checkOpLogs(
      this.nodes.filter(({ isHonest, isDiskRuined, node }) => isHonest && !isDiskRuined && node !== undefined),
    );
    this.#faults.restore();
  }

  async #expectClaims(): Promise<void> {
    const claims = [EVIDENCE_CLAIM, ...(this.options.scenario.claims ?? [])];
    const untilMs = this.nowMs + CLAIM_BOUND_MS * this.stretch;
    for (;;) {
      const broken = claims.find((claim) => claim.lacks(this) !== null);
      if (broken === undefined || this.oracles.isForked) return;
      if (this.nowMs >= untilMs) this.oracles.fail('claim', `not true that ${broken.says}: ${broken.lacks(this)}`);
      await this.#runUntil(this.nowMs + CLAIM_LOOK_MS * this.stretch);
    }
  }

  async #runUntil(ms: number, isDone: () => boolean = () => false): Promise<void> {
    await this.time.run(ms, () => this.#violation !== undefined || this.#failure !== undefined || isDone());
    if (this.#violation !== undefined) throw this.#violation;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #makeNodes(dishonest: ReadonlySet<number>): SimulatedNode[] {
    const { seed, scenario, plant } = this.options;
    const events: NodeEvents = {
      ear: (node) => newEar(this, this.byzantium, node),
      onLog: (node, fields, message) => this.#guard(() => onNodeLog(this, node, fields, message)),
      onFatal: (node, error) => this.#guard(() => this.#faults.gaveUp(node, error)),
      onUp: (node) => this.#guard(() => this.#up(node)),
    };
    const { time, shared, chain } = this;
    const nodes: SimulatedNode[] = [];
    const network = this.#network;
    const world = { seed, time, network, shared, chain, events, names: () => nodes.map(({ name }) => name) };
    const drift = scenario.clockDrift ?? 0.01;
    const add = (name: string, rank: number | null): void => {
      const isHonest = rank === null || !dishonest.has(rank);
      const disk = new NodeDisk(seed, name, isHonest ? plant?.files : undefined);
      const kind = rank === null ? undefined : scenario.byzantine?.[rank];
      const byzantine = kind === 'lazy' || kind === 'censor' ? kind : undefined;
      const spread = this.#chance.between(-drift, drift);
      nodes.push(new SimulatedNode(world, { name, rank, isHonest, drift: spread, disk, byzantine }));
    };
    for (const rank of chain.validators.keys()) add(`v${rank}`, rank);
    for (const rank of scenario.twins ?? []) add(`v${rank}-twin`, rank);
    for (let archive = 0; archive < (scenario.archives ?? 0); archive += 1) add(`a${archive}`, null);
    return nodes;
  }

  #up(node: SimulatedNode): void {
    const { root } = node.node!.tree;
    this.trace.add('up', node.name, { height: root.header.height });
    if (node.isHonest) this.oracles.restarted(node.name, node.node!);
    this.byzantium.up(node);
  }

  /** The oracles look at every honest node that is up. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      for (const { name, isHonest, node } of this.nodes) {
        if (!isHonest || node === undefined || !this.oracles.hasNews(name, node)) continue;
        this.times.final(node.tree.root.header, this.nowMs, name);
        await this.oracles.look(name, node);
      }
    } catch (error) {
      // A disk that was made to fail has failed under the oracle: the node will find out by itself.
      if (!(error instanceof FilesError)) this.#stop(error as Error);
    } finally {
      this.#isLooking = false;
    }
    this.options.onProgress?.(this.nowMs);
  }

  #every(ms: number, act: () => void): void {
    this.time.after(ms, () => {
      act();
      this.#every(ms, act);
    });
  }

  /** Nothing of the simulation may throw into a node. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#stop(error as Error);
    }
  }

  #stop(error: Error): void {
    if (error instanceof Violation) this.#violation ??= error;
    else this.#failure ??= error;
  }

  #result(): SimulationResult {
    const { seed, scenario } = this.options;
    let sentBytes = 0;
    for (const bytes of this.links.sentBytes.values()) sentBytes += bytes;
    return {
      seed,
      scenario: scenario.name,
      violation: this.#violation ?? null,
      simulatedMs: this.nowMs,
      finalHeight: this.oracles.finalHeight,
      finalTransactions: this.oracles.finalTransactions,
      phases: this.#phases,
      faults: this.#faults.struck,
      killsAtWork: this.#faults.killsAtWork,
      boots: this.nodes.reduce((sum, { lives }) => sum + lives, 0),
      events: this.time.events,
      traceDigest: this.trace.digest(),
      forked: this.oracles.isForked,
      finality: this.times.summary(),
      bytesPerSecond: Math.round(sentBytes / this.nodes.length / Math.max(1, this.nowMs / 1000)),
    };
  }
}
