/**
 * JSON-RPC 2.0 (jsonrpc.org/specification): envelopes, error codes, and how this project's errors become them.
 *
 * Codes -32000 and below follow Solana's where the meaning is the same, because tools know them.
 */
import { ApiError, type ApiErrorCode } from './api-error.ts';

export const RpcCode = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  blockCleanedUp: -32001,
  transactionRefused: -32002,
  blockNotAvailable: -32004,
  nodeUnhealthy: -32005,
  busy: -32020,
  rateLimited: -32021,
  responseTooLarge: -32022,
} as const;

/** An error whose message may be shown to the caller. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;
  readonly data: object | undefined;
  constructor(code: number, message: string, data?: object) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

const CODE_OF: Record<ApiErrorCode, number> = {
  'not-found': RpcCode.blockNotAvailable,
  'not-available': RpcCode.blockCleanedUp,
  'not-supported': RpcCode.methodNotFound,
  unhealthy: RpcCode.nodeUnhealthy,
  busy: RpcCode.busy,
  'transaction-refused': RpcCode.transactionRefused,
  'invalid-parameter': RpcCode.invalidParams,
};

/** The error as its caller may see it, or undefined for one that must stay inside. */
export function publicError(error: unknown): RpcError | undefined {
  if (error instanceof RpcError) return error;
  if (!(error instanceof ApiError)) return undefined;
  const data = error.reason === undefined ? { code: error.code } : { code: error.code, reason: error.reason };
  return new RpcError(CODE_OF[error.code], error.message, data);
}

export type RpcId = string | number | null;

export interface RpcCall {
  /** Undefined for a notification, which is never answered. */
  readonly id: RpcId | undefined;
  readonly method: string;
  readonly params: unknown;
}

export type RpcResponse =
  | { readonly jsonrpc: '2.0'; readonly result: unknown; readonly id: RpcId }
  | {
      readonly jsonrpc: '2.0';
      readonly error: { readonly code: number; readonly message: string; readonly data?: object };
      readonly id: RpcId;
    };

export function errorResponse(id: RpcId, error: RpcError): RpcResponse {
  const { code, message, data } = error;
  return { jsonrpc: '2.0', error: data === undefined ? { code, message } : { code, message, data }, id };
}

const ID_LENGTH_MAX = 256;
const METHOD_LENGTH_MAX = 128;

/** Checks one call's envelope. Throws `RpcError` naming the member; `idOf` says what to answer with then. */
export function parseCall(value: unknown): RpcCall {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('a request must be an object');
  const { jsonrpc, method, params, id } = value as Record<string, unknown>;
  if (jsonrpc !== '2.0') throw invalid('jsonrpc must be "2.0"');
  if (typeof method !== 'string' || method.length > METHOD_LENGTH_MAX)
    throw invalid(`method must be a string of at most ${METHOD_LENGTH_MAX} characters`);
  if (params !== undefined && (typeof params !== 'object' || params === null))
    throw invalid('params must be an array or an object');
  if (id !== undefined && !isId(id))
    throw invalid(`id must be a number, a string of at most ${ID_LENGTH_MAX} characters, or null`);
  return { id, method, params };
}

/** The id to answer a call with that was refused: its own if it has a proper one, else null. */
export function idOf(value: unknown): RpcId {
  if (typeof value !== 'object' || value === null) return null;
  const { id } = value as Record<string, unknown>;
  return isId(id) ? id : null;
}

function isId(id: unknown): id is RpcId {
  return id === null || typeof id === 'number' || (typeof id === 'string' && id.length <= ID_LENGTH_MAX);
}

function invalid(message: string): RpcError {
  return new RpcError(RpcCode.invalidRequest, message);
}
