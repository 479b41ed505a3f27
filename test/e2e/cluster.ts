/**
 * A whole network for a test: real processes from `dist/` on loopback, in a folder of its own.
 *
 * Invariants
 * - `close` ends every process by its id and removes the folder, whatever the test did before; call it from `afterAll`.
 * - A process that ends without being asked to is remembered in `unexpectedExits`, which every test file checks at its end.
 * - No wait is without a bound; what was waited for is in the error.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SigningKey, signingKey } from '../../src/codec/index.ts';
import type { InitializedNode, NetworkParameters } from '../../src/node/init.ts';
import { writeKeyFile } from '../../src/node/key-file.ts';
import { CairnClient, FaultsClient } from '../../src/rpc/client.ts';
import { type DevnetFolders, prepareNetwork, workloadBalances } from '../../tools/devnet/network.ts';
import { type Child, type CommandOutcome, Processes, type ReadyLine } from '../../tools/devnet/spawn.ts';
import type { WorkloadPlan } from '../../tools/workload/plan.ts';
import { WorkloadKeys } from '../../tools/workload/signer.ts';
import { planZipf } from '../../tools/workload/zipf-plan.ts';

/** Quick and light: four slots a second, a leader is given up after one second, a hundredth of the devnet's hashing. */
export const TEST_GENESIS: NetworkParameters = {
  poh: { hashesPerTick: 500, ticksPerSlot: 10, slotDurationMs: 250 },
  transactions: { recencyWindowSlots: 40, minimumFee: '10', blockTransactionsMax: 1_000 },
  consensus: {
    timeoutSlots: 4,
    unfinalizedBlocksMax: 256,
    slotsPerEpoch: 16,
    staleEpochsFast: 8,
    staleEpochsSlow: 12,
    staleEpochsVerySlow: 0,
    voteLateSlotsMax: 8,
    unbondingEpochs: 2,
    minimumBond: '1000',
    termSlots: 0,
    decoyIntervalSlots: 0,
  },
  history: { segmentSizeBytes: 64 * 1024, leafSizeBytes: 1024 },
  replication: {
    sampleBlockSizeBytes: 16 * 1024,
    slotsPerPeriod: 24,
    periodsPerRotation: 4,
    minimumDeposit: '1000000',
    rewardPerProof: '5',
    mode: 'stream',
    layers: 1,
    samplesPerProof: 100,
    checksPerProof: 16,
    replicasPerSegment: 4,
    depositPerReplica: '100000',
    rewardLockoutPeriods: 2,
    proofDeadlineSlots: 11,
    sealSlots: 6,
    missesMax: 3,
    slashPerMissPermille: 250,
    slashPerFakePermille: 100,
    fakeSharePermille: 100,
  },
  rent: { microunitsPerByteBlock: '1' },
};
export const FEE = 10n;
/** How long one take-over of a silent leader takes by the rules. */
export const TAKE_OVER_MS: number = TEST_GENESIS.consensus.timeoutSlots * TEST_GENESIS.poh.slotDurationMs;

export const WALLET_BALANCE = 1_000_000_000n;
const WORKLOAD_ACCOUNTS = 200;
const COMMAND_TIMEOUT_MS = 30_000;
const POLL_MS = 50;

export interface ClusterShape {
  readonly validators: number;
  readonly archives?: number;
  readonly replicators?: number;
  /** TEST_GENESIS unless given. */
  readonly parameters?: NetworkParameters;
  /** How many segments each replicator keeps; 2 unless given. */
  readonly replicatorSegments?: number;
  /** In place of those parameters'. */
  readonly consensus?: Partial<NetworkParameters['consensus']>;
}

/** An account that holds WALLET_BALANCE at genesis, with its key file. */
export interface Wallet {
  readonly file: string;
  readonly key: SigningKey;
}

export class Cluster {
  readonly directory: string;
  readonly folders: DevnetFolders;
  readonly processes: Processes;
  readonly wallet: Wallet;
  readonly plan: WorkloadPlan;
  readonly keys: WorkloadKeys;
  readonly unexpectedExits: string[];
  readonly #children = new Map<string, Child>();
  readonly #ready = new Map<string, ReadyLine>();
  #commands = 0;

  private constructor(
    parts: Pick<Cluster, 'directory' | 'folders' | 'wallet' | 'plan' | 'keys' | 'processes' | 'unexpectedExits'>,
  ) {
    this.directory = parts.directory;
    this.folders = parts.folders;
    this.wallet = parts.wallet;
    this.plan = parts.plan;
    this.keys = parts.keys;
    this.processes = parts.processes;
    this.unexpectedExits = parts.unexpectedExits;
  }

  /** Writes the network; nothing runs yet. */
  static async prepare(wanted: ClusterShape): Promise<Cluster> {
    const {
      validators,
      archives = 0,
      replicators = 0,
      parameters = TEST_GENESIS,
      replicatorSegments = 2,
      consensus = {},
    } = wanted;
    const directory = await mkdtemp(join(tmpdir(), 'cairn-e2e-'));
    const plan = planZipf({ accountCount: WORKLOAD_ACCOUNTS, seed: 7, fee: FEE });
    const keys = new WorkloadKeys(plan);
    const seed = new Uint8Array(32).fill(9);
    const wallet = { file: join(directory, 'wallet.json'), key: signingKey(seed) };
    const shape = {
      networkName: 'e2e',
      validators,
      archives,
      replicators,
      parameters: { ...parameters, consensus: { ...parameters.consensus, ...consensus } },
      replicatorCapacityBytes: replicatorSegments * parameters.history.segmentSizeBytes,
    };
    const accounts = [...workloadBalances(plan, keys), { address: wallet.key.address, balance: WALLET_BALANCE }];
    const folders = await prepareNetwork(join(directory, 'net'), shape, accounts);
    await writeKeyFile(wallet.file, seed);
    const unexpectedExits: string[] = [];
    const processes = new Processes({
      logDirectory: folders.logDirectory,
      onUnexpectedExit: (child, { code, signal }) => {
        void child
          .logTail()
          .then((tail) =>
            unexpectedExits.push(`${child.name} ended by itself (${signal ?? `exit code ${code}`}): ${tail}`),
          );
      },
    });
    return new Cluster({ directory, folders, wallet, plan, keys, processes, unexpectedExits });
  }

  /** Writes the network and starts every node of it. */
  static async start(shape: ClusterShape): Promise<Cluster> {
    const cluster = await Cluster.prepare(shape);
    try {
      await cluster.startNodes(cluster.nodes);
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** All nodes but the newcomer. */
  get nodes(): readonly InitializedNode[] {
    return this.folders.network.nodes;
  }

  /** Validators and archives. */
  get chainNodes(): readonly InitializedNode[] {
    return this.nodes.filter(({ role }) => role !== 'replicator');
  }

  get genesisFile(): string {
    return this.folders.network.genesisFile;
  }

  async startNodes(nodes: readonly InitializedNode[]): Promise<void> {
    await Promise.all(nodes.map((node) => this.startNode(node)));
  }

  async startNode({ name, role, configFile }: InitializedNode): Promise<ReadyLine> {
    const { child, ready } = await this.processes.startNode(name, role, configFile);
    this.#children.set(name, child);
    this.#ready.set(name, ready);
    return ready;
  }

  child({ name }: InitializedNode): Child {
    const child = this.#children.get(name);
    if (child === undefined) throw new RangeError(`${name} was never started`);
    return child;
  }

  /** SIGKILL to all of them at once; resolves when all are gone. */
  async kill(...nodes: readonly InitializedNode[]): Promise<void> {
    const children = nodes.map((node) => this.child(node));
    for (const child of children) child.signal('SIGKILL');
    await Promise.all(children.map((child) => child.exited));
  }

  ready({ name }: InitializedNode): ReadyLine {
    const ready = this.#ready.get(name);
    if (ready === undefined) throw new RangeError(`${name} was never ready`);
    return ready;
  }

  client(node: InitializedNode): CairnClient {
    return new CairnClient({ url: this.ready(node).rpc, timeoutMs: 5_000 });
  }

  /**
   * Splits the network: wires between nodes of different groups are cut, all others mended. Nodes in no group keep every wire.
   */
  async split(...groups: readonly (readonly InitializedNode[])[]): Promise<void> {
    const nameOf = ({ peer }: InitializedNode): string => peer.slice(peer.lastIndexOf('/') + 1);
    const all = groups.flat();
    await Promise.all(
      groups.flatMap((group) =>
        group.map((node) => {
          const others = all.filter((other) => !group.includes(other));
          return new FaultsClient(this.ready(node).rpc).cutPeers(others.map(nameOf));
        }),
      ),
    );
  }

  /** Mends all wires. */
  heal(): Promise<void> {
    return this.split(this.chainNodes);
  }

  /** Runs one command of the program to its end. */
  async cairn(...args: readonly string[]): Promise<CommandOutcome> {
    this.#commands += 1;
    return this.processes.execute(`command-${this.#commands}`, args, COMMAND_TIMEOUT_MS);
  }

  /** Runs a command that must succeed and returns its one line of JSON. */
  async cairnJson(...args: readonly string[]): Promise<Record<string, unknown>> {
    const { code, output, errors } = await this.cairn(...args, '--json');
    if (code !== 0) throw new RangeError(`cairn ${args.join(' ')} ended with ${code}: ${errors}`);
    return JSON.parse(output) as Record<string, unknown>;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  async close(): Promise<void> {
    await this.processes.stopAll();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Asks until the answer is not null or undefined; an error counts as no answer yet. Rejects after `timeoutMs` with the last one. */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  ask: () => Promise<T | null | undefined> | T | null | undefined,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last = '';
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== null && answer !== undefined) return answer;
    } catch (error) {
      last = `; last error: ${(error as Error).message}`;
    }
    if (performance.now() > deadline) throw new RangeError(`not within ${timeoutMs} ms: ${what}${last}`);
    await sleep(POLL_MS);
  }
}

/** Waits until every node's final height is at least `height`. */
export async function allFinal(cluster: Cluster, nodes: readonly InitializedNode[], height: number): Promise<void> {
  await Promise.all(
    nodes.map((node) => {
      const client = cluster.client(node);
      return eventually(`${node.name} at final height ${height}`, 30_000, async () =>
        (await client.blockHeight()) >= height ? true : null,
      );
    }),
  );
}

/** Greatest final height among nodes that answer. */
export async function finalHeight(cluster: Cluster, nodes: readonly InitializedNode[]): Promise<number> {
  const heights = await Promise.all(
    nodes.map((node) =>
      cluster
        .client(node)
        .blockHeight()
        .catch(() => 0),
    ),
  );
  return Math.max(...heights);
}
