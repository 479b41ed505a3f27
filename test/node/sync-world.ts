/**
 * A chain whose last block is synced to from peers that serve it, honestly or not, over a network in memory and in virtual time; and what must hold of
 * the folders afterwards.
 */
import { existsSync } from 'node:fs';
import { expect } from 'vitest';
import { sameBytes } from '../../native/index.ts';
import { decodeBlock } from '../../src/codec/index.ts';
import { type ChainBlock, settleBlock } from '../../src/node/chain/chain-block.ts';
import { ChainStore, type OpenedChain } from '../../src/node/chain/chain-store.ts';
import { encodeMessage, PROTOCOL } from '../../src/node/protocols.ts';
import { type FastSyncResult, fastSync } from '../../src/node/sync/fast-sync.ts';
import type { FastSyncOptions } from '../../src/node/sync/sync-ground.ts';
import { readWhole } from '../../storage/files/files.ts';
import { type Disk, PendingBlocks, readPieceFrame, realDisk } from '../../storage/index.ts';
import { SimulatedMachine } from '../storage/simulated-machine.ts';
import { segmentFiles } from '../storage/sync-source.ts';
import type { LieTools, Tamper } from './lies.ts';
import { type Source, servePeer } from './sync-peers.ts';
import { VirtualNet } from './virtual-net.ts';
import { kernels, makeBlock, makeChain, newWorld, SILENT, transactionOn, type World } from './world.ts';

/** So that the little state has many pieces. */
export const PIECE_OPS = 8;
/** Of a quarantine only. */
const QUARANTINE_NAMES: readonly string[] = ['pieces', 'blocks', 'liars'];
/** Of a piece. */
const FRAME_SIZE_BYTES_MAX = 1 << 20;

export const world: World = newWorld({ recencyWindowSlots: 5, segmentSizeBytes: 2048 });
const otherWorld: World = newWorld({ recencyWindowSlots: 5, segmentSizeBytes: 2048, name: 'other' });
export let source: Source;
let foreign: Source;
export let tip: ChainBlock;
export let early: ChainBlock;
let balances: bigint[];
let foreignFrames: ReadonlyMap<string, Uint8Array[]>;
/** The segment files of a node that executed every block. */
let honest: Map<string, string>;
/** Its blocks by height. */
const blocks = new Map<number, Uint8Array>();

const open = (disk: Disk, directory: string, of: World = world): Promise<OpenedChain> =>
  ChainStore.open({ directory, genesis: of.genesis, check: of.check, log: SILENT, disk });
const balancesOf = ({ state }: ChainBlock): bigint[] => world.people.map(({ address }) => state.balance(address));

/** Where the sources keep their chains. */
const machine = new SimulatedMachine(1);

/** A store that holds a chain of 14 final blocks. */
async function sourceOf(of: World, directory: string): Promise<Source & { readonly chain: ChainBlock[] }> {
  const opened = await open(machine, directory, of);
  const chain = makeChain(of, opened.root, 14, 3);
  for (const block of chain) {
    await opened.store.finalize(block);
    settleBlock(block);
  }
  return { world: of, opened: { ...opened, root: chain.at(-1)! }, chain };
}

/** Makes both chains; call it before all tests of a file, and `closeSyncWorld` behind them. */
export async function openSyncWorld(): Promise<void> {
  const made = await sourceOf(world, '/source');
  source = made;
  tip = made.chain.at(-1)!;
  early = made.chain[6]!;
  balances = balancesOf(tip);
  for (const { header } of made.chain) blocks.set(header.height, (await made.opened.store.finalBlock(header.height))!);
  foreign = await sourceOf(otherWorld, '/foreign');
  honest = await segmentFiles(machine.files, '/source/state/log');
  foreignFrames = await framesOf(foreign);
}

export async function closeSyncWorld(): Promise<void> {
  await source.opened.store.close();
  await foreign.opened.store.close();
}

export interface Attempt {
  readonly net: VirtualNet;
  readonly dataDirectory: string;
  readonly result: Promise<FastSyncResult>;
}

export type Peer = 'honest' | Tamper | { readonly lie: (tools: LieTools) => Tamper };

/** Starts a sync from these peers, named by their number behind a prefix; whatever happens, the live directory must not show before the end. */
export async function sync(
  peers: readonly Peer[],
  dataDirectory: string,
  changes: Partial<FastSyncOptions> = {},
  prefix = 'peer',
): Promise<Attempt> {
  // Only a real disk has to keep up.
  const net = changes.disk === undefined ? new VirtualNet() : new VirtualNet(Number.POSITIVE_INFINITY);
  const { network } = net;
  const names = peers.map((_, index) => `${prefix}${index}`);
  const ends: (() => void)[] = [];
  for (const [index, peer] of peers.entries()) {
    const tools = {
      foreign: (protocol: string) => foreignFrames.get(protocol) ?? [],
      hangUp: () => network.sever('self', names[index]!),
      sleep: (ms: number) => new Promise<void>((resolve) => void network.timers.after(ms, resolve)),
    };
    const tamper = typeof peer === 'object' ? peer.lie(tools) : peer === 'honest' ? undefined : peer;
    ends.push(await servePeer(net, names[index]!, source, tamper));
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
  const settled = net.settle(result).finally(() => {
    for (const end of ends) end();
  });
  return { net, dataDirectory, result: settled };
}

/** Nothing but what is true is kept beside the data directory: blocks of the chain, proven pieces, the log's own beginning. */
export async function expectNothingFalse(dataDirectory: string, disk: Disk = realDisk()): Promise<void> {
  const { files } = disk;
  const kept = await PendingBlocks.open({ directory: `${dataDirectory}.sync/blocks`, ...disk });
  for (const { height, bytes } of kept.all()) expect(sameBytes(bytes, blocks.get(height)!)).toBe(true);
  await kept.close();
  const log = `${dataDirectory}.sync/state/log`;
  if (await files.exists(log))
    for (const [name, bytes] of await segmentFiles(files, log)) expect(honest.get(name)?.startsWith(bytes)).toBe(true);
  const { stateSource } = source.opened.store;
  const tree = stateSource.manifest(tip.header.height)!;
  const pieces = `${dataDirectory}.sync/pieces`;
  for (const name of (await files.exists(pieces)) ? await files.list(pieces) : []) {
    const frame = Buffer.from(await readWhole(files, `${pieces}/${name}`, FRAME_SIZE_BYTES_MAX));
    // A kill may have cut its writing short; what is there is true all the same.
    if (frame.length < 8) continue;
    const from = Number(name.slice(6));
    const whole = await readPieceFrame(stateSource, { from, to: from + frame.readUInt32LE(0) }, tree.opCount);
    expect(Buffer.compare(frame, whole.subarray(0, frame.length))).toBe(0);
  }
}

/** What came of it is a node's directory like any other's. @param goesOn tries that, too */
export async function expectSynced(
  dataDirectory: string,
  at: ChainBlock = tip,
  goesOn = true,
  disk: Disk = realDisk(),
): Promise<void> {
  const opened = await open(disk, dataDirectory);
  try {
    expect(opened.root.header.hash).toEqual(at.header.hash);
    expect(opened.root.commitment.root).toEqual(at.commitment.root);
    expect(opened.root.cursor.length).toBe(at.cursor.length);
    expect(opened.root.cursor.segmentsRoot).toEqual(at.cursor.segmentsRoot);
    if (at === tip) expect(balancesOf(opened.root)).toEqual(balances);
    for (let height = opened.store.startHeight; height <= at.header.height; height += 1)
      expect(sameBytes((await opened.store.finalBlock(height))!, blocks.get(height)!)).toBe(true);
    expect(await disk.files.exists(`${dataDirectory}.sync`)).toBe(false);
    const left = (await disk.files.list(dataDirectory)).filter((name) => QUARANTINE_NAMES.includes(name));
    expect(left).toEqual([]);
    // Replays inside the window are refused: the recent transactions came along.
    const { entries } = decodeBlock(kernels, (await opened.store.finalBlock(at.header.height))!);
    const applied = entries.flatMap((entry) => (entry.kind === 'transactions' ? entry.transactions : []));
    const slot = applied[0]!.lastValidCount / world.check.rules.hashesPerSlot;
    expect(opened.root.recent.hasApplied(applied[0]!.id, slot)).toBe(true);
    if (!goesOn) return;
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
