/** Wires cut between real processes, 3 | 1 and 2 | 2, and mended: at most one side finalizes, and afterwards all are on one chain. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InitializedNode } from '../../src/node/init.ts';
import { rootsAtOneHeight } from '../../tools/devnet/settle.ts';
import { allFinal, Cluster, eventually, finalHeight, TEST_GENESIS } from './cluster.ts';

const SLOT_MS = TEST_GENESIS.poh.slotDurationMs;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ validators: 4, archives: 1 });
  await allFinal(cluster, cluster.chainNodes, 3);
}, 60_000);
afterAll(async () => {
  await cluster?.close();
  expect(cluster?.unexpectedExits ?? []).toEqual([]);
}, 30_000);

async function expectOneChain(): Promise<void> {
  const nodes = new Map(cluster.chainNodes.map((node) => [node.name, cluster.client(node)]));
  const roots = await rootsAtOneHeight(nodes);
  expect(roots).toHaveLength(nodes.size);
  expect(new Set(roots.map(({ stateRoot }) => stateRoot)).size).toBe(1);
}

/** The cut is seen by those it separates. */
async function untilApart(node: InitializedNode, peers: number): Promise<void> {
  await eventually(`${node.name} has ${peers} peers`, 10_000, async () =>
    (await cluster.client(node).status()).peers === peers ? true : null,
  );
}

describe('a partition', () => {
  it('3 | 1: the three go on, the one does not, and catches up', async () => {
    const { validators, archive } = cluster.folders;
    const leading = await eventually('a leader', 15_000, async () => {
      for (const node of validators) if ((await cluster.client(node).status()).isLeader) return node;
      return null;
    });
    // The one that led is cut off: the others must elect.
    const many = [...validators.filter((node) => node !== leading), archive];
    await cluster.split(many, [leading]);
    await untilApart(leading, 0);
    // What was under way becomes final.
    await sleep(4 * SLOT_MS);
    const before = await finalHeight(cluster, [leading]);
    await allFinal(cluster, many, (await finalHeight(cluster, many)) + 6);
    expect(await finalHeight(cluster, [leading])).toBeLessThanOrEqual(before + 2);
    await cluster.heal();
    await allFinal(cluster, cluster.chainNodes, (await finalHeight(cluster, many)) + 4);
    await expectOneChain();
  }, 120_000);

  it('2 | 2: nobody finalizes; healed, all go on on one chain', async () => {
    const { validators, archive } = cluster.folders;
    const [one, two] = [[...validators.slice(0, 2), archive], validators.slice(2)];
    await cluster.split(one, two);
    for (const node of two) await untilApart(node, 1);
    // What was under way becomes final.
    await sleep(4 * SLOT_MS);
    const before = await Promise.all([one, two].map((side) => finalHeight(cluster, side)));
    await sleep(12 * SLOT_MS);
    const after = await Promise.all([one, two].map((side) => finalHeight(cluster, side)));
    expect(after).toEqual(before);
    await cluster.heal();
    await allFinal(cluster, cluster.chainNodes, Math.max(...after) + 4);
    await expectOneChain();
    const evidence = await Promise.all(
      cluster.chainNodes.map(async (node) => (await cluster.client(node).status()).consensus.evidence),
    );
    expect(evidence).toEqual(cluster.chainNodes.map(() => 0));
  }, 120_000);
});
