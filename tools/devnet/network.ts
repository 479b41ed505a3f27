/**
 * The devnet on disk: genesis, one folder a node, and the folder of the node that joins later by fast sync.
 * All ports are fixed before the start, so that a restarted node is found where it was.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  addNode,
  type GenesisBalance,
  type InitializedNetwork,
  type InitializedNode,
  type InitOptions,
  initNetwork,
} from '../../src/node/init.ts';
import type { WorkloadPlan } from '../workload/plan.ts';
import type { WorkloadKeys } from '../workload/signer.ts';
import {
  ARCHIVES,
  DEVNET_GENESIS,
  NODE_BALANCE,
  REPLICATOR_CAPACITY_BYTES,
  REPLICATORS,
  VALIDATOR_BOND,
} from './parameters.ts';
import { freePorts } from './ports.ts';

export interface DevnetFolders {
  readonly network: InitializedNetwork;
  readonly validators: readonly InitializedNode[];
  readonly archive: InitializedNode;
  readonly replicators: readonly InitializedNode[];
  /** Not in anybody's bootstrap list; its data folder does not exist yet. */
  readonly newcomer: InitializedNode;
  readonly logDirectory: string;
  /** Sum of genesis balances. */
  readonly supply: bigint;
}

/** Writes everything under `directory`, which must be empty or absent. */
export async function prepareNetwork(
  directory: string,
  validators: number,
  plan: WorkloadPlan,
  keys: WorkloadKeys,
): Promise<DevnetFolders> {
  const nodeCount = validators + ARCHIVES + REPLICATORS + 1;
  const ports = await freePorts(2 * nodeCount);
  const accounts = workloadBalances(plan, keys);
  const options: InitOptions = {
    directory,
    networkName: `devnet-${plan.kind}`,
    parameters: DEVNET_GENESIS,
    validators,
    archives: ARCHIVES,
    replicators: REPLICATORS,
    bond: VALIDATOR_BOND,
    nodeBalance: NODE_BALANCE,
    accounts,
    peerPort: (index) => ports[index] ?? 0,
    rpcPort: (index) => ports[nodeCount + index] ?? 0,
    replicatorCapacityBytes: REPLICATOR_CAPACITY_BYTES,
    faults: true,
  };
  const network = await initNetwork(options);
  const newcomer = await addNode(options, network, 'archive', `archive-${ARCHIVES + 1}`);
  const logDirectory = join(directory, 'logs');
  await mkdir(logDirectory);
  const ofRole = (role: string): InitializedNode[] => network.nodes.filter((node) => node.role === role);
  const own = BigInt(validators + REPLICATORS) * NODE_BALANCE;
  return {
    network,
    validators: ofRole('validator'),
    archive: ofRole('archive')[0] as InitializedNode,
    replicators: ofRole('replicator'),
    newcomer,
    logDirectory,
    supply: accounts.reduce((sum, account) => sum + account.balance, own),
  };
}

/** Accounts that only receive get no genesis entry: the first transfer makes them. */
function workloadBalances(plan: WorkloadPlan, keys: WorkloadKeys): GenesisBalance[] {
  return plan.accounts.flatMap(({ genesis }, index) =>
    genesis === 0n ? [] : [{ address: keys.address(index), balance: genesis }],
  );
}
