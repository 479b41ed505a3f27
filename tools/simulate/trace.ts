/**
 * What happened, in order: the timeline that people read, and the digest by which two runs are compared.
 *
 * Invariant: the same run gives the same bytes. Nothing of the machine goes in: no clock, no path, no address.
 */
import { createHash, type Hash as Hasher } from 'node:crypto';

/** `node` is null for what concerns all. */
export interface TraceEvent {
  /** Virtual milliseconds since the start, in thousandths. */
  readonly ms: number;
  readonly node: string | null;
  readonly kind: TraceKind;
  readonly [detail: string]: string | number | boolean | null | readonly string[];
}

export type TraceKind =
  | 'boot'
  | 'up'
  | 'down'
  | 'broken'
  | 'lead'
  | 'stopLead'
  | 'block'
  | 'vote'
  | 'final'
  | 'refused'
  | 'evidence'
  | 'ban'
  | 'fault'
  | 'heal'
  | 'calm'
  | 'mended'
  | 'byzantine'
  | 'violation'
  | 'end';

export class Trace {
  readonly #hasher: Hasher = createHash('sha256');
  readonly #sink: ((line: string) => void) | undefined;
  readonly #nowMs: () => number;
  count = 0;

  /** @param sink gets each line of JSON, without its end; nothing is kept here */
  constructor(nowMs: () => number, sink?: (line: string) => void) {
    this.#nowMs = nowMs;
    this.#sink = sink;
  }

  add(kind: TraceKind, node: string | null, details: Record<string, TraceEvent[string]> = {}): void {
    const line = JSON.stringify({ ms: Math.round(this.#nowMs() * 1000) / 1000, node, kind, ...details });
    this.count += 1;
    this.#hasher.update(line).update('\n');
    this.#sink?.(line);
  }

  /** SHA-256 over all lines so far, hex. */
  digest(): string {
    return this.#hasher.copy().digest('hex');
  }
}

/** The first bytes of a hash, for people. */
export function shortHash(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, 6).toString('hex');
}
