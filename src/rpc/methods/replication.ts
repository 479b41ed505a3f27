/**
 * Methods about replication as the ledger records it.
 */
import { z } from 'zod';
import { type MethodTable, method } from '../method.ts';
import type { NodeApi } from '../node-api.ts';
import { addressParameter } from '../parameters.ts';
import { REPLICATION_ROWS_MAX, type ReplicationFilter } from '../views/replication.ts';
import { toWire } from '../wire.ts';

const filterParameter = z
  .strictObject({ segment: z.int().nonnegative().max(0xffff_ffff).optional(), identity: addressParameter.optional() })
  .default({});

const segmentParameter = z.int().nonnegative().max(0xffff_ffff).default(0);
const countParameter = z.int().nonnegative().max(REPLICATION_ROWS_MAX).default(REPLICATION_ROWS_MAX);

export function replicationMethods(api: NodeApi): MethodTable {
  return {
    cairn_getReplication: method({ filter: filterParameter }, async ({ filter }) => {
      const wanted: ReplicationFilter = {
        ...(filter.segment === undefined ? {} : { segment: filter.segment }),
        ...(filter.identity === undefined ? {} : { identity: filter.identity }),
      };
      return toWire(await api.replication(wanted));
    }),
    cairn_getStandings: method({ from: segmentParameter, count: countParameter }, async ({ from, count }) =>
      toWire(await api.standings(from, count)),
    ),
  };
}
