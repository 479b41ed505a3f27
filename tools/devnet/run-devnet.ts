/**
 * One run of the devnet, from an empty folder to a report: starts the processes, drives the workload from this process (the client), plays the
 * scenario, takes the last look, judges, and ends every process whatever happened.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadKernels } from '../../native/index.ts';
import { encodeBase58 } from '../../src/codec/index.ts';
import type { CairnClient } from '../../src/rpc/client.ts';
import { Driver } from '../workload/driver.ts';
import { type EthereumPlan, planEthereumReplay } from '../workload/ethereum-plan.ts';
import type { WorkloadPlan } from '../workload/plan.ts';
import { WorkloadKeys } from '../workload/signer.ts';
import { planZipf } from '../workload/zipf-plan.ts';
import { ClusterPort } from './cluster-port.ts';
import { ConsensusWatch } from './consensus-watch.ts';
import type { Evidence, MischiefEvidence } from './evidence.ts';
import { type Mischief, type MischiefKind, planMischief } from './mischief.ts';
import { type DevnetFolders, type NetworkShape, prepareNetwork, workloadBalances } from './network.ts';
import { finalHeight, Observer } from './observe.ts';
import {
  ARCHIVES,
  DEVNET_GENESIS,
  REPLAY_RATE_PER_SECOND_MIN,
  REPLAY_SHARE,
  REPLICATOR_CAPACITY_BYTES,
  REPLICATORS,
  VALIDATOR_HISTORY,
  WORKLOAD_FEE,
  ZIPF_ACCOUNTS,
  ZIPF_RATE_PER_SECOND,
} from './parameters.ts';
import type { PartitionSpec } from './partition-spec.ts';
import { makeReport, type Report, type RunFigures, summarize } from './report.ts';
import { playScenario, type ScenarioOutcome } from './scenario.ts';
import {
  compareBalances,
  expectedAccounts,
  readBalances,
  readSupply,
  rootsAtOneHeight,
  writeBalances,
} from './settle.ts';
import { takeSnapshot } from './snapshot.ts';
import { Processes } from './spawn.ts';
import { type Devnet, startNode } from './steps.ts';
import type { View } from './view.ts';

export interface DevnetOptions {
  /** Infinity: until stopped. */
  readonly durationMs: number;
  readonly validators: number;
  /** A file of Ethereum transfers; null: the built-in workload. */
  readonly transfersFile: string | null;
  readonly balancesFile: string | null;
  /** Where the nodes' folders stay; null: a temporary place, removed after a run in which every check held. */
  readonly dataDirectory: string | null;
  /** Transfers a second; null: what suits the workload. */
  readonly ratePerSecond: number | null;
  readonly seed: number;
  /** One validator misbehaves so; null: none. */
  readonly byzantine: MischiefKind | null;
  readonly partition: PartitionSpec | null;
  readonly view: View;
  /** Aborted when the user asks for a stop: the run then ends early, with its last look and report. */
  readonly stop: AbortSignal;
}

export interface DevnetResult {
  readonly report: Report;
  readonly summary: readonly string[];
  /** Where the nodes' folders are; null when they were removed. */
  readonly directory: string | null;
}

/** Length a replay's rate is computed from when the run has no end. */
const OPEN_RUN_MS = 90_000;
const EVENTS_KEPT = 100;

/** Runs a devnet. Rejects only when it could not be started or looked at; failed checks are in the report. */
export async function runDevnet(options: DevnetOptions): Promise<DevnetResult> {
  const plan = await makePlan(options);
  const keys = new WorkloadKeys(plan);
  const directory = await makeDirectory(options.dataDirectory);
  const folders = await prepareNetwork(directory, shapeOf(options, plan), workloadBalances(plan, keys));
  const mischief = options.byzantine === null ? null : await planMischief(folders, options.byzantine);
  const run = new Run(options, plan, keys, folders, mischief);
  const outcome = await run.play();
  const keep = options.dataDirectory !== null || !outcome.report.ok;
  if (!keep) await rm(directory, { recursive: true, force: true });
  return { ...outcome, directory: keep ? directory : null };
}

function shapeOf({ validators }: DevnetOptions, plan: WorkloadPlan): NetworkShape {
  return {
    networkName: `devnet-${plan.kind}`,
    validators,
    archives: ARCHIVES,
    replicators: REPLICATORS,
    parameters: DEVNET_GENESIS,
    replicatorCapacityBytes: REPLICATOR_CAPACITY_BYTES,
    validatorHistory: VALIDATOR_HISTORY,
  };
}

async function makePlan({ transfersFile, seed }: DevnetOptions): Promise<WorkloadPlan> {
  if (transfersFile !== null) return planEthereumReplay(transfersFile, WORKLOAD_FEE);
  return planZipf({ accountCount: ZIPF_ACCOUNTS, seed, fee: WORKLOAD_FEE });
}

async function makeDirectory(dataDirectory: string | null): Promise<string> {
  return dataDirectory === null ? mkdtemp(join(tmpdir(), 'cairn-devnet-')) : resolve(dataDirectory);
}

/** Transfers a second: as asked, or such that a file is handed out within its share of the run. */
export function chooseRate(options: Pick<DevnetOptions, 'ratePerSecond' | 'durationMs'>, plan: WorkloadPlan): number {
  if (options.ratePerSecond !== null) return options.ratePerSecond;
  if (!Number.isFinite(plan.transferCount)) return ZIPF_RATE_PER_SECOND;
  const runMs = Number.isFinite(options.durationMs) ? options.durationMs : OPEN_RUN_MS;
  return Math.max(REPLAY_RATE_PER_SECOND_MIN, Math.ceil(plan.transferCount / ((REPLAY_SHARE * runMs) / 1000)));
}

class Run {
  readonly #options: DevnetOptions;
  readonly #plan: WorkloadPlan;
  readonly #keys: WorkloadKeys;
  readonly #folders: DevnetFolders;
  readonly #mischief: Mischief | null;
  readonly #observer = new Observer();
  readonly #watch: ConsensusWatch;
  readonly #events: string[] = [];
  readonly #unexpectedExits: string[] = [];
  readonly #startedMs = performance.now();
  #phase = 'starting';
  #driver: Driver | null = null;

  constructor(
    options: DevnetOptions,
    plan: WorkloadPlan,
    keys: WorkloadKeys,
    folders: DevnetFolders,
    mischief: Mischief | null,
  ) {
    this.#options = options;
    this.#mischief = mischief;
    const names = new Map(folders.validators.map(({ publicKey, name }) => [encodeBase58(publicKey!), name]));
    this.#watch = new ConsensusWatch(names, DEVNET_GENESIS.consensus.termSlots, (line) => this.#say(line));
    this.#observer.watch = this.#watch;
    this.#plan = plan;
    this.#keys = keys;
    this.#folders = folders;
  }

  async play(): Promise<{ report: Report; summary: readonly string[] }> {
    const { view, stop } = this.#options;
    const processes = new Processes({
      logDirectory: this.#folders.logDirectory,
      onUnexpectedExit: (child, { code, signal }) => {
        this.#unexpectedExits.push(
          `${child.name} ended by itself (${signal ?? `exit code ${code}`}); see ${child.logFile}`,
        );
        this.#observer.setState(child.name, 'down');
      },
    });
    const devnet: Devnet = {
      folders: this.#folders,
      processes,
      observer: this.#observer,
      children: new Map(),
      rpcUrls: new Map(),
      say: (line) => this.#say(line),
      signal: stop,
    };
    view.start(() => this.#snapshot());
    try {
      return await this.#withNetwork(devnet);
    } finally {
      await this.#driver?.close();
      await this.#observer.stop();
      this.#phase = 'stopping';
      await processes.stopAll();
      view.stop();
    }
  }

  async #withNetwork(devnet: Devnet): Promise<{ report: Report; summary: readonly string[] }> {
    await this.#startAll(devnet);
    const driver = await this.#startLoad(devnet);
    const outcome = await playScenario({
      devnet,
      driver,
      durationMs: this.#options.durationMs,
      finite: Number.isFinite(this.#plan.transferCount),
      partition: this.#options.partition,
      mischief: this.#mischief,
      setPhase: (phase) => {
        this.#phase = phase;
      },
    });
    this.#phase = 'checking';
    const evidence = await this.#lastLook(devnet, driver, outcome);
    const figures = this.#figures(driver);
    return { report: makeReport(evidence, figures), summary: summarize(evidence, figures) };
  }

  async #startAll(devnet: Devnet): Promise<void> {
    const { network, newcomer } = this.#folders;
    for (const node of network.nodes) this.#observer.expect(node.name, node.role);
    this.#observer.start();
    await Promise.all(network.nodes.map((node) => startNode(devnet, node)));
    this.#observer.expect(newcomer.name, newcomer.role, 'down');
    this.#say(`${network.nodes.length} processes are running`);
  }

  async #startLoad(devnet: Devnet): Promise<Driver> {
    const kernels = loadKernels();
    const clients = this.#folders.validators.map((node) => devnet.observer.client(node.name));
    const driver = new Driver({
      plan: this.#plan,
      port: new ClusterPort(clients),
      sign: this.#keys.signer(kernels, this.#plan.fee),
      ratePerSecond: chooseRate(this.#options, this.#plan),
    });
    this.#driver = driver;
    driver.start(0);
    return driver;
  }

  async #lastLook(devnet: Devnet, driver: Driver, outcome: ScenarioOutcome): Promise<Evidence> {
    const { transfersFile, balancesFile, stop, durationMs } = this.#options;
    const accounts = await expectedAccounts(this.#plan, this.#keys, transfersFile, driver.final);
    const balances = [];
    for (const [name, client] of this.#balanceSources()) {
      const found = await readBalances(client, accounts);
      balances.push(compareBalances(name, accounts, found));
      if (balances.length === 1 && balancesFile !== null)
        await writeBalances(balancesFile, transfersFile !== null, accounts, found);
    }
    const all = this.#clientsOfRunning();
    const roots = await rootsAtOneHeight(all);
    await devnet.observer.askReplication();
    const { restart, corruption, fastSync, partition } = outcome;
    const isCut =
      stop.aborted && (Number.isFinite(durationMs) || restart === null || corruption === null || fastSync === null);
    return {
      transfers: {
        submitted: driver.submittedCount,
        final: driver.final.length,
        open: outcome.open,
        refused: driver.submissions.refused,
        planExhausted: driver.exhausted || !Number.isFinite(this.#plan.transferCount),
      },
      balances,
      heights: this.#observer.nodes
        .filter((node) => all.has(node.name))
        .map((node) => ({ node: node.name, height: finalHeight(node) })),
      roots,
      supply: { genesis: this.#folders.supply, readings: await readSupply(all) },
      histories: this.#observer.histories,
      replicas: devnet.observer.replicas.lives,
      corruption,
      fastSync: fastSync === null ? null : { ...fastSync, stateRootEqual: fastSync.stateRootEqual && sameRoots(roots) },
      restart,
      consensus: this.#watch.reading(this.#observer.nodes.flatMap(({ status }) => status ?? [])),
      mischief: this.#mischiefEvidence(),
      partition,
      unexpectedExits: this.#unexpectedExits,
      stepFailures: outcome.stepFailures,
      interrupted: isCut,
    };
  }

  #mischiefEvidence(): MischiefEvidence | null {
    if (this.#mischief === null) return null;
    const { kind, node, isProvable } = this.#mischief;
    return { kind, node: node.name, isProvable };
  }

  /** The first validator, and the fast-synced node once it runs. */
  #balanceSources(): [name: string, client: CairnClient][] {
    const names = [this.#folders.validators[0]?.name ?? '', this.#folders.newcomer.name];
    return names
      .filter((name) => this.#observer.node(name).state === 'running')
      .map((name) => [name, this.#observer.client(name)]);
  }

  #clientsOfRunning(): Map<string, CairnClient> {
    const running = this.#observer.nodes.filter((node) => node.state === 'running' && node.role !== 'replicator');
    return new Map(running.map((node) => [node.name, this.#observer.client(node.name)]));
  }

  #figures(driver: Driver): RunFigures {
    const snapshot = this.#snapshot();
    const statuses = this.#observer.nodes.flatMap(({ role, status }) => (status === null ? [] : [{ role, status }]));
    const best = this.#observer.validators[0]?.status;
    const verifications = statuses.reduce((sum, { status }) => sum + status.replication.verifiedHere, 0);
    const counts = this.#plan.kind === 'ethereum' ? (this.#plan as EthereumPlan).counts : null;
    return {
      workload: this.#plan.kind,
      seed: this.#options.seed,
      durationMs: snapshot.elapsedMs,
      activeMs: driver.activeMs,
      finalityMs: driver.latency.summary(),
      pohHashesPerSecond: this.#observer.pohHashesPerSecond,
      blocks: snapshot.height,
      segments: snapshot.segments,
      historyBytes: snapshot.historyBytes,
      replicasEncoded: snapshot.replicasEncoded,
      proofsVerified: snapshot.proofsAccepted,
      proofsRejected: snapshot.proofsRejected,
      proofsExpired: best?.replication.proofsExpired ?? 0,
      verifications,
      kernels: best?.kernels ?? 'portable',
      resigned: driver.submissions.resigned,
      callsFailed: driver.callsFailed,
      rows: counts === null ? null : { ...counts },
      nodes: this.#observer.nodes.map(({ name, role, status }) => ({
        name,
        role,
        finalizedHeight: status?.finalized.height ?? null,
      })),
      node: process.version,
    };
  }

  #snapshot(): ReturnType<typeof takeSnapshot> {
    const { durationMs } = this.#options;
    const progress = {
      elapsedMs: performance.now() - this.#startedMs,
      durationMs: Number.isFinite(durationMs) ? durationMs : null,
      phase: this.#phase,
      events: this.#events,
    };
    return takeSnapshot(progress, this.#observer, this.#driver);
  }

  #say(line: string): void {
    const at = `${Math.round((performance.now() - this.#startedMs) / 1000)} s`;
    this.#events.push(`${at}: ${line}`);
    if (this.#events.length > EVENTS_KEPT) this.#events.shift();
    this.#options.view.say(`${at}: ${line}`);
  }
}

function sameRoots(roots: readonly { readonly stateRoot: string }[]): boolean {
  return roots.length > 0 && roots.every((each) => each.stateRoot === roots[0]?.stateRoot);
}
