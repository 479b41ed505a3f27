/**
 * Watches the network from outside, over RPC: asks every running node for its status, and one validator for the replication records.
 *
 * Invariants: a node that does not answer never holds up the others; figures of a node that is down stay as last seen, marked so.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CairnClient, ReplicatorClient, type ReplicatorStatusView, type StatusView } from '../../src/rpc/client.ts';
import type { ConsensusWatch } from './consensus-watch.ts';
import type { HistoryReading } from './evidence.ts';
import { ReplicaTracker } from './replicas.ts';

export type NodeState = 'starting' | 'running' | 'down' | 'syncing';

/** A node as seen from outside. */
export interface ObservedNode {
  readonly name: string;
  readonly role: 'validator' | 'archive' | 'replicator';
  state: NodeState;
  /** Last status of a validator or archive. */
  status: StatusView | null;
  /** Last status of a replicator. */
  replicator: ReplicatorStatusView | null;
}

interface Entry extends ObservedNode {
  ask: (() => Promise<void>) | null;
}

const INTERVAL_MS = 500;
const TIMEOUT_MS = 2_000;
/** Replication records are asked for at every n-th look. */
const REPLICATION_EVERY = 2;
/** Transfers a second are counted over this many looks. */
const RATE_SAMPLES = 10;

export class Observer {
  readonly replicas: ReplicaTracker = new ReplicaTracker();
  readonly #nodes = new Map<string, Entry>();
  readonly #clients = new Map<string, CairnClient>();
  /** Told what the furthest validator says of all. */
  watch: ConsensusWatch | null = null;
  readonly #rate: { readonly atMs: number; readonly final: number }[] = [];
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #pohRates: number[] = [];

  /** Makes a node known before it runs, so that it has a row. */
  expect(name: string, role: ObservedNode['role'], state: NodeState = 'starting'): void {
    this.#nodes.set(name, { name, role, state, status: null, replicator: null, ask: null });
  }

  /** Starts asking a node that is ready. */
  attach(name: string, rpcUrl: string): void {
    const node = this.#entry(name);
    node.ask = node.role === 'replicator' ? this.#askReplicator(node, rpcUrl) : this.#askNode(node, rpcUrl);
    node.state = 'running';
  }

  setState(name: string, state: NodeState): void {
    this.#entry(name).state = state;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  /** The client of a validator or archive that was attached. */
  client(name: string): CairnClient {
    const client = this.#clients.get(name);
    if (client === undefined) throw new RangeError(`${name} has not been ready yet`);
    return client;
  }

  get nodes(): readonly ObservedNode[] {
    return [...this.#nodes.values()];
  }

  node(name: string): ObservedNode {
    return this.#entry(name);
  }

  /** Running validators, the one that is furthest first. */
  get validators(): readonly ObservedNode[] {
    const running = this.nodes.filter((node) => node.role === 'validator' && node.state === 'running');
    return running.sort((a, b) => finalHeight(b) - finalHeight(a));
  }

  /** Greatest final height any validator reported. */
  get finalizedHeight(): number {
    return Math.max(0, ...this.nodes.filter((node) => node.role === 'validator').map(finalHeight));
  }

  get leader(): ObservedNode | null {
    return this.nodes.find((node) => node.state === 'running' && node.status?.isLeader === true) ?? null;
  }

  /** What each running validator and archive last said it keeps of history. */
  get histories(): readonly HistoryReading[] {
    return this.nodes.flatMap(({ name, state, status }) => {
      if (state !== 'running' || status === null) return [];
      const { mode, startHeight, keptBytes, prunedBytes, waitingSegments } = status.history;
      return [{ node: name, mode, startHeight, keptBytes, prunedBytes, waitingSegments }];
    });
  }

  /** Transfers final a second, over the last seconds. */
  get finalPerSecond(): number {
    const [first] = this.#rate;
    const last = this.#rate.at(-1);
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
    return ((last.final - first.final) * 1000) / (last.atMs - first.atMs);
  }

  /** Median of the generator's rate over the run. */
  get pohHashesPerSecond(): number {
    const sorted = [...this.#pohRates].sort((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? 0;
  }

  async #run(): Promise<void> {
    for (let look = 0; !this.#stop.signal.aborted; look += 1) {
      await Promise.all([...this.#nodes.values()].map((node) => (node.state === 'running' ? node.ask?.() : undefined)));
      if (look % REPLICATION_EVERY === 0) await this.#askReplication();
      await this.#askValidators();
      this.#sample();
      await sleep(INTERVAL_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  #sample(): void {
    const final = Math.max(0, ...this.validators.map((node) => node.status?.transactions.final ?? 0));
    this.#rate.push({ atMs: performance.now(), final });
    if (this.#rate.length > RATE_SAMPLES) this.#rate.shift();
    const rate = this.leader?.status?.poh.hashesPerSecond ?? 0;
    if (rate > 0) this.#pohRates.push(rate);
  }

  /** Asks now rather than at the next look: for the last word before a judgement. */
  async askReplication(): Promise<void> {
    await this.#askReplication();
  }

  async #askValidators(): Promise<void> {
    const [best] = this.validators;
    const view = await this.#clients
      .get(best?.name ?? '')
      ?.validators()
      .catch(() => undefined);
    if (view !== undefined && best?.status) this.watch?.observe(view, best.status);
  }

  async #askReplication(): Promise<void> {
    const [best] = this.validators;
    const client = best === undefined ? undefined : this.#clients.get(best.name);
    const view = await client?.replication().catch(() => undefined);
    if (view !== undefined) this.replicas.observe(view.replicas);
  }

  #askNode(node: Entry, url: string): () => Promise<void> {
    const client = new CairnClient({ url, timeoutMs: TIMEOUT_MS, retriesMax: 0 });
    this.#clients.set(node.name, new CairnClient(url));
    return async () => {
      node.status = await client.status().catch(() => node.status);
    };
  }

  #askReplicator(node: Entry, url: string): () => Promise<void> {
    const client = new ReplicatorClient({ url, timeoutMs: TIMEOUT_MS, retriesMax: 0 });
    return async () => {
      node.replicator = await client.status().catch(() => node.replicator);
    };
  }

  #entry(name: string): Entry {
    const entry = this.#nodes.get(name);
    if (entry === undefined) throw new RangeError(`no node is called ${name}`);
    return entry;
  }
}

/** Height of the last final block a node reported; 0 before the first report. */
export function finalHeight(node: ObservedNode): number {
  return node.status?.finalized.height ?? 0;
}
