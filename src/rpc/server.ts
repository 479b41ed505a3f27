/**
 * The RPC server: HTTP around the dispatcher. POST / is JSON-RPC; GET /health and GET /metrics are for tools.
 *
 * Invariants
 * - Every request is answered, or its connection closed, within a bound: headers, body, number and size all have maxima.
 * - On a loopback address only requests addressed to loopback are served (the Host header), and only `application/json` bodies: a web page in
 *   a browser on the same machine can therefore not call a node, not even by rebinding its own name.
 * - node:http, not a framework: three routes need none, and eight nodes start on two cores.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { SILENT_LOG, type TransportLog } from '../net/core.ts';
import { readBody } from './body.ts';
import { type Answered, type CallObserver, Dispatcher, failed } from './dispatch.ts';
import { RpcCode, RpcError } from './json-rpc.ts';
import { type RpcLimits, rpcLimits } from './limits.ts';
import type { MethodTable } from './method.ts';
import type { Answer } from './node-api.ts';
import { Remotes } from './remotes.ts';
import type { NodeHealth } from './views/node.ts';

export interface RpcServerOptions {
  readonly methods: MethodTable;
  /** For GET /health. */
  readonly health: () => Answer<NodeHealth>;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  readonly limits?: Partial<RpcLimits>;
  /** What GET /metrics shows; absent: 404. */
  readonly metrics?: Registry;
  readonly log?: TransportLog;
  /** Told about each call, e.g. to count it. */
  readonly observe?: CallObserver;
}

const JSON_TYPE = 'application/json';

export class RpcServer {
  readonly #options: RpcServerOptions;
  readonly #limits: RpcLimits;
  readonly #log: TransportLog;
  readonly #dispatcher: Dispatcher;
  readonly #server: Server;
  readonly #callers = new Set<AbortController>();
  #requests = 0;
  #url = '';

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#limits = rpcLimits(options.limits);
    this.#log = options.log ?? SILENT_LOG;
    this.#dispatcher = new Dispatcher({
      methods: options.methods,
      limits: this.#limits,
      remotes: new Remotes(this.#limits),
      log: this.#log,
      observe: options.observe ?? (() => {}),
    });
    this.#server = createServer({
      headersTimeout: this.#limits.headersTimeoutMs,
      requestTimeout: this.#limits.requestTimeoutMs,
      keepAliveTimeout: this.#limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.max(50, Math.min(2_000, Math.floor(this.#limits.headersTimeoutMs / 4))),
      maxHeaderSize: 16_384,
    });
    this.#server.maxConnections = this.#limits.connectionsMax;
    this.#server.on('request', (request, response) => void this.#handle(request, response));
  }

  /** `http://host:port`; empty before `start`. */
  get url(): string {
    return this.#url;
  }

  /** Listens. Rejects with the system's error, e.g. EADDRINUSE. */
  async start(): Promise<void> {
    const { host = '127.0.0.1', port = 0 } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const address = this.#server.address() as AddressInfo;
    this.#url = `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  }

  /** Ends waiting calls, closes every connection. Idempotent. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    for (const caller of this.#callers) caller.abort();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
      // Calls that were waiting get a moment to answer; whoever does not read is cut off.
      setTimeout(() => this.#server.closeAllConnections(), STOP_GRACE_MS).unref();
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#requests++;
    try {
      if (this.#requests > this.#limits.requestsMax) refuse(response, 503, RpcCode.busy, 'too many requests at once');
      else if (!this.#isForUs(request))
        refuse(response, 403, RpcCode.invalidRequest, 'the Host header is not this node');
      else await this.#route(request, response);
    } catch (error) {
      this.#log.error({ error: error instanceof Error ? error.stack : String(error) }, 'an RPC request failed');
      if (!response.headersSent) refuse(response, 500, RpcCode.internal, 'internal error');
      else response.destroy();
    } finally {
      this.#requests--;
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0];
    if (path === '/' && request.method === 'POST') await this.#rpc(request, response);
    else if (path === '/health' && request.method === 'GET') await this.#health(response);
    else if (path === '/metrics' && request.method === 'GET') await this.#metrics(response);
    else if (path === '/') refuse(response, 405, RpcCode.invalidRequest, 'send JSON-RPC with POST', { allow: 'POST' });
    else refuse(response, 404, RpcCode.invalidRequest, 'there is POST /, GET /health and GET /metrics');
  }

  async #rpc(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    if (type !== JSON_TYPE) {
      refuse(response, 415, RpcCode.invalidRequest, `the content type must be ${JSON_TYPE}`);
      return;
    }
    const body = await readBody(request, this.#limits.bodySizeBytesMax);
    if (body === 'gone') return;
    if (body === 'too-large') {
      refuse(response, 413, RpcCode.invalidRequest, `a body may have ${this.#limits.bodySizeBytesMax} bytes`);
      return;
    }
    if (body === 'not-utf8') {
      refuse(response, 400, RpcCode.parse, 'the body is not UTF-8');
      return;
    }
    const answer = await this.#answer(body, request, response);
    if (answer.body === undefined) response.writeHead(204).end();
    else if (answer.rateLimited) send(response, 429, JSON_TYPE, answer.body, { 'retry-after': '1' });
    else send(response, 200, JSON_TYPE, answer.body);
  }

  /** Runs the body's calls; their signal aborts when the caller goes or the server stops. */
  async #answer(body: string, request: IncomingMessage, response: ServerResponse): Promise<Answered> {
    const caller = new AbortController();
    const gone = () => caller.abort();
    this.#callers.add(caller);
    response.once('close', gone);
    try {
      const remote = request.socket.remoteAddress ?? 'unknown';
      return await this.#dispatcher.answer(body, { remote, signal: caller.signal });
    } finally {
      response.off('close', gone);
      this.#callers.delete(caller);
    }
  }

  async #health(response: ServerResponse): Promise<void> {
    const { ok, reason } = await this.#options.health();
    send(response, ok ? 200 : 503, 'text/plain; charset=utf-8', ok ? 'ok' : reason);
  }

  async #metrics(response: ServerResponse): Promise<void> {
    const { metrics } = this.#options;
    if (metrics === undefined) refuse(response, 404, RpcCode.invalidRequest, 'this node has no metrics');
    else send(response, 200, metrics.contentType, await metrics.metrics());
  }

  /** On loopback, only names of loopback may be in the Host header. */
  #isForUs(request: IncomingMessage): boolean {
    if (!isLoopback(request.socket.localAddress ?? '')) return true;
    const host = request.headers.host?.replace(/:\d+$/, '').toLowerCase() ?? '';
    return host === 'localhost' || isLoopback(host.replace(/^\[(.*)\]$/, '$1'));
  }
}

const STOP_GRACE_MS = 250;

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}

function refuse(
  response: ServerResponse,
  status: number,
  code: number,
  message: string,
  headers: Record<string, string> = {},
): void {
  const { body } = failed(new RpcError(code, message));
  // The rest of the request is not read, so the connection cannot carry another one.
  send(response, status, JSON_TYPE, body ?? '', { ...headers, connection: 'close' });
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...headers, 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
