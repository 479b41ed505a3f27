import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Vote } from '../../src/codec/index.ts';
import { MemoryNetwork } from '../../src/net/memory-network.ts';
import { ChainStore } from '../../src/node/chain/chain-store.ts';
import { ChainNode } from '../../src/node/chain-node.ts';
import { freshDirectory } from './directories.ts';
import { kernels, makeChain, newWorld, rootOf, SILENT, voteFor } from './world.ts';

const world = newWorld();
const root = rootOf(world);
const chain = makeChain(world, root, 8, 20);
/** Votes that make every block justified, and final all but the last. */
const linkVotes = chain.flatMap(({ header }, at) =>
  world.validators.map((key) => voteFor(key, (chain[at - 1] ?? root).header, header)),
);

let directory: string;
let fatal: Error[];
beforeEach(async () => {
  directory = join(await freshDirectory(), 'data');
  fatal = [];
});

/** A node alone, that follows what it is given. */
function open(): Promise<ChainNode> {
  return ChainNode.open({
    role: 'archive',
    version: 'test',
    genesis: world.genesis,
    key: null,
    dataDirectory: directory,
    bootstrap: [],
    kernels,
    transport: new MemoryNetwork().transport('alone'),
    log: SILENT,
    onFatal: (error) => fatal.push(error),
    rpcUrl: () => null,
  });
}

async function give(node: ChainNode, votes: readonly Vote[]): Promise<void> {
  for (const { block } of chain) node.intake.block(block!, null);
  await node.intake.votes(votes, null);
}

async function until(isDone: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!isDone()) {
    if (performance.now() > deadline) throw new TypeError('it does not come');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a chain node', () => {
  it('knows after a restart, alone, what was justified before it', async () => {
    const node = await open();
    await node.start();
    const some = world.validators.slice(0, 3).map((key) => voteFor(key, root.header, chain[4]!.header));
    await give(node, some);
    await until(() => node.api.point('confirmed').height === 5 && node.tree.unfinalizedCount === 8);
    expect(node.tree.root.header.height).toBe(0);
    await node.stop();
    const again = await open();
    await again.start();
    await until(() => again.tree.unfinalizedCount === 8);
    await until(() => again.api.point('confirmed').height === 5);
    await again.stop();
    expect(fatal).toEqual([]);
  });

  it.each([0, 1, 2, 4, 8, 16, 32])(
    'stopped %i ms after it began to verify and finalize: no failure, and disk and memory agree',
    async (ms) => {
      const node = await open();
      await node.start();
      await give(node, linkVotes);
      await new Promise((resolve) => setTimeout(resolve, ms));
      await node.stop();
      const { height } = node.tree.root.header;
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(node.tree.root.header.height).toBe(height);
      const opened = await ChainStore.open({ directory, genesis: world.genesis, check: world.check, log: SILENT });
      expect(opened.root.header.height).toBe(height);
      await opened.store.close();
      expect(fatal).toEqual([]);
    },
  );

  it('stopped while its threads check a block: what they say no more is no failure', async () => {
    const node = await open();
    await node.start();
    for (const { block } of chain) node.intake.block(block!, null);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    await node.stop();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(fatal).toEqual([]);
  });

  it('finalizes what it is shown final, and stops cleanly when nothing is under way', async () => {
    const node = await open();
    await node.start();
    await give(node, linkVotes);
    await until(() => node.tree.root.header.height === 7);
    expect(node.api.point('finalized').hash).toEqual(chain[6]!.header.hash);
    expect(
      (await node.api.waitFinalized(root.header.height, 10, AbortSignal.abort())).map(({ height }) => height),
    ).toEqual([1, 2, 3, 4, 5, 6, 7]);
    await node.stop();
    expect(fatal).toEqual([]);
  });
});
