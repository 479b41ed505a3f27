/**
 * A network in memory: any number of transports that can dial each other, with delay and loss decided by a hook, on a clock that is passed
 * in. A simulator gives virtual time and a seeded hook, and gets the same run for the same seed.
 *
 * Owns: who is registered and who is connected to whom. A transport's own state is in memory-transport.ts.
 */
import { byteKey } from '../../native/index.ts';
import type { TransportLog } from './core.ts';
import { gossipId } from './gossip-id.ts';
import type { TransportLimits } from './limits.ts';
import { MemoryTransport } from './memory-transport.ts';
import { realTimers, type Timers } from './timers.ts';
import { type PeerName, TransportError } from './transport.ts';

/** What travels: a dial, one gossip message, or bytes of a stream. */
export type TrafficKind = 'dial' | 'gossip' | 'stream';

/** Says how long something takes from one peer to another, or that it is lost: a dial fails, a message vanishes, a stream breaks. */
export type Link = (from: PeerName, to: PeerName, kind: TrafficKind, sizeBytes: number) => number | 'lost';

/** Says how much later a gossip message arrives a second time, milliseconds, or null for never. */
export type Replay = (from: PeerName, to: PeerName) => number | null;

export interface MemoryNetworkOptions {
  /** Default: the process's clock. */
  readonly timers?: Timers;
  /** Default: nothing is lost, everything takes 0 ms (yet never happens within the call that caused it). */
  readonly link?: Link;
  /** Default: nothing arrives twice. */
  readonly replay?: Replay;
  /** Whether one peer passes gossip on to another, both ways alike: the mesh. Default: every neighbour to every neighbour. */
  readonly isMeshed?: (a: PeerName, b: PeerName) => boolean;
}

export interface MemoryTransportOptions {
  readonly limits?: Partial<TransportLimits>;
  readonly log?: TransportLog;
}

const ADDRESS_PREFIX = '/memory/';

export class MemoryNetwork {
  readonly timers: Timers;
  readonly link: Link;
  readonly replay: Replay;
  readonly isMeshed: (a: PeerName, b: PeerName) => boolean;
  readonly #transports = new Map<PeerName, MemoryTransport>();
  /** One array of bytes goes from node to node unchanged: it is hashed once. */
  readonly #gossipNames = new WeakMap<Uint8Array, { readonly topic: string; readonly name: string }>();

  constructor(options: MemoryNetworkOptions = {}) {
    this.timers = options.timers ?? realTimers;
    this.link = options.link ?? (() => 0);
    this.replay = options.replay ?? (() => null);
    this.isMeshed = options.isMeshed ?? (() => true);
  }

  /** A new peer. A name can be used again once its former transport has stopped: that is a restart. */
  transport(name: PeerName, options: MemoryTransportOptions = {}): MemoryTransport {
    return new MemoryTransport(this, name, options);
  }

  /** @internal The name of a gossip message. @param message borrowed, and never changed while it travels */
  gossipName(topic: string, message: Uint8Array): string {
    const known = this.#gossipNames.get(message);
    if (known?.topic === topic) return known.name;
    const name = byteKey(gossipId(topic, message));
    this.#gossipNames.set(message, { topic, name });
    return name;
  }

  /** Cuts the connection between two peers; both see the other leave, streams between them break. */
  sever(a: PeerName, b: PeerName): void {
    this.#transports.get(a)?.lose(b);
    this.#transports.get(b)?.lose(a);
  }

  /** @internal */
  register(transport: MemoryTransport): void {
    if (this.#transports.has(transport.self))
      throw new TransportError('stopped', `a peer named ${transport.self} is already running`);
    this.#transports.set(transport.self, transport);
  }

  /** @internal */
  unregister(transport: MemoryTransport): void {
    if (this.#transports.get(transport.self) === transport) this.#transports.delete(transport.self);
  }

  /** @internal A running peer. */
  find(name: PeerName): MemoryTransport | undefined {
    return this.#transports.get(name);
  }

  addressOf(name: PeerName): string {
    return `${ADDRESS_PREFIX}${name}`;
  }

  /** The peer an address names. Throws `bad-address`. */
  nameOf(address: string): PeerName {
    const name = address.startsWith(ADDRESS_PREFIX) ? address.slice(ADDRESS_PREFIX.length) : '';
    if (name === '' || name.includes('/'))
      throw new TransportError('bad-address', `cannot parse address ${JSON.stringify(address)}`);
    return name;
  }
}
