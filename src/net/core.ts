/**
 * What every transport does the same way: handlers, requests made and served, gossip verdicts, faults and bans. An adapter gives it three
 * things it cannot do itself (`Wire`) and calls it when a stream, a message or a peer arrives.
 *
 * Owns: the handler tables, the fault ledger, all counters of work under way.
 * Invariants: no exception of a handler or listener escapes; everything counted in is counted out.
 */
import { ByteBudget, Slots, Turns } from './admission.ts';
import type { Duplex } from './duplex.ts';
import { ask, refuse, serve } from './exchange.ts';
import { FaultLedger } from './faults.ts';
import { FrameFault } from './frames.ts';
import { FAULT_POINTS, type TransportLimits } from './limits.ts';
import type { Timers } from './timers.ts';
import { TokenBucket } from './token-bucket.ts';
import {
  GOSSIP_SIZE_BYTES_MAX,
  type GossipVerdict,
  PeerFault,
  type PeerName,
  type RequestOptions,
  TransportError,
} from './transport.ts';

/** Where a transport writes what happened; pino's loggers fit. */
export interface TransportLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const SILENT_LOG: TransportLog = { debug() {}, warn() {}, error() {} };

/** What an adapter must be able to do. */
export interface Wire {
  /** Opens a stream of a protocol to a connected peer. Rejects with `TransportError`. */
  open(peer: PeerName, protocol: string): Promise<Duplex>;
  /** Drops every connection to a peer at once. */
  disconnect(peer: PeerName): void;
}

export type RequestHandler = (from: PeerName, request: Uint8Array) => AsyncIterable<Uint8Array>;
export type GossipHandler = (from: PeerName, message: Uint8Array) => GossipVerdict;

export class TransportCore {
  readonly limits: TransportLimits;
  readonly timers: Timers;
  readonly log: TransportLog;
  readonly #wire: Wire;
  readonly #faults: FaultLedger;
  readonly #serving: Slots;
  readonly #asking: Turns;
  readonly #requestBytes: ByteBudget;
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #topics = new Map<string, GossipHandler>();
  readonly #gossipRates = new Map<PeerName, TokenBucket>();
  readonly #peerListeners: ((peer: PeerName, connected: boolean) => void)[] = [];

  constructor(wire: Wire, limits: TransportLimits, timers: Timers, log: TransportLog) {
    this.#wire = wire;
    this.limits = limits;
    this.timers = timers;
    this.log = log;
    this.#faults = new FaultLedger(limits);
    this.#serving = new Slots(limits.inboundRequestsPerPeerMax);
    this.#asking = new Turns(limits.outboundRequestsPerPeerMax, limits.outboundWaitingPerPeerMax);
    this.#requestBytes = new ByteBudget(limits.requestBytesPerPeerMax, limits.requestBytesTotalMax);
  }

  get protocols(): readonly string[] {
    return [...this.#handlers.keys()];
  }

  get topics(): readonly string[] {
    return [...this.#topics.keys()];
  }

  listensTo(topic: string): boolean {
    return this.#topics.has(topic);
  }

  /** Registers a protocol's handler; a second one is a mistake of the program. */
  handle(protocol: string, handler: RequestHandler): void {
    if (this.#handlers.has(protocol)) throw new RangeError(`protocol ${protocol} already has a handler`);
    this.#handlers.set(protocol, handler);
  }

  /** Registers a topic's handler; a second one is a mistake of the program. */
  subscribe(topic: string, handler: GossipHandler): void {
    if (this.#topics.has(topic)) throw new RangeError(`topic ${topic} already has a handler`);
    this.#topics.set(topic, handler);
  }

  onPeer(listener: (peer: PeerName, connected: boolean) => void): void {
    this.#peerListeners.push(listener);
  }

  /** The adapter saw a peer come or go. */
  peerChanged(peer: PeerName, connected: boolean): void {
    this.log.debug({ peer, connected }, connected ? 'peer connected' : 'peer disconnected');
    if (!connected) this.#gossipRates.delete(peer);
    for (const listener of this.#peerListeners) {
      try {
        listener(peer, connected);
      } catch (error) {
        this.log.error({ peer, error: String(error) }, 'a peer listener threw');
      }
    }
  }

  isBanned(peer: PeerName): boolean {
    return this.#faults.isBanned(peer, this.timers.now());
  }

  ban(peer: PeerName, reason: string): void {
    this.log.warn({ peer, reason, banDurationMs: this.limits.banDurationMs }, 'peer banned');
    this.#faults.ban(peer, this.timers.now());
    this.#wire.disconnect(peer);
  }

  fault(fault: PeerFault, points: number = FAULT_POINTS.payload): void {
    this.log.debug({ peer: fault.peer, code: fault.code, points, detail: fault.message }, 'peer fault');
    if (this.isBanned(fault.peer)) return;
    if (this.#faults.add(fault.peer, points, this.timers.now()))
      this.ban(fault.peer, `${fault.code}: ${fault.message}`);
  }

  async *request(
    peer: PeerName,
    protocol: string,
    request: Uint8Array,
    options: RequestOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.isBanned(peer)) throw new TransportError('refused', `peer ${peer} is banned`);
    const turn = new AskTurn(this.#asking, peer);
    try {
      yield* ask(
        async () => {
          await turn.enter();
          return this.#wire.open(peer, protocol);
        },
        request,
        options,
        this.timers,
      );
    } catch (error) {
      this.#blame(peer, error);
      throw error;
    } finally {
      turn.leave();
    }
  }

  /** The adapter got a stream from a peer; never rejects. */
  async accept(peer: PeerName, protocol: string, duplex: Duplex): Promise<void> {
    const handler = this.#handlers.get(protocol);
    if (handler === undefined) return refuse(duplex, 'unsupported', `protocol ${protocol} is not served here`, this);
    if (this.isBanned(peer)) return duplex.abort('banned');
    if (!this.#serving.enter(peer))
      return refuse(duplex, 'busy', `over ${this.limits.inboundRequestsPerPeerMax} requests at once`, this);
    let heldBytes = 0;
    let over = false;
    const account = (sizeBytes: number) => {
      if (over) throw new TransportError('closed', 'the request was given up');
      this.#requestBytes.take(peer, sizeBytes);
      heldBytes += sizeBytes;
    };
    try {
      await serve(duplex, {
        timers: this.timers,
        limits: this.limits,
        account,
        handler: (request) => handler(peer, request),
      });
    } catch (error) {
      this.#blame(peer, error, protocol);
    } finally {
      over = true;
      this.#requestBytes.give(peer, heldBytes);
      this.#serving.leave(peer);
    }
  }

  /** The adapter got a new gossip message; says what to do with it. Never throws. */
  gossip(topic: string, from: PeerName, message: Uint8Array): GossipVerdict {
    const handler = this.#topics.get(topic);
    if (handler === undefined || this.isBanned(from)) return 'ignore';
    if (message.length > GOSSIP_SIZE_BYTES_MAX) {
      const text = `message of ${message.length} bytes, maximum ${GOSSIP_SIZE_BYTES_MAX}`;
      this.fault(new PeerFault(from, 'gossip-too-large', text), FAULT_POINTS.gossipTooLarge);
      return 'reject';
    }
    if (!this.#gossipRate(from).take(1, this.timers.now())) {
      this.fault(new PeerFault(from, 'gossip-too-fast', `on topic ${topic}`), FAULT_POINTS.gossipTooFast);
      return 'ignore';
    }
    return this.#verdict(handler, topic, from, message);
  }

  /** Throws `too-large` for a message that must not be published. */
  checkPublish(message: Uint8Array): void {
    if (message.length > GOSSIP_SIZE_BYTES_MAX)
      throw new TransportError(
        'too-large',
        `gossip message of ${message.length} bytes is over the maximum ${GOSSIP_SIZE_BYTES_MAX}`,
      );
  }

  #verdict(handler: GossipHandler, topic: string, from: PeerName, message: Uint8Array): GossipVerdict {
    try {
      const verdict = handler(from, message);
      if (verdict === 'reject')
        this.fault(new PeerFault(from, 'gossip-rejected', `on topic ${topic}`), FAULT_POINTS.gossipRejected);
      return verdict;
    } catch (error) {
      if (error instanceof PeerFault) {
        this.fault(error);
        return 'reject';
      }
      this.log.error({ topic, from, error: describe(error) }, 'a gossip handler threw');
      return 'ignore';
    }
  }

  #gossipRate(peer: PeerName): TokenBucket {
    const known = this.#gossipRates.get(peer);
    if (known !== undefined) return known;
    if (this.#gossipRates.size >= this.limits.faultPeersMax) this.#gossipRates.clear();
    const bucket = new TokenBucket(this.limits.gossipRatePerSecond, this.limits.gossipBurst, this.timers.now());
    this.#gossipRates.set(peer, bucket);
    return bucket;
  }

  /** Sorts a failed exchange: the peer's doing counts against it, a handler's own error is logged as ours. */
  #blame(peer: PeerName, error: unknown, protocol?: string): void {
    if (error instanceof PeerFault) this.fault(error);
    else if (error instanceof FrameFault) this.#blameFrame(peer, error);
    else if (error instanceof TransportError)
      this.log.debug({ peer, protocol, code: error.code, detail: error.message }, 'exchange ended early');
    else this.log.error({ peer, protocol, error: describe(error) }, 'a request handler threw');
  }

  #blameFrame(peer: PeerName, error: FrameFault): void {
    if (error.code === 'malformed')
      this.fault(new PeerFault(peer, 'malformed-frame', error.message), FAULT_POINTS.malformedFrame);
    else this.fault(new PeerFault(peer, 'frame-too-large', error.message), FAULT_POINTS.tooLarge);
  }
}

/** One turn in a peer's line: left once, however and whenever it was entered (also after its caller gave up waiting). */
class AskTurn {
  readonly #turns: Turns;
  readonly #peer: PeerName;
  #held = false;
  #over = false;

  constructor(turns: Turns, peer: PeerName) {
    this.#turns = turns;
    this.#peer = peer;
  }

  async enter(): Promise<void> {
    await this.#turns.enter(this.#peer);
    if (!this.#over) {
      this.#held = true;
      return;
    }
    this.#turns.leave(this.#peer);
    throw new TransportError('aborted', 'the caller gave up before its turn');
  }

  leave(): void {
    this.#over = true;
    if (this.#held) this.#turns.leave(this.#peer);
    this.#held = false;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
