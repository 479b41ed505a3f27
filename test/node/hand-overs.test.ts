/** Hand-overs followed from genesis, refused when they lie, given on by light clients, and kept on disk. */
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { amount } from '../../native/index.ts';
import type { Payload } from '../../src/codec/index.ts';
import { readHandOver } from '../../src/ledger/index.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import { PeerFault } from '../../src/net/transport.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import type { ChainStore } from '../../src/node/chain/chain-store.ts';
import { executeTrusted } from '../../src/node/chain/check-block.ts';
import { HandOverRepair } from '../../src/node/hand-overs/hand-over-repair.ts';
import { HandOverStore } from '../../src/node/hand-overs/hand-over-store.ts';
import type { HandOverWalk } from '../../src/node/hand-overs/hand-over-walk.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { FinalityFollower } from '../../src/node/replicator/finality-follower.ts';
import { fastSync } from '../../src/node/sync/fast-sync.ts';
import { freshDirectory, keptDirectory, removeKept } from './directories.ts';
import { HAND_OVER_LIES } from './hand-over-lies.ts';
import { ChangingChain, changingWorld, openStore, walkOf } from './hand-over-world.ts';
import type { Tamper } from './lies.ts';
import { servePeer } from './sync-peers.ts';
import { VirtualNet } from './virtual-net.ts';
import { kernels, rootOf, SILENT, transactionOn, type World } from './world.ts';

const world = changingWorld();
const [a, b] = world.validators;
const [eve, fay] = world.people;
const bond: Payload = { kind: 'bond', amount: amount(10n) };
let chain: ChangingChain;
let frames: Uint8Array[];

/** Eve bonds and enters; then c and d fall silent until they are excluded and leave. */
async function makeChanging(of: World, directory: string, who = eve!): Promise<ChangingChain> {
  const made = await ChangingChain.open(of, directory);
  const four = of.validators;
  await made.advance(9, four);
  await made.advance(10, four, [transactionOn(of, made.tip.header, { counter: 1n, payload: bond, key: who })]);
  await made.advance(50, [...four, who]);
  return made;
}

beforeAll(async () => {
  chain = await makeChanging(world, await keptDirectory());
  await chain.advance(160, [a!, b!, eve!]);
  frames = chain.handOvers;
}, 60_000);
afterAll(async () => {
  await chain.store.close();
  await removeKept();
});

let net: VirtualNet;
let self: MemoryTransport;
let answer: Uint8Array[];
let walk: HandOverWalk;

beforeEach(async () => {
  net = new VirtualNet();
  self = await net.peer('self');
  answer = frames;
  const tamper: Tamper = (protocol, truth) => (protocol === PROTOCOL.handOvers ? answered(truth) : truth);
  await servePeer(net, 'peer', { world, opened: chain.opened }, tamper);
  await net.settle(self.dial(net.network.addressOf('peer')));
  walk = walkOf(world, self);
});

/** The true answer while the test has changed nothing; else the test's, once. */
async function* answered(truth: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (answer === frames) yield* truth;
  else yield* answer.splice(0);
}

const follow = (height: number = chain.finalHeight): Promise<number> => net.settle(walk.follow('peer', height));
async function faultOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (one: unknown) => one,
  );
  expect(error).toBeInstanceOf(PeerFault);
  return (error as PeerFault).code;
}
const read = (bytes: Uint8Array): ReturnType<typeof readHandOver> =>
  readHandOver(kernels, world.check.rules.chainId, bytes);
describe('hand-overs', () => {
  it('lead from genesis over eras and an exclusion to who judges now', async () => {
    const steps = frames.map((bytes) => read(bytes).electorate);
    expect(steps.map(({ era }) => era).slice(0, 3)).toEqual([1, 2, 3]);
    const excluding = steps.findIndex(({ majorityFloor }) => majorityFloor);
    expect(steps[excluding]!.era).toBe(steps[excluding - 1]!.era);
    expect(steps[excluding]!.members.filter(({ excluded }) => excluded).length).toBe(2);
    expect(steps.at(-1)!.majorityFloor).toBe(false);
    expect(steps.at(-1)!.members.map(({ publicKey }) => publicKey)).toEqual(
      expect.arrayContaining([a!, b!, eve!].map(({ publicKey }) => publicKey)),
    );
    expect(await follow()).toBe(frames.length);
    const { electorate } = chain.opened.root;
    expect(walk.known.electorate.members).toEqual(electorate.members);
    expect(walk.known.electorate.majorityFloor).toBe(electorate.majorityFloor);
    const { height, hash } = walk.known.block;
    expect(hash).toEqual(chain.blocks[height - 1]!.header.hash);
  });

  it('are followed up to a height and no further, page by page, with one kept after the other', async () => {
    const second = read(frames[1]!).header.height;
    expect(await follow(second)).toBe(2);
    const kept: number[] = [];
    walk = walkOf(world, self, async ({ electorate }) => void kept.push(electorate.epoch));
    const epochs = frames.map((bytes) => read(bytes).electorate.epoch);
    let page = 0;
    self = await net.peer('pager');
    self.handle(PROTOCOL.handOvers, async function* () {
      page += 1;
      yield* frames.slice(page - 1, page);
    });
    const asker = await net.peer('asker');
    await net.settle(asker.dial(net.network.addressOf('pager')));
    walk = walkOf(world, asker, async ({ electorate }) => void kept.push(electorate.epoch));
    expect(await net.settle(walk.follow('pager', 1_000))).toBe(frames.length);
    expect(kept).toEqual(epochs);
  });

  it.each(HAND_OVER_LIES)('refuses %s', async (_, lie, fault) => {
    answer = lie(frames);
    if (fault === '') {
      // The others are a quorum.
      expect(await follow()).toBe(frames.length);
      return;
    }
    expect(await faultOf(follow())).toBe(`hand-over-${fault}`);
    const { epoch } = walk.known.electorate;
    expect([0, ...frames.slice(0, 3).map((bytes) => read(bytes).electorate.epoch)]).toContain(epoch);
    // The truth still leads on.
    answer = frames;
    await follow();
    expect(walk.known.electorate.members).toEqual(chain.opened.root.electorate.members);
  });

  it('of a chain that leaves ours lead nowhere, though more than 2/3 signed both', async () => {
    const other = await makeChanging(world, join(await freshDirectory(), 'data'), fay!);
    const theirs = other.handOvers;
    await other.store.close();
    await follow(read(frames[1]!).header.height);
    answer = theirs.slice(2);
    expect(await faultOf(follow())).toBe('hand-over-members');
    answer = theirs.slice(1, 2);
    expect(await faultOf(follow())).toBe('hand-over-replayed');
    const twin = changingWorld({ name: 'other' });
    const elsewhere = await makeChanging(twin, join(await freshDirectory(), 'data'));
    walk = walkOf(world, self);
    answer = elsewhere.handOvers;
    await elsewhere.store.close();
    expect(await faultOf(follow())).toBe('hand-over-chain');
  });
});

describe('light clients', () => {
  const newFollower = (keepSlots = 6): FinalityFollower => {
    const { signatures, rules } = world.check;
    const genesis = rootOf(world).header;
    return new FinalityFollower({ kernels, transport: self, signatures, rules, handOvers: walk, genesis, keepSlots });
  };

  it('follow finality through changed validators, and no further than hand-overs show', async () => {
    const follower = newFollower();
    answer = frames.slice(0, 2);
    await expect(net.settle(follower.update('peer'))).rejects.toMatchObject({ code: 'refused' });
    expect(follower.head).toBeUndefined();
    answer = frames;
    await net.settle(follower.update('peer'));
    expect(follower.head?.height).toBe(chain.finalHeight);
    expect(follower.electorate.members).toEqual(chain.opened.root.electorate.members);
  });

  const repairOf = (store: ChainStore, root: ChainBlock): HandOverRepair => {
    const { signatures, rules } = world.check;
    return new HandOverRepair({
      ...{ kernels, transport: self, signatures, store, chainId: rules.chainId, log: SILENT },
      peers: () => ['peer'],
      final: () => root,
    });
  };

  it('sync from genesis alone, and give the hand-overs on', async () => {
    const dataDirectory = join(await freshDirectory(), 'data');
    const transport = net.network.transport('newcomer');
    const options = {
      genesis: world.genesis,
      kernels,
      dataDirectory,
      log: SILENT,
      transport,
      timers: net.network.timers,
    };
    const { height, handOvers } = await net.settle(fastSync({ ...options, from: [net.network.addressOf('peer')] }));
    expect([height, handOvers]).toEqual([chain.finalHeight, frames.length]);
    const { store, root } = await openStore(world, dataDirectory);
    expect([...store.handOvers.from(0, 100)]).toEqual(frames);
    expect([store.handOvers.isGapped, root.electorate.members]).toEqual([false, chain.opened.root.electorate.members]);
    await store.close();
  });

  it('that trust a block get no hand-overs above it, nor a chain that contradicts it', async () => {
    const other = await makeChanging(world, join(await freshDirectory(), 'data'), fay!);
    await other.advance(70, [...world.validators, fay!]);
    const theirs = other.handOvers;
    await other.store.close();
    answer = theirs;
    const dataDirectory = join(await freshDirectory(), 'data');
    const transport = net.network.transport('newcomer');
    const { height, hash } = chain.opened.root.header;
    const options = {
      genesis: world.genesis,
      kernels,
      dataDirectory,
      log: SILENT,
      transport,
      timers: net.network.timers,
    };
    const from = [net.network.addressOf('peer')];
    await net.settle(fastSync({ ...options, from, trust: { height, hash } }));
    const { store, root } = await openStore(world, dataDirectory);
    // The state that was trusted is right; what was handed over elsewhere is of no use, and found out where it contradicts it.
    expect(root.header.hash).toEqual(hash);
    expect(store.handOvers.isGapped).toBe(true);
    expect([...store.handOvers.from(0, 10)]).toHaveLength(3);
    // Once others are asked: what does not follow from what liars gave is followed from genesis.
    answer = frames;
    const repair = repairOf(store, root);
    await net.settle(repair.look());
    await net.settle(repair.look());
    expect([...store.handOvers.from(0, 100)]).toEqual(frames);
    expect(store.handOvers.isGapped).toBe(false);
    await store.close();
  });

  it('a node finds out at start that it was given those of another chain', async () => {
    const directory = join(await freshDirectory(), 'data');
    const made = await makeChanging(world, directory);
    await made.store.close();
    const other = await makeChanging(world, join(await freshDirectory(), 'data'), fay!);
    const kept = await HandOverStore.open(join(directory, 'hand-overs'), kernels);
    await kept.clear();
    for (const bytes of other.handOvers) await kept.append(read(bytes).electorate.epoch, bytes);
    await kept.close();
    await other.store.close();
    const { store } = await openStore(world, directory);
    expect([[...store.handOvers.from(0, 10)], store.handOvers.isGapped]).toEqual([[], true]);
    await store.close();
  });

  it('a node without hand-overs gets them from peers, and keeps none of another chain', async () => {
    const directory = join(await freshDirectory(), 'data');
    const made = await makeChanging(world, directory);
    const { header } = made.opened.root;
    await made.store.close();
    const kept = await HandOverStore.open(join(directory, 'hand-overs'), kernels);
    await kept.clear();
    await kept.close();
    const { store, root } = await openStore(world, directory);
    expect(store.handOvers.isGapped).toBe(true);
    const repair = repairOf(store, root);
    const other = await makeChanging(world, join(await freshDirectory(), 'data'), fay!);
    answer = other.handOvers;
    await other.store.close();
    await net.settle(repair.look());
    expect([...store.handOvers.from(0, 10)]).toEqual([]);
    answer = frames;
    await net.settle(repair.look());
    expect(store.handOvers.isGapped).toBe(false);
    expect(store.handOvers.known.block.height).toBeLessThanOrEqual(header.height);
    await store.close();
  });
});

describe('hand-overs on disk', () => {
  it('survive a restart, and a crash at any point between finality and the store', async () => {
    const directory = join(await freshDirectory(), 'data');
    const four = world.validators;
    const made = await ChangingChain.open(world, directory);
    await made.advance(9, four);
    await made.advance(10, four, [transactionOn(world, made.tip.header, { counter: 1n, payload: bond, key: eve! })]);
    const due = read(frames[0]!).header.height;
    await made.advance(due, [...four, eve!]);
    expect([made.finalHeight, made.handOvers]).toEqual([due - 1, []]);
    const final = made.tip;
    const certificate = chain.certificates.get(due)!;
    expect(final.header.hash).toEqual(chain.blocks[due - 1]!.header.hash);
    await made.store.handOvers.prepare(final, certificate);
    await made.store.close();
    // Not final here yet: the draft goes.
    const two = await openStore(world, directory);
    expect([...two.store.handOvers.from(0, 10)]).toEqual([]);
    const again = executeTrusted(world.check, two.root, final.block!);
    await two.store.handOvers.prepare(again, certificate);
    await two.store.finalize(again);
    await two.store.close();
    // Final, and its state durable: made from the draft.
    const three = await openStore(world, directory);
    expect([...three.store.handOvers.from(0, 10)]).toEqual([frames[0]]);
    await three.store.close();
    const four2 = await openStore(world, directory);
    expect(four2.store.handOvers.known.block.height).toBe(due);
    await four2.store.close();
  });
});
