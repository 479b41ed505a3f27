/**
 * Counts RPC calls in a Prometheus registry that the node owns.
 */
import type { Registry } from 'prom-client';
import type { CallObserver } from './dispatch.ts';

/** Bounds of the duration histogram, in seconds: from a memory read to a long poll. */
const DURATION_BUCKETS_S = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 30];

/** Registers the call counters and returns the observer that feeds them. prom-client is imported only here, when it is wanted. */
export async function rpcMetrics(registry: Registry): Promise<CallObserver> {
  const { Counter, Histogram } = await import('prom-client');
  const calls = new Counter({
    name: 'cairn_rpc_calls_total',
    help: 'RPC calls of known methods',
    labelNames: ['method', 'outcome'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'cairn_rpc_call_seconds',
    help: 'Duration of RPC calls',
    labelNames: ['method'],
    buckets: DURATION_BUCKETS_S,
    registers: [registry],
  });
  return (method, ok, durationMs) => {
    calls.inc({ method, outcome: ok ? 'ok' : 'error' });
    durations.observe({ method }, durationMs / 1000);
  };
}
