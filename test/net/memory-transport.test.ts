import { describe, expect, it } from 'vitest';
import { type Link, MemoryNetwork } from '../../src/net/memory-network.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import type { Timers } from '../../src/net/timers.ts';
import { TransportError } from '../../src/net/transport.ts';
import { transportContract } from './contract.ts';
import { collect, OPTIONS, outcome, type Rig } from './rig.ts';

function memoryRig(): Rig {
  const network = new MemoryNetwork();
  const peers: MemoryTransport[] = [];
  return {
    name: 'memory',
    async peer(limits = {}) {
      const transport = network.transport(`peer${peers.length}`, { limits });
      peers.push(transport);
      await transport.start();
      return transport;
    },
    async raw(from, to, protocol) {
      const duplex = await (from as MemoryTransport).openRaw(to, protocol);
      return {
        write: (bytes) => duplex.write([bytes]),
        end: () => duplex.end(),
        async drain() {
          const parts: Uint8Array[] = [];
          try {
            for (;;) {
              const chunk = await duplex.read();
              if (chunk === null) return { bytes: Buffer.concat(parts), end: 'ended' as const };
              parts.push(chunk);
            }
          } catch {
            return { bytes: Buffer.concat(parts), end: 'reset' as const };
          }
        },
      };
    },
    async close() {
      for (const peer of peers) await peer.stop();
    },
  };
}

transportContract(memoryRig);

/** Virtual time: events run in order of time, then of asking; microtasks are let run between two events. */
class VirtualTime implements Timers {
  #now = 0;
  #next = 0;
  readonly #events: { at: number; order: number; run: () => void }[] = [];
  now(): number {
    return this.#now;
  }
  after(delayMs: number, run: () => void): () => void {
    const event = { at: this.#now + delayMs, order: this.#next++, run };
    this.#events.push(event);
    return () => {
      const index = this.#events.indexOf(event);
      if (index >= 0) this.#events.splice(index, 1);
    };
  }
  async runUntil(end: number): Promise<void> {
    for (;;) {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      this.#events.sort((x, y) => x.at - y.at || x.order - y.order);
      const event = this.#events[0];
      if (event === undefined || event.at > end) break;
      this.#events.shift();
      this.#now = event.at;
      event.run();
    }
    this.#now = end;
  }
}

async function trace(link: Link): Promise<string[]> {
  const time = new VirtualTime();
  const network = new MemoryNetwork({ timers: time, link });
  const lines: string[] = [];
  const peers = ['a', 'b', 'c'].map((name) => network.transport(name));
  for (const peer of peers) {
    await peer.start();
    peer.subscribe('t', (from, message) => {
      lines.push(`${time.now()} ${peer.self} heard ${message[0]} from ${from}`);
      return 'accept';
    });
    peer.handle('/x', async function* (_, request) {
      for (let i = 0; i < 3; i++) yield request;
    });
  }
  const ask = async (from: MemoryTransport, to: string) => {
    const end = await outcome(from.request(to, '/x', new Uint8Array(10), { ...OPTIONS, idleTimeoutMs: 1000 }));
    lines.push(`${time.now()} ${from.self} got ${end} from ${to}`);
  };
  void peers[0]!.dial('/memory/b').catch(() => lines.push('b cannot be dialed'));
  void peers[1]!.dial('/memory/c').catch(() => lines.push('c cannot be dialed'));
  await time.runUntil(100);
  peers[0]!.publish('t', Uint8Array.of(1));
  peers[2]!.publish('t', Uint8Array.of(2));
  void ask(peers[0]!, 'b');
  void ask(peers[2]!, 'b');
  await time.runUntil(10_000);
  return lines;
}

describe('memory network in virtual time', () => {
  const delays: Record<string, number> = { 'a b': 10, 'b a': 20, 'b c': 5, 'c b': 7 };
  const link: Link = (from, to) => delays[`${from} ${to}`] ?? 50;

  it('delivers after the link says, the same in every run', async () => {
    const first = await trace(link);
    expect(first).toEqual(await trace(link));
    expect(first).toContain('107 b heard 2 from c');
    expect(first).toContain('110 b heard 1 from a');
    expect(first).toContain('115 c heard 1 from b');
    expect(first).toContain('127 a heard 2 from b');
    expect(first).toContain('130 a got 3 from b');
  });

  it('loses what the link loses: messages vanish, streams break', async () => {
    const lossy = await trace((from, to, kind) => (kind !== 'dial' && from === 'a' ? 'lost' : link(from, to, kind, 0)));
    expect(lossy.some((line) => line.includes('heard 1'))).toBe(false);
    expect(lossy).toContain('100 a got closed from b');
    expect(lossy).toContain('127 a heard 2 from b');
    expect(await trace((from, to, kind) => (kind === 'dial' ? 'lost' : link(from, to, kind, 0)))).toContain(
      'c cannot be dialed',
    );
  });

  it("times out on its own clock, not the machine's", async () => {
    const slow = await trace((from, to, kind) => (kind === 'stream' ? 5_000 : link(from, to, kind, 0)));
    expect(slow).toContain('1100 a got timeout from b');
  });

  it('a severed pair can dial again; a peer restarts under its name', async () => {
    const network = new MemoryNetwork();
    const [a, b] = [network.transport('a'), network.transport('b')];
    await a.start();
    await b.start();
    await a.dial('/memory/b');
    network.sever('a', 'b');
    expect([a.peers(), b.peers()]).toEqual([[], []]);
    await b.stop();
    const again = network.transport('b');
    await again.start();
    again.handle('/x', async function* () {
      yield Uint8Array.of(5);
    });
    await a.dial('/memory/b');
    expect((await collect(a.request('b', '/x', new Uint8Array(0), OPTIONS)))[0]).toEqual(Uint8Array.of(5));
    await expect(network.transport('a').start()).rejects.toBeInstanceOf(TransportError);
  });

  it('bans a neighbour that gossips too fast or too large', async () => {
    const network = new MemoryNetwork();
    const a = network.transport('a');
    const b = network.transport('b', { limits: { gossipRatePerSecond: 1, gossipBurst: 5 } });
    await a.start();
    await b.start();
    let heard = 0;
    b.subscribe('t', () => {
      heard++;
      return 'accept';
    });
    await a.dial('/memory/b');
    for (let i = 0; i < 90; i++) a.sendRaw('b', 't', Uint8Array.of(i));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([heard, b.peers()]).toEqual([5, ['a']]);
    a.sendRaw('b', 't', new Uint8Array(70_000));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(b.peers()).toEqual([]);
  });
});
