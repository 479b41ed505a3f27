/** A node that prunes: what it keeps, what it still serves, what it says of the rest, and when segments may go. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { height, slot } from '../../native/index.ts';
import { decodeBlock } from '../../src/codec/index.ts';
import { replicaKey } from '../../src/ledger/replication/record-key.ts';
import { encodeReplica, type ReplicaRecord } from '../../src/ledger/replication/replica.ts';
import { provenBySegment } from '../../src/ledger/replication/standings.ts';
import { ChainApi } from '../../src/node/api/chain-api.ts';
import { BlockTree } from '../../src/node/chain/block-tree.ts';
import { type ChainBlock, settleBlock } from '../../src/node/chain/chain-block.ts';
import { ChainStore, type OpenedChain } from '../../src/node/chain/chain-store.ts';
import type { ChainParts } from '../../src/node/chain-parts.ts';
import { FinalityLog } from '../../src/node/finality-log.ts';
import { depthBlocksMin, historyKeeping } from '../../src/node/history/history-keeping.ts';
import { HistoryPruner } from '../../src/node/history/history-pruner.ts';
import { SegmentCopies } from '../../src/node/proof-checks/segment-copies.ts';
import { fastSync } from '../../src/node/sync/fast-sync.ts';
import { StorageError } from '../../storage/index.ts';
import { MapState } from '../ledger/fixture.ts';
import { freshDirectory } from './directories.ts';
import { servePeer } from './sync-peers.ts';
import { VirtualNet } from './virtual-net.ts';
import { kernels, keyOf, makeChain, newWorld, SILENT, voteFor } from './world.ts';

const WINDOW = 5;
const world = newWorld({ recencyWindowSlots: WINDOW, segmentSizeBytes: 2048 });
const BLOCKS = 30;

const open = (directory: string): Promise<OpenedChain> =>
  ChainStore.open({ directory, genesis: world.genesis, check: world.check, log: SILENT });

interface Made {
  readonly directory: string;
  readonly store: ChainStore;
  readonly chain: readonly ChainBlock[];
}

/** A store with a chain of final blocks, each with a certificate. */
async function made(): Promise<Made> {
  const directory = join(await freshDirectory(), 'data');
  const { store, root } = await open(directory);
  const chain = makeChain(world, root, BLOCKS, 3);
  for (const [index, block] of chain.entries()) {
    const parent = chain[index - 1]?.header ?? root.header;
    await store.persistCertificate(block.header.hash, [voteFor(world.validators[0]!, parent, block.header)]);
    await store.finalize(block);
    settleBlock(block);
  }
  return { directory, store, chain };
}

describe('what a node keeps', () => {
  it('is all for archives, 512 blocks and unproven segments for validators, and never less than it needs', () => {
    const keeping = (role: 'validator' | 'archive', config?: object) =>
      historyKeeping(role, config as never, world.genesis, 'config.json');
    expect(keeping('archive')).toEqual({ mode: 'archive' });
    expect(keeping('validator', { mode: 'archive' })).toEqual({ mode: 'archive' });
    const target = world.genesis.replication.replicasPerSegment;
    expect(keeping('validator')).toEqual({ mode: 'pruned', depthBlocks: 512, replicasBeforePruning: target });
    const least = depthBlocksMin(world.genesis);
    expect(least).toBeGreaterThan(WINDOW);
    expect(keeping('validator', { mode: 'pruned', depthBlocks: least, replicasBeforePruning: 3 })).toEqual({
      mode: 'pruned',
      depthBlocks: least,
      replicasBeforePruning: 3,
    });
    expect(() => keeping('validator', { mode: 'pruned', depthBlocks: least - 1 })).toThrow(
      `history.depthBlocks is ${least - 1}, but this network's recency window and fast sync need ${least}`,
    );
    const slow = newWorld({ recencyWindowSlots: 2_000 });
    expect(historyKeeping('validator', undefined, slow.genesis, 'c')).toMatchObject({ depthBlocks: 2_033 });
  });
});

describe('a pruned chain store', () => {
  it('forgets blocks, their transactions and their votes, keeps the rest over a restart, and goes on', async () => {
    const { directory, store, chain } = await made();
    const before = store.kept.keptBytes;
    const result = await store.kept.prune(BLOCKS - 8, () => true);
    expect(result.droppedBlocks).toBeGreaterThan(10);
    expect(store.kept.keptBytes).toBe(before - store.kept.prunedBytes);
    const start = store.startHeight;
    expect(start).toBe(result.droppedBlocks + 1);
    expect(store.kept.startSlot).toBe(start);
    await store.close();
    const again = await open(directory);
    expect(again.root.header.hash).toEqual(chain.at(-1)!.header.hash);
    expect(again.store.startHeight).toBe(start);
    for (const { header, block } of chain) {
      const isKept = header.height >= start;
      expect(await again.store.finalBlock(header.height)).toEqual(isKept ? block!.bytes : undefined);
      expect(again.store.certificateVotes(header.hash).length > 0).toBe(isKept);
      expect((await again.store.certificate(header.height)) !== undefined).toBe(isKept);
      expect(again.store.heightOfSlot(header.slot)).toBe(isKept ? header.height : undefined);
      const [entry] = decodeBlock(kernels, block!.bytes).entries.filter(({ kind }) => kind === 'transactions');
      if (entry?.kind !== 'transactions') throw new TypeError('a block without transactions');
      expect(again.store.transaction(entry.transactions[0]!.id)?.height).toBe(isKept ? header.height : undefined);
    }
    expect(await again.store.segment(0)).toBeUndefined();
    expect(again.store.segmentRoot(0)).toHaveLength(32);
    const [next] = makeChain(world, again.root, 1, 3);
    await again.store.finalize(next!);
    await again.store.close();
  });

  it('is refused at the next start when too little is left to judge replays by', async () => {
    const { directory, store } = await made();
    await store.kept.prune(BLOCKS, () => true);
    await store.close();
    await expect(open(directory)).rejects.toThrow(/history is damaged .* blocks back to slot 25/);
  });

  it('serves fast sync from any block at its least depth, and refuses in words when asked for older ones', async () => {
    const { store, chain } = await made();
    const oldest = BLOCKS - 6;
    await store.kept.prune(oldest - WINDOW - 1, () => true);
    expect(store.startHeight).toBeGreaterThan(5);
    const opened = { store, root: chain.at(-1)! } as OpenedChain;
    for (let trusted = oldest; trusted <= BLOCKS; trusted += 1) {
      const net = new VirtualNet();
      await servePeer(net, 'pruned', { world, opened });
      const dataDirectory = join(await freshDirectory(), 'data');
      const { header } = chain[trusted - 1]!;
      const syncing = fastSync({
        genesis: world.genesis,
        kernels,
        from: [net.network.addressOf('pruned')],
        trust: { height: trusted, hash: header.hash },
        dataDirectory,
        log: SILENT,
        transport: net.network.transport('self'),
      });
      expect((await net.settle(syncing)).stateRoot).toEqual(header.stateRoot);
      const synced = await open(dataDirectory);
      expect(synced.root.cursor.segmentsRoot).toEqual(chain[trusted - 1]!.cursor.segmentsRoot);
      await synced.store.close();
    }
    await store.close();
  });

  it("answers RPC for pruned blocks with Solana's error, and names the first block there is", async () => {
    const { store, chain } = await made();
    const parts = { store, kernels, tree: new BlockTree(chain.at(-1)!), finality: new FinalityLog() };
    const api = new ChainApi(parts as unknown as ChainParts);
    expect(api.firstAvailableSlot()).toBe(1);
    await store.kept.prune(BLOCKS - 8, () => true);
    const first = store.startHeight;
    expect(api.firstAvailableSlot()).toBe(first);
    expect((await api.block({ slot: slot(first) })).header.height).toBe(first);
    const cleanedUp = { code: 'not-available', message: expect.stringContaining(`First available block: ${first}`) };
    await expect(api.block({ slot: slot(2) })).rejects.toMatchObject(cleanedUp);
    await expect(api.block({ height: height(2) })).rejects.toMatchObject(cleanedUp);
    await expect(api.blockBytes(height(first - 1))).rejects.toMatchObject(cleanedUp);
    await expect(api.block({ hash: chain[1]!.header.hash })).rejects.toMatchObject({ code: 'not-found' });
    await expect(api.waitFinalized(height(1), 0, new AbortController().signal)).rejects.toMatchObject(cleanedUp);
    await expect(api.block({ height: height(BLOCKS + 1) })).rejects.toMatchObject({ code: 'not-found' });
    await store.close();
  });
});

const REPLICA: ReplicaRecord = {
  validatorCount: 4,
  rotation: 1,
  commitSlot: slot(1),
  keyProof: new Uint8Array(80),
  replicaRoot: world.check.rules.chainId,
  commits: 1,
  accepted: 2,
  rejected: 0,
  expired: 0,
  nextPeriod: 10,
  provenNext: 10,
  since: slot(1),
  paid: 0,
  reason: 'unstated',
  proof: {
    state: 'accepted',
    slot: slot(38),
    sampleProof: new Uint8Array(80),
    samplesRoot: world.check.rules.chainId,
    openingDigest: world.check.rules.chainId,
    spoken: new Uint8Array(1),
    sealed: new Uint8Array(1),
  },
};
const withProof = (
  state: 'pending' | 'accepted' | 'rejected' | 'revealed',
  changes: Partial<ReplicaRecord> = {},
): ReplicaRecord => ({
  ...REPLICA,
  proof: { ...REPLICA.proof!, state },
  ...changes,
});

/** A final state with those replicas, a replica an identity. Slot 40 is in period 10. */
function stateWith(...replicas: readonly (readonly [segment: number, record: ReplicaRecord])[]): MapState {
  return new MapState().apply(
    replicas.map(([segment, record], index) => ({
      kind: 'putRecord',
      key: replicaKey(segment, keyOf(200 + index).address),
      value: encodeReplica(record),
    })),
  );
}

describe('the rule', () => {
  it.each([
    // In slot 40 periods up to 7 are decided; of two periods a rotation the second is due.
    ['proven for the last period', REPLICA, 1],
    ['one pending, others accepted before', withProof('pending', { provenNext: 9 }), 1],
    ['a new key, proven under the old one', { ...REPLICA, proof: null }, 1],
    ['proven for the last period that is decided', withProof('accepted', { provenNext: 8 }), 1],
    ['not proven for it: it may be gone', withProof('accepted', { provenNext: 7 }), 0],
    ['never accepted', withProof('pending', { accepted: 0 }), 0],
    ['a fake revealed, which stands for a proof', withProof('revealed', { accepted: 0 }), 1],
    ['rejected for a decided period', withProof('rejected', { rejected: 1, provenNext: 7 }), 0],
    ['rejected once, accepted since', withProof('accepted', { rejected: 1 }), 1],
  ] as const)('counts a replica: %s', (_, record, count) => {
    const proven = provenBySegment(world.check.rules, stateWith([3, record]), 40);
    expect(proven.get(3) ?? 0).toBe(count);
  });

  it('lets segments go, the oldest first, while enough replicas are proven; says what waits and what is at risk', async () => {
    const { store } = await made();
    let state = stateWith(
      [0, REPLICA],
      [0, REPLICA],
      [1, REPLICA],
      [1, REPLICA],
      [2, REPLICA],
      [3, REPLICA],
      [3, REPLICA],
    );
    const fatal: Error[] = [];
    const pruner = new HistoryPruner({
      store,
      keeping: { mode: 'pruned', depthBlocks: 8, replicasBeforePruning: 2 },
      rules: world.check.rules,
      final: () => ({ header: { slot: slot(40) }, state }) as unknown as ChainBlock,
      log: SILENT,
      onFatal: (error) => fatal.push(error),
    });
    await Promise.all([pruner.look(), pruner.look()]);
    expect(store.kept.firstSegment).toBe(2);
    expect([pruner.waitingSegments > 2, pruner.segmentsAtRisk]).toEqual([true, 0]);
    // A replica of segment 1 dies; one of segment 2 comes.
    state = stateWith([0, REPLICA], [0, REPLICA], [1, REPLICA], [2, REPLICA], [2, REPLICA]);
    await pruner.look();
    expect(store.kept.firstSegment).toBe(3);
    expect(pruner.segmentsAtRisk).toBe(1);
    expect(fatal).toEqual([]);
    await pruner.stop();
    const failing = { stateHeight: 9, kept: { prune: () => Promise.reject(new StorageError('failed', 'EIO')) } };
    const broken = new HistoryPruner({
      store: failing as unknown as ChainStore,
      keeping: { mode: 'pruned', depthBlocks: 8, replicasBeforePruning: 0 },
      rules: world.check.rules,
      final: () => ({ header: { slot: slot(40) }, state }) as unknown as ChainBlock,
      log: SILENT,
      onFatal: (error) => fatal.push(error),
    });
    await broken.look();
    expect(fatal).toMatchObject([{ code: 'failed' }]);
    await store.close();
  });
});

describe('segments for checking proofs', () => {
  it('are the own ones while held, then copies from those who keep more, taken only with the recorded root', async () => {
    const [own, archive] = [await made(), await made()];
    const segment = (await own.store.segment(0))!;
    const net = new VirtualNet();
    const served = { world, opened: { store: archive.store, root: archive.chain.at(-1)! } as OpenedChain };
    let fetches = 0;
    await servePeer(net, 'liar', served, async function* (_, frames) {
      for await (const frame of frames) yield Uint8Array.from(frame).fill(1, 5, 9);
    });
    await servePeer(net, 'honest', served, async function* (_, frames) {
      fetches += 1;
      yield* frames;
    });
    const transport = net.network.transport('self');
    await net.settle(transport.start());
    for (const name of ['liar', 'honest']) await net.settle(transport.dial(net.network.addressOf(name)));
    const { store } = own;
    const sources = (): string[] =>
      ['nobody', 'liar', 'honest'].filter((name) => name === 'nobody' || isConnected(name));
    const isConnected = (name: string): boolean => transport.peers().includes(name);
    const copies = new SegmentCopies({ kernels, transport, shape: world.genesis.history, store, sources, log: SILENT });
    expect(await copies.get(0)).toEqual(segment);
    expect(fetches).toBe(0);
    await store.kept.prune(BLOCKS - 8, () => true);
    expect(await store.segment(0)).toBeUndefined();
    expect(await net.settle(copies.get(0))).toEqual(segment);
    expect([fetches, isConnected('liar')]).toEqual([1, false]);
    expect(await net.settle(copies.get(0))).toEqual(segment);
    expect(fetches).toBe(1);
    expect(await net.settle(copies.get(1_000_000))).toBeUndefined();
    await transport.stop();
    expect(await copies.get(1)).toBeUndefined();
    await own.store.close();
    await archive.store.close();
  });
});
