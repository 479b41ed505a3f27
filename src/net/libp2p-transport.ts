/**
 * The real transport: libp2p over TCP. Streams, gossip and peers of libp2p, handed to the shared core.
 *
 * Invariants
 * - Handlers and topics may be registered before or after `start`; after `stop` nothing runs and it cannot be started again.
 * - Requests use connections that are already there: dialing is explicit, so that who talks to whom is the node's decision.
 */
import type { Connection, PeerId, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { type GossipHandler, type RequestHandler, SILENT_LOG, TransportCore, type TransportLog } from './core.ts';
import { Libp2pDuplex } from './libp2p-duplex.ts';
import { joinTopic } from './libp2p-gossip.ts';
import { type MadeNode, makeNode } from './libp2p-node.ts';
import { type TransportLimits, transportLimits } from './limits.ts';
import { realTimers } from './timers.ts';
import { type PeerFault, type PeerName, type RequestOptions, type Transport, TransportError } from './transport.ts';

export interface Libp2pTransportOptions {
  /** Seed of the network key (Ed25519), 32 bytes; copied. */
  readonly networkKeySeed: Uint8Array;
  /** Addresses to listen on, e.g. `/ip4/127.0.0.1/tcp/0`; none for a peer that only dials. */
  readonly listen: readonly string[];
  readonly limits?: Partial<TransportLimits>;
  readonly log?: TransportLog;
}

/** Makes a transport; nothing listens before `start()`. Throws `RangeError` for a bad seed or limits. */
export async function createLibp2pTransport(options: Libp2pTransportOptions): Promise<Libp2pTransport> {
  const limits = transportLimits(options.limits);
  let core: TransportCore | undefined;
  let transport: Libp2pTransport | undefined;
  const node = await makeNode({
    seed: Uint8Array.from(options.networkKeySeed),
    listen: options.listen,
    limits,
    isBanned: (peer) => transport?.isCut(peer) === true || (core?.isBanned(peer) ?? false),
  });
  const { multiaddr } = await import('@multiformats/multiaddr');
  transport = new Libp2pTransport(node, limits, options.log ?? SILENT_LOG, multiaddr);
  core = transport.core;
  return transport;
}

export class Libp2pTransport implements Transport {
  readonly self: PeerName;
  /** @internal The rules shared by all transports. */
  readonly core: TransportCore;
  readonly #node: MadeNode;
  readonly #parse: (address: string) => Multiaddr;
  #cut: ReadonlySet<PeerName> = new Set();
  #state: 'made' | 'running' | 'stopped' = 'made';

  /** Use `createLibp2pTransport`. */
  constructor(node: MadeNode, limits: TransportLimits, log: TransportLog, parse: (address: string) => Multiaddr) {
    this.#node = node;
    this.#parse = parse;
    this.self = node.libp2p.peerId.toString();
    const wire = {
      open: (peer: PeerName, protocol: string) => this.#open(peer, protocol),
      disconnect: (peer: PeerName) => this.#disconnect(peer),
    };
    this.core = new TransportCore(wire, limits, realTimers, log);
    node.libp2p.addEventListener('peer:connect', (event) => this.core.peerChanged(event.detail.toString(), true));
    node.libp2p.addEventListener('peer:disconnect', (event) => this.core.peerChanged(event.detail.toString(), false));
  }

  addresses(): readonly string[] {
    return this.#state === 'running' ? this.#node.libp2p.getMultiaddrs().map((address) => address.toString()) : [];
  }

  async start(): Promise<void> {
    if (this.#state !== 'made') throw new TransportError('stopped', `the transport is ${this.#state}, start it once`);
    for (const protocol of this.core.protocols) await this.#serve(protocol);
    await this.#node.libp2p.start();
    this.#state = 'running';
    for (const topic of this.core.topics) joinTopic(this.#node.gossip, this.core, topic);
  }

  async stop(): Promise<void> {
    const wasRunning = this.#state === 'running';
    this.#state = 'stopped';
    if (!wasRunning) return;
    const gone = new TransportError('stopped', 'the transport was stopped');
    for (const connection of this.#node.libp2p.getConnections()) connection.abort(gone);
    await this.#node.libp2p.stop();
  }

  async dial(address: string): Promise<PeerName> {
    this.#mustRun();
    let parsed: Multiaddr;
    try {
      parsed = this.#parse(address);
    } catch (cause) {
      throw new TransportError('bad-address', `cannot parse address ${JSON.stringify(address)}`, { cause });
    }
    try {
      const connection = await this.#node.libp2p.dial(parsed, {
        signal: AbortSignal.timeout(this.core.limits.dialTimeoutMs),
      });
      return connection.remotePeer.toString();
    } catch (cause) {
      throw dialError(address, cause);
    }
  }

  peers(): readonly PeerName[] {
    return this.#node.libp2p.getPeers().map((peer) => peer.toString());
  }

  onPeer(listener: (peer: PeerName, connected: boolean) => void): void {
    this.core.onPeer(listener);
  }

  publish(topic: string, message: Uint8Array): void {
    this.core.checkPublish(message);
    if (this.#state !== 'running') return;
    this.#node.gossip.publish(topic, message).catch((error) => {
      this.core.log.debug({ topic, error: String(error) }, 'publish failed');
    });
  }

  subscribe(topic: string, handler: GossipHandler): void {
    this.core.subscribe(topic, handler);
    if (this.#state === 'running') joinTopic(this.#node.gossip, this.core, topic);
  }

  handle(protocol: string, handler: RequestHandler): void {
    this.core.handle(protocol, handler);
    if (this.#state === 'running')
      this.#serve(protocol).catch((error) => this.core.log.error({ protocol, error: String(error) }, 'handle failed'));
  }

  request(
    peer: PeerName,
    protocol: string,
    request: Uint8Array,
    options: RequestOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    return this.core.request(peer, protocol, request, options);
  }

  fault(fault: PeerFault): void {
    this.core.fault(fault);
  }

  ban(peer: PeerName, reason: string): void {
    this.core.ban(peer, reason);
  }

  /**
   * Cuts the wires to these peers, and mends those to all others: connections are dropped, dials either way refused. For tests and demonstrations of partitions;
   * nobody is blamed, and the peers see what they would see of a cable pulled out.
   */
  cut(peers: readonly PeerName[]): void {
    this.#cut = new Set(peers);
    for (const peer of peers) this.#disconnect(peer);
  }

  /** @internal */
  isCut(peer: PeerName): boolean {
    return this.#cut.has(peer);
  }

  /** @internal A raw stream, without framing: how tests send bytes that are not frames. */
  openRaw(peer: PeerName, protocol: string): Promise<Libp2pDuplex> {
    return this.#open(peer, protocol);
  }

  /** @internal Streams of a protocol that are open now, over all connections. */
  openStreams(protocol: string): number {
    const streams = this.#node.libp2p.getConnections().flatMap((connection) => connection.streams);
    return streams.filter((stream) => stream.protocol === protocol).length;
  }

  async #serve(protocol: string): Promise<void> {
    const onStream = (stream: Stream, connection: Connection) => {
      void this.core.accept(connection.remotePeer.toString(), protocol, new Libp2pDuplex(stream));
    };
    // Our own slots answer "busy" with a reason; libp2p's count, which only resets, stands behind them.
    const { inboundRequestsPerPeerMax, outboundRequestsPerPeerMax } = this.core.limits;
    await this.#node.libp2p.handle(protocol, onStream, {
      maxInboundStreams: 2 * inboundRequestsPerPeerMax,
      maxOutboundStreams: 2 * outboundRequestsPerPeerMax,
    });
  }

  async #open(peer: PeerName, protocol: string): Promise<Libp2pDuplex> {
    this.#mustRun();
    const connection = this.#connections(peer).find((one) => one.status === 'open');
    if (connection === undefined) throw new TransportError('unreachable', `not connected to peer ${peer}`);
    try {
      const limit = 2 * this.core.limits.outboundRequestsPerPeerMax;
      return new Libp2pDuplex(await connection.newStream(protocol, { maxOutboundStreams: limit }));
    } catch (cause) {
      throw openError(peer, protocol, cause);
    }
  }

  #disconnect(peer: PeerName): void {
    const gone = new TransportError('closed', 'disconnected');
    for (const connection of this.#connections(peer)) connection.abort(gone);
  }

  #connections(peer: PeerName): Connection[] {
    return this.#node.libp2p.getConnections().filter((one) => sameName(one.remotePeer, peer));
  }

  #mustRun(): void {
    if (this.#state !== 'running') throw new TransportError('stopped', `the transport is ${this.#state}`);
  }
}

function sameName(id: PeerId, name: PeerName): boolean {
  return id.toString() === name;
}

function dialError(address: string, cause: unknown): TransportError {
  const name = cause instanceof Error ? cause.name : '';
  const text = cause instanceof Error ? cause.message : String(cause);
  if (name === 'DialDeniedError')
    return new TransportError('refused', `dialing ${address} is refused: ${text}`, { cause });
  return new TransportError('unreachable', `dialing ${address} failed: ${text}`, { cause });
}

function openError(peer: PeerName, protocol: string, cause: unknown): TransportError {
  const name = cause instanceof Error ? cause.name : '';
  const text = cause instanceof Error ? cause.message : String(cause);
  if (name === 'UnsupportedProtocolError')
    return new TransportError('refused', `peer ${peer} does not serve ${protocol}`, { cause });
  if (name === 'TooManyOutboundProtocolStreamsError')
    return new TransportError('busy', `too many streams of ${protocol} to ${peer}`, { cause });
  return new TransportError('closed', `opening ${protocol} to ${peer} failed: ${text}`, { cause });
}
