/**
 * Fast sync of a state from two processes on loopback, over libp2p, to this disk: pieces proven, log written and synced, table built, root
 * compared, folder renamed. Beside it: copying the same bytes and syncing them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hash, Kernels } from '../../../native/index.ts';
import { createLibp2pTransport } from '../../../src/net/libp2p-transport.ts';
import { realTimers } from '../../../src/net/timers.ts';
import { createLogger } from '../../../src/node/log.ts';
import { encodeMessage, PROTOCOL } from '../../../src/node/protocols.ts';
import { fetchManifest } from '../../../src/node/sync/fetch-state.ts';
import { IN_FLIGHT_PER_PEER_MAX, PeerPool } from '../../../src/node/sync/peer-pool.ts';
import { downloadState } from '../../../src/node/sync/state-download.ts';
import { encodeBatch, PIECE_FRAME_SIZE_BYTES_MAX, PIECE_OPS, StateStore, SyncStage } from '../../../storage/index.ts';
import type { BenchCase, Context, Prepared, Size } from '../model.ts';
import { type ServingPeer, startServing } from '../sync-peers.ts';

const ACCOUNTS: Readonly<Record<Size, number>> = { tiny: 500, quick: 100_000, full: 1_000_000 };
const BATCH_ACCOUNTS = 50_000;
const SEGMENT_SIZE_BYTES: number = 64 * 1024 * 1024;
const PEERS = 2;
const chainId = new Uint8Array(32);

/** A state of so many accounts, closed cleanly. */
async function makeStore(kernels: Kernels, directory: string, accounts: number): Promise<Hash> {
  const store = await StateStore.open({ directory, kernels, chainId });
  for (let from = 0; from < accounts; from += BATCH_ACCOUNTS) {
    const ops = Array.from({ length: Math.min(BATCH_ACCOUNTS, accounts - from) }, (_, index) => {
      const address = new Uint8Array(20);
      const view = new DataView(address.buffer);
      view.setUint32(0, Math.imul(from + index + 1, 0x9e3779b1));
      view.setUint32(8, from + index);
      return { kind: 'putAccount' as const, address, balance: BigInt(from + index + 1) };
    });
    await store.append(encodeBatch(store.commitment.place, ops));
  }
  const { root } = store.tip.commitment;
  await store.close();
  return root;
}

/** Milliseconds of one sync's parts. */
interface Parts {
  readonly connectMs: number;
  readonly downloadMs: number;
  readonly settleMs: number;
}

/** One whole sync of the state into `live`. */
async function syncOnce(
  kernels: Kernels,
  live: string,
  peers: readonly ServingPeer[],
  root: Hash,
  height: number,
): Promise<Parts> {
  const log = createLogger({ level: 'silent' });
  const networkKeySeed = crypto.getRandomValues(new Uint8Array(32));
  const transport = await createLibp2pTransport({ networkKeySeed, listen: [], log });
  const stage = await SyncStage.open({
    directory: `${live}.sync`,
    kernels,
    chainId,
    sizeBytesMax: 2 ** 40,
    segmentSizeBytes: SEGMENT_SIZE_BYTES,
  });
  const startedMs = performance.now();
  await transport.start();
  try {
    const pool = new PeerPool({ transport, timers: realTimers, liars: stage.liars, log });
    for (const { address } of peers) pool.add(await transport.dial(address), address);
    const target = { height, root };
    const questions = {
      transport,
      timers: realTimers,
      check: { kernels, chainId, target, segmentSizeBytes: SEGMENT_SIZE_BYTES },
    };
    const found = await pool.first(({ name }) => fetchManifest(questions, name));
    if (found === undefined || 'pruned' in found) throw new RangeError(`no manifest: ${pool.summary}`);
    const state = await stage.openState(found);
    const connectedMs = performance.now();
    await downloadState({ ...questions, pool, stage: state, onPiece: () => {} });
    await state.finish();
    const downloadedMs = performance.now();
    await stage.settleState(target);
    await stage.adopt(live);
    const endedMs = performance.now();
    return {
      connectMs: connectedMs - startedMs,
      downloadMs: downloadedMs - connectedMs,
      settleMs: endedMs - downloadedMs,
    };
  } finally {
    await stage.close();
    await transport.stop();
  }
}

/** What the wire alone costs: every piece asked for in the same way, and not looked at. */
async function downloadOnly(
  kernels: Kernels,
  peers: readonly ServingPeer[],
  root: Hash,
  height: number,
): Promise<void> {
  const transport = await createLibp2pTransport({
    networkKeySeed: crypto.getRandomValues(new Uint8Array(32)),
    listen: [],
  });
  await transport.start();
  try {
    const names = await Promise.all(peers.map(({ address }) => transport.dial(address)));
    const target = { height, root };
    const check = { kernels, chainId, target, segmentSizeBytes: SEGMENT_SIZE_BYTES };
    const found = await fetchManifest({ transport, timers: realTimers, check }, names[0]!);
    if ('pruned' in found) throw new RangeError('the state is not served');
    const { opCount } = found.manifest;
    let next = 0;
    const worker = async (name: string): Promise<void> => {
      while (next < opCount) {
        const from = next;
        next = Math.min(opCount, from + PIECE_OPS);
        const request = encodeMessage({ size: opCount, from, to: next });
        const options = { idleTimeoutMs: 60_000, responseSizeBytesMax: PIECE_FRAME_SIZE_BYTES_MAX };
        for await (const _ of transport.request(name, PROTOCOL.statePiece, request, options));
      }
    };
    await Promise.all(names.flatMap((name) => Array.from({ length: IN_FLIGHT_PER_PEER_MAX }, () => worker(name))));
  } finally {
    await transport.stop();
  }
}

/** Copies a log's segments as `cp` does, and syncs them. */
async function copySynced(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    await copyFile(`${from}/${name}`, `${to}/${name}`);
    const file = await open(`${to}/${name}`, 'r+');
    await file.sync();
    await file.close();
  }
}

async function logBytes(directory: string): Promise<number> {
  const names = (await readdir(directory)).filter((name) => name.startsWith('segment-'));
  const sizes = await Promise.all(names.map(async (name) => (await stat(`${directory}/${name}`)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function prepare(context: Context): Promise<Prepared> {
  const folder = mkdtempSync(join(context.directory, 'cairn-sync-'));
  const accounts = ACCOUNTS[context.size];
  const original = join(folder, 'original');
  const kernels = context.native ?? (await import('../../../native/index.ts')).loadKernels();
  const root = await makeStore(kernels, original, accounts);
  const height = Math.ceil(accounts / BATCH_ACCOUNTS) - 1;
  const units = await logBytes(join(original, 'log'));
  const peers = await startServing(original, folder, PEERS);
  const live = join(folder, 'live');
  const parts: Parts[] = [];
  const once = async (kernels: Kernels): Promise<Parts> => {
    await rm(live, { recursive: true, force: true });
    return syncOnce(kernels, live, peers, root, height);
  };
  const copied = join(folder, 'copy');
  return {
    ours: (kernels) => ({
      units,
      call: async () => {
        const took = await once(kernels);
        if (kernels.name === 'native') parts.push(took);
      },
    }),
    peers: { 'the same pieces, thrown away': { units, call: () => downloadOnly(kernels, peers, root, height) } },
    limit: {
      units,
      call: async () => {
        await rm(copied, { recursive: true, force: true });
        await copySynced(join(original, 'log'), copied);
      },
    },
    result: async (kernels) => {
      await once(kernels);
      return root;
    },
    note: () => noteOf(parts, accounts),
    close: async () => {
      await Promise.all(peers.map((peer) => peer.stop()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function noteOf(parts: readonly Parts[], accounts: number): string {
  const best = [...parts].sort((a, b) => a.downloadMs + a.settleMs - b.downloadMs - b.settleMs)[0];
  if (best === undefined) return '';
  const totalMs = best.connectMs + best.downloadMs + best.settleMs;
  const rate = Math.round((accounts * 1000) / totalMs);
  const ms = (value: number): string => `${Math.round(value)} ms`;
  return (
    `${accounts} accounts from ${PEERS} processes, best: ${ms(totalMs)}, ${rate} accounts/s ` +
    `(connecting ${ms(best.connectMs)}, pieces ${ms(best.downloadMs)}, table and root ${ms(best.settleMs)})`
  );
}

export const stateSync: BenchCase = {
  name: 'state.sync',
  unit: 'bytes',
  limitIs: 'copying the same files, and fsync',
  waits: true,
  rounds: 5,
  prepare,
};
