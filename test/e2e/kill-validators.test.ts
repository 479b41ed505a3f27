/**
 * SIGKILL of validators at random moments while they lead and vote, again and again: no key is ever led to contradict itself. An archive that is never killed hears every vote
 * and header and looks for evidence; afterwards every vote in the chain is compared with every other of its voter.
 *
 * A few cycles by default; `npm run test:long -- kill-validators` does more.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Kernels, loadKernels } from '../../native/index.ts';
import { blockVotes, decodeBlock, encodeBase58, type Vote } from '../../src/codec/index.ts';
import { SeededRandom } from '../../tools/workload/random.ts';
import { allFinal, Cluster, eventually, finalHeight, TEST_GENESIS } from './cluster.ts';
import { Load } from './load.ts';

const CYCLES = Number(process.env.CAIRN_KILL_VALIDATORS ?? 3);
const SEED = Number(process.env.CAIRN_KILL_SEED ?? 1);
const SLOT_MS = TEST_GENESIS.poh.slotDurationMs;
const kernels: Kernels = loadKernels();

let cluster: Cluster;
let load: Load;
beforeAll(async () => {
  cluster = await Cluster.start({ validators: 4, archives: 1 });
  load = new Load(cluster, 50);
  await allFinal(cluster, cluster.chainNodes, 2);
}, 60_000);
afterAll(async () => {
  await load?.close();
  await cluster?.close();
  expect(cluster?.unexpectedExits ?? []).toEqual([]);
}, 30_000);

/** Two votes of one voter that no honest one casts: two targets in one slot, or one link around the other. */
function slashable(votes: readonly Vote[]): string[] {
  const byVoter = new Map<string, Map<string, Vote>>();
  for (const vote of votes) {
    const own = byVoter.get(encodeBase58(vote.voter)) ?? new Map<string, Vote>();
    byVoter.set(encodeBase58(vote.voter), own.set(encodeBase58(vote.signature), vote));
  }
  return [...byVoter].flatMap(([voter, own]) => {
    const all = [...own.values()].sort((a, b) => a.targetSlot - b.targetSlot || a.sourceSlot - b.sourceSlot);
    return all.slice(1).flatMap((vote, at) => {
      const before = all[at]!;
      const isDouble =
        before.targetSlot === vote.targetSlot && Buffer.compare(before.targetHash, vote.targetHash) !== 0;
      const isSurround = all
        .slice(0, at + 1)
        .some((older) => vote.sourceSlot < older.sourceSlot && older.targetSlot < vote.targetSlot);
      return isDouble || isSurround ? [`${voter} at slot ${vote.targetSlot}`] : [];
    });
  });
}

async function votesInChain(): Promise<Vote[]> {
  const { archive } = cluster.folders;
  const client = cluster.client(archive);
  const votes: Vote[] = [];
  for (let height = await client.blockHeight(); height > 0; height -= 1)
    votes.push(...blockVotes(decodeBlock(kernels, await client.blockBytes(height)).entries));
  return votes;
}

describe(`${CYCLES} kills of validators, seed ${SEED}`, () => {
  it(
    'no slashable vote, no second block of a slot, and the chain goes on',
    async () => {
      const random = new SeededRandom(SEED);
      const { validators, archive } = cluster.folders;
      for (let cycle = 0; cycle < CYCLES; cycle += 1) {
        const leading = await eventually('a leader', 30_000, async () => {
          for (const node of validators) if ((await cluster.client(node).status()).isLeader) return node;
          return null;
        });
        // Every other time the leader; any moment within two slots.
        const victim = cycle % 2 === 0 ? leading : validators[Math.floor(random.unit() * validators.length)]!;
        await sleep(random.unit() * 2 * SLOT_MS);
        await cluster.kill(victim);
        await sleep(random.unit() * 2 * SLOT_MS);
        await cluster.startNode(victim);
        const height = await finalHeight(cluster, [archive]);
        await allFinal(cluster, [archive, victim], height + 3);
      }
      const { consensus } = await cluster.client(archive).status();
      expect(consensus).toMatchObject({ evidence: 0, conflict: null });
      expect(slashable(await votesInChain())).toEqual([]);
      expect((await cluster.client(archive).validators()).validators.filter(({ slashed }) => slashed)).toEqual([]);
    },
    60_000 + CYCLES * 60_000,
  );
});
