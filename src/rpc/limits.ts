/**
 * Every maximum of the RPC server, with the relations between them checked when a server is made.
 */
export interface RpcLimits {
  /** Bytes of one request body. Holds the largest cairn_sendTransactions: 512 transactions of at most 3 KB in base64. */
  readonly bodySizeBytesMax: number;
  /** Calls in one batch. */
  readonly batchCallsMax: number;
  /** Bytes of one response; what would go over is answered with an error instead. */
  readonly responseSizeBytesMax: number;
  /** Calls of one remote address: sustained rate, and burst. */
  readonly callsPerSecond: number;
  readonly callsBurst: number;
  /** Remote addresses whose rate is remembered. */
  readonly remotesMax: number;
  /** HTTP requests answered at once. */
  readonly requestsMax: number;
  /** Waiting calls at once: in all, and of one remote address. */
  readonly waitsMax: number;
  readonly waitsPerRemoteMax: number;
  /** Open connections. */
  readonly connectionsMax: number;
  /** A request's headers, and the whole of it, must have arrived within these. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** An idle connection is kept this long. */
  readonly keepAliveTimeoutMs: number;
}

export const DEFAULT_RPC_LIMITS: RpcLimits = {
  bodySizeBytesMax: 2 * 1024 * 1024,
  batchCallsMax: 100,
  responseSizeBytesMax: 64 * 1024 * 1024,
  callsPerSecond: 2_000,
  callsBurst: 4_000,
  remotesMax: 4096,
  requestsMax: 1024,
  waitsMax: 256,
  waitsPerRemoteMax: 64,
  connectionsMax: 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 20_000,
  keepAliveTimeoutMs: 60_000,
};

/** Default limits with some replaced. Throws `RangeError` when they contradict each other. */
export function rpcLimits(overrides: Partial<RpcLimits> = {}): RpcLimits {
  const limits = { ...DEFAULT_RPC_LIMITS, ...overrides };
  for (const [name, value] of Object.entries(limits))
    if (!(value > 0)) throw new RangeError(`RPC limit ${name} must be above 0, got ${value}`);
  if (limits.callsBurst < limits.batchCallsMax)
    throw new RangeError('callsBurst must hold one batch of batchCallsMax calls');
  if (limits.waitsPerRemoteMax > limits.waitsMax) throw new RangeError('waitsPerRemoteMax must not exceed waitsMax');
  if (limits.headersTimeoutMs > limits.requestTimeoutMs)
    throw new RangeError('headersTimeoutMs must not exceed requestTimeoutMs');
  return limits;
}
