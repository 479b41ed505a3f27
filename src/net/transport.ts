/**
 * The transport port: how a node speaks to its peers. Adapters: libp2p (real) and in-memory (simulated); one contract suite holds for both.
 *
 * Invariants
 * - Every message, queue and response has a maximum; what exceeds it ends the stream or is dropped, and counts against the peer.
 * - A handler that throws never takes the process down: the stream ends with an error for the peer, and a `PeerFault` thrown by a handler also counts.
 * - A banned peer is disconnected and refused until the ban ends.
 */

/** A peer's stable name (text form of its network key's id). */
export type PeerName = string;

/** What a gossip handler answers: pass on, drop silently, or drop and hold against the sender. */
export type GossipVerdict = 'accept' | 'ignore' | 'reject';

/** Thrown by handlers and readers when a peer broke the protocol: the transport records it and may ban. */
export class PeerFault extends Error {
  override readonly name = 'PeerFault';
  readonly peer: PeerName;
  /** what was broken, e.g. `bad-signature` */
  readonly code: string;
  constructor(peer: PeerName, code: string, message: string) {
    super(message);
    this.peer = peer;
    this.code = code;
  }
}

export interface RequestOptions {
  /** Gives up when no frame has come for this long. */
  readonly idleTimeoutMs: number;
  /** Ends the stream with an error past this many response bytes. */
  readonly responseSizeBytesMax: number;
  readonly signal?: AbortSignal;
}

export interface Transport {
  readonly self: PeerName;
  /** Addresses others can dial, with this peer's name in them. Empty before `start`. */
  addresses(): readonly string[];
  start(): Promise<void>;
  /** Closes every stream and connection. Idempotent. */
  stop(): Promise<void>;
  /** Connects to a peer's address; resolves to its name. */
  dial(address: string): Promise<PeerName>;
  /** Peers connected now. */
  peers(): readonly PeerName[];
  /** Calls back when a peer connects or disconnects. */
  onPeer(listener: (peer: PeerName, connected: boolean) => void): void;

  /** Gossips a small message (at most GOSSIP_SIZE_BYTES_MAX) to all subscribers of a topic. Never blocks, never throws on send failure. */
  publish(topic: string, message: Uint8Array): void;
  /** Receives a topic's messages; the same message is delivered once. */
  subscribe(topic: string, handler: (from: PeerName, message: Uint8Array) => GossipVerdict): void;

  /** Answers requests of a protocol, e.g. `/cairn/blocks/1`, with a stream of frames. One request frame in, frames out. */
  handle(protocol: string, handler: (from: PeerName, request: Uint8Array) => AsyncIterable<Uint8Array>): void;
  /** Sends one request frame and yields the response's frames. Throws `TransportError` (timeout, refused, too-large, closed). */
  request(peer: PeerName, protocol: string, request: Uint8Array, options: RequestOptions): AsyncIterable<Uint8Array>;

  /** Disconnects and refuses a peer for a while; logged with its reason. */
  ban(peer: PeerName, reason: string): void;
}

/** Largest gossip message. */
export const GOSSIP_SIZE_BYTES_MAX = 65_536;
/** Largest single frame of a stream. */
export const FRAME_SIZE_BYTES_MAX: number = 16 * 1024 * 1024;
