/** A peer that means harm: the real transport under a fresh name, whose bytes the test chooses. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { createLibp2pTransport, type Libp2pTransport } from '../../src/net/libp2p-transport.ts';
import type { PeerName } from '../../src/net/transport.ts';
import { eventually } from './cluster.ts';

const DROPPED_TIMEOUT_MS = 10_000;
/** A victim that has not dropped its peer after this many tries never will. */
const TRIES_MAX = 40;

export class HostilePeer {
  readonly transport: Libp2pTransport;
  readonly victim: PeerName;
  readonly #address: string;

  private constructor(transport: Libp2pTransport, victim: PeerName, address: string) {
    this.transport = transport;
    this.victim = victim;
    this.#address = address;
  }

  /** @param answers by protocol: makes the frames with which this peer answers requests of a protocol; what it does not name is not served */
  static async connect(
    address: string,
    answers: Readonly<Record<string, () => Uint8Array[]>> = {},
  ): Promise<HostilePeer> {
    const networkKeySeed = new Uint8Array(randomBytes(32));
    const transport = await createLibp2pTransport({ networkKeySeed, listen: [] });
    for (const [protocol, frames] of Object.entries(answers))
      transport.handle(protocol, async function* () {
        yield* frames();
      });
    await transport.start();
    try {
      return new HostilePeer(transport, await transport.dial(address), address);
    } catch (error) {
      await transport.stop();
      throw error;
    }
  }

  get connected(): boolean {
    return this.transport.peers().includes(this.victim);
  }

  /** Asks with arbitrary bytes; how it ended is of no interest. */
  async ask(protocol: string, request: Uint8Array): Promise<void> {
    const options = { idleTimeoutMs: 2_000, responseSizeBytesMax: 1024 * 1024 };
    try {
      for await (const _ of this.transport.request(this.victim, protocol, request, options));
    } catch {
      // The victim may end the stream or the connection: that is what is wanted.
    }
  }

  /** Sends bytes that need not be frames. */
  async askRaw(protocol: string, bytes: Uint8Array): Promise<void> {
    try {
      const stream = await this.transport.openRaw(this.victim, protocol);
      await stream.write([bytes]);
      await stream.end();
      while ((await stream.read()) !== null);
    } catch {
      // As above.
    }
  }

  /** Misbehaves until the victim has dropped the connection; rejects when it never does. */
  async untilDropped(what: string, misbehave: (attempt: number) => Promise<void> | void): Promise<void> {
    for (let attempt = 0; attempt < TRIES_MAX && this.connected; attempt += 1) await misbehave(attempt);
    await eventually(`${what}: the victim drops its peer`, DROPPED_TIMEOUT_MS, () => (this.connected ? null : true));
  }

  /** Whether the victim lets this peer in again. */
  async isLetIn(): Promise<boolean> {
    try {
      await this.transport.dial(this.#address);
      // A banned peer's connection may come up before it is refused.
      await this.transport
        .request(this.victim, '/cairn/finality/1', Uint8Array.of(0x80), {
          idleTimeoutMs: 2_000,
          responseSizeBytesMax: 1024 * 1024,
        })
        .next();
      return true;
    } catch {
      return false;
    }
  }

  stop(): Promise<void> {
    return this.transport.stop();
  }
}

/** Bytes on a bare TCP connection, no libp2p at all; resolves when the victim has closed it. */
export function sendBareTcp(port: number, bytes: Uint8Array, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new RangeError(`the connection was still open after ${timeoutMs} ms`));
    }, timeoutMs);
    // A reset is an end too.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.resume();
  });
}
