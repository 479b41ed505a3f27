/**
 * Makes the libp2p node a transport runs on: TCP, Noise, yamux, identify, ping, gossipsub; nothing else (no DHT, no discovery, no relay).
 *
 * libp2p is imported only when a node is made: it costs a few hundred milliseconds that other commands need not pay.
 */
import './with-resolvers.ts';
import type { GossipSub } from '@libp2p/gossipsub';
import type { ConnectionGater, Libp2p, PeerId } from '@libp2p/interface';
import { gossipOptions } from './libp2p-gossip.ts';
import type { TransportLimits } from './limits.ts';
import { STREAM_READ_BUFFER_BYTES, STREAM_WINDOW_SIZE_BYTES, STREAM_WINDOW_SIZE_BYTES_MAX } from './stream-windows.ts';

/** Bytes of the seed of a network key. */
export const NETWORK_KEY_SIZE_BYTES = 32;

export interface NodeOptions {
  /** Ed25519 seed, 32 bytes; the peer id follows from its public key. */
  readonly seed: Uint8Array;
  /** e.g. `/ip4/127.0.0.1/tcp/0` */
  readonly listen: readonly string[];
  readonly limits: TransportLimits;
  /** Asked before dialing and after a peer has proven who it is. */
  readonly isBanned: (peer: string) => boolean;
}

export interface MadeNode {
  readonly libp2p: Libp2p;
  readonly gossip: GossipSub;
}

/** Builds a node; it is not started. Throws `RangeError` for a seed of the wrong size. */
export async function makeNode(options: NodeOptions): Promise<MadeNode> {
  if (options.seed.length !== NETWORK_KEY_SIZE_BYTES)
    throw new RangeError(`network key seed must be ${NETWORK_KEY_SIZE_BYTES} bytes, got ${options.seed.length}`);
  const [{ createLibp2p }, { tcp }, { noise }, { yamux }, { identify }, { ping }, { gossipsub }, keys] =
    await Promise.all([
      import('libp2p'),
      import('@libp2p/tcp'),
      import('@libp2p/noise'),
      import('@libp2p/yamux'),
      import('@libp2p/identify'),
      import('@libp2p/ping'),
      import('@libp2p/gossipsub'),
      import('@libp2p/crypto/keys'),
    ]);
  const libp2p = await createLibp2p({
    start: false,
    privateKey: await keys.generateKeyPairFromSeed('Ed25519', options.seed),
    addresses: { listen: [...options.listen] },
    transports: [tcp({ backlog: 128, dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux(muxerOptions(options.limits))],
    connectionGater: gater(options.isBanned),
    connectionManager: connectionOptions(options.limits),
    services: { identify: identify(), ping: ping(), gossip: gossipsub(gossipOptions()) },
  });
  return { libp2p, gossip: libp2p.services.gossip };
}

function muxerOptions(limits: TransportLimits): object {
  // Requests both ways, the protocols of libp2p itself, and streams that linger.
  const streamsMax = 4 * limits.inboundRequestsPerPeerMax + 16;
  return {
    maxInboundStreams: streamsMax,
    maxOutboundStreams: streamsMax,
    streamOptions: {
      initialStreamWindowSize: STREAM_WINDOW_SIZE_BYTES,
      maxStreamWindowSize: STREAM_WINDOW_SIZE_BYTES_MAX,
      maxReadBufferLength: STREAM_READ_BUFFER_BYTES,
    },
  };
}

function connectionOptions(limits: TransportLimits): object {
  return {
    maxConnections: limits.connectionsMax,
    dialTimeout: limits.dialTimeoutMs,
    addressDialTimeout: limits.dialTimeoutMs,
    // All nodes of a devnet share one host; libp2p's defaults (5 a second, 10 pending) would refuse them when they start together.
    inboundConnectionThreshold: limits.connectionsMax,
    maxIncomingPendingConnections: limits.connectionsMax,
    // Redialing is the node's decision, not the transport's.
    reconnectRetries: 0,
  };
}

function gater(isBanned: (peer: string) => boolean): ConnectionGater {
  const denies = (peer: PeerId) => isBanned(peer.toString());
  return {
    denyDialPeer: denies,
    denyDialMultiaddr: () => false,
    denyInboundEncryptedConnection: denies,
    denyOutboundEncryptedConnection: denies,
  };
}
