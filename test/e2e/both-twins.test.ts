/**
 * One network, both twins: two validators on the C++ kernels, two on the portable ones. A block is final only with a vote from either kind, each of which
 * has executed it and found the header's state root; then all change places on the same data directories. Every block must be the same bytes on all.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nativeKernels } from '../../native/native.ts';
import type { InitializedNode } from '../../src/node/init.ts';
import { allFinal, Cluster, eventually, finalHeight } from './cluster.ts';
import { Load } from './load.ts';

const RATE_PER_SECOND = 200;
const BLOCKS = 12;
const isNativeHere = process.env.CAIRN_KERNELS !== 'portable' && nativeKernels({}).kernels !== null;

type Twin = 'native' | 'portable';

let cluster: Cluster;
let load: Load;

/** Starts every validator, the twin of each as given; the setting is read when a process is spawned. */
async function start(twinOf: (index: number) => Twin): Promise<void> {
  const before = process.env.CAIRN_KERNELS;
  const started = cluster.nodes.map((node, index) => {
    process.env.CAIRN_KERNELS = twinOf(index);
    return cluster.startNode(node);
  });
  if (before === undefined) delete process.env.CAIRN_KERNELS;
  else process.env.CAIRN_KERNELS = before;
  await Promise.all(started);
  const running = await Promise.all(cluster.nodes.map(async (node) => (await cluster.client(node).status()).kernels));
  expect(running).toEqual(cluster.nodes.map((_, index) => twinOf(index)));
}

interface Reading {
  readonly blockHash: string;
  readonly stateRoot: string;
  readonly bytes: string;
}

async function readBlock(node: InitializedNode, height: number): Promise<Reading> {
  const client = cluster.client(node);
  const { blockhash, stateRoot } = await client.block({ height }, 'none');
  return { blockHash: blockhash, stateRoot, bytes: Buffer.from(await client.blockBytes(height)).toString('base64') };
}

/** Compares every final block of all nodes; returns how many different state roots there were. */
async function compareBlocks(height: number): Promise<number> {
  const roots = new Set<string>();
  for (let at = 1; at <= height; at += 1) {
    const [first, ...others] = await Promise.all(cluster.nodes.map((node) => readBlock(node, at)));
    for (const other of others) expect(other, `block ${at}`).toEqual(first);
    roots.add(first!.stateRoot);
  }
  return roots.size;
}

describe.skipIf(!isNativeHere)('a network of both twins', () => {
  beforeAll(async () => {
    cluster = await Cluster.prepare({ validators: 4 });
  });
  afterAll(async () => {
    await load?.close();
    await cluster?.close();
    expect(cluster?.unexpectedExits ?? []).toEqual([]);
  }, 30_000);

  it('agrees on every header and state root', async () => {
    await start((index) => (index % 2 === 0 ? 'native' : 'portable'));
    load = new Load(cluster, RATE_PER_SECOND);
    await eventually('transfers are final', 30_000, () => (load.finalCount > 200 ? true : null));
    const height = Math.max(BLOCKS, await finalHeight(cluster, cluster.nodes));
    await allFinal(cluster, cluster.nodes, height);
    expect(await compareBlocks(height)).toBeGreaterThan(BLOCKS / 2);
  }, 90_000);

  it('agrees after all have changed places on the same data', async () => {
    const before = await finalHeight(cluster, cluster.nodes);
    const finalBefore = load.finalCount;
    await cluster.kill(...cluster.nodes);
    await start((index) => (index % 2 === 0 ? 'portable' : 'native'));
    await allFinal(cluster, cluster.nodes, before + BLOCKS);
    await eventually('transfers are final again', 30_000, () => (load.finalCount > finalBefore + 100 ? true : null));
    const height = await finalHeight(cluster, cluster.nodes);
    await allFinal(cluster, cluster.nodes, height);
    expect(await compareBlocks(height)).toBeGreaterThan(BLOCKS);
    expect(await load.settle()).toEqual([]);
  }, 120_000);
});
