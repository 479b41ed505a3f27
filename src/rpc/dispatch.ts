/**
 * From a request body to a response body: single calls, batches, notifications. No HTTP in here.
 *
 * Invariants
 * - Every call with an id gets exactly one response, in the order of the batch; a notification gets none.
 * - Nothing a handler throws reaches the caller unless it was made for the caller (`publicError`).
 * - Calls of a batch run one after another, and their responses together stay under the response maximum.
 */
import type { TransportLog } from '../net/core.ts';
import { errorResponse, idOf, parseCall, publicError, RpcCode, RpcError, type RpcId } from './json-rpc.ts';
import type { RpcLimits } from './limits.ts';
import type { Method, MethodTable } from './method.ts';
import type { Remotes } from './remotes.ts';

/** Told about each call of a known method. */
export type CallObserver = (method: string, ok: boolean, durationMs: number) => void;

export interface DispatchOptions {
  readonly methods: MethodTable;
  readonly limits: RpcLimits;
  readonly remotes: Remotes;
  readonly log: TransportLog;
  readonly observe: CallObserver;
}

export interface Caller {
  readonly remote: string;
  readonly signal: AbortSignal;
}

/** An answer: JSON text, or undefined when there was nothing to answer (notifications only). */
export interface Answered {
  readonly body: string | undefined;
  /** True when the caller was over its rate. */
  readonly rateLimited: boolean;
}

export class Dispatcher {
  readonly #options: DispatchOptions;

  constructor(options: DispatchOptions) {
    this.#options = options;
  }

  /** Answers one request body. Never rejects. */
  async answer(body: string, caller: Caller): Promise<Answered> {
    let value: unknown;
    try {
      value = JSON.parse(body);
    } catch {
      return failed(new RpcError(RpcCode.parse, 'the body is not JSON'));
    }
    const calls = Array.isArray(value) ? value : [value];
    const { batchCallsMax } = this.#options.limits;
    if (calls.length === 0) return failed(new RpcError(RpcCode.invalidRequest, 'an empty batch'));
    if (calls.length > batchCallsMax)
      return failed(new RpcError(RpcCode.invalidRequest, `a batch of ${calls.length} calls, at most ${batchCallsMax}`));
    if (!this.#options.remotes.takeCalls(caller.remote, calls.length, performance.now()))
      return { ...failed(new RpcError(RpcCode.rateLimited, 'too many calls; slow down')), rateLimited: true };
    if (!Array.isArray(value)) return { body: await this.#one(value, caller, false), rateLimited: false };
    return { body: await this.#batch(calls, caller), rateLimited: false };
  }

  async #batch(calls: readonly unknown[], caller: Caller): Promise<string | undefined> {
    const answers: string[] = [];
    let leftBytes = this.#options.limits.responseSizeBytesMax;
    for (const call of calls) {
      if (caller.signal.aborted) break;
      const text = leftBytes <= 0 ? this.#tooLarge(idOf(call)) : await this.#one(call, caller, true);
      if (text === undefined) continue;
      answers.push(text.length > Math.max(leftBytes, 1024) ? this.#tooLarge(idOf(call)) : text);
      leftBytes -= text.length;
    }
    return answers.length === 0 ? undefined : `[${answers.join(',')}]`;
  }

  /** One call's response as text; undefined for a notification. */
  async #one(value: unknown, caller: Caller, inBatch: boolean): Promise<string | undefined> {
    let id: RpcId | undefined = idOf(value);
    try {
      const call = parseCall(value);
      id = call.id;
      const result = await this.#run(call.method, call.params, caller, inBatch);
      if (id === undefined) return undefined;
      const text = JSON.stringify({ jsonrpc: '2.0', result: result ?? null, id });
      return text.length > this.#options.limits.responseSizeBytesMax ? this.#tooLarge(id) : text;
    } catch (error) {
      if (id === undefined) return undefined;
      return JSON.stringify(errorResponse(id, this.#shown(error)));
    }
  }

  async #run(name: string, params: unknown, caller: Caller, inBatch: boolean): Promise<unknown> {
    const { methods, observe } = this.#options;
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (method === undefined) throw new RpcError(RpcCode.methodNotFound, `method ${JSON.stringify(name)} is not known`);
    const startedAt = performance.now();
    let ok = false;
    try {
      const result = method.waits
        ? await this.#wait(method, name, params, caller, inBatch)
        : await method.call(params, caller);
      ok = true;
      return result;
    } finally {
      observe(name, ok, performance.now() - startedAt);
    }
  }

  async #wait(method: Method, name: string, params: unknown, caller: Caller, inBatch: boolean): Promise<unknown> {
    if (inBatch) throw new RpcError(RpcCode.invalidRequest, `${name} waits and may not stand in a batch`);
    const { remotes } = this.#options;
    if (!remotes.startWait(caller.remote)) throw new RpcError(RpcCode.busy, 'too many waiting calls');
    try {
      return await method.call(params, caller);
    } finally {
      remotes.endWait(caller.remote);
    }
  }

  #shown(error: unknown): RpcError {
    const shown = publicError(error);
    if (shown !== undefined) return shown;
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.log.error({ error: detail }, 'an RPC method failed');
    return new RpcError(RpcCode.internal, 'internal error');
  }

  #tooLarge(id: RpcId): string {
    const { responseSizeBytesMax } = this.#options.limits;
    const error = new RpcError(RpcCode.responseTooLarge, `the response is over ${responseSizeBytesMax} bytes`);
    return JSON.stringify(errorResponse(id, error));
  }
}

/** A refusal of the whole body. */
export function failed(error: RpcError): Answered {
  return { body: JSON.stringify(errorResponse(null, error)), rateLimited: false };
}
