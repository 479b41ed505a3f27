/**
 * The devnet on disk: genesis, one folder a node, and the folder of the node that joins later by fast sync.
 * All ports are fixed before the start, so that a restarted node is found where it was.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { HistoryConfig } from '../../src/node/config.ts';
import {
  addNode,
  type GenesisBalance,
  type InitializedNetwork,
  type InitializedNode,
  type InitOptions,
  initNetwork,
  type NetworkParameters,
} from '../../src/node/init.ts';
import type { WorkloadPlan } from '../workload/plan.ts';
import type { WorkloadKeys } from '../workload/signer.ts';
import { NODE_BALANCE, VALIDATOR_BOND } from './parameters.ts';
import { freePorts } from './ports.ts';

export interface DevnetFolders {
  readonly network: InitializedNetwork;
  readonly validators: readonly InitializedNode[];
  readonly archive: InitializedNode;
  readonly replicators: readonly InitializedNode[];
  /** Not in anybody's bootstrap list; its data folder does not exist yet. */
  readonly newcomer: InitializedNode;
  readonly logDirectory: string;
  /** What `addNode` needs to add more nodes: each gets the next ports kept for it. */
  readonly options: InitOptions;
  /** Sum of genesis balances and bonds. */
  readonly supply: bigint;
}

/** How many processes of each role, and by which rules. */
export interface NetworkShape {
  readonly networkName: string;
  readonly validators: number;
  readonly archives: number;
  readonly replicators: number;
  readonly parameters: NetworkParameters;
  readonly replicatorCapacityBytes: number;
  /** What validators keep of history; the defaults unless given. */
  readonly validatorHistory?: HistoryConfig;
}

/** Nodes that may be added later, besides the newcomer. */
const SPARE_NODES = 2;

/** Writes everything under `directory`, which must be empty or absent. */
export async function prepareNetwork(
  directory: string,
  shape: NetworkShape,
  accounts: readonly GenesisBalance[],
): Promise<DevnetFolders> {
  const { validators, archives, replicators } = shape;
  const nodeCount = validators + archives + replicators + 1 + SPARE_NODES;
  const ports = await freePorts(2 * nodeCount);
  const options: InitOptions = {
    ...shape,
    directory,
    bond: VALIDATOR_BOND,
    nodeBalance: NODE_BALANCE,
    accounts,
    peerPort: (index) => ports[index] ?? 0,
    rpcPort: (index) => ports[nodeCount + index] ?? 0,
    faults: true,
  };
  const network = await initNetwork(options);
  const newcomer = await addNode(options, network, 'archive', `archive-${archives + 1}`);
  const logDirectory = join(directory, 'logs');
  await mkdir(logDirectory);
  const ofRole = (role: string): InitializedNode[] => network.nodes.filter((node) => node.role === role);
  const own = BigInt(validators + replicators) * NODE_BALANCE + BigInt(validators) * VALIDATOR_BOND;
  return {
    network,
    validators: ofRole('validator'),
    archive: ofRole('archive')[0] as InitializedNode,
    replicators: ofRole('replicator'),
    newcomer,
    options,
    logDirectory,
    supply: accounts.reduce((sum, account) => sum + account.balance, own),
  };
}

/** Accounts that only receive get no genesis entry: the first transfer makes them. */
export function workloadBalances(plan: WorkloadPlan, keys: WorkloadKeys): GenesisBalance[] {
  return plan.accounts.flatMap(({ genesis }, index) =>
    genesis === 0n ? [] : [{ address: keys.address(index), balance: genesis }],
  );
}
