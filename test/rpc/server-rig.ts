/**
 * A running server over a fake node, and raw ways to talk to it.
 */
import { connect } from 'node:net';
import type { RpcLimits } from '../../src/rpc/limits.ts';
import { nodeMethods } from '../../src/rpc/methods/index.ts';
import { RpcServer, type RpcServerOptions } from '../../src/rpc/server.ts';
import { FakeNode } from './fake-node.ts';

export interface LogLine {
  readonly fields: object;
  readonly message: string;
}

export interface ServerRig {
  readonly node: FakeNode;
  readonly server: RpcServer;
  readonly errors: LogLine[];
  /** Sends a JSON-RPC call and gives the whole envelope. */
  call(
    method: string,
    params?: unknown,
  ): Promise<{ result?: unknown; error?: { code: number; message: string; data?: object } }>;
  post(
    body: string | Uint8Array,
    headers?: Record<string, string>,
  ): Promise<{ status: number; json: unknown; text: string }>;
  /** Writes bytes on a bare socket; resolves with all it answered once it closed. */
  raw(bytes: string, options?: { keepOpen?: boolean; closeAfterMs?: number }): Promise<string>;
}

export async function startServer(
  limits: Partial<RpcLimits> = {},
  more: Partial<RpcServerOptions> = {},
): Promise<ServerRig> {
  const node = new FakeNode();
  const errors: LogLine[] = [];
  const log = {
    debug() {},
    warn() {},
    error: (fields: object, message: string) => void errors.push({ fields, message }),
  };
  const server = new RpcServer({ methods: nodeMethods(node), health: () => node.health(), limits, log, ...more });
  await server.start();
  const post: ServerRig['post'] = async (body, headers = { 'content-type': 'application/json' }) => {
    const response = await fetch(server.url, { method: 'POST', body, headers });
    const text = await response.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, json, text };
  };
  return {
    node,
    server,
    errors,
    post,
    async call(method, params) {
      const { json } = await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
      return json as Awaited<ReturnType<ServerRig['call']>>;
    },
    raw: (bytes, options = {}) =>
      new Promise((resolve) => {
        const { port } = new URL(server.url);
        let answer = '';
        const socket = connect(Number(port), '127.0.0.1', () => {
          socket.write(bytes, 'latin1');
          if (options.keepOpen !== true) socket.end();
          if (options.closeAfterMs !== undefined) setTimeout(() => socket.destroy(), options.closeAfterMs);
        });
        socket.on('data', (part) => {
          answer += part.toString('latin1');
        });
        socket.on('error', () => {});
        socket.on('close', () => resolve(answer));
      }),
  };
}
