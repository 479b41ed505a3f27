/**
 * JSON-RPC over HTTP from the caller's side: one call in, one result out. Connections are kept alive by fetch's own pool.
 *
 * Invariants
 * - Every call ends: by its timeout, the caller's signal, or an answer of bounded size.
 * - Only reads are retried, and only where a second try can differ: a broken connection, 429, 503.
 */
import { ClientError } from './client-error.ts';
import { RpcCode } from './json-rpc.ts';

export interface ConnectionOptions {
  /** `http://host:port` of a node. */
  readonly url: string;
  /** A call must be answered within this (long polls add their own waiting time). Default 10 s. */
  readonly timeoutMs?: number;
  /** Further tries of a read. Default 2. */
  readonly retriesMax?: number;
  /** Largest answer. Default 128 MiB. */
  readonly responseSizeBytesMax?: number;
}

export interface CallOptions {
  /** May be tried again: it changes nothing. */
  readonly isRead: boolean;
  /** On top of the connection's timeout. */
  readonly extraTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

const RETRY_DELAY_MS = 50;

export class RpcConnection {
  readonly url: string;
  readonly #timeoutMs: number;
  readonly #retriesMax: number;
  readonly #responseSizeBytesMax: number;
  #nextId = 1;

  constructor(options: ConnectionOptions) {
    this.url = options.url;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#retriesMax = options.retriesMax ?? 2;
    this.#responseSizeBytesMax = options.responseSizeBytesMax ?? 128 * 1024 * 1024;
  }

  /** The method's result, unchecked beyond the envelope. Throws `ClientError`. */
  async call(method: string, params: readonly unknown[] | object, options: CallOptions): Promise<unknown> {
    const triesMax = options.isRead ? 1 + this.#retriesMax : 1;
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(method, params, options);
      } catch (error) {
        if (tries >= triesMax || !isWorthRetrying(error) || options.signal?.aborted) throw error;
        await pause(RETRY_DELAY_MS * 2 ** (tries - 1));
      }
    }
  }

  async #once(method: string, params: readonly unknown[] | object, options: CallOptions): Promise<unknown> {
    const id = this.#nextId++;
    const timeout = AbortSignal.timeout(this.#timeoutMs + (options.extraTimeoutMs ?? 0));
    const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
    let text: string;
    try {
      const response = await fetch(this.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
        signal,
      });
      text = await this.#text(response);
    } catch (cause) {
      throw this.#failure(method, cause, options);
    }
    return unwrap(method, id, text);
  }

  async #text(response: Response): Promise<string> {
    const parts: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const part of response.body ?? []) {
      sizeBytes += part.length;
      if (sizeBytes > this.#responseSizeBytesMax)
        throw new ClientError('bad-response', `${this.url} answered over ${this.#responseSizeBytesMax} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts).toString('utf8');
  }

  #failure(method: string, cause: unknown, options: CallOptions): ClientError {
    if (cause instanceof ClientError) return cause;
    if (options.signal?.aborted) return new ClientError('aborted', `${method}: aborted by the caller`, { cause });
    if (cause instanceof DOMException && cause.name === 'TimeoutError')
      return new ClientError('timeout', `${method}: no answer from ${this.url} in time`, { cause });
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    return new ClientError('network', `${method}: cannot reach ${this.url}: ${inner}`, { cause });
  }
}

function unwrap(method: string, id: number, text: string): unknown {
  let envelope: unknown;
  try {
    envelope = JSON.parse(text);
  } catch (cause) {
    throw new ClientError('bad-response', `${method}: the answer is not JSON`, { cause });
  }
  if (typeof envelope !== 'object' || envelope === null)
    throw new ClientError('bad-response', `${method}: the answer is not an object`);
  const { error, result, id: answered } = envelope as { error?: unknown; result?: unknown; id?: unknown };
  if (error !== undefined) throw rpcFailure(method, error);
  if (answered !== id) throw new ClientError('bad-response', `${method}: the answer has id ${answered}, asked ${id}`);
  if (result === undefined) throw new ClientError('bad-response', `${method}: the answer has no result`);
  return result;
}

function rpcFailure(method: string, error: unknown): ClientError {
  const { code, message, data } = error as { code?: unknown; message?: unknown; data?: unknown };
  if (typeof code !== 'number' || typeof message !== 'string')
    return new ClientError('bad-response', `${method}: the answer's error has no code or message`);
  const { reason, code: name } = (data ?? {}) as { reason?: unknown; code?: unknown };
  const why = typeof reason === 'string' ? reason : typeof name === 'string' ? name : undefined;
  return new ClientError('rpc', `${method}: ${message}`, {
    rpcCode: code,
    ...(why === undefined ? {} : { reason: why }),
  });
}

function isWorthRetrying(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false;
  return error.code === 'network' || error.rpcCode === RpcCode.rateLimited || error.rpcCode === RpcCode.busy;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
