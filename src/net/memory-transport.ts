/**
 * The simulated transport: same core, same frames, same limits as the libp2p one; only bytes travel through memory.
 *
 * Gossip floods: a peer passes each new, accepted message on to every other neighbour that listens to its topic.
 *
 * Invariants: everything that happens, happens in an event of the network's timers or in a microtask after one; connected is symmetric.
 */
import { type GossipHandler, type RequestHandler, SILENT_LOG, TransportCore } from './core.ts';
import { GOSSIP_SEEN_MS } from './gossip-id.ts';
import { transportLimits } from './limits.ts';
import { type MemoryDuplex, memoryDuplexPair } from './memory-duplex.ts';
import type { MemoryNetwork, MemoryTransportOptions, TrafficKind } from './memory-network.ts';
import { type PeerFault, type PeerName, type RequestOptions, type Transport, TransportError } from './transport.ts';

export class MemoryTransport implements Transport {
  readonly self: PeerName;
  /** @internal The rules shared by all transports. */
  readonly core: TransportCore;
  readonly #network: MemoryNetwork;
  readonly #neighbours = new Set<PeerName>();
  readonly #streams = new Map<PeerName, Set<MemoryDuplex>>();
  /** Ids of gossip seen, with the time each is forgotten; a Map keeps them in order of time. */
  readonly #seen = new Map<string, number>();
  #state: 'made' | 'running' | 'stopped' = 'made';

  /** Use `MemoryNetwork.transport`. */
  constructor(network: MemoryNetwork, name: PeerName, options: MemoryTransportOptions) {
    this.self = name;
    this.#network = network;
    const wire = {
      open: (peer: PeerName, protocol: string) => this.#open(peer, protocol),
      disconnect: (peer: PeerName) => network.sever(name, peer),
    };
    this.core = new TransportCore(wire, transportLimits(options.limits), network.timers, options.log ?? SILENT_LOG);
  }

  addresses(): readonly string[] {
    return this.#state === 'running' ? [this.#network.addressOf(this.self)] : [];
  }

  async start(): Promise<void> {
    if (this.#state !== 'made') throw new TransportError('stopped', `the transport is ${this.#state}, start it once`);
    this.#network.register(this);
    this.#state = 'running';
  }

  async stop(): Promise<void> {
    if (this.#state === 'running') for (const peer of [...this.#neighbours]) this.#network.sever(this.self, peer);
    this.#state = 'stopped';
    this.#network.unregister(this);
  }

  async dial(address: string): Promise<PeerName> {
    this.#mustRun();
    const name = this.#network.nameOf(address);
    if (this.core.isBanned(name)) throw new TransportError('refused', `dialing ${address} is refused: banned`);
    if (this.#neighbours.has(name)) return name;
    const delayMs = this.#link(name, 'dial', 0);
    const other = this.#network.find(name);
    if (delayMs === 'lost' || other === undefined || other === this)
      throw new TransportError('unreachable', `dialing ${address} failed`);
    await new Promise<void>((resolve) => this.#network.timers.after(delayMs, resolve));
    this.#join(other, address);
    return name;
  }

  peers(): readonly PeerName[] {
    return [...this.#neighbours];
  }

  onPeer(listener: (peer: PeerName, connected: boolean) => void): void {
    this.core.onPeer(listener);
  }

  publish(topic: string, message: Uint8Array): void {
    this.core.checkPublish(message);
    if (this.#state !== 'running') return;
    const own = new Uint8Array(message);
    if (this.#isNew(topic, own)) this.#pass(topic, own, this.self);
  }

  subscribe(topic: string, handler: GossipHandler): void {
    this.core.subscribe(topic, handler);
  }

  handle(protocol: string, handler: RequestHandler): void {
    this.core.handle(protocol, handler);
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

  /** @internal The connection to a peer is gone. */
  lose(peer: PeerName): void {
    if (!this.#neighbours.delete(peer)) return;
    for (const stream of this.#streams.get(peer) ?? []) stream.abort('the connection was closed');
    this.#streams.delete(peer);
    this.core.peerChanged(peer, false);
  }

  /** @internal A raw stream to a neighbour, without framing: how tests send bytes that are not frames. */
  async openRaw(peer: PeerName, protocol: string): Promise<MemoryDuplex> {
    return this.#open(peer, protocol);
  }

  /** @internal One gossip message straight to a neighbour, past this side's own checks. */
  sendRaw(peer: PeerName, topic: string, message: Uint8Array): void {
    this.#send(peer, topic, message);
  }

  #join(other: MemoryTransport, address: string): void {
    if (this.#state !== 'running' || this.#network.find(other.self) !== other)
      throw new TransportError('unreachable', `dialing ${address} failed`);
    if (other.core.isBanned(this.self)) throw new TransportError('unreachable', `dialing ${address} failed: refused`);
    if (other.#neighbours.size >= other.core.limits.connectionsMax)
      throw new TransportError('unreachable', `dialing ${address} failed: too many connections`);
    if (this.#neighbours.has(other.self)) return;
    this.#neighbours.add(other.self);
    other.#neighbours.add(this.self);
    this.core.peerChanged(other.self, true);
    other.core.peerChanged(this.self, true);
  }

  async #open(peer: PeerName, protocol: string): Promise<MemoryDuplex> {
    this.#mustRun();
    const other = this.#network.find(peer);
    if (other === undefined || !this.#neighbours.has(peer))
      throw new TransportError('unreachable', `not connected to peer ${peer}`);
    const [near, far] = memoryDuplexPair(this.#network.timers, [
      (sizeBytes) => this.#link(peer, 'stream', sizeBytes),
      (sizeBytes) => other.#link(this.self, 'stream', sizeBytes),
    ]);
    this.#hold(peer, near);
    void other.core.accept(this.self, protocol, far);
    return near;
  }

  /** Keeps a stream so that it breaks with its connection; forgets those that are over once there are many. */
  #hold(peer: PeerName, stream: MemoryDuplex): void {
    const streams = this.#streams.get(peer) ?? new Set();
    this.#streams.set(peer, streams);
    for (const held of streams) if (held.isOver) streams.delete(held);
    streams.add(stream);
  }

  #pass(topic: string, message: Uint8Array, from: PeerName): void {
    for (const peer of this.#neighbours)
      if (peer !== from && this.#network.isMeshed(this.self, peer)) this.#send(peer, topic, message);
  }

  #send(peer: PeerName, topic: string, message: Uint8Array): void {
    const delayMs = this.#link(peer, 'gossip', message.length);
    if (delayMs === 'lost') return;
    const arrive = (): void => this.#network.find(peer)?.receive(this.self, topic, message);
    this.#network.timers.after(delayMs, arrive);
    const againMs = this.#network.replay(this.self, peer);
    if (againMs !== null) this.#network.timers.after(delayMs + againMs, arrive);
  }

  /** @internal A neighbour's gossip arrived. */
  receive(from: PeerName, topic: string, message: Uint8Array): void {
    if (!this.#neighbours.has(from) || !this.core.listensTo(topic) || !this.#isNew(topic, message)) return;
    const own = new Uint8Array(message);
    if (this.core.gossip(topic, from, own) === 'accept') this.#pass(topic, message, from);
  }

  #isNew(topic: string, message: Uint8Array): boolean {
    const now = this.#network.timers.now();
    for (const [id, until] of this.#seen) {
      if (until > now) break;
      this.#seen.delete(id);
    }
    const id = this.#network.gossipName(topic, message);
    if (this.#seen.has(id)) return false;
    this.#seen.set(id, now + GOSSIP_SEEN_MS);
    return true;
  }

  #link(peer: PeerName, kind: TrafficKind, sizeBytes: number): number | 'lost' {
    return this.#network.link(this.self, peer, kind, sizeBytes);
  }

  #mustRun(): void {
    if (this.#state !== 'running') throw new TransportError('stopped', `the transport is ${this.#state}`);
  }
}
