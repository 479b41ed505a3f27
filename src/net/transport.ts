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

export type TransportErrorCode =
  /** No frame came within the idle timeout. */
  | 'timeout'
  /** The peer answered that it will not serve this (reason in the message), or it is banned here. */
  | 'refused'
  /** A frame or response past its maximum. */
  | 'too-large'
  /** The stream or connection ended before the response did. */
  | 'closed'
  /** Bytes that are not frames. */
  | 'malformed'
  /** The caller's signal. */
  | 'aborted'
  /** Not connected, or the dial failed. */
  | 'unreachable'
  /** A queue here is full. */
  | 'busy'
  /** An address that cannot be parsed. */
  | 'bad-address'
  /** The transport is not running. */
  | 'stopped';

/** How a request, a dial or a publish fails. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;
  constructor(code: TransportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
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

  /**
   * Gossips a small message (at most GOSSIP_SIZE_BYTES_MAX) to all subscribers of a topic, not to itself. Never blocks, never throws
   * on send failure; a message past the maximum is the caller's error (`too-large`). The bytes must not change afterwards.
   */
  publish(topic: string, message: Uint8Array): void;
  /**
   * Receives a topic's messages; equal bytes are one message and are delivered once (within two minutes). `from` is the neighbour that
   * sent it on, not its author. `reject` counts against that neighbour. One handler a topic.
   */
  subscribe(topic: string, handler: (from: PeerName, message: Uint8Array) => GossipVerdict): void;

  /** Answers requests of a protocol, e.g. `/cairn/blocks/1`, with a stream of frames. One request frame in, frames out. One handler a protocol. */
  handle(protocol: string, handler: (from: PeerName, request: Uint8Array) => AsyncIterable<Uint8Array>): void;
  /**
   * Sends one request frame to a connected peer and yields the response's frames. Nothing is sent before the first frame is asked for;
   * leaving the loop early cancels the request. Throws `TransportError`. Frames are the caller's own; the request is borrowed.
   */
  request(peer: PeerName, protocol: string, request: Uint8Array, options: RequestOptions): AsyncIterable<Uint8Array>;

  /** Holds a fault against a peer, e.g. one found while reading its response; enough of them ban it. */
  fault(fault: PeerFault): void;
  /** Disconnects and refuses a peer for a while; logged with its reason. */
  ban(peer: PeerName, reason: string): void;
}

/** Largest gossip message. */
export const GOSSIP_SIZE_BYTES_MAX = 65_536;
/** Largest single frame of a stream. */
export const FRAME_SIZE_BYTES_MAX: number = 16 * 1024 * 1024;
