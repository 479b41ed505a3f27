/**
 * All methods of a node, in one table.
 */
import type { MethodTable } from '../method.ts';
import type { NodeApi } from '../node-api.ts';
import { accountMethods } from './accounts.ts';
import { blockMethods } from './blocks.ts';
import { clusterMethods } from './cluster.ts';
import { replicationMethods } from './replication.ts';
import { transactionMethods } from './transactions.ts';

export { faultMethods } from './faults.ts';
export { replicatorMethods } from './replicator.ts';

export function nodeMethods(api: NodeApi): MethodTable {
  return {
    ...clusterMethods(api),
    ...accountMethods(api),
    ...transactionMethods(api),
    ...blockMethods(api),
    ...replicationMethods(api),
  };
}
