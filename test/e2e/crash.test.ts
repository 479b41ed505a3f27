/** SIGKILL under load: a validator, the whole network, the leader. What was reported final stays final, and the chain goes on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InitializedNode } from '../../src/node/init.ts';
import { rootsAtOneHeight } from '../../tools/devnet/settle.ts';
import { allFinal, Cluster, eventually, finalHeight, TAKE_OVER_MS } from './cluster.ts';
import { Load } from './load.ts';

const RATE_PER_SECOND = 100;
/** Beyond what the rules need: starting processes and asking them on a busy machine. */
const SLACK_MS = 10_000;

let cluster: Cluster;
let load: Load;
beforeAll(async () => {
  cluster = await Cluster.start({ validators: 4, archives: 1 });
  load = new Load(cluster, RATE_PER_SECOND);
}, 60_000);
afterAll(async () => {
  await load?.close();
  await cluster?.close();
  expect(cluster?.unexpectedExits ?? []).toEqual([]);
}, 30_000);

/** The validator that leads now, as all that answer agree by being asked themselves. */
async function leader(among: readonly InitializedNode[]): Promise<InitializedNode> {
  return eventually('a validator leads', SLACK_MS, async () => {
    for (const node of among) if ((await cluster.client(node).status()).isLeader) return node;
    return null;
  });
}

async function expectProgress(transfers: number): Promise<void> {
  const before = load.finalCount;
  await eventually(`${transfers} more transfers are final`, SLACK_MS + 5_000, () =>
    load.finalCount >= before + transfers ? true : null,
  );
}

async function expectSameRoots(): Promise<void> {
  const nodes = new Map(cluster.chainNodes.map((node) => [node.name, cluster.client(node)]));
  const roots = await rootsAtOneHeight(nodes);
  expect(roots).toHaveLength(nodes.size);
  expect(new Set(roots.map(({ stateRoot }) => stateRoot)).size).toBe(1);
}

describe('SIGKILL under load', () => {
  it('of a validator that does not lead: the others go on, it catches up to the same state', async () => {
    await expectProgress(100);
    const { validators } = cluster.folders;
    const leading = await leader(validators);
    const victim = validators.slice(1).find((node) => node !== leading)!;
    await cluster.kill(victim);
    const others = cluster.chainNodes.filter((node) => node !== victim);
    await allFinal(cluster, others, (await finalHeight(cluster, others)) + 8);
    await expectProgress(50);
    await cluster.startNode(victim);
    await allFinal(cluster, [victim], await finalHeight(cluster, others));
    await expectSameRoots();
    expect(await load.lost()).toEqual([]);
  }, 150_000);

  it('of the leader: another validator leads within two time-outs, nothing final is lost, the old one follows', async () => {
    const { validators } = cluster.folders;
    const old = await leader(validators);
    const others = validators.filter((node) => node !== old);
    await cluster.kill(old);
    const killedMs = performance.now();
    const heightBefore = await finalHeight(cluster, others);
    const next = await leader(others);
    expect(next).not.toBe(old);
    await allFinal(cluster, others, heightBefore + 4);
    expect(performance.now() - killedMs).toBeLessThan(2 * TAKE_OVER_MS + SLACK_MS);
    await expectProgress(100);
    await cluster.startNode(old);
    await allFinal(cluster, [old], await finalHeight(cluster, others));
    expect((await cluster.client(old).status()).isLeader).toBe(false);
    await expectSameRoots();
    expect(await load.lost()).toEqual([]);
  }, 150_000);

  it('of every process at once: all that was final still is, and the chain goes on', async () => {
    await expectProgress(50);
    await cluster.kill(...cluster.nodes);
    const { height } = load;
    const { finalCount } = load;
    await cluster.startNodes(cluster.nodes);
    await allFinal(cluster, cluster.chainNodes, height + 4);
    await eventually('transfers are final again', SLACK_MS + 10_000, () =>
      load.finalCount > finalCount + 100 ? true : null,
    );
    await expectSameRoots();
    expect(await load.lost()).toEqual([]);
  }, 150_000);

  it('and in the end every transfer is final once, and every balance on every node is the recomputed one', async () => {
    expect(await load.settle()).toEqual([]);
    expect(load.finalCount).toBe(load.driver.submittedCount);
    expect(await load.lost()).toEqual([]);
  }, 60_000);
});
