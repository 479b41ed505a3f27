/**
 * Writes a new network to disk: genesis.json, and one folder a node with its config.json, secret keys (0600) and place for data.
 *
 * ```
 * DIRECTORY/genesis.json
 * DIRECTORY/validator-1/config.json  key.json  network-key.json  data/
 * DIRECTORY/archive-1/...            DIRECTORY/replicator-1/...
 * ```
 *
 * Invariants
 * - Never writes into a folder that holds anything.
 * - A validator's key and the empty files of its votes are made together: a key without them may have voted (chain/vote-files.ts).
 * - The genesis passes the ledger's own check before anything is written.
 * - Every node's bootstrap list names all other nodes, with their peer names, so that any of them may start first.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Address, loadKernels, type PublicKey } from '../../native/index.ts';
import { diskFiles } from '../../storage/index.ts';
import { encodeBase58, formatAddress, signingKey } from '../codec/index.ts';
import { type ConsensusFields, genesisFrom } from '../ledger/index.ts';
import { makeVoteFiles } from './chain/vote-files.ts';
import type { FaultsConfig, HistoryConfig, NodeConfig, NodeConfigRole } from './config.ts';
import { freshSeed, writeKeyFile } from './key-file.ts';

export type InitErrorCode = 'not-empty' | 'bad-count';

/** A network that cannot be written as asked. */
export class InitError extends Error {
  override readonly name = 'InitError';
  readonly code: InitErrorCode;
  constructor(code: InitErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The parts of the genesis that are parameters, as they stand in genesis.json (amounts: decimal text). */
export interface NetworkParameters {
  readonly poh: { readonly hashesPerTick: number; readonly ticksPerSlot: number; readonly slotDurationMs: number };
  readonly transactions: {
    readonly recencyWindowSlots: number;
    readonly minimumFee: string;
    readonly blockTransactionsMax: number;
  };
  readonly consensus: Readonly<Record<Exclude<keyof ConsensusFields, 'minimumBond'>, number>> & {
    readonly minimumBond: string;
  };
  readonly history: { readonly segmentSizeBytes: number; readonly leafSizeBytes: number };
  readonly replication: {
    readonly sampleBlockSizeBytes: number;
    readonly slotsPerPeriod: number;
    readonly periodsPerRotation: number;
    readonly minimumDeposit: string;
    readonly rewardPerProof: string;
    readonly mode: 'stream' | 'open' | 'both';
    readonly layers: 1 | 2 | 4;
    readonly samplesPerProof: number;
    readonly checksPerProof: number;
    readonly replicasPerSegment: number;
    readonly depositPerReplica: string;
    readonly rewardLockoutPeriods: number;
    readonly proofDeadlineSlots: number;
    readonly sealSlots: number;
    readonly missesMax: number;
    readonly slashPerMissPermille: number;
    readonly slashPerFakePermille: number;
    readonly fakeSharePermille: number;
  };
  readonly rent: { readonly microunitsPerByteBlock: string };
}

/**
 * What `cairn init` writes unless told otherwise: a network of whole machines. PoH at 1 million hashes a second (a ninth of what the portable
 * kernel holds on a 2020s core), slots of half a second, segments of 16 MiB, a proof a minute, a fresh key every hour. Rent: an account that nobody touches
 * for a year (63 million blocks) owes about 20,000 units, 2,000 minimum fees. Epochs of 16 s: a validator that is away for a minute leaves the sets, and a bond is
 * free 17 minutes after it has left them. A decoy every five minutes of leading. Terms of 48 s: a leader that leaves
 * votes out has lost its turn before those voters count as absent.
 */
export const DEFAULT_PARAMETERS: NetworkParameters = {
  poh: { hashesPerTick: 50_000, ticksPerSlot: 10, slotDurationMs: 500 },
  transactions: { recencyWindowSlots: 300, minimumFee: '10', blockTransactionsMax: 20_000 },
  consensus: {
    timeoutSlots: 4,
    unfinalizedBlocksMax: 256,
    slotsPerEpoch: 32,
    staleEpochsFast: 4,
    staleEpochsSlow: 6,
    staleEpochsVerySlow: 0,
    voteLateSlotsMax: 8,
    unbondingEpochs: 64,
    minimumBond: '1000',
    termSlots: 96,
    decoyIntervalSlots: 600,
  },
  history: { segmentSizeBytes: 16 * 1024 * 1024, leafSizeBytes: 1024 },
  replication: {
    sampleBlockSizeBytes: 1024 * 1024,
    // Twice the deadline and more: a validator that restarts between sealing findings and the next period's reveals has over a minute.
    slotsPerPeriod: 240,
    periodsPerRotation: 60,
    minimumDeposit: '1000000',
    rewardPerProof: '100',
    mode: 'stream',
    layers: 1,
    samplesPerProof: 2759,
    checksPerProof: 64,
    replicasPerSegment: 8,
    depositPerReplica: '100000',
    rewardLockoutPeriods: 30,
    proofDeadlineSlots: 60,
    sealSlots: 24,
    missesMax: 10,
    slashPerMissPermille: 50,
    slashPerFakePermille: 100,
    fakeSharePermille: 50,
  },
  rent: { microunitsPerByteBlock: '10' },
};

/** One address's balance at genesis; amounts in the smallest unit. */
export interface GenesisBalance {
  readonly address: Address;
  readonly balance: bigint;
}

export interface InitOptions {
  readonly directory: string;
  readonly networkName: string;
  readonly parameters: NetworkParameters;
  /** How many nodes of each role; at least one validator. */
  readonly validators: number;
  readonly archives: number;
  readonly replicators: number;
  /** Bond of each validator. */
  readonly bond: bigint;
  /** Balance of each validator's and replicator's own account: it pays the fees of its verdicts, proofs and deposit. */
  readonly nodeBalance: bigint;
  /** Other accounts. */
  readonly accounts: Iterable<GenesisBalance>;
  /** TCP port for peers of the n-th node (all roles, in the order validators, archives, replicators). */
  readonly peerPort: (index: number) => number;
  /** TCP port of the n-th node's RPC; 0: any. */
  readonly rpcPort: (index: number) => number;
  readonly replicatorCapacityBytes: number;
  /** What validators keep of history; pruned with the defaults unless given. Archives keep all. */
  readonly validatorHistory?: HistoryConfig;
  /** Lets the devnet cut wires, and tell replicators to corrupt a byte. */
  readonly faults?: boolean;
  /** How the n-th replicator cheats; for the devnet only. */
  readonly replicatorFaults?: (index: number) => FaultsConfig | undefined;
  readonly logLevel?: NodeConfig['log']['level'];
}

/** One node as written. */
export interface InitializedNode {
  readonly name: string;
  readonly role: NodeConfigRole;
  readonly directory: string;
  readonly configFile: string;
  /** Its ledger key; null for an archive. */
  readonly publicKey: PublicKey | null;
  readonly address: Address | null;
  /** `/ip4/127.0.0.1/tcp/PORT/p2p/NAME` */
  readonly peer: string;
}

export interface InitializedNetwork {
  readonly directory: string;
  readonly genesisFile: string;
  readonly nodes: readonly InitializedNode[];
}

/** Longest list of nodes written at once. */
const NODES_MAX = 64;

/** Writes the network. @throws InitError, KeyFileError, GenesisError */
export async function initNetwork(options: InitOptions): Promise<InitializedNetwork> {
  checkCounts(options);
  await requireEmpty(options.directory);
  const drafts = nodeNames(options).map(({ role, name }, index) => draftNode(options, index, role, name));
  const nodes = drafts.map((draft) => draft.node);
  const genesis = genesisText(options, nodes);
  const genesisFile = join(options.directory, 'genesis.json');
  await writeFile(genesisFile, genesis, { flag: 'wx' });
  for (const [index, draft] of drafts.entries()) await writeNode(options, index, draft, nodes);
  return { directory: options.directory, genesisFile, nodes };
}

/**
 * Adds one node to a network that was written before: its folder, keys and configuration, with all others as bootstrap. The genesis stays as it is,
 * so a validator added here has no bond yet.
 * @param options those the network was written with: the new node gets the ports after the last one's
 * @param added how many were added before
 */
export async function addNode(
  options: InitOptions,
  network: InitializedNetwork,
  role: 'archive' | 'validator',
  name: string,
  added = 0,
): Promise<InitializedNode> {
  const index = network.nodes.length + added;
  const draft = draftNode(options, index, role, name);
  await writeNode(options, index, draft, network.nodes);
  return draft.node;
}

/**
 * A peer's name from its Ed25519 network key: base58 of the identity multihash of the key's protobuf (libp2p peer id specification).
 * @param key 32 bytes
 */
export function peerName(key: PublicKey): string {
  return encodeBase58(Buffer.concat([Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20), key]));
}

/** Writes a configuration file, over an older one if there is one. */
export async function writeConfig(file: string, config: NodeConfig): Promise<void> {
  await writeFile(file, `${JSON.stringify(config, null, 2)}\n`);
}

function checkCounts({ validators, archives, replicators }: InitOptions): void {
  for (const [field, count] of Object.entries({ validators, archives, replicators }))
    if (!Number.isSafeInteger(count) || count < 0)
      throw new InitError('bad-count', `${field} must be a whole number of 0 or more, found ${count}`);
  if (validators < 1) throw new InitError('bad-count', 'validators must be at least 1: nobody else can make blocks');
  const total = validators + archives + replicators;
  if (total > NODES_MAX)
    throw new InitError('bad-count', `at most ${NODES_MAX} nodes are written at once, found ${total}`);
}

async function requireEmpty(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const [found] = await readdir(directory);
  if (found !== undefined)
    throw new InitError('not-empty', `${directory} is not empty (it holds ${found}); name a new or an empty folder`);
}

function nodeNames(options: InitOptions): { role: NodeConfigRole; name: string }[] {
  const roles = [
    ['validator', options.validators],
    ['archive', options.archives],
    ['replicator', options.replicators],
  ] as const;
  return roles.flatMap(([role, count]) =>
    Array.from({ length: count }, (_, index) => ({ role, name: `${role}-${index + 1}` })),
  );
}

interface NodeDraft {
  readonly node: InitializedNode;
  /** Null for an archive. */
  readonly seed: Uint8Array | null;
  readonly networkSeed: Uint8Array;
}

/** Makes a node's keys in memory. */
function draftNode(options: InitOptions, index: number, role: NodeConfigRole, name: string): NodeDraft {
  const directory = join(options.directory, name);
  const seed = role === 'archive' ? null : freshSeed();
  const key = seed === null ? null : signingKey(seed);
  const networkSeed = freshSeed();
  const peer = peerName(signingKey(networkSeed).publicKey);
  const node = {
    name,
    role,
    directory,
    configFile: join(directory, 'config.json'),
    publicKey: key?.publicKey ?? null,
    address: key?.address ?? null,
    peer: `/ip4/127.0.0.1/tcp/${options.peerPort(index)}/p2p/${peer}`,
  };
  return { node, seed, networkSeed };
}

async function writeNode(
  options: InitOptions,
  index: number,
  { node, seed, networkSeed }: NodeDraft,
  all: readonly InitializedNode[],
): Promise<void> {
  await mkdir(node.directory);
  await writeKeyFile(join(node.directory, 'network-key.json'), networkSeed);
  if (seed !== null) await writeKeyFile(join(node.directory, 'key.json'), seed);
  if (node.role === 'validator')
    await makeVoteFiles(join(node.directory, 'data'), { kernels: loadKernels(), files: diskFiles() });
  const bootstrap = all.filter((other) => other !== node).map((other) => other.peer);
  await writeConfig(node.configFile, nodeConfig(options, node, index, bootstrap));
}

function nodeConfig(
  options: InitOptions,
  node: InitializedNode,
  index: number,
  bootstrap: readonly string[],
): NodeConfig {
  const isReplicator = node.role === 'replicator';
  return {
    role: node.role,
    genesis: '../genesis.json',
    dataDirectory: 'data',
    ...(node.publicKey === null ? {} : { keyFile: 'key.json' }),
    networkKeyFile: 'network-key.json',
    listen: `/ip4/127.0.0.1/tcp/${options.peerPort(index)}`,
    bootstrap,
    rpc: { host: '127.0.0.1', port: options.rpcPort(index) },
    log: { level: options.logLevel ?? 'info' },
    ...(isReplicator ? {} : { history: historyOf(options, node.role) }),
    ...(isReplicator ? { replicator: { capacityBytes: options.replicatorCapacityBytes } } : {}),
    ...faultsOf(options, index, isReplicator),
  };
}

function faultsOf(options: InitOptions, index: number, isReplicator: boolean): Pick<NodeConfig, 'faults'> {
  const chosen = isReplicator ? options.replicatorFaults?.(index - options.validators - options.archives) : undefined;
  if (chosen !== undefined) return { faults: chosen };
  return options.faults === true ? { faults: { cutPeers: true, ...(isReplicator ? { corruptByte: true } : {}) } } : {};
}

function historyOf({ validatorHistory }: InitOptions, role: NodeConfigRole): HistoryConfig {
  return role === 'archive' ? { mode: 'archive' } : (validatorHistory ?? { mode: 'pruned' });
}

function genesisText(options: InitOptions, nodes: readonly InitializedNode[]): string {
  const own = nodes.flatMap((node) =>
    node.address === null ? [] : [{ address: node.address, balance: options.nodeBalance }],
  );
  const accounts = [...own, ...options.accounts].map((account) => ({
    address: formatAddress(account.address),
    balance: account.balance.toString(),
  }));
  const validators = nodes.flatMap((node) =>
    node.role === 'validator' && node.publicKey !== null
      ? [{ publicKey: encodeBase58(node.publicKey), bond: options.bond.toString() }]
      : [],
  );
  const genesis = { format: 1, name: options.networkName, ...options.parameters, validators, accounts };
  genesisFrom(genesis);
  return `${JSON.stringify(genesis, null, 1)}\n`;
}
