import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createVrfKey, ReplicaStore, startReplicaThreads } from '../../replicator/index.ts';
import { type Payload, signingKey } from '../../src/codec/index.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import { PeerFault } from '../../src/net/transport.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { PROTOCOL, type ReplicaStatus } from '../../src/node/protocols.ts';
import { Peers } from '../../src/node/relay/peers.ts';
import { ReplicatorFaults } from '../../src/node/replicator/faults.ts';
import { FinalityFollower } from '../../src/node/replicator/finality-follower.ts';
import { KeptChain } from '../../src/node/replicator/kept-chain.ts';
import { LedgerLink } from '../../src/node/replicator/ledger-link.ts';
import { MarketView } from '../../src/node/replicator/market-view.ts';
import { OpeningFolder } from '../../src/node/replicator/opening-folder.ts';
import { PacketGatherer } from '../../src/node/replicator/packet-gatherer.ts';
import { Prover } from '../../src/node/replicator/prover.ts';
import { ReplicaKeeper } from '../../src/node/replicator/replica-keeper.ts';
import { ReplicatorNode } from '../../src/node/replicator/replicator-node.ts';
import { SegmentSource } from '../../src/node/replicator/segment-source.ts';
import { diskFiles, FilesError } from '../../storage/index.ts';
import { freshDirectory } from './directories.ts';
import { FakeArchive } from './fake-archive.ts';
import { walkOf } from './hand-over-world.ts';
import { VirtualNet } from './virtual-net.ts';
import { kernels, makeChain, newWorld, rootOf, SILENT } from './world.ts';

const world = newWorld({ slotsPerPeriod: 4, periodsPerRotation: 2 });
const root = rootOf(world);
const seed = new Uint8Array(32).fill(5);
const key = signingKey(seed);
const { segmentSizeBytes, leafSizeBytes } = world.genesis.history;
let chain: ChainBlock[];
let net: VirtualNet;
let archive: FakeArchive;
let self: MemoryTransport;
let store: ReplicaStore;
let follower: FinalityFollower;
let segments: SegmentSource;
let folder: OpeningFolder;
const sent: Payload[] = [];

beforeAll(() => {
  chain = makeChain(world, root, 40, 4);
});
beforeEach(async () => {
  sent.length = 0;
  net = new VirtualNet();
  archive = new FakeArchive(world, chain, await net.peer('archive'));
  self = await net.peer('self');
  await net.settle(self.dial(net.network.addressOf('archive')));
  const { signatures, rules } = world.check;
  const handOvers = walkOf(world, self);
  const genesis = root.header;
  follower = new FinalityFollower({
    ...{ kernels, transport: self, signatures, rules, handOvers, genesis },
    keepSlots: 16,
  });
  segments = new SegmentSource({ kernels, transport: self, shape: world.genesis.history });
  const directory = join(await freshDirectory(), 'replicas');
  const files = diskFiles();
  const geometry = { segmentSizeBytes, leafSizeBytes };
  folder = await OpeningFolder.open(files, join(directory, '../openings'), 1 << 20);
  store = await ReplicaStore.open({ kernels, files, directory, identity: key.publicKey, geometry });
});
afterEach(() => store.close());

function newKeeper(
  send: (payload: Payload) => Promise<boolean> = async (payload) => sent.push(payload) > 0,
): ReplicaKeeper {
  return new ReplicaKeeper({
    kernels,
    store,
    vrf: createVrfKey(seed),
    identity: key.publicKey,
    schedule: world.genesis.replication,
    geometry: { segmentSizeBytes, leafSizeBytes },
    // Long enough to be met slot by slot.
    market: { ...world.genesis.replication, proofDeadlineSlots: 12 },
    prover: new Prover({
      ...{ kernels, vrf: createVrfKey(seed), seed, identity: key.publicKey, address: key.address },
      ...{ chainId: world.check.rules.chainId, genesis: world.genesis, folder, unchecked: false },
    }),
    faults: new ReplicatorFaults({ kernels, config: undefined }),
    follower,
    segments,
    saveProof: async () => {},
    send,
    log: SILENT,
  });
}

/** Brings follower and roots to a height, then lets the keeper work on segment 0 as the ledger stands. */
async function work(keeper: ReplicaKeeper, height: number, ...replicas: Partial<ReplicaStatus>[]): Promise<void> {
  archive.finalHeight = height;
  await net.settle(follower.update('archive'));
  await net.settle(segments.updateRoots('archive', follower.head!));
  const rows = replicas.map(
    (row): ReplicaStatus => ({
      segment: 0,
      rotation: 0,
      commitSlot: 0,
      lastPeriod: -1,
      proof: 'none',
      accepted: 0,
      rejected: 0,
      expired: 0,
      reason: 'unstated',
      paid: 0,
      misses: 0,
      ...row,
    }),
  );
  const records = { ...archive.records, replicas: rows };
  await net.settle(keeper.work([0], records, ['archive']));
  await net.settle(keeper.idle());
}
const kinds = (): string[] =>
  sent.map((payload) =>
    'rotation' in payload
      ? `${payload.kind} ${payload.rotation}`
      : 'period' in payload
        ? `${payload.kind} p${payload.period}`
        : payload.kind,
  );
const names = (keeper: ReplicaKeeper): string[] =>
  keeper.held.map(({ segment, rotation }) => `${segment}/${rotation}`).sort();

describe('segment source', () => {
  it('takes the roots of a final header, and the bytes of a segment', async () => {
    archive.finalHeight = 20;
    const { header } = chain[19]!;
    await net.settle(segments.updateRoots('archive', header));
    expect(segments.roots).toEqual(archive.segments().map((bytes) => archive.rootOf(bytes)));
    expect(segments.roots.length).toBeGreaterThan(2);
    const before = archive.requests;
    await net.settle(segments.updateRoots('archive', header));
    expect(archive.requests).toBe(before);
    const bytes = await net.settle(collect(segments.stream('archive', 1)));
    expect(bytes).toEqual(archive.segments()[1]);
    expect(segments.bytesFetched).toBe(segmentSizeBytes);
  });

  it.each([
    ['another root', (truth: Uint8Array[]) => [truth[0]!.with(40, truth[0]![40]! ^ 1)]],
    ['the roots of the wrong order', (truth: Uint8Array[]) => [truth[0]!.slice(32), truth[0]!.slice(0, 32)]],
    ['half a root', (truth: Uint8Array[]) => [truth[0]!.slice(0, -1)]],
    ['nothing', () => []],
    ['empty frames without end', () => Array.from({ length: 10_000 }, () => new Uint8Array(0))],
  ])('takes no roots when told %s, and keeps those it has', async (_, lie) => {
    archive.finalHeight = 10;
    await net.settle(segments.updateRoots('archive', chain[9]!.header));
    const kept = segments.roots;
    archive.finalHeight = 30;
    archive.lies.set(PROTOCOL.segmentRoots, lie);
    await expect(net.settle(segments.updateRoots('archive', chain[29]!.header))).rejects.toBeInstanceOf(PeerFault);
    expect(segments.roots).toBe(kept);
    archive.lies.clear();
    await net.settle(segments.updateRoots('archive', chain[29]!.header));
    expect(segments.roots.length).toBe(chain[29]!.header.segmentCount);
  });

  it('takes no more of a segment than it can have', async () => {
    archive.finalHeight = 20;
    archive.lies.set(PROTOCOL.segment, (truth) => [...truth, Uint8Array.of(1)]);
    await expect(net.settle(collect(segments.stream('archive', 0)))).rejects.toMatchObject({ code: 'too-large' });
    archive.lies.set(PROTOCOL.segment, () => Array.from({ length: 10_000 }, () => new Uint8Array(0)));
    await expect(net.settle(collect(segments.stream('archive', 0)))).rejects.toMatchObject({ code: 'too-many-frames' });
  });
});

describe('ledger link', () => {
  const link = (): LedgerLink => new LedgerLink({ kernels, transport: self, key, minimumFee: 3n, counterStart: 10n });

  it('signs over the final head, with a counter that goes up, and says whether somebody took it', async () => {
    const ledger = link();
    const head = chain[4]!.header;
    for (let times = 0; times < 2; times += 1)
      expect(await net.settle(ledger.send(['archive'], head, { kind: 'timestamp', digest: root.header.hash }))).toBe(
        true,
      );
    expect(archive.taken.map(({ counter, fee, lastValidCount }) => [counter, fee, lastValidCount])).toEqual([
      [11n, 3n, head.pohCount],
      [12n, 3n, head.pohCount],
    ]);
    expect(await world.check.signatures.transactions(archive.taken)).toEqual([true, true]);
    archive.lies.set(PROTOCOL.submit, () => [Uint8Array.of(1)]);
    expect(
      await net.settle(ledger.send(['archive', 'nobody'], head, { kind: 'timestamp', digest: root.header.hash })),
    ).toBe(false);
    expect(await net.settle(ledger.send([], head, { kind: 'timestamp', digest: root.header.hash }))).toBe(false);
  });

  it('reads its records, and takes no malformed ones', async () => {
    archive.records = { ...archive.records, slot: 9, balance: '77' };
    expect(await net.settle(link().records('archive'))).toEqual(archive.records);
    archive.lies.set(PROTOCOL.replicas, () => []);
    expect(await net.settle(link().records('archive'))).toBeUndefined();
    archive.lies.set(PROTOCOL.replicas, () => [Uint8Array.of(0x80)]);
    await expect(net.settle(link().records('archive'))).rejects.toBeInstanceOf(PeerFault);
  });
});

describe('replica keeper', () => {
  it('encodes, commits, proves, rotates out of its own replica, drops: as the ledger follows', async () => {
    const keeper = newKeeper();
    await work(keeper, 6);
    expect([names(keeper), kinds()]).toEqual([['0/0'], []]);
    await work(keeper, 6);
    expect(kinds()).toEqual(['commit 0']);
    await work(keeper, 7);
    expect(kinds()).toEqual(['commit 0']);
    await work(keeper, 7, {});
    expect(kinds().slice(1)).toEqual(['prove p1']);
    // Not sent again while it may still be on its way; the next rotation is read from the own disk.
    archive.lies.set(PROTOCOL.segment, () => []);
    await work(keeper, 9, { lastPeriod: 1, proof: 'accepted' });
    expect(names(keeper)).toEqual(['0/0', '0/1']);
    await work(keeper, 10, { lastPeriod: 1, proof: 'accepted' });
    expect(kinds().slice(2)).toEqual(['commit 1']);
    await work(keeper, 11, { rotation: 1 });
    expect(kinds().slice(3)).toEqual(['prove p2']);
    expect(names(keeper)).toEqual(['0/1']);
    expect(keeper.counts).toMatchObject({ encodes: 1, rotations: 1, proofsSent: 2 });
    const replica = await store.get({ segment: 0, rotation: 1 });
    expect(await replica.read(0, segmentSizeBytes)).toEqual(archive.segments()[0]);
    await replica.close();
  });

  it('encodes two segments at the same time where there are threads, and no segment twice', async () => {
    await store.close();
    const threads = startReplicaThreads(1);
    const directory = join(await freshDirectory(), 'replicas');
    const geometry = { segmentSizeBytes, leafSizeBytes };
    store = await ReplicaStore.open({
      ...{ kernels, files: diskFiles(), directory, identity: key.publicKey, geometry, threads },
    });
    const keeper = newKeeper();
    archive.finalHeight = 20;
    await net.settle(follower.update('archive'));
    await net.settle(segments.updateRoots('archive', follower.head!));
    const underWay = () => keeper.current.map(({ action }) => action.segment);
    await net.settle(keeper.work([0, 1, 2], archive.records, ['archive']));
    const first = underWay();
    await net.settle(keeper.work([0, 1, 2], archive.records, ['archive']));
    expect([first.length, keeper.isWaiting]).toEqual([2, false]);
    expect(new Set(underWay()).size).toBe(underWay().length);
    await net.settle(keeper.idle());
    await net.settle(keeper.work([0, 1, 2], archive.records, ['archive']));
    await net.settle(keeper.idle());
    expect(names(keeper).map((name) => name.split('/')[0])).toEqual(['0', '1', '2']);
    expect(keeper.counts.encodes).toBe(3);
    await threads.stop();
  });

  it('sends again what nobody took, and what does not show on the ledger in time', async () => {
    let takes = false;
    const keeper = newKeeper(async (payload) => {
      sent.push(payload);
      return takes;
    });
    await work(keeper, 16);
    for (let times = 0; times < 2; times += 1) await work(keeper, 17);
    takes = true;
    await work(keeper, 17);
    await work(keeper, 18);
    expect(kinds()).toEqual(['commit 2', 'commit 2', 'commit 2']);
    expect(names(keeper)).toEqual(['0/2']);
  });

  it('throws away a damaged replica and fetches the segment again', async () => {
    const keeper = newKeeper();
    await work(keeper, 6);
    await store.injectCorruption({ segment: 0, rotation: 0 }, 2000);
    await work(keeper, 9);
    expect(names(keeper)).toEqual([]);
    await work(keeper, 9);
    expect(names(keeper)).toEqual(['0/1']);
    expect(keeper.counts).toMatchObject({ encodes: 2, rotations: 0 });
    const replica = await store.get({ segment: 0, rotation: 1 });
    expect(await replica.read(0, segmentSizeBytes)).toEqual(archive.segments()[0]);
    await replica.close();
  });

  it('rotates a replica that is marked corrupted unchecked, so that it stays wrong', async () => {
    const keeper = newKeeper();
    await work(keeper, 6);
    await store.injectCorruption({ segment: 0, rotation: 0 }, 2000);
    keeper.markCorrupted(0);
    await work(keeper, 9);
    expect(names(keeper)).toEqual(['0/0', '0/1']);
    expect(keeper.hasCorrupted).toBe(true);
    expect(keeper.counts.rotations).toBe(1);
  });

  it('takes over what the disk holds, without what is damaged', async () => {
    const keeper = newKeeper();
    await work(keeper, 6);
    const again = newKeeper();
    await again.open();
    expect(names(again)).toEqual(['0/0']);
  });

  it('blames a peer for a segment that is not the one asked for, and keeps nothing of it', async () => {
    archive.lies.set(PROTOCOL.segment, (truth) => [truth[0]!, truth[1]!.with(5, truth[1]![5]! ^ 1)]);
    const keeper = newKeeper();
    await expect(work(keeper, 6)).rejects.toMatchObject({ name: 'PeerFault', code: 'wrong-segment' });
    archive.lies.set(PROTOCOL.segment, (truth) => truth.slice(1));
    await expect(work(keeper, 6)).rejects.toMatchObject({ name: 'TransportError' });
    expect(names(keeper)).toEqual([]);
    expect((await store.list()).replicas).toEqual([]);
    archive.lies.clear();
    await work(keeper, 6);
    expect(names(keeper)).toEqual(['0/0']);
  });
});

describe('replicator node', () => {
  async function newNode(bootstrap: string[], keeper: ReplicaKeeper = newKeeper()) {
    const fatal: Error[] = [];
    const status = (): ReturnType<FakeArchive['status']> => ({ ...archive.status(), role: 'replicator' });
    const { chainId } = world.check.rules;
    const peers = new Peers({
      transport: self,
      log: SILENT,
      chainId,
      slotDurationMs: 500,
      bootstrap,
      status,
      isSigned: () => true,
      onStatus: () => {},
    });
    const ledger = new LedgerLink({ kernels, transport: self, key, minimumFee: 1n, counterStart: 0n });
    await net.settle(peers.start());
    const node = new ReplicatorNode({
      genesis: world.genesis,
      transport: self,
      peers,
      key,
      follower,
      segments,
      ledger,
      keeper,
      gatherer: new PacketGatherer({
        ...{ kernels, transport: self, rules: world.check.rules, signatures: world.check.signatures },
        ...{
          electorate: () => follower.electorate,
          identity: key.address,
          validators: () => [],
          send: async () => true,
          log: SILENT,
        },
      }),
      folder,
      store,
      kept: await KeptChain.open(kernels, diskFiles(), join(await freshDirectory(), 'chain')),
      market: new MarketView({ kernels, transport: self, identity: key.address, schedule: world.genesis.replication }),
      served: () => 0,
      capacityBytes: segmentSizeBytes * 2,
      wanted: undefined,
      pause: () => delay(250),
      faultsAllowed: false,
      log: SILENT,
      onFatal: (error) => fatal.push(error),
    });
    const runUntil = async (isDone: () => boolean): Promise<void> => {
      node.start();
      const deadline = performance.now() + 15_000;
      const watch = async (): Promise<void> => {
        while (!isDone() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
      };
      await net.settle(watch());
      await net.settle(node.stop());
      peers.stop();
      expect(isDone()).toBe(true);
    };
    return { node, runUntil, fatal };
  }

  it('registers, then keeps the segments that need replicas most', async () => {
    archive.finalHeight = 20;
    archive.records = { ...archive.records, registered: false };
    // Others prove enough replicas of all but two segments.
    const standings = archive.segments().map((_, segment) => {
      const proven = segment === 1 || segment === 3 ? 1 : 4;
      return { segment, proven, replicas: proven };
    });
    archive.standings = { ...archive.standings, standings };
    // The archive stands in for a validator too.
    const validator = await net.peer('validator');
    const other = new FakeArchive(world, chain, validator);
    other.standings = archive.standings;
    other.status = () => ({ ...archive.status(), role: 'validator' });
    const { node, runUntil, fatal } = await newNode([
      net.network.addressOf('archive'),
      net.network.addressOf('validator'),
    ]);
    expect(node.health().ok).toBe(false);
    await runUntil(() => {
      if (other.taken.length > 0) archive.records = { ...archive.records, registered: true };
      return node.status().usedBytes === 2 * segmentSizeBytes;
    });
    expect(other.taken[0]!.payload).toMatchObject({ kind: 'register', deposit: 1000n });
    expect(node.status().replicas.map(({ segment }) => segment)).toEqual([1, 3]);
    expect(node.health().ok).toBe(true);
    expect(await node.readHistory(1, 0, segmentSizeBytes)).toEqual(archive.segments()[1]);
    await expect(node.injectCorruption(null)).rejects.toMatchObject({ code: 'not-supported' });
    expect(fatal).toEqual([]);
  });

  it('asks another peer when one lies or is silent', async () => {
    const named = async (name: string): Promise<FakeArchive> => {
      const made = new FakeArchive(world, chain, await net.peer(name));
      made.finalHeight = 20;
      return made;
    };
    (await named('liar')).lies.set(PROTOCOL.segment, (truth) => [truth[0]!.with(0, 7), truth[1]!]);
    (await named('silent')).lies.set(PROTOCOL.finality, async function* () {
      await new Promise(() => {});
      yield new Uint8Array(0);
    });
    await named('honest');
    net.network.sever('self', 'archive');
    await archive.transport.stop();
    const { node, runUntil } = await newNode(['liar', 'silent'].map((name) => net.network.addressOf(name)));
    let isDialled = false;
    await runUntil(() => {
      if (!isDialled && !self.peers().includes('liar')) {
        isDialled = true;
        void self.dial(net.network.addressOf('honest'));
      }
      return node.status().usedBytes === 2 * segmentSizeBytes;
    });
    expect(self.peers()).toEqual(['silent', 'honest']);
  });

  it('gives up when its disk fails', async () => {
    archive.finalHeight = 20;
    const failing = newKeeper();
    const { fatal, runUntil } = await newNode([net.network.addressOf('archive')], failing);
    store.encode = async () => {
      throw new FilesError('no-space', 'x', 'no space');
    };
    await runUntil(() => fatal.length > 0);
    expect(fatal[0]).toMatchObject({ code: 'no-space' });
  });
});

async function collect(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const frame of frames) parts.push(frame);
  return Uint8Array.from(Buffer.concat(parts));
}
