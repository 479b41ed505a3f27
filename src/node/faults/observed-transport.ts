/**
 * A node's transport with an ear on it: what leaves the node can be told to oracles, and what a Byzantine node wants to say otherwise is said here. The
 * node itself does not know. For lying validators (lying-transport.ts) and the simulator.
 */
import type { PeerFault, PeerName, RequestOptions, Transport } from '../../net/transport.ts';
import { PROTOCOL } from '../protocols.ts';

export interface TransportEar {
  /** A gossiped message is about to leave. @returns what leaves instead, or null to let it pass */
  readonly onPublish: (topic: string, message: Uint8Array) => readonly Uint8Array[] | null;
  /** A block is about to be pushed to a peer. @returns what is pushed instead, null for nothing */
  readonly onPush: (peer: PeerName, block: Uint8Array) => Uint8Array | null;
}

type GossipHandler = Parameters<Transport['subscribe']>[1];
type RequestHandler = Parameters<Transport['handle']>[1];

export class ObservedTransport implements Transport {
  readonly self: PeerName;
  readonly #inner: Transport;
  readonly #ear: TransportEar;

  constructor(inner: Transport, ear: TransportEar) {
    this.self = inner.self;
    this.#inner = inner;
    this.#ear = ear;
  }

  addresses(): readonly string[] {
    return this.#inner.addresses();
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }

  dial(address: string): Promise<PeerName> {
    return this.#inner.dial(address);
  }

  peers(): readonly PeerName[] {
    return this.#inner.peers();
  }

  onPeer(listener: (peer: PeerName, connected: boolean) => void): void {
    this.#inner.onPeer(listener);
  }

  publish(topic: string, message: Uint8Array): void {
    const instead = this.#ear.onPublish(topic, message);
    for (const each of instead ?? [message]) this.#inner.publish(topic, each);
  }

  subscribe(topic: string, handler: GossipHandler): void {
    this.#inner.subscribe(topic, handler);
  }

  handle(protocol: string, handler: RequestHandler): void {
    this.#inner.handle(protocol, handler);
  }

  async *request(
    peer: PeerName,
    protocol: string,
    request: Uint8Array,
    options: RequestOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const sent = protocol === PROTOCOL.blocks ? this.#ear.onPush(peer, request) : request;
    if (sent !== null) yield* this.#inner.request(peer, protocol, sent, options);
  }

  fault(fault: PeerFault): void {
    this.#inner.fault(fault);
  }

  ban(peer: PeerName, reason: string): void {
    this.#inner.ban(peer, reason);
  }
}
