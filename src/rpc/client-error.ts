/**
 * How a client call fails.
 */
export type ClientErrorCode =
  /** No connection, or it broke. */
  | 'network'
  /** No answer in time; or a transaction not final in time. */
  | 'timeout'
  /** The caller's signal. */
  | 'aborted'
  /** The node answered with a JSON-RPC error: see `rpcCode`, `reason`. */
  | 'rpc'
  /** The node answered something that is not a JSON-RPC response, or a result of the wrong form. */
  | 'bad-response'
  /** The transaction that was waited for was thrown out: see `reason`. */
  | 'dropped';

export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  /** JSON-RPC error code, when `code` is `rpc`. */
  readonly rpcCode: number | undefined;
  /** The node's own machine-readable reason, e.g. `stale-last-valid-hash`. */
  readonly reason: string | undefined;
  constructor(
    code: ClientErrorCode,
    message: string,
    details: { rpcCode?: number; reason?: string; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.rpcCode = details.rpcCode;
    this.reason = details.reason;
  }
}
