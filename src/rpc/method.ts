/**
 * A method of the RPC: its parameters as one zod shape, and its handler.
 *
 * Parameters come by position (an array, in the order of the shape's keys) or by name (an object). Either way they become one object, so a
 * refusal always names the parameter: `parameter addresses[3]: ...`.
 */
import { z } from 'zod';
import { RpcCode, RpcError } from './json-rpc.ts';

export interface CallContext {
  /** Aborts when the caller has gone or the server stops. */
  readonly signal: AbortSignal;
}

export interface Method {
  /** True for a method that waits: it is counted separately and may not stand in a batch. */
  readonly waits: boolean;
  /** Checks `params` and runs. Throws `RpcError` invalidParams naming the parameter, or what the handler throws. */
  call(params: unknown, context: CallContext): Promise<unknown>;
}

export type MethodTable = Readonly<Record<string, Method>>;

type Shape = Readonly<Record<string, z.ZodType>>;
type Values<S extends Shape> = { [Key in keyof S]: z.output<S[Key]> };

/** Makes a method. The keys of `shape`, in order, are the positional parameters. */
export function method<S extends Shape>(
  shape: S,
  run: (params: Values<S>, context: CallContext) => unknown,
  options: { readonly waits?: boolean } = {},
): Method {
  const names = Object.keys(shape);
  const schema = z.strictObject(shape);
  return {
    waits: options.waits ?? false,
    async call(params, context) {
      const checked = schema.safeParse(named(params, names));
      if (!checked.success) throw new RpcError(RpcCode.invalidParams, describe(checked.error));
      return run(checked.data as Values<S>, context);
    },
  };
}

function named(params: unknown, names: readonly string[]): unknown {
  if (params === undefined) return {};
  if (!Array.isArray(params)) return params;
  if (params.length > names.length)
    throw new RpcError(
      RpcCode.invalidParams,
      `takes at most ${names.length} parameters (${names.join(', ') || 'none'}), got ${params.length}`,
    );
  // An omitted trailing parameter and an explicit null both mean "not given", as Solana's clients send it.
  return Object.fromEntries(params.map((value, index) => [names[index], value ?? undefined]));
}

const ISSUES_SHOWN_MAX = 3;

function describe(error: z.ZodError): string {
  const lines = error.issues.slice(0, ISSUES_SHOWN_MAX).map((issue) => {
    const path = issue.path.map((part, i) =>
      typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${String(part)}`,
    );
    return path.length === 0 ? `parameters: ${issue.message}` : `parameter ${path.join('')}: ${issue.message}`;
  });
  return lines.join('; ').slice(0, 500);
}
