/**
 * Methods that a node serves only when its configuration allows faults: for tests, and for the devnet's partitions.
 */
import { z } from 'zod';
import { type MethodTable, method } from '../method.ts';

/** Most peers cut off at once. */
const PEERS_MAX = 128;

export interface FaultsApi {
  /** Cuts the wires to these peers and mends those to all others. */
  cutPeers(peers: readonly string[]): void;
}

export function faultMethods(api: FaultsApi): MethodTable {
  return {
    cairn_cutPeers: method({ peers: z.array(z.string().max(128)).max(PEERS_MAX) }, ({ peers }) => {
      api.cutPeers(peers);
      return { cut: peers.length };
    }),
  };
}
