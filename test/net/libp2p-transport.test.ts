import { createHash } from 'node:crypto';
import { createConnection } from 'node:net';
import { expect, it } from 'vitest';
import { createLibp2pTransport, type Libp2pTransport } from '../../src/net/libp2p-transport.ts';
import { transportContract } from './contract.ts';
import { OPTIONS, outcome, type Rig, until } from './rig.ts';

let made = 0;
const seed = (name: string): Uint8Array => createHash('sha256').update(name).digest();

function libp2pRig(): Rig {
  const peers: Libp2pTransport[] = [];
  return {
    name: 'libp2p',
    async peer(limits = {}) {
      const transport = await createLibp2pTransport({
        networkKeySeed: seed(`peer ${made++}`),
        listen: ['/ip4/127.0.0.1/tcp/0'],
        limits,
      });
      peers.push(transport);
      await transport.start();
      return transport;
    },
    async raw(from, to, protocol) {
      const duplex = await (from as Libp2pTransport).openRaw(to, protocol);
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
      await Promise.all(peers.map((peer) => peer.stop()));
    },
  };
}

transportContract(libp2pRig);

it('the peer name follows from the seed', async () => {
  const make = () => createLibp2pTransport({ networkKeySeed: new Uint8Array(32).fill(7), listen: [] });
  const [one, two] = [await make(), await make()];
  expect(one.self).toBe(two.self);
  expect(one.self).toMatch(/^12D3KooW/);
  await expect(createLibp2pTransport({ networkKeySeed: new Uint8Array(31), listen: [] })).rejects.toThrow(
    /must be 32 bytes, got 31/,
  );
});

it('requests leave no streams behind, however they end', async () => {
  const rig = libp2pRig();
  const [a, b] = [(await rig.peer()) as Libp2pTransport, (await rig.peer()) as Libp2pTransport];
  b.handle('/cairn/frames/1', async function* (_, request) {
    for (let i = 0; i < 20; i++) yield new Uint8Array(request[0]! * 1000);
  });
  await a.dial(b.addresses()[0]!);
  for (let i = 0; i < 60; i++) {
    const options = { ...OPTIONS, responseSizeBytesMax: i % 3 === 0 ? 5_000 : OPTIONS.responseSizeBytesMax };
    let frames = 0;
    try {
      for await (const _ of a.request(b.self, '/cairn/frames/1', Uint8Array.of(i), options))
        if (i % 3 === 1 && ++frames === 2) break;
    } catch {}
  }
  const streams = () => [a, b].map((peer) => peer.openStreams('/cairn/frames/1'));
  await expect.poll(streams, { timeout: 4_000 }).toEqual([0, 0]);
  await rig.close();
});

it('gossip flows again after a peer restarts under its old key', async () => {
  const make = async (name: string) => {
    const transport = await createLibp2pTransport({ networkKeySeed: seed(name), listen: ['/ip4/127.0.0.1/tcp/0'] });
    const heard: string[] = [];
    transport.subscribe('t', (_, message) => {
      heard.push(Buffer.from(message).toString());
      return 'accept';
    });
    await transport.start();
    return { transport, heard };
  };
  const a = await make('stays');
  for (let life = 0; life < 3; life++) {
    const b = await make('restarts');
    await b.transport.dial(a.transport.addresses()[0]!);
    let round = 0;
    const both = () => {
      a.transport.publish('t', Buffer.from(`a ${life} ${round}`));
      b.transport.publish('t', Buffer.from(`b ${life} ${round++}`));
      const got = (lines: string[], start: string) => lines.some((line) => line.startsWith(start));
      return got(a.heard, `b ${life}`) && got(b.heard, `a ${life}`);
    };
    await until('both heard the other', both);
    await b.transport.stop();
  }
  await a.transport.stop();
});

it('rubbish inside gossip harms only its sender', async () => {
  const rig = libp2pRig();
  const [a, b, c] = [await rig.peer(), await rig.peer(), await rig.peer()];
  const heard: string[] = [];
  b.subscribe('t', (_, message) => {
    heard.push(Buffer.from(message).toString());
    return 'accept';
  });
  await a.dial(b.addresses()[0]!);
  await c.dial(b.addresses()[0]!);
  const junk = [
    Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3),
    Uint8Array.of(5, 0x12, 0x03, 0x0a, 0xff, 0xff),
    new Uint8Array(3000).map((_, i) => (i * 7919) >> 3),
  ];
  for (const bytes of junk) {
    const stream = await rig.raw(a, b.self, '/meshsub/1.2.0');
    await stream.write(bytes);
    await stream.end();
  }
  let round = 0;
  await until('b hears c', () => {
    c.publish('t', Buffer.from(`c ${round++}`));
    return heard.some((text) => text.startsWith('c'));
  });
  expect(b.peers()).toContain(c.self);
  await rig.close();
});

it('rubbish on the TCP port is closed and harms nobody', async () => {
  const rig = libp2pRig();
  const [a, b] = [await rig.peer(), await rig.peer()];
  b.handle('/cairn/echo/1', async function* (_, request) {
    yield request;
  });
  const port = Number(/tcp\/(\d+)/.exec(b.addresses()[0]!)![1]);
  const payloads = ['GET / HTTP/1.1\r\n\r\n', '\x00'.repeat(5000), `\x13/multistream/1.0.0\n\xff\xff\xff\xff\xff\xff`];
  await Promise.all(
    payloads.map(
      (payload) =>
        new Promise<void>((resolve) => {
          const socket = createConnection(port, '127.0.0.1', () => socket.end(payload, 'latin1'));
          socket.on('close', () => resolve()).on('error', () => resolve());
          socket.resume();
        }),
    ),
  );
  await a.dial(b.addresses()[0]!);
  expect(await outcome(a.request(b.self, '/cairn/echo/1', Uint8Array.of(1), OPTIONS))).toBe(1);
  await rig.close();
});
