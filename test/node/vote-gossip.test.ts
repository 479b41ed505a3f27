import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { VOTE_SIZE_BYTES, type Vote } from '../../src/codec/index.ts';
import { createLibp2pTransport } from '../../src/net/libp2p-transport.ts';
import { MemoryNetwork } from '../../src/net/memory-network.ts';
import type { Transport } from '../../src/net/transport.ts';
import type { Clock } from '../../src/node/clock.ts';
import { REPEAT_SIZE_BYTES, repeatOf, VoteGossip } from '../../src/node/relay/vote-gossip.ts';
import { keyOf, newWorld, rootOf, voteFor } from './world.ts';

const TOPIC = 'cairn/test/votes';
const REPEAT_MS = 2_000;
const { header } = rootOf(newWorld());

interface Node {
  readonly transport: Transport;
  readonly gossip: VoteGossip;
  /** Target slots of votes that reached the judge. */
  readonly heard: number[];
  nowMs: number;
}

const voteOf = (seed: number, slot: number): Vote => voteFor(keyOf(seed), header, header, { targetSlot: slot });

let made = 0;
const rigs: Record<string, () => (name: string) => Promise<Transport>> = {
  memory: () => {
    const network = new MemoryNetwork();
    return async (name) => network.transport(name);
  },
  libp2p: () => () =>
    createLibp2pTransport({
      networkKeySeed: createHash('sha256').update(`votes ${made++}`).digest(),
      listen: ['/ip4/127.0.0.1/tcp/0'],
    }),
};

for (const [name, rig] of Object.entries(rigs))
  describe(`votes sent again, ${name}`, () => {
    const nodes: Node[] = [];
    afterEach(async () => {
      await Promise.all(nodes.splice(0).map(({ transport }) => transport.stop()));
    });

    /** Nodes in a row, each connected to the next one only; clocks stand still unless moved. */
    async function row(count: number): Promise<Node[]> {
      const makeTransport = rig();
      for (let index = 0; index < count; index += 1) nodes.push(newNode(await makeTransport(`n${index}`), index));
      for (const node of nodes) {
        node.gossip.subscribe();
        await node.transport.start();
      }
      for (let index = 1; index < count; index += 1)
        await nodes[index]!.transport.dial(nodes[index - 1]!.transport.addresses()[0]!);
      let probe = 1_000;
      // Meshes take a moment to form: probes until both ends hear each other.
      await until(() => {
        probe += 1;
        nodes[0]!.gossip.send(voteOf(1, probe));
        nodes[count - 1]!.gossip.send(voteOf(2, probe));
        return nodes[0]!.heard.length > 0 && nodes[count - 1]!.heard.length > 0;
      });
      return nodes;
    }

    it('reaches those who have it, and those behind them, within the two minutes of the gossip layer', async () => {
      const [a, b, c] = await row(3);
      const vote = voteOf(3, 7);
      for (let times = 1; times <= 4; times += 1) {
        a!.gossip.send(vote);
        await until(() => sevens(b!) === times && sevens(c!) === times);
        for (const node of nodes) node.nowMs += REPEAT_MS;
      }
    });

    it('is passed on once in the interval, whatever stands behind it and whoever sends it', async () => {
      const [a, b, c] = await row(3);
      const vote = voteOf(3, 7);
      a!.gossip.send(vote);
      await until(() => sevens(c!) === 1);
      b!.nowMs += REPEAT_MS;
      c!.nowMs += REPEAT_MS;
      // A liar: two hundred messages of one vote. Each node passes on the first of them.
      for (let times = 0; times < 200; times += 1)
        a!.transport.publish(TOPIC, repeatOf(vote.bytes, Buffer.alloc(REPEAT_SIZE_BYTES, times + 1)));
      await until(() => sevens(c!) === 2);
      b!.gossip.send(vote);
      a!.gossip.send(voteOf(3, 8));
      await until(() => c!.heard.includes(8));
      expect([sevens(b!), sevens(c!)]).toEqual([2, 2]);
    });

    it('a message of another size is refused, an old vote is dropped unseen', async () => {
      const [a, b] = await row(2);
      a!.transport.publish(TOPIC, voteOf(3, 7).bytes.slice(1));
      a!.transport.publish(TOPIC, repeatOf(voteOf(3, 7).bytes, new Uint8Array(REPEAT_SIZE_BYTES - 1)));
      a!.gossip.send(voteOf(3, 4));
      a!.gossip.send(voteOf(3, 5));
      await until(() => b!.heard.includes(5));
      expect([sevens(b!), b!.heard.includes(4)]).toEqual([0, false]);
    });
  });

function newNode(transport: Transport, index: number): Node {
  const clock: Clock = { nowMs: () => node.nowMs, at: () => () => {} };
  const heard: number[] = [];
  let fresh = 0;
  const gossip = new VoteGossip({
    transport,
    topic: TOPIC,
    clock,
    repeatIntervalMs: REPEAT_MS,
    randomBytes: (sizeBytes) => Buffer.alloc(sizeBytes, `${index} ${fresh++} `),
    oldestSlot: () => 5,
    judge: (vote) => {
      expect(vote.length).toBe(VOTE_SIZE_BYTES);
      heard.push(Number(Buffer.from(vote).readBigUInt64LE(48)));
      return 'accept';
    },
  });
  const node: Node = { transport, gossip, heard, nowMs: 0 };
  return node;
}

const sevens = ({ heard }: Node): number => heard.filter((slot) => slot === 7).length;

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 8_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new RangeError('not within 8 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
