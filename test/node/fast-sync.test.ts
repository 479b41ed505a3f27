import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import { decodeBlock } from '../../src/codec/index.ts';
import { type ChainBlock, settleBlock } from '../../src/node/chain/chain-block.ts';
import { ChainStore, type OpenedChain } from '../../src/node/chain/chain-store.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { FastSyncError, type FastSyncOptions, type FastSyncResult, fastSync } from '../../src/node/sync/fast-sync.ts';
import { decodeBatch, encodeBatch, HistoryStore } from '../../storage/index.ts';
import { freshDirectory, keptDirectory, removeKept } from './directories.ts';
import { lieOf, type Source, servePeer, type Tamper, tamperOf } from './sync-peers.ts';
import { VirtualNet } from './virtual-net.ts';
import { kernels, makeBlock, makeChain, newWorld, SILENT, transactionOn, type World } from './world.ts';

/** Poisoned attempts: `CAIRN_POISONED_SYNCS=100000` for a long campaign, `CAIRN_POISONED_FIRST` to begin elsewhere. */
const POISONED = Number(process.env.CAIRN_POISONED_SYNCS ?? 200);
const FIRST_SEED = Number(process.env.CAIRN_POISONED_FIRST ?? 1);
const LIARS_A_RUN = 10;

const world = newWorld({ recencyWindowSlots: 5, segmentSizeBytes: 2048 });
const otherWorld = newWorld({ recencyWindowSlots: 5, segmentSizeBytes: 2048, name: 'other' });
let source: Source;
let foreign: Source;
let tip: ChainBlock;
let early: ChainBlock;
let balances: bigint[];

const open = (directory: string, of: World = world): Promise<OpenedChain> =>
  ChainStore.open({ directory, genesis: of.genesis, check: of.check, log: SILENT });
const balancesOf = ({ state }: ChainBlock): bigint[] => world.people.map(({ address }) => state.balance(address));

/** A store that holds a chain of 14 final blocks. */
async function sourceOf(of: World): Promise<Source & { readonly chain: ChainBlock[] }> {
  const opened = await open(await keptDirectory(), of);
  const chain = makeChain(of, opened.root, 14, 3);
  for (const block of chain) {
    await opened.store.finalize(block);
    settleBlock(block);
  }
  return { world: of, opened: { ...opened, root: chain.at(-1)! }, chain };
}

beforeAll(async () => {
  const made = await sourceOf(world);
  source = made;
  tip = made.chain.at(-1)!;
  early = made.chain[6]!;
  balances = balancesOf(tip);
  foreign = await sourceOf(otherWorld);
});
afterAll(async () => {
  await source.opened.store.close();
  await foreign.opened.store.close();
  await removeKept();
});

interface Attempt {
  readonly net: VirtualNet;
  readonly dataDirectory: string;
  readonly result: Promise<FastSyncResult>;
}

/** Starts a sync from peers of these names; whatever happens, the live directory must not show before the end. */
async function sync(
  peers: readonly (Tamper | 'honest')[],
  dataDirectory: string,
  changes: Partial<FastSyncOptions> = {},
): Promise<Attempt> {
  const net = new VirtualNet();
  for (const [index, peer] of peers.entries())
    await servePeer(net, `peer${index}`, source, peer === 'honest' ? undefined : peer);
  const result = fastSync({
    genesis: world.genesis,
    kernels,
    from: peers.map((_, index) => net.network.addressOf(`peer${index}`)),
    trust: { height: tip.header.height, hash: tip.header.hash },
    dataDirectory,
    log: SILENT,
    transport: net.network.transport('self'),
    onProgress: () => expect(existsSync(dataDirectory)).toBe(false),
    ...changes,
  });
  return { net, dataDirectory, result: net.settle(result) };
}

/** What came of it is a node's directory like any other's. */
async function expectSynced(dataDirectory: string, at = tip): Promise<void> {
  const opened = await open(dataDirectory);
  try {
    expect(opened.root.header.hash).toEqual(at.header.hash);
    expect(opened.root.commitment.root).toEqual(at.commitment.root);
    expect(opened.root.cursor.length).toBe(at.cursor.length);
    expect(opened.root.cursor.segmentsRoot).toEqual(at.cursor.segmentsRoot);
    if (at === tip) expect(balancesOf(opened.root)).toEqual(balances);
    for (let height = opened.store.startHeight; height <= at.header.height; height += 1)
      expect(await opened.store.finalBlock(height)).toEqual(await source.opened.store.finalBlock(height));
    expect(existsSync(`${dataDirectory}.sync`) || existsSync(`${dataDirectory}.sync-blocks`)).toBe(false);
    // Replays inside the window are refused: the recent transactions came along.
    const { entries } = decodeBlock(kernels, (await opened.store.finalBlock(at.header.height))!);
    const applied = entries.flatMap((entry) => (entry.kind === 'transactions' ? entry.transactions : []));
    const slot = applied[0]!.lastValidCount / world.check.rules.hashesPerSlot;
    expect(opened.root.recent.hasApplied(applied[0]!.id, slot)).toBe(true);
    // And it goes on.
    const next = makeBlock(world, opened.root, {
      batches: [[transactionOn(world, opened.root.header, { counter: 9_999n })]],
    });
    await opened.store.finalize(next);
  } finally {
    await opened.store.close();
  }
}

const foreignFrames = async (): Promise<ReadonlyMap<string, Uint8Array[]>> => {
  const { store } = foreign.opened;
  const batches: Uint8Array[] = [];
  for await (const batch of store.batches(0)) batches.push(Uint8Array.from(batch));
  const blocks: Uint8Array[] = [];
  for (let height = 14; height >= 1; height -= 1) blocks.push((await store.finalBlock(height))!);
  const roots = Array.from({ length: store.segmentCount }, (_, index) => store.segmentRoot(index));
  return new Map([
    [PROTOCOL.batches, batches],
    [PROTOCOL.backfill, blocks],
    [PROTOCOL.segmentRoots, [Uint8Array.from(Buffer.concat(roots))]],
  ]);
};

describe('fast sync', () => {
  it('makes a directory that a node goes on from', async () => {
    const { dataDirectory, result } = await sync(['honest'], join(await freshDirectory(), 'data'));
    const { height, hash, stateRoot } = await result;
    expect([height, byteKey(hash), byteKey(stateRoot)]).toEqual([
      14,
      byteKey(tip.header.hash),
      byteKey(tip.header.stateRoot),
    ]);
    await expectSynced(dataDirectory);
  });

  it('takes a directory that is empty, and none that holds something', async () => {
    const parent = await freshDirectory();
    await mkdir(join(parent, 'data'));
    const { dataDirectory, result } = await sync(['honest'], join(parent, 'data'), { onProgress: () => {} });
    await result;
    await expectSynced(dataDirectory);
    await expect((await sync(['honest'], dataDirectory)).result).rejects.toMatchObject({ code: 'not-empty' });
  });

  it('says so when nobody can be reached, and when nobody holds the trusted block', async () => {
    const directory = join(await freshDirectory(), 'data');
    await expect((await sync([], directory)).result).rejects.toMatchObject({ code: 'no-peer' });
    const trust = { height: 14, hash: early.header.hash };
    await expect((await sync(['honest', 'honest'], directory, { trust })).result).rejects.toMatchObject({
      code: 'no-honest-peer',
    });
    expect(existsSync(directory)).toBe(false);
  });

  it(`${POISONED} poisoned attempts bring not one byte into the live directory, and the next honest peer completes`, async () => {
    const frames = await foreignFrames();
    const tally = new Map<string, number>();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + POISONED; seed += LIARS_A_RUN) {
      const lies = Array.from({ length: Math.min(LIARS_A_RUN, FIRST_SEED + POISONED - seed) }, (_, index) =>
        lieOf(seed + index),
      );
      for (const { kind } of lies) tally.set(kind, (tally.get(kind) ?? 0) + 1);
      const liars = lies.map((lie) => tamperOf(lie, (protocol) => frames.get(protocol) ?? []));
      const { dataDirectory, result } = await sync([...liars, 'honest'], join(await freshDirectory(), 'data'));
      await result.catch((error) => {
        throw new TypeError(`seeds from ${seed}: ${(error as Error).message}`);
      });
      await expectSynced(dataDirectory);
    }
    if (POISONED >= 200) expect(tally.size).toBe(10);
  }, 600_000);

  it('a single honest peer suffices after liars have poisoned what is staged', async () => {
    // Two batches, the second of them false, and not another word: nothing to compare them with comes before the window.
    const wrongPrefix = cutAfter(2, (frame, at) => (at === 1 ? poisonedBatch(frame) : frame));
    const directory = join(await freshDirectory(), 'data');
    await expect((await sync([wrongPrefix], directory)).result).rejects.toMatchObject({ code: 'no-honest-peer' });
    expect(existsSync(directory)).toBe(false);
    expect(existsSync(`${directory}.sync`)).toBe(true);
    const { result } = await sync(['honest'], directory);
    await result;
    await expectSynced(directory);
  });

  it('goes on from what an interrupted attempt has staged', async () => {
    const directory = join(await freshDirectory(), 'data');
    await expect((await sync([cutAfter(8)], directory)).result).rejects.toBeInstanceOf(FastSyncError);
    const asked: number[] = [];
    const counting: Tamper = async function* (protocol, truth) {
      let count = 0;
      for await (const frame of truth) {
        count += 1;
        yield frame;
      }
      if (protocol === PROTOCOL.batches) asked.push(count);
    };
    const { result } = await sync([counting], directory);
    await result;
    expect(asked).toEqual([7]);
    await expectSynced(directory);
  });

  it('an attempt that stopped in its history, for another target, is no hindrance', async () => {
    const directory = join(await freshDirectory(), 'data');
    const trust = { height: early.header.height, hash: early.header.hash };
    const failing = await sync(['honest'], directory, { trust, sizeBytesMax: 1 });
    await expect(failing.result).rejects.toBeInstanceOf(FastSyncError);
    const stale = await HistoryStore.open({
      directory: `${directory}.sync/history`,
      kernels,
      ...world.genesis.history,
    });
    const first = (await source.opened.store.finalBlock(1))!;
    const { header } = decodeBlock(kernels, first);
    await stale.append({ ...header, bytes: first, transactions: [] });
    await stale.close();
    const { result } = await sync(['honest'], directory);
    await result;
    await expectSynced(directory);
  });

  it('can be led to an older block as well', async () => {
    const trust = { height: early.header.height, hash: early.header.hash };
    const { dataDirectory, result } = await sync(['honest'], join(await freshDirectory(), 'data'), { trust });
    expect((await result).height).toBe(7);
    await expectSynced(dataDirectory, early);
  });

  it.each([PROTOCOL.backfill, PROTOCOL.batches, PROTOCOL.segmentRoots])(
    'reads no endless answer to its end: %s',
    async (protocol) => {
      let sent = 0;
      const endless: Tamper = async function* (asked, truth) {
        let last = new Uint8Array(0);
        for await (const frame of truth) {
          last = Uint8Array.from(frame);
          if (asked !== protocol) yield frame;
        }
        if (asked !== protocol) return;
        for (;;) {
          sent += 1;
          yield sent % 2 === 0 ? last : new Uint8Array(0);
          if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      };
      const directory = join(await freshDirectory(), 'data');
      await expect((await sync([endless], directory)).result).rejects.toMatchObject({ code: 'no-honest-peer' });
      expect(sent).toBeLessThan(70_000);
      expect(existsSync(directory)).toBe(false);
    },
  );

  it('takes no more than it was allowed', async () => {
    const directory = join(await freshDirectory(), 'data');
    await expect((await sync(['honest'], directory, { sizeBytesMax: 1_000 })).result).rejects.toMatchObject({
      code: 'no-honest-peer',
    });
    expect(existsSync(directory)).toBe(false);
  });
});

/** A batch that is sound by itself, of the right height, and says something else: one balance changed, checksum and all. */
function poisonedBatch(frame: Uint8Array): Uint8Array {
  const batch = decodeBatch(frame);
  const ops = batch.ops.map((op) => (op.kind === 'putAccount' ? { ...op, balance: op.balance + 1n } : op));
  return encodeBatch({ height: batch.height, ops });
}

/** Answers with so many batches in all, changed or not, and with none after them. */
function cutAfter(framesMax: number, change: (frame: Uint8Array, at: number) => Uint8Array = (frame) => frame): Tamper {
  let count = 0;
  return async function* (protocol, truth) {
    for await (const frame of truth) {
      if (protocol !== PROTOCOL.batches) yield frame;
      else if (count < framesMax) {
        yield change(frame, count);
        count += 1;
      }
    }
  };
}
