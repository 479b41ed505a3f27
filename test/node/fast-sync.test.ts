import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byteKey } from '../../native/index.ts';
import { decodeBlock } from '../../src/codec/index.ts';
import { canonicalGenesis } from '../../src/ledger/index.ts';
import { createLibp2pTransport } from '../../src/net/libp2p-transport.ts';
import { realTimers } from '../../src/net/timers.ts';
import { type ChainBlock, settleBlock } from '../../src/node/chain/chain-block.ts';
import { ChainStore, type OpenedChain } from '../../src/node/chain/chain-store.ts';
import { encodeMessage, PROTOCOL } from '../../src/node/protocols.ts';
import { type FastSyncOptions, type FastSyncResult, fastSync } from '../../src/node/sync/fast-sync.ts';
import type { FastSyncProgress } from '../../src/node/sync/progress-meter.ts';
import { diskFiles, HistoryStore, PendingBlocks, readPieceFrame } from '../../storage/index.ts';
import { segmentFiles } from '../storage/sync-source.ts';
import { freshDirectory, keptDirectory, removeKept } from './directories.ts';
import { LIES, type LieTools, lieOf, type Tamper, tamperOf } from './lies.ts';
import { type Source, SYNC_PROTOCOLS, serveOn, servePeer } from './sync-peers.ts';
import { VirtualNet } from './virtual-net.ts';
import { kernels, makeBlock, makeChain, newWorld, SILENT, transactionOn, type World } from './world.ts';

/** Poisoned attempts: `CAIRN_POISONED_SYNCS=100000` for a long campaign, `CAIRN_POISONED_FIRST` to begin elsewhere. */
const POISONED = Number(process.env.CAIRN_POISONED_SYNCS ?? 200);
const FIRST_SEED = Number(process.env.CAIRN_POISONED_FIRST ?? 1);
const LIARS_A_RUN = 20;
const LIARS_ALONE = 3;
/** So that the little state has many pieces. */
const PIECE_OPS = 8;

const world = newWorld({ recencyWindowSlots: 5, segmentSizeBytes: 2048 });
const otherWorld = newWorld({ recencyWindowSlots: 5, segmentSizeBytes: 2048, name: 'other' });
let source: Source;
let foreign: Source;
let tip: ChainBlock;
let early: ChainBlock;
let balances: bigint[];
let foreignFrames: ReadonlyMap<string, Uint8Array[]>;
/** The segment files of a node that executed every block. */
let honest: Map<string, string>;

const open = (directory: string, of: World = world): Promise<OpenedChain> =>
  ChainStore.open({ directory, genesis: of.genesis, check: of.check, log: SILENT });
const balancesOf = ({ state }: ChainBlock): bigint[] => world.people.map(({ address }) => state.balance(address));

/** A store that holds a chain of 14 final blocks. */
async function sourceOf(of: World): Promise<Source & { readonly chain: ChainBlock[]; readonly directory: string }> {
  const directory = await keptDirectory();
  const opened = await open(directory, of);
  const chain = makeChain(of, opened.root, 14, 3);
  for (const block of chain) {
    await opened.store.finalize(block);
    settleBlock(block);
  }
  return { world: of, opened: { ...opened, root: chain.at(-1)! }, chain, directory };
}

beforeAll(async () => {
  const made = await sourceOf(world);
  source = made;
  tip = made.chain.at(-1)!;
  early = made.chain[6]!;
  balances = balancesOf(tip);
  foreign = await sourceOf(otherWorld);
  honest = await segmentFiles(diskFiles(), join(made.directory, 'state/log'));
  foreignFrames = await framesOf(foreign);
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

type Peer = 'honest' | Tamper | { readonly lie: (tools: LieTools) => Tamper };

/** Starts a sync from these peers; whatever happens, the live directory must not show before the end. */
async function sync(
  peers: readonly Peer[],
  dataDirectory: string,
  changes: Partial<FastSyncOptions> = {},
): Promise<Attempt> {
  const net = new VirtualNet();
  const { network } = net;
  const names = peers.map((_, index) => `peer${index}`);
  for (const [index, peer] of peers.entries()) {
    const tools = {
      foreign: (protocol: string) => foreignFrames.get(protocol) ?? [],
      hangUp: () => network.sever('self', names[index]!),
      sleep: (ms: number) => new Promise<void>((resolve) => void network.timers.after(ms, resolve)),
    };
    const tamper = typeof peer === 'object' ? peer.lie(tools) : peer === 'honest' ? undefined : peer;
    await servePeer(net, names[index]!, source, tamper);
  }
  const result = fastSync({
    genesis: world.genesis,
    kernels,
    trust: { height: tip.header.height, hash: tip.header.hash },
    dataDirectory,
    log: SILENT,
    transport: network.transport('self'),
    timers: network.timers,
    pieceOps: PIECE_OPS,
    onProgress: () => expect(existsSync(dataDirectory)).toBe(false),
    ...changes,
    from: names.map((name) => network.addressOf(name)),
  });
  return { net, dataDirectory, result: net.settle(result) };
}

/** Nothing but what is true is kept beside the data directory: blocks of the chain, proven pieces, the log's own beginning. */
async function expectNothingFalse(dataDirectory: string): Promise<void> {
  const files = diskFiles();
  const blocks = await PendingBlocks.open({ directory: `${dataDirectory}.sync-blocks` });
  for (const { height, bytes } of blocks.all())
    expect(Buffer.compare(bytes, (await source.opened.store.finalBlock(height))!)).toBe(0);
  await blocks.close();
  const log = `${dataDirectory}.sync/state/log`;
  if (existsSync(log))
    for (const [name, bytes] of await segmentFiles(files, log)) expect(honest.get(name)?.startsWith(bytes)).toBe(true);
  const { stateSource } = source.opened.store;
  const tree = stateSource.manifest(tip.header.height)!;
  const pieces = `${dataDirectory}.sync/pieces`;
  for (const name of existsSync(pieces) ? await files.list(pieces) : []) {
    const frame = await readFile(`${pieces}/${name}`);
    // A kill may have cut its writing short; what is there is true all the same.
    if (frame.length < 8) continue;
    const from = Number(name.slice(6));
    const whole = await readPieceFrame(stateSource, { from, to: from + frame.readUInt32LE(0) }, tree.opCount);
    expect(Buffer.compare(frame, whole.subarray(0, frame.length))).toBe(0);
  }
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

/** What another chain would answer. */
async function framesOf({ opened: { store } }: Source): Promise<ReadonlyMap<string, Uint8Array[]>> {
  const { stateSource } = store;
  const blocks: Uint8Array[] = [];
  for (let height = 14; height >= 1; height -= 1) blocks.push((await store.finalBlock(height))!);
  const roots = Array.from({ length: store.segmentCount }, (_, index) => store.segmentRoot(index));
  const piece = await readPieceFrame(stateSource, { from: 0, to: PIECE_OPS }, stateSource.opCount);
  return new Map([
    [PROTOCOL.stateManifest, [encodeMessage({ kind: 'manifest', ...stateSource.manifest(14)! }), piece]],
    [PROTOCOL.statePiece, [piece]],
    [PROTOCOL.backfill, blocks],
    [PROTOCOL.segmentRoots, [Uint8Array.from(Buffer.concat(roots))]],
  ]);
}

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
    const tally = new Map<string, number>();
    let refused = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + POISONED; seed += LIARS_A_RUN) {
      // All of a run lie about the same, so that no two of them make one honest peer.
      const protocol = SYNC_PROTOCOLS[Math.floor(seed / LIARS_A_RUN) % SYNC_PROTOCOLS.length]!;
      const lies = Array.from({ length: Math.min(LIARS_A_RUN, FIRST_SEED + POISONED - seed) }, (_, index) =>
        lieOf(seed + index, [protocol]),
      );
      for (const { kind } of lies) tally.set(kind, (tally.get(kind) ?? 0) + 1);
      const liars = lies.map((lie) => ({ lie: (tools: LieTools) => tamperOf(lie, tools) }));
      const directory = join(await freshDirectory(), 'data');
      // A few of them first by themselves: they get there only where their lies are none.
      const { result } = await sync(liars.slice(0, LIARS_ALONE), directory);
      await result.catch(() => {});
      if (!existsSync(directory)) {
        refused += 1;
        await expectNothingFalse(directory);
        const then = await sync([...liars, 'honest'], directory);
        await then.result.catch((error: unknown) => {
          throw new TypeError(`seeds from ${seed}: ${(error as Error).message}`);
        });
      }
      await expectSynced(directory);
    }
    if (POISONED >= 200) expect([tally.size, refused > 3]).toEqual([LIES.length, true]);
  }, 600_000);

  it('two honest peers and three liars: the honest root, with all three banned and remembered until then', async () => {
    const liar = (protocol: string): Tamper =>
      async function* (asked, truth) {
        for await (const frame of truth)
          yield asked === protocol ? frame.with(frame.length - 1, frame.at(-1)! ^ 1) : frame;
      };
    const peers = [
      'honest',
      liar(PROTOCOL.backfill),
      liar(PROTOCOL.stateManifest),
      liar(PROTOCOL.statePiece),
      'honest',
    ] as const;
    const directory = join(await freshDirectory(), 'data');
    const { result } = await sync(peers, directory);
    const { stateRoot, verdicts } = await result;
    expect(byteKey(stateRoot)).toBe(byteKey(tip.header.stateRoot));
    expect(verdicts.map(({ peer, verdict }) => `${peer} ${verdict}`).sort()).toEqual([
      'peer1 banned',
      'peer2 banned',
      'peer3 banned',
    ]);
    await expectSynced(directory);
  });

  it('bans nobody for not having a block that does not exist, and liars once it is known to exist', async () => {
    const directory = join(await freshDirectory(), 'data');
    const trust = { height: 14, hash: early.header.hash };
    await expect((await sync(['honest', 'honest'], directory, { trust })).result).rejects.toMatchObject({
      code: 'no-honest-peer',
    });
    expect(existsSync(`${directory}.sync`) || existsSync(`${directory}.sync-blocks`)).toBe(false);
    await (await sync(['honest'], directory)).result;
    await expectSynced(directory);
  });

  it('goes on from what an interrupted attempt has kept, and asks its liars no more', async () => {
    const directory = join(await freshDirectory(), 'data');
    let answered = 0;
    const turncoat: Tamper = async function* (protocol, truth) {
      for await (const frame of truth) {
        if (protocol === PROTOCOL.statePiece) answered += 1;
        yield answered > 4 && protocol === PROTOCOL.statePiece ? frame.with(frame.length - 1, 77) : frame;
      }
    };
    await expect((await sync([turncoat], directory)).result).rejects.toMatchObject({ code: 'no-honest-peer' });
    await expectNothingFalse(directory);
    const asked = new Map<string, number>();
    const counting: Tamper = (protocol, truth) => {
      asked.set(protocol, (asked.get(protocol) ?? 0) + 1);
      return truth;
    };
    const progress: FastSyncProgress[] = [];
    const { result } = await sync([turncoat, counting], directory, { onProgress: (step) => progress.push(step) });
    const { verdicts } = await result;
    expect(verdicts).toEqual([{ peer: 'peer0', verdict: 'banned', why: expect.stringContaining('earlier attempt') }]);
    const { opCount } = source.opened.store.stateSource;
    expect(asked.get(PROTOCOL.statePiece)).toBe(Math.ceil(opCount / PIECE_OPS) - 4);
    expect(asked.has(PROTOCOL.backfill)).toBe(false);
    expect(progress.at(-1)).toMatchObject({ stage: 'state', done: opCount, total: opCount, peers: 1, banned: 1 });
    await expectSynced(directory);
  });

  it('says so when its peers leave before the end, or do not keep the state any more', async () => {
    const directory = join(await freshDirectory(), 'data');
    let answered = 0;
    const leaving: Tamper = async function* (protocol, truth) {
      if (protocol === PROTOCOL.statePiece) answered += 1;
      if (answered <= 3) yield* truth;
    };
    await expect((await sync([leaving], directory)).result).rejects.toMatchObject({ code: 'incomplete' });
    const pruned: Tamper = async function* (protocol, truth) {
      if (protocol === PROTOCOL.stateManifest) yield encodeMessage({ kind: 'pruned', first: 20, last: 90 });
      else yield* truth;
    };
    await expect((await sync([pruned], directory)).result).rejects.toMatchObject({ code: 'pruned' });
    await (await sync(['honest'], directory)).result;
    await expectSynced(directory);
  });

  it('an attempt that stopped in its history, for another target, is no hindrance', async () => {
    const directory = join(await freshDirectory(), 'data');
    const trust = { height: early.header.height, hash: early.header.hash };
    const failing = await sync(['honest'], directory, { trust, sizeBytesMax: 1 });
    await expect(failing.result).rejects.toMatchObject({ code: 'too-large' });
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

  it('can be led to an older block as well, and from there on to a newer one', async () => {
    const trust = { height: early.header.height, hash: early.header.hash };
    const parent = await freshDirectory();
    const { dataDirectory, result } = await sync(['honest'], join(parent, 'data'), { trust });
    expect((await result).height).toBe(7);
    await expectSynced(dataDirectory, early);
  });

  it.each(SYNC_PROTOCOLS)('reads no endless answer to its end: %s', async (protocol) => {
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
  });

  it('killed at any moment, keeps nothing false, and goes on to the same state', async () => {
    const parent = await freshDirectory();
    const directory = join(parent, 'data');
    const genesisFile = join(parent, 'genesis.json');
    await writeFile(genesisFile, canonicalGenesis(world.genesis));
    const transport = await createLibp2pTransport({
      networkKeySeed: new Uint8Array(32).fill(9),
      listen: ['/ip4/127.0.0.1/tcp/0'],
    });
    let pieces = 0;
    const endLeases = serveOn(transport, source, realTimers, (protocol, truth) => {
      if (protocol === PROTOCOL.statePiece) pieces += 1;
      return truth;
    });
    await transport.start();
    const child = fileURLToPath(new URL('./sync-child.mjs', import.meta.url));
    const trusted = [String(tip.header.height), Buffer.from(tip.header.hash).toString('hex')];
    const args = [child, genesisFile, transport.addresses()[0]!, ...trusted, directory];
    /** Runs the sync, and kills it after so many steps. */
    const run = async (steps: number): Promise<boolean> => {
      const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const exit = once(process_, 'exit');
      let seen = 0;
      for await (const line of createInterface({ input: process_.stdout })) {
        seen += 1;
        if (seen === steps) process_.kill('SIGKILL');
        if (line === 'done') return true;
      }
      await exit;
      return false;
    };
    try {
      let kills = 0;
      // Blocks first, then state: a few steps further each time.
      for (let steps = 5; kills < 5 && !(await run(steps)); steps += 9) {
        kills += 1;
        if (existsSync(directory)) break;
        await expectNothingFalse(directory);
      }
      expect(kills).toBeGreaterThan(2);
      if (!existsSync(directory)) expect(await run(Number.POSITIVE_INFINITY)).toBe(true);
      await rm(`${directory}.sync-blocks`, { recursive: true, force: true });
      await expectSynced(directory);
      // What was kept was not asked for again: but for a few pieces under way at each kill.
      const { opCount } = source.opened.store.stateSource;
      expect(pieces).toBeLessThan(opCount / 2 + 30 * kills);
    } finally {
      endLeases();
      await transport.stop();
    }
  }, 120_000);
});
