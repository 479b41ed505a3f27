import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVrfKey, proveKey, ReplicaStore } from '../../replicator/index.ts';
import { type SigningKey, signingKey } from '../../src/codec/index.ts';
import { type ChainBlock, settleBlock } from '../../src/node/chain/chain-block.ts';
import { ChainStore, type OpenedChain } from '../../src/node/chain/chain-store.ts';
import { encodeMessage, PROTOCOL } from '../../src/node/protocols.ts';
import { ReplicaService } from '../../src/node/serve/replica-service.ts';
import { fastSync } from '../../src/node/sync/fast-sync.ts';
import type { FastSyncProgress } from '../../src/node/sync/progress-meter.ts';
import { restoreHistory } from '../../src/node/sync/restore-history.ts';
import type { FastSyncOptions } from '../../src/node/sync/sync-ground.ts';
import { diskFiles } from '../../storage/index.ts';
import { freshDirectory, keptDirectory, removeKept } from './directories.ts';
import type { Tamper } from './lies.ts';
import { type Source, servePeer } from './sync-peers.ts';
import { VirtualNet } from './virtual-net.ts';
import { kernels, makeChain, newWorld, SILENT } from './world.ts';

const world = newWorld({ recencyWindowSlots: 5, segmentSizeBytes: 2048 });
const { segmentSizeBytes, leafSizeBytes } = world.genesis.history;
const BLOCKS = 24;
let source: Source;
let chain: ChainBlock[];
let tip: ChainBlock;
/** The segments as the archive holds them. */
let segments: Uint8Array[];
const stores: ReplicaStore[] = [];
let keepsEven: Replicas;
let keepsOdd: Replicas;
let keepsAll: Replicas;

interface Replicas {
  readonly key: SigningKey;
  readonly store: ReplicaStore;
}

const open = (directory: string): Promise<OpenedChain> =>
  ChainStore.open({ directory, genesis: world.genesis, check: world.check, log: SILENT });

beforeAll(async () => {
  const opened = await open(await keptDirectory());
  chain = makeChain(world, opened.root, BLOCKS, 3);
  for (const block of chain) {
    await opened.store.finalize(block);
    settleBlock(block);
  }
  tip = chain.at(-1)!;
  source = { world, opened: { ...opened, root: tip } };
  segments = await Promise.all(
    Array.from({ length: tip.header.segmentCount }, async (_, index) => (await opened.store.segment(index))!.bytes),
  );
  expect(segments.length).toBeGreaterThan(5);
  keepsEven = await replicasOf(21, (segment) => segment % 2 === 0);
  keepsOdd = await replicasOf(22, (segment) => segment % 2 === 1);
  keepsAll = await replicasOf(23, () => true);
});
afterAll(async () => {
  await source.opened.store.close();
  for (const store of stores) await store.close();
  await removeKept();
});

/** A replicator's store, its replicas encoded from the archive's segments. */
async function replicasOf(number: number, keeps: (segment: number) => boolean): Promise<Replicas> {
  const seed = new Uint8Array(32).fill(number);
  const key = signingKey(seed);
  const directory = join(await keptDirectory(), 'replicas');
  const geometry = { segmentSizeBytes, leafSizeBytes };
  const store = await ReplicaStore.open({ kernels, files: diskFiles(), directory, identity: key.publicKey, geometry });
  stores.push(store);
  const rotationHash = chain[0]!.header.pohHash;
  for (const [segment, bytes] of segments.entries()) {
    if (!keeps(segment)) continue;
    const keyProof = proveKey(createVrfKey(seed), { segment, rotation: 0, rotationHash });
    const segmentRoot = source.opened.store.segmentRoot(segment);
    await store.encode({ segment, rotation: 0, rotationHash, keyProof, source: bytes, segmentRoot });
  }
  return { key, store };
}

/** Serves replicas on the memory network, as a replicator does; a liar's frames go through `tamper`. */
async function serveReplicas(net: VirtualNet, name: string, { store }: Replicas, tamper?: Tamper): Promise<void> {
  const transport = await net.peer(name);
  const handle: typeof transport.handle = (protocol, handler) =>
    transport.handle(protocol, (from, request) => {
      const frames = held(net, handler(from, request));
      return tamper === undefined ? frames : tamper(protocol, frames);
    });
  const held_ = (await store.list()).replicas;
  new ReplicaService({
    transport: { handle },
    segmentSizeBytes,
    roots: () => segments.map((_, index) => source.opened.store.segmentRoot(index)),
    finality: () => undefined,
    header: (height) => chain[height - 1]?.header,
    open: async (segment) => {
      const found = held_.find((one) => one.segment === segment);
      return found === undefined ? undefined : store.get(found);
    },
    opening: async () => undefined,
    onDamaged: () => {},
  });
  const status = {
    chainId: world.check.rules.chainId,
    role: 'replicator',
    startHeight: 0,
    finalizedHeight: 0,
    bestHeight: 0,
    publicKey: null,
    keyProof: null,
    rpc: null,
    version: '',
  };
  transport.handle(PROTOCOL.status, async function* () {
    yield encodeMessage(status);
  });
}

async function* held(net: VirtualNet, frames: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = frames[Symbol.asyncIterator]();
  for (let next = await net.hold(iterator.next()); next.done !== true; next = await net.hold(iterator.next()))
    yield next.value;
}

/** Flips one bit of each segment's answer. */
const LIAR: Tamper = async function* (protocol, truth) {
  for await (const frame of truth)
    yield protocol === PROTOCOL.segment ? frame.with(frame.length - 1, frame.at(-1)! ^ 1) : frame;
};
/** A validator that has pruned everything that replicas are there for. */
const KEEPS_NO_SEGMENT: Tamper = async function* (protocol, truth) {
  if (protocol !== PROTOCOL.segment) yield* truth;
};

function optionsOf(net: VirtualNet, names: readonly string[], dataDirectory: string): FastSyncOptions {
  return {
    genesis: world.genesis,
    kernels,
    trust: { height: tip.header.height, hash: tip.header.hash },
    dataDirectory,
    log: SILENT,
    transport: net.network.transport('self'),
    timers: net.network.timers,
    pieceOps: 8,
    from: names.map((name) => net.network.addressOf(name)),
  };
}

/** Every segment the directory holds is the archive's, byte for byte. */
async function expectSegments(opened: OpenedChain, count: number): Promise<void> {
  expect(opened.store.startHeight).toBe(1);
  for (let index = 0; index < count; index += 1)
    expect(Buffer.compare((await opened.store.segment(index))!.bytes, segments[index]!)).toBe(0);
}

describe('a full history from replicas, the state from a validator that has pruned', () => {
  it('is byte for byte the archive, and the liar is banned', async () => {
    const net = new VirtualNet();
    await servePeer(net, 'validator', source, KEEPS_NO_SEGMENT);
    await serveReplicas(net, 'liar', keepsAll, LIAR);
    await serveReplicas(net, 'even', keepsEven);
    await serveReplicas(net, 'odd', keepsOdd);
    const directory = join(await freshDirectory(), 'data');
    const options = optionsOf(net, ['validator', 'liar', 'even', 'odd'], directory);
    const { stateRoot, verdicts } = await net.settle(fastSync({ ...options, history: 'full' }));
    expect(stateRoot).toEqual(tip.header.stateRoot);
    expect(verdicts.map(({ peer, verdict }) => `${peer} ${verdict}`)).toEqual(['liar banned']);
    expect(await readdir(join(directory, '..'))).toEqual(['data']);
    const opened = await open(directory);
    try {
      await expectSegments(opened, segments.length);
      expect(opened.root.cursor.length).toBe(tip.cursor.length);
      for (const { block, header } of chain)
        expect(await opened.store.finalBlock(header.height)).toEqual(Uint8Array.from(block!.bytes));
    } finally {
      await opened.store.close();
    }
  });

  it('goes on from what an earlier attempt has kept, when nobody had the rest', async () => {
    const directory = join(await freshDirectory(), 'data');
    const first = new VirtualNet();
    await servePeer(first, 'validator', source, KEEPS_NO_SEGMENT);
    await serveReplicas(first, 'even', keepsEven);
    const attempt = fastSync({ ...optionsOf(first, ['validator', 'even'], directory), history: 'full' });
    await expect(first.settle(attempt)).rejects.toMatchObject({ code: 'incomplete' });
    expect(existsSync(directory)).toBe(false);
    // A disk that forgets: what is on the shelf is hashed again before it is used.
    await writeFile(`${directory}.sync-segments/segment-0000000002`, new Uint8Array(segmentSizeBytes));
    const second = new VirtualNet();
    const asked: number[] = [];
    await servePeer(second, 'validator', source, KEEPS_NO_SEGMENT);
    await serveReplicas(second, 'all', keepsAll, async function* (protocol, truth) {
      if (protocol === PROTOCOL.segment) asked.push(1);
      yield* truth;
    });
    await second.settle(fastSync({ ...optionsOf(second, ['validator', 'all'], directory), history: 'full' }));
    expect(asked.length).toBe(Math.floor(keptSegments() / 2) + 1);
    const opened = await open(directory);
    await expectSegments(opened, keptSegments());
    await opened.store.close();
  });
});

/** Whole segments before the blocks that a fast sync takes anyhow. */
function keptSegments(): number {
  const oldest = chain.findLast(({ header }) => header.slot < tip.header.slot - 5)!.header;
  return Math.floor(oldest.historyLength / segmentSizeBytes);
}

describe('history alone, from replicators alone', () => {
  it('is byte for byte the archive, and a node executes it to the same state', async () => {
    const net = new VirtualNet();
    await serveReplicas(net, 'liar', keepsAll, LIAR);
    await serveReplicas(net, 'even', keepsEven);
    await serveReplicas(net, 'odd', keepsOdd);
    const directory = join(await freshDirectory(), 'data');
    const progress: FastSyncProgress[] = [];
    const options = optionsOf(net, ['liar', 'even', 'odd'], directory);
    const result = await net.settle(restoreHistory({ ...options, onProgress: (step) => progress.push(step) }));
    expect(result.segments).toBe(segments.length);
    expect(result.verdicts.map(({ peer, verdict }) => `${peer} ${verdict}`)).toEqual(['liar banned']);
    expect(progress.at(-1)).toMatchObject({ stage: 'segments', done: segments.length, total: segments.length });
    const last = chain[result.height - 1]!;
    expect(result.hash).toEqual(last.header.hash);
    // What lies past the last whole segment is lost; not a block more.
    expect(last.cursor.length).toBeLessThanOrEqual(segments.length * segmentSizeBytes);
    expect(chain[result.height]!.cursor.length).toBeGreaterThan(segments.length * segmentSizeBytes);
    const opened = await open(directory);
    try {
      await expectSegments(opened, last.cursor.segmentCount);
      expect(opened.root.header.hash).toEqual(last.header.hash);
      expect(opened.root.commitment.root).toEqual(last.commitment.root);
    } finally {
      await opened.store.close();
    }
  });

  it('ends without a directory when all replicas are wrong, or nobody has the trusted block', async () => {
    const net = new VirtualNet();
    await serveReplicas(net, 'liar', keepsAll, LIAR);
    const directory = join(await freshDirectory(), 'data');
    await expect(net.settle(restoreHistory(optionsOf(net, ['liar'], directory)))).rejects.toMatchObject({
      code: 'incomplete',
    });
    const honest = new VirtualNet();
    await serveReplicas(honest, 'all', keepsAll);
    const trust = { height: tip.header.height, hash: chain[3]!.header.hash };
    const wrong = restoreHistory({ ...optionsOf(honest, ['all'], directory), trust });
    await expect(honest.settle(wrong)).rejects.toMatchObject({ code: 'no-honest-peer' });
    expect(existsSync(directory)).toBe(false);
    const again = new VirtualNet();
    await serveReplicas(again, 'all', keepsAll);
    await again.settle(restoreHistory(optionsOf(again, ['all'], directory)));
    expect(existsSync(`${directory}.restore`)).toBe(false);
  });
});

describe('replica service', () => {
  it('refuses what a damaged replica would give, and tells the keeper', async () => {
    const net = new VirtualNet();
    const damaged = await replicasOf(24, (segment) => segment === 0);
    await damaged.store.injectCorruption({ segment: 0, rotation: 0 }, 1500);
    const transport = await net.peer('replicator');
    const told: number[] = [];
    const handle: typeof transport.handle = (protocol, handler) =>
      transport.handle(protocol, (from, bytes) => held(net, handler(from, bytes)));
    new ReplicaService({
      transport: { handle },
      segmentSizeBytes,
      roots: () => [],
      finality: () => undefined,
      header: () => undefined,
      open: () => damaged.store.get({ segment: 0, rotation: 0 }),
      opening: async () => undefined,
      onDamaged: (segment) => told.push(segment),
    });
    const self = await net.peer('self');
    await net.settle(self.dial(net.network.addressOf('replicator')));
    const request = encodeMessage({ index: 0, offset: 0 });
    const limits = { idleTimeoutMs: 1_000, responseSizeBytesMax: 1 << 20 };
    const frames: Uint8Array[] = [];
    const reading = (async () => {
      for await (const frame of self.request('replicator', PROTOCOL.segment, request, limits)) frames.push(frame);
    })();
    await expect(net.settle(reading)).rejects.toMatchObject({ name: 'TransportError' });
    expect([frames.length, told]).toEqual([0, [0]]);
  });
});
