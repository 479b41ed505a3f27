/**
 * Methods of a replicator process's own RPC.
 */
import { z } from 'zod';
import { RpcCode, RpcError } from '../json-rpc.ts';
import { type MethodTable, method } from '../method.ts';
import { READ_HISTORY_SIZE_BYTES_MAX, type ReplicatorApi } from '../replicator-api.ts';
import { base64Text, toWire } from '../wire.ts';

const segmentParameter = z.int().nonnegative().max(0xffff_ffff);

export function replicatorMethods(api: ReplicatorApi): MethodTable {
  return {
    getHealth: method({}, async () => {
      const { ok, reason } = await api.health();
      if (!ok) throw new RpcError(RpcCode.nodeUnhealthy, `Node is unhealthy: ${reason}`);
      return 'ok';
    }),
    cairn_getStatus: method({}, async () => toWire(await api.status())),
    cairn_readHistory: method(
      {
        segment: segmentParameter,
        offset: z.int().nonnegative(),
        sizeBytes: z.int().positive().max(READ_HISTORY_SIZE_BYTES_MAX),
      },
      async ({ segment, offset, sizeBytes }) => base64Text(await api.readHistory(segment, offset, sizeBytes)),
    ),
    cairn_injectCorruption: method({ segment: segmentParameter.optional() }, async ({ segment }) =>
      api.injectCorruption(segment ?? null),
    ),
  };
}
