/**
 * A real replicator process, killed with SIGKILL while it encodes, proves and rotates: it comes back, never sends a wrong proof, and misses at most the periods
 * it was down in. `CAIRN_REPLICATOR_KILLS` says how often (test:long: 20).
 */
import { watch } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadKernels } from '../../native/index.ts';
import { ReplicaStore } from '../../replicator/index.ts';
import { formatAddress } from '../../src/codec/index.ts';
import type { InitializedNode, NetworkParameters } from '../../src/node/init.ts';
import { diskFiles } from '../../storage/index.ts';
import { Cluster, eventually, TEST_GENESIS } from './cluster.ts';

const KILLS = Number(process.env.CAIRN_REPLICATOR_KILLS ?? 3);
/** Which moment comes first. */
const FIRST = Number(process.env.CAIRN_REPLICATOR_KILL_FIRST ?? 0);
/** Periods of 10 s, so that a busy machine has time to prove in each, three to a rotation; segments that blocks alone fill in some seconds. */
const PARAMETERS: NetworkParameters = {
  ...TEST_GENESIS,
  history: { segmentSizeBytes: 32 * 1024, leafSizeBytes: 1024 },
  replication: {
    ...TEST_GENESIS.replication,
    mode: 'both',
    samplesPerProof: 60,
    checksPerProof: 8,
    slotsPerPeriod: 40,
    periodsPerRotation: 3,
    proofDeadlineSlots: 22,
    sealSlots: 8,
    missesMax: 1000,
    slashPerMissPermille: 1,
    // A fake that cannot be revealed because the process is down counts as rejected: what a kill leaves of fakes is test/node/prover.test.ts.
    fakeSharePermille: 0,
  },
};
const EVENT_TIMEOUT_MS = 120_000;
const STALLED_SLOTS = 12;

/** What the process is doing when it is killed, by the file that shows it. */
const MOMENTS = ['encode', 'prove', 'rotate'] as const;
type Moment = (typeof MOMENTS)[number];

let cluster: Cluster;
let replicator: InitializedNode;
beforeAll(async () => {
  cluster = await Cluster.prepare({
    validators: 1,
    archives: 1,
    replicators: 1,
    parameters: PARAMETERS,
    replicatorSegments: 8,
  });
  replicator = cluster.folders.replicators[0]!;
  await cluster.startNodes([...cluster.chainNodes, replicator]);
}, 60_000);
afterAll(async () => {
  await cluster?.close();
  expect(cluster?.unexpectedExits ?? []).toEqual([]);
}, 30_000);

const data = (name: string): string => join(replicator.directory, 'data', name);

/** Resolves the moment a file shows that the process is at it. */
async function momentOf(moment: Moment): Promise<void> {
  const folder = data(moment === 'prove' ? 'openings' : 'replicas');
  await mkdir(folder, { recursive: true });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => done(new RangeError(`no ${moment} within ${EVENT_TIMEOUT_MS} ms`)),
      EVENT_TIMEOUT_MS,
    );
    const watcher = watch(folder, (_, name) => {
      const rotation = /^segment-(\d+)\.rotation-(\d+)\.replica\.partial$/.exec(name ?? '');
      // A replica's first rotation is encoded from the network, the next one out of the one before.
      if (rotation !== null && moment !== 'prove') {
        const isRotation = Number(rotation[2]) > firstRotation(rotation[1]!, rotation[2]!);
        if (isRotation === (moment === 'rotate')) done();
      }
      if (moment === 'prove' && name?.endsWith('.opening') === true) done();
    });
    const done = (error?: Error): void => {
      clearTimeout(timer);
      watcher.close();
      if (error === undefined) resolve();
      else reject(error);
    };
  });
}

const firstRotations = new Map<string, number>();
function firstRotation(segment: string, rotation: string): number {
  if (!firstRotations.has(segment)) firstRotations.set(segment, Number(rotation));
  return firstRotations.get(segment)!;
}

describe('a replicator that is killed', () => {
  it(`${KILLS} times while it encodes, proves and rotates, misses only periods it was down in`, async () => {
    const client = cluster.client(cluster.folders.validators[0]!);
    const identity = formatAddress(replicator.address!);
    /** Periods of each segment that the ledger showed as proven. */
    const proven = new Map<number, Set<number>>();
    const down = new Set<number>();
    const periodNow = async (): Promise<number> => {
      const { totals, replicas } = await client.replication({ identity });
      const { head, finalized } = await client.status();
      // Where finality stalls for so long (a machine with too much to do), nobody's proof can be in time.
      if (head.slot - finalized.slot > STALLED_SLOTS) down.add(totals.period).add(totals.period - 1);
      for (const { segment, lastPeriod, proof } of replicas)
        if (lastPeriod !== null && (proof === 'accepted' || proof === 'revealed'))
          proven.set(segment, (proven.get(segment) ?? new Set()).add(lastPeriod));
      return totals.period;
    };
    let isOver = false;
    const polling = (async () => {
      while (!isOver) {
        await periodNow().catch(() => 0);
        await sleep(150);
      }
    })();
    try {
      await eventually('a first proof', EVENT_TIMEOUT_MS, () => (proven.size > 0 ? true : null));
      for (let kill = 0; kill < KILLS; kill += 1) {
        // Once the capacity is full nothing is encoded from the network any more.
        const moment = MOMENTS[(FIRST + kill) % 3]!;
        await momentOf(moment === 'encode' && kill > 3 ? 'prove' : moment);
        const killedIn = await periodNow();
        await cluster.kill(replicator);
        await cluster.startNode(replicator);
        const backIn = await periodNow();
        for (let period = killedIn; period <= backIn; period += 1) down.add(period);
      }
      // It comes back: every segment it holds is proven again, in a period after the last kill.
      const after = (await periodNow()) + 1;
      await eventually('a proof after the last kill', EVENT_TIMEOUT_MS, () =>
        [...proven.values()].some((periods) => Math.max(...periods) >= after) ? true : null,
      );
    } finally {
      isOver = true;
      await polling;
    }
    // No proof was ever wrong; one that was delayed together with the whole network may have come too late.
    const { replicas } = await client.replication({ identity });
    const reasons = replicas.filter(({ rejected }) => rejected > 0).map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason !== 'late')).toEqual([]);
    for (const [segment, periods] of proven) expect([segment, missed(periods, down)]).toEqual([segment, []]);
    await cluster.child(replicator).stop();
    await expectWholeReplicas(replicator);
  }, 900_000);
});

/** Periods between the first and the last proven that were due, not proven, and not touched by a kill. */
function missed(periods: ReadonlySet<number>, down: ReadonlySet<number>): number[] {
  const [first, last] = [Math.min(...periods), Math.max(...periods)];
  const due = Array.from({ length: last - first + 1 }, (_, index) => first + index).filter(
    (period) => period % PARAMETERS.replication.periodsPerRotation !== 0,
  );
  return due.filter((period) => !periods.has(period) && !down.has(period));
}

/** Nothing that lies under a replica's name is wrong. */
async function expectWholeReplicas({ publicKey }: InitializedNode): Promise<void> {
  const { segmentSizeBytes, leafSizeBytes } = PARAMETERS.history;
  const geometry = { segmentSizeBytes, leafSizeBytes };
  const directory = data('replicas');
  const store = await ReplicaStore.open({
    ...{ kernels: loadKernels(), files: diskFiles(), directory, identity: publicKey!, geometry },
  });
  try {
    const { replicas, damaged } = await store.list();
    expect(damaged).toEqual([]);
    expect(replicas.length).toBeGreaterThan(0);
    for (const { segment, rotation } of replicas) {
      const replica = await store.get({ segment, rotation });
      await replica.verify();
      await replica.close();
    }
  } finally {
    await store.close();
  }
}
