/**
 * Blocks of Zipf transfers on the real state store, on the real disk: what the op log takes there beside what lives in it, and what each block costs.
 * Every block is executed on an overlay, compacted by the ledger's rule, committed to, logged and synced, as a final block is.
 *
 * Invariant: equal options give equal blocks; only the times differ.
 */
import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kernels } from '../../native/index.ts';
import { compact } from '../../src/ledger/compaction.ts';
import { Overlay, rewardPoolAddress } from '../../src/ledger/index.ts';
import { encodeBatch, type StateOp, StateStore } from '../../storage/index.ts';
import { SeededRandom } from '../workload/random.ts';
import { Zipf } from '../workload/zipf.ts';

export interface CompactionDiskOptions {
  readonly kernels: Kernels;
  /** An own folder is made in it, and removed. */
  readonly directory: string;
  readonly accounts: number;
  readonly transfersPerBlock: number;
  readonly blocks: number;
  readonly microunitsPerByteBlock: bigint;
  readonly segmentSizeBytes: number;
  /** Heights behind the tip whose floor decides which segments go. */
  readonly retainHeights: number;
  readonly seed: number;
}

/** After one block. */
export interface CompactionSample {
  readonly height: number;
  /** Bytes of all segment files. */
  readonly diskBytes: number;
  /** Bytes of the live ops: 32 an account. */
  readonly liveBytes: number;
  /** Ops from the floor on, of each live op. */
  readonly windowPerLive: number;
  /** Ops written, moves included. */
  readonly ops: number;
  /** Processor time of executing, compacting, committing to and logging the block. */
  readonly cpuMs: number;
  readonly wallMs: number;
}

const BALANCE = 1_000_000_000n;
const OP_SIZE_BYTES = 32;

/** Runs it. Blocks are made one after the other; sampled each. */
export async function runCompaction(options: CompactionDiskOptions): Promise<CompactionSample[]> {
  const { kernels, segmentSizeBytes, retainHeights, accounts, blocks, seed } = options;
  const directory = await mkdtemp(join(options.directory, 'cairn-compaction-'));
  const chainId = new Uint8Array(32);
  const store = await StateStore.open({ directory, kernels, chainId, segmentSizeBytes, retainHeights });
  try {
    const pool = rewardPoolAddress(kernels);
    const addresses = Array.from({ length: accounts }, (_, number) => addressOf(kernels, number));
    const genesis: StateOp[] = addresses.map((address) => ({ kind: 'putAccount', address, balance: BALANCE }));
    genesis.push({ kind: 'putAccount', address: pool, balance: 0n });
    await store.initialize(encodeBatch(store.commitment.place, genesis));
    const random = new SeededRandom(seed);
    const picks = new Zipf(random, { count: accounts });
    const samples: CompactionSample[] = [];
    for (let height = 1; height <= blocks; height += 1)
      samples.push(await sampleBlock(options, store, directory, () => addresses[picks.next()]!));
    return samples;
  } finally {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function sampleBlock(
  { kernels, microunitsPerByteBlock, transfersPerBlock }: CompactionDiskOptions,
  store: StateStore,
  directory: string,
  pick: () => Uint8Array,
): Promise<CompactionSample> {
  const rewardPool = rewardPoolAddress(kernels);
  const [startedMs, startedCpu] = [performance.now(), process.cpuUsage()];
  const overlay = new Overlay(store);
  for (let n = 0; n < transfersPerBlock; n += 1) transfer(overlay, pick(), pick(), rewardPool);
  compact(kernels, { rent: { microunitsPerByteBlock }, rewardPool }, overlay, store.commitment);
  const ops = overlay.ops();
  await store.append(encodeBatch(store.commitment.place, ops));
  const { user, system } = process.cpuUsage(startedCpu);
  const { opCount, floor, activeCount } = store.commitment;
  return {
    height: store.tip.height,
    diskBytes: logBytes(directory),
    liveBytes: activeCount * OP_SIZE_BYTES,
    windowPerLive: (opCount - floor) / activeCount,
    ops: ops.length,
    cpuMs: (user + system) / 1000,
    wallMs: performance.now() - startedMs,
  };
}

function transfer(overlay: Overlay, from: Uint8Array, to: Uint8Array, pool: Uint8Array): void {
  if (overlay.balance(from) < 2n) return;
  overlay.debit(from, 2n);
  overlay.credit(pool, 1n);
  overlay.credit(to, 1n);
}

/** Spread as real addresses are. */
function addressOf(kernels: Kernels, number: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, number + 1, true);
  return kernels.sha256(bytes).slice(0, 20);
}

function logBytes(directory: string): number {
  const folder = join(directory, 'log');
  const names = readdirSync(folder).filter((name) => name.startsWith('segment-'));
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}
