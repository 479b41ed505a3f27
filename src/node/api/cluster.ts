/** This node and its peers, as a chain node answers them. */
import { height } from '../../../native/index.ts';
import type { ClusterNode } from '../../rpc/views/node.ts';
import type { ChainParts } from '../chain-parts.ts';

/** This node first, then its peers. */
export function clusterNodes({ transport, peers, role, key, version, tree, rpcUrl }: ChainParts): ClusterNode[] {
  const self: ClusterNode = {
    peer: transport.self,
    addresses: transport.addresses(),
    self: true,
    role,
    publicKey: key?.publicKey ?? null,
    rpc: rpcUrl(),
    version,
    finalizedHeight: tree.root.header.height,
  };
  return [self, ...transport.peers().map((peer) => otherNode(peer, peers.statuses.get(peer)))];
}

type PeerStatus = ReturnType<ChainParts['peers']['statuses']['get']>;

function otherNode(peer: string, status: PeerStatus): ClusterNode {
  return {
    peer,
    addresses: [],
    self: false,
    role: status?.role ?? null,
    publicKey: (status?.publicKey as ClusterNode['publicKey']) ?? null,
    rpc: status?.rpc ?? null,
    version: status?.version ?? null,
    finalizedHeight: status === undefined ? null : height(status.finalizedHeight),
  };
}
