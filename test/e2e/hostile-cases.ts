/**
 * Cases of peers that mean harm, on a network the caller runs: two validators of two are needed for finality, so heights grow only while no node
 * is held up.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseHash } from '../../src/codec/index.ts';
import { encodeMessage, PROTOCOL } from '../../src/node/protocols.ts';
import type { CairnClient } from '../../src/rpc/client.ts';
import { allFinal, type Cluster, finalHeight } from './cluster.ts';
import { HostilePeer, sendBareTcp } from './hostile-peer.ts';

/** docs/format/packets.md */
const HEADER_HEIGHT_OFFSET = 40;

export interface HostileContext {
  readonly cluster: Cluster;
  /** One a validator or archive. */
  readonly clients: readonly CairnClient[];
  /** A fresh signed transfer. */
  readonly transfer: () => Promise<Uint8Array>;
}

export const edited = (bytes: Uint8Array, edit: (copy: Uint8Array) => void): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  edit(copy);
  return copy;
};

/** @param context called when the tests run: the network is not there before */
export function hostilePeerCases(context: () => HostileContext): void {
  describe('a peer that sends rubbish is dropped, and the node lives on', () => {
    let cluster: Cluster;
    let clients: readonly CairnClient[];
    let transfer: HostileContext['transfer'];
    /** Connections that never speak libp2p: closed by the node's own patience, some seconds on, so they run beside the rest. */
    let bareConnections: Promise<unknown>;
    beforeAll(() => {
      ({ cluster, clients, transfer } = context());
      const port = Number(/\/tcp\/(\d+)\//.exec(cluster.ready(cluster.folders.validators[0]!).peer)?.[1]);
      const messages = [new Uint8Array(randomBytes(4_096)), new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n')];
      bareConnections = Promise.allSettled(messages.map((bytes) => sendBareTcp(port, bytes, 20_000)));
    });

    /** Two validators of two are needed for finality: heights grow only while both live. */
    async function expectAlive(): Promise<void> {
      const height = await finalHeight(cluster, cluster.chainNodes);
      await allFinal(cluster, cluster.chainNodes, height + 2);
    }

    async function attack(
      what: string,
      misbehave: (peer: HostilePeer, attempt: number) => Promise<void> | void,
    ): Promise<void> {
      const peer = await HostilePeer.connect(cluster.ready(cluster.folders.validators[0]!).peer);
      try {
        expect(peer.connected).toBe(true);
        await peer.untilDropped(what, (attempt) => misbehave(peer, attempt));
        expect(await peer.isLetIn()).toBe(false);
      } finally {
        await peer.stop();
      }
    }

    it('a stranger with good manners is let in', async () => {
      const peer = await HostilePeer.connect(cluster.ready(cluster.folders.validators[0]!).peer);
      try {
        expect(await peer.isLetIn()).toBe(true);
      } finally {
        await peer.stop();
      }
    });

    it('blocks that are none', async () => {
      const real = await clients[0]!.blockBytes(1);
      await attack('garbage blocks', (peer) => peer.ask(PROTOCOL.blocks, new Uint8Array(randomBytes(2_000))));
      await attack('cut blocks', (peer) => peer.ask(PROTOCOL.blocks, real.subarray(0, real.length - 1)));
      await expectAlive();
    });

    it('a block with a forged signature', async () => {
      const real = await clients[0]!.blockBytes(await finalHeight(cluster, cluster.chainNodes));
      // Of a height far from final, so that it is of interest; another one each time.
      await attack('forged blocks', (peer, attempt) =>
        peer.ask(
          PROTOCOL.blocks,
          edited(real, (copy) => new DataView(copy.buffer).setUint32(HEADER_HEIGHT_OFFSET, 100_000 + attempt, true)),
        ),
      );
      await expectAlive();
    });

    it('votes that are none', async () => {
      const topic = `cairn/${(await clients[0]!.genesisHash()).slice(0, 8)}/votes`;
      await attack('garbage votes', async (peer) => {
        peer.transport.publish(topic, new Uint8Array(randomBytes(200)));
        await sleep(100);
      });
      await expectAlive();
    });

    it('requests that are no messages, on every protocol', async () => {
      const protocols = [
        PROTOCOL.status,
        PROTOCOL.block,
        PROTOCOL.range,
        PROTOCOL.headers,
        PROTOCOL.stateManifest,
        PROTOCOL.statePiece,
        PROTOCOL.segment,
      ];
      await attack('garbage msgpack', (peer, attempt) =>
        peer.ask(protocols[attempt % protocols.length]!, new Uint8Array(randomBytes(100))),
      );
      await attack('wrong fields', (peer) => peer.ask(PROTOCOL.range, encodeMessage({ from: -1, countMax: 'many' })));
      await attack('another chain', (peer) =>
        peer.ask(
          PROTOCOL.status,
          encodeMessage({
            chainId: new Uint8Array(32),
            role: 'validator',
            startHeight: 1,
            finalizedHeight: 1,
            bestHeight: 1,
            publicKey: null,
            keyProof: null,
            rpc: null,
            version: '1',
          }),
        ),
      );
      await attack('garbage transactions', (peer) => peer.ask(PROTOCOL.submit, Uint8Array.of(3, 0, 1, 2, 3)));
      await expectAlive();
    });

    it('frames that are too large, and bytes that are no frames', async () => {
      await attack('oversized frame', (peer) => peer.askRaw(PROTOCOL.blocks, new Uint8Array(64).fill(0xff)));
      await expectAlive();
    });

    /** What a validator of this chain would say that had come to height one million. */
    async function promise(): Promise<Uint8Array> {
      return encodeMessage({
        chainId: parseHash(await clients[0]!.genesisHash(), 'chain'),
        role: 'validator',
        startHeight: 1,
        finalizedHeight: 1_000_000,
        bestHeight: 1_000_000,
        publicKey: null,
        keyProof: null,
        rpc: null,
        version: '1',
      });
    }

    it('answers that are none, of a peer that promises a long chain', async () => {
      const message = await promise();
      let asked = 0;
      const rubbish = (): Uint8Array[] => {
        asked += 1;
        return [new Uint8Array(randomBytes(500)), new Uint8Array(0)];
      };
      const peer = await HostilePeer.connect(cluster.ready(cluster.folders.validators[0]!).peer, {
        [PROTOCOL.status]: () => [message],
        [PROTOCOL.range]: rubbish,
        [PROTOCOL.block]: rubbish,
      });
      try {
        await peer.untilDropped('garbage answers', () => peer.ask(PROTOCOL.status, message).then(() => sleep(250)));
        expect(asked).toBeGreaterThan(0);
        expect(await peer.isLetIn()).toBe(false);
      } finally {
        await peer.stop();
      }
      await expectAlive();
    });

    it('a liar that promises a long chain and then says nothing holds nobody up', async () => {
      const { validators } = cluster.folders;
      const liars = await Promise.all(
        validators.map(async (node) => {
          const message = await promise();
          const nothing = (): Uint8Array[] => [];
          const { peer } = cluster.ready(node);
          const answers = { [PROTOCOL.status]: () => [message], [PROTOCOL.range]: nothing, [PROTOCOL.block]: nothing };
          const liar = await HostilePeer.connect(peer, { ...answers, [PROTOCOL.submit]: nothing });
          await liar.ask(PROTOCOL.status, message);
          return liar;
        }),
      );
      try {
        for (const client of clients) {
          const id = await client.submit(await transfer());
          await client.waitForFinality(id, { timeoutMs: 20_000 });
        }
        await expectAlive();
      } finally {
        await Promise.all(liars.map((liar) => liar.stop()));
      }
    });

    it('connections that speak no libp2p are closed', async () => {
      expect(await bareConnections).toEqual([{ status: 'fulfilled' }, { status: 'fulfilled' }]);
    });

    it('none of it was a mistake of ours by the log, and honest nodes still trust each other', async () => {
      for (const { name } of cluster.nodes) {
        const log = readFileSync(`${cluster.folders.logDirectory}/${name}.log`, 'utf8');
        const errors = log.split('\n').filter((line) => line.includes('"level":50') || line.includes('"level":60'));
        expect(errors).toEqual([]);
      }
      for (const client of clients)
        expect((await client.clusterNodes()).length).toBeGreaterThanOrEqual(cluster.nodes.length);
    });
  });
}
