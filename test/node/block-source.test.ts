import { describe, expect, it } from 'vitest';
import { hash } from '../../native/index.ts';
import type { Block, Vote } from '../../src/codec/index.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import type { PeerName } from '../../src/net/transport.ts';
import { encodeMessage, PROTOCOL } from '../../src/node/protocols.ts';
import { BlockSource, encodeVotes, type ServedBlock } from '../../src/node/relay/block-source.ts';
import { VirtualNet } from './virtual-net.ts';
import { kernels, makeChain, newWorld, rootOf, SILENT, voteFor } from './world.ts';

const world = newWorld();
const root = rootOf(world);
const chain = makeChain(world, root, 6);
const votesOf = (at: number): Vote[] =>
  world.validators.slice(0, 3).map((key) => voteFor(key, root.header, chain[at]!.header));
const served = (at: number): ServedBlock => ({ bytes: chain[at]!.block!.bytes, votes: encodeVotes(votesOf(at)) });

interface Node {
  readonly transport: MemoryTransport;
  readonly source: BlockSource;
  readonly blocks: [Block, PeerName][];
  readonly votes: [readonly Vote[], PeerName][];
}

async function node(net: VirtualNet, name: string, sources: string[], isServing = true): Promise<Node> {
  const transport = await net.peer(name);
  const blocks: [Block, PeerName][] = [];
  const votes: [readonly Vote[], PeerName][] = [];
  const source = new BlockSource({
    kernels,
    transport,
    log: SILENT,
    sources: () => sources,
    byHash: async (wanted) => {
      const at = chain.findIndex(({ header }) => Buffer.compare(header.hash, wanted) === 0);
      return at < 0 ? undefined : served(at);
    },
    byHeight: async (height) => (height >= 1 && height <= 6 ? served(height - 1) : undefined),
    onBlock: (block, from) => void blocks.push([block, from]),
    onVotes: (all, from) => void votes.push([all, from]),
  });
  if (isServing) source.serve();
  for (const other of sources) await net.settle(transport.dial(net.network.addressOf(other)));
  return { transport, source, blocks, votes };
}

/** A peer that answers a protocol with these frames, whatever is asked. */
async function liar(
  net: VirtualNet,
  name: string,
  protocol: string,
  frames: () => Iterable<Uint8Array>,
): Promise<MemoryTransport> {
  const transport = await net.peer(name);
  transport.handle(protocol, async function* () {
    yield* frames();
  });
  return transport;
}

describe('block source', () => {
  it('fetches a block with its votes, and a stretch, in order', async () => {
    const net = new VirtualNet();
    await node(net, 'full', []);
    const asker = await node(net, 'asker', ['full']);
    await net.settle(asker.source.fetchBlock(chain[3]!.header.hash, null));
    expect(asker.blocks.map(([block]) => block.bytes)).toEqual([chain[3]!.block!.bytes]);
    expect(asker.votes[0]![0].map(({ bytes }) => bytes)).toEqual(votesOf(3).map(({ bytes }) => bytes));
    await net.settle(asker.source.fetchRange(2, 5, 'full'));
    expect(asker.blocks.slice(1).map(([{ header }]) => header.height)).toEqual([2, 3, 4, 5]);
    expect(asker.source.bytesFetched).toBeGreaterThan(0);
  });

  it('asks any peer for a stretch in turn, so that none can hide what the others have', async () => {
    const net = new VirtualNet();
    for (const name of ['a', 'b', 'c']) await node(net, name, []);
    const asker = await node(net, 'asker', ['a', 'b', 'c']);
    for (let round = 0; round < 4; round += 1) await net.settle(asker.source.fetchRange(1, 1, null));
    expect(asker.blocks.map(([, from]) => from)).toEqual(['a', 'b', 'c', 'a']);
  });

  it('takes a push, and asks the next peer when one has nothing', async () => {
    const net = new VirtualNet();
    const full = await node(net, 'full', []);
    await node(net, 'empty', [], false);
    const asker = await node(net, 'asker', ['empty', 'full']);
    await net.settle(asker.source.fetchBlock(chain[0]!.header.hash, 'empty'));
    expect(asker.blocks.map(([, from]) => from)).toEqual(['full']);
    asker.source.push(chain[2]!.block!.bytes);
    await net.settle(new Promise<void>((resolve) => net.network.timers.after(20, resolve)));
    expect(full.blocks.map(([block, from]) => [block.header.height, from])).toEqual([[3, 'asker']]);
  });

  const good = served(1);
  const cases: readonly (readonly [string, () => Iterable<Uint8Array>])[] = [
    ['another block than asked for', () => [good.bytes, good.votes]],
    ['bytes that are no block', () => [Uint8Array.of(1, 2, 3), good.votes]],
    ['a byte behind the votes', () => [served(0).bytes, Uint8Array.from([...served(0).votes, 0])]],
    ['votes past their maximum', () => [served(0).bytes, repeated(votesOf(0)[0]!.bytes, 4097)]],
  ];
  it.each(cases)('bans a peer that answers with %s, and goes on to the next', async (_, frames) => {
    const net = new VirtualNet();
    await liar(net, 'liar', PROTOCOL.block, frames);
    await node(net, 'full', []);
    const asker = await node(net, 'asker', ['liar', 'full']);
    await net.settle(asker.source.fetchBlock(chain[0]!.header.hash, 'liar'));
    expect(asker.transport.peers()).toEqual(['full']);
    expect(asker.blocks.at(-1)?.[1]).toBe('full');
  });

  it('bans a peer that goes on sending empty frames, which cost nothing of the maximum', async () => {
    const net = new VirtualNet();
    await liar(net, 'liar', PROTOCOL.block, function* () {
      yield served(0).bytes;
      for (let more = 0; more < 200; more += 1) yield new Uint8Array(0);
    });
    const asker = await node(net, 'asker', ['liar']);
    await net.settle(asker.source.fetchBlock(chain[0]!.header.hash, 'liar'));
    expect(asker.transport.peers()).toEqual([]);
    expect(asker.blocks).toHaveLength(1);
  });

  it('holds a peer to the stretch it was asked for', async () => {
    const net = new VirtualNet();
    await liar(net, 'liar', PROTOCOL.range, () => [served(4).bytes, served(4).votes]);
    await node(net, 'full', []);
    const asker = await node(net, 'asker', ['liar', 'full']);
    await net.settle(asker.source.fetchRange(1, 3, 'liar'));
    expect(asker.blocks.map(([{ header }, from]) => [header.height, from])).toEqual(
      [1, 2, 3].map((at) => [at, 'full']),
    );
    expect(asker.transport.peers()).toEqual(['full']);
  });

  it('waits for a silent peer no longer than its patience', async () => {
    const net = new VirtualNet();
    const silent = await net.peer('silent');
    silent.handle(PROTOCOL.block, async function* () {
      await new Promise(() => {});
      yield new Uint8Array(0);
    });
    await node(net, 'full', []);
    const asker = await node(net, 'asker', ['silent', 'full']);
    await net.settle(asker.source.fetchBlock(chain[0]!.header.hash, 'silent'));
    expect(asker.blocks.map(([, from]) => from)).toEqual(['full']);
    // Silence is no fault.
    expect(asker.transport.peers()).toEqual(['silent', 'full']);
  });

  it('serves nothing for what it has not, and blames malformed requests on the asker', async () => {
    const net = new VirtualNet();
    const full = await node(net, 'full', []);
    const asker = await net.peer('asker');
    await net.settle(asker.dial(net.network.addressOf('full')));
    const ask = async (protocol: string, request: Uint8Array): Promise<number> => {
      let frames = 0;
      for await (const _ of asker.request('full', protocol, request, {
        idleTimeoutMs: 1000,
        responseSizeBytesMax: 1e7,
      }))
        frames += 1;
      return frames;
    };
    expect(await net.settle(ask(PROTOCOL.block, encodeMessage({ hash: hash(new Uint8Array(32)) })))).toBe(0);
    expect(await net.settle(ask(PROTOCOL.range, encodeMessage({ from: 5, countMax: 2 ** 50 })))).toBe(4);
    const hostile = [
      new Uint8Array(0),
      encodeMessage({ hash: new Uint8Array(31) }),
      Uint8Array.of(0xc1),
      encodeMessage({}),
    ];
    for (const request of hostile) await expect(net.settle(ask(PROTOCOL.block, request))).rejects.toThrow('fault');
    await expect(net.settle(ask(PROTOCOL.block, new Uint8Array(40)))).rejects.toThrow();
    // Faults of 25 points each: a hundred are a ban.
    expect(full.transport.peers()).toEqual([]);
  });
});

function repeated(bytes: Uint8Array, times: number): Uint8Array {
  const all = new Uint8Array(bytes.length * times);
  for (let at = 0; at < times; at += 1) all.set(bytes, at * bytes.length);
  return all;
}
