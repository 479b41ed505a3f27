/** What the tests of transports make peers with, and the few hostile tools that they need. */
import { expect } from 'vitest';
import type { TransportLimits } from '../../src/net/limits.ts';
import { type PeerName, type RequestOptions, type Transport, TransportError } from '../../src/net/transport.ts';

/** A raw stream, without framing. */
export interface RawStream {
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Everything the peer sends until it ends or resets; then how it ended. */
  drain(): Promise<{ bytes: Uint8Array; end: 'ended' | 'reset' }>;
}

export interface Rig {
  readonly name: string;
  peer(limits?: Partial<TransportLimits>): Promise<Transport>;
  /** Opens a raw stream from a peer made here. */
  raw(from: Transport, to: PeerName, protocol: string): Promise<RawStream>;
  close(): Promise<void>;
}

export const OPTIONS: RequestOptions = { idleTimeoutMs: 5_000, responseSizeBytesMax: 64 * 1024 * 1024 };
export const TOPIC = 'cairn/test/votes';
export const ECHO = '/cairn/echo/1';

export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

export function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value, true);
  return out;
}

export async function collect(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const frame of frames) all.push(frame);
  return all;
}

/** The `TransportError` code a response ends with, or the number of frames when it ends well. */
export async function outcome(frames: AsyncIterable<Uint8Array>): Promise<string | number> {
  try {
    return (await collect(frames)).length;
  } catch (error) {
    if (error instanceof TransportError) return error.code;
    throw error;
  }
}

export async function until(what: string, holds: () => boolean, timeoutMs = 8_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > end) throw new RangeError(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export async function connect(from: Transport, to: Transport): Promise<void> {
  expect(await from.dial(to.addresses()[0]!)).toBe(to.self);
  await until('both sides see the connection', () => to.peers().includes(from.self));
}

/** Gossip meshes take a moment to form: probes are sent until every peer with a list has heard every other one. */
export async function gossipReady(peers: Transport[], got: (string[] | null)[]): Promise<void> {
  let round = 0;
  await until('gossip reaches everybody', () => {
    round++;
    peers.forEach((peer, i) => {
      peer.publish(TOPIC, Buffer.from(`probe ${i} ${round}`));
    });
    const heard = (lines: string[], from: number) => lines.some((line) => line.startsWith(`probe ${from} `));
    return got.every((lines, k) => lines === null || peers.every((_, i) => i === k || heard(lines, i)));
  });
}
