/**
 * Every maximum of the network, in one place, with the relations between them checked when a transport is made.
 */
import { FRAME_SIZE_BYTES_MAX, GOSSIP_SIZE_BYTES_MAX } from './transport.ts';

export interface TransportLimits {
  /** Connections held at once; later inbound ones are refused. */
  readonly connectionsMax: number;
  /** Requests of one peer served at once, over all protocols; more are refused as busy. */
  readonly inboundRequestsPerPeerMax: number;
  /** Requests to one peer under way at once; more wait. Below the inbound maximum, so that an honest peer never trips it. */
  readonly outboundRequestsPerPeerMax: number;
  /** Requests to one peer that may wait for their turn; more fail as busy. */
  readonly outboundWaitingPerPeerMax: number;
  /** Bytes of unfinished request frames held for one peer, and for all together. */
  readonly requestBytesPerPeerMax: number;
  readonly requestBytesTotalMax: number;
  /** A request frame must have arrived whole after this long. */
  readonly requestTimeoutMs: number;
  /** A response frame must have been taken by the peer after this long. */
  readonly drainTimeoutMs: number;
  /** After a response, the peer's side of the stream may stay open this long. */
  readonly lingerMs: number;
  /** A dial must succeed within this. */
  readonly dialTimeoutMs: number;
  /** Gossip messages of one neighbour: sustained rate and burst; more are dropped and counted. */
  readonly gossipRatePerSecond: number;
  readonly gossipBurst: number;
  /** Fault points that ban a peer, points forgiven each second, and how long the ban lasts. */
  readonly faultPointsMax: number;
  readonly faultPointsForgivenPerSecond: number;
  readonly banDurationMs: number;
  /** Peers remembered for faults, and bans held at once; the oldest is forgotten first. */
  readonly faultPeersMax: number;
}

export const DEFAULT_LIMITS: TransportLimits = {
  connectionsMax: 128,
  inboundRequestsPerPeerMax: 32,
  outboundRequestsPerPeerMax: 16,
  outboundWaitingPerPeerMax: 256,
  requestBytesPerPeerMax: 2 * FRAME_SIZE_BYTES_MAX,
  requestBytesTotalMax: 8 * FRAME_SIZE_BYTES_MAX,
  requestTimeoutMs: 30_000,
  drainTimeoutMs: 30_000,
  lingerMs: 2_000,
  dialTimeoutMs: 10_000,
  gossipRatePerSecond: 5_000,
  gossipBurst: 10_000,
  faultPointsMax: 100,
  faultPointsForgivenPerSecond: 1,
  banDurationMs: 10 * 60_000,
  faultPeersMax: 4096,
};

/** What one fault of each kind weighs; `faultPointsMax` of them bans. */
export const FAULT_POINTS = {
  /** Thrown by a handler or reader of ours: the peer's payload was wrong. */
  payload: 25,
  malformedFrame: 25,
  tooLarge: 25,
  gossipRejected: 10,
  gossipTooLarge: 25,
  gossipTooFast: 1,
} as const;

/** Default limits with some replaced. Throws `RangeError` when they contradict each other. */
export function transportLimits(overrides: Partial<TransportLimits> = {}): TransportLimits {
  const limits = { ...DEFAULT_LIMITS, ...overrides };
  for (const [name, value] of Object.entries(limits))
    if (!(value > 0)) throw new RangeError(`transport limit ${name} must be above 0, got ${value}`);
  if (limits.outboundRequestsPerPeerMax > limits.inboundRequestsPerPeerMax)
    throw new RangeError('outboundRequestsPerPeerMax must not exceed inboundRequestsPerPeerMax');
  if (limits.requestBytesPerPeerMax < FRAME_SIZE_BYTES_MAX)
    throw new RangeError('requestBytesPerPeerMax must hold one frame of FRAME_SIZE_BYTES_MAX');
  if (limits.requestBytesTotalMax < limits.requestBytesPerPeerMax)
    throw new RangeError('requestBytesTotalMax must be at least requestBytesPerPeerMax');
  if (GOSSIP_SIZE_BYTES_MAX > FRAME_SIZE_BYTES_MAX) throw new RangeError('a gossip message must fit into a frame');
  return limits;
}
