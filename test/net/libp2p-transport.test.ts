import { createHash } from 'node:crypto';
import { createConnection } from 'node:net';
import { expect, it } from 'vitest';
import { createLibp2pTransport, type Libp2pTransport } from '../../src/net/libp2p-transport.ts';
import { OPTIONS, outcome, type Rig, transportContract } from './contract.ts';

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
