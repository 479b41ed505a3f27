/** A validator that approves storage proofs without checking them, with real processes: a fake finds it out, and its bond is cut. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeBase58 } from '../../src/codec/index.ts';
import { type NetworkParameters, writeConfig } from '../../src/node/init.ts';
import { Cluster, eventually, TEST_GENESIS } from './cluster.ts';

/** Of two proofs in five as many as one may be fakes, so that one falls due within a few periods: with odds of a fifth a proof and 4 segments, 59 % a period. */
const PARAMETERS: NetworkParameters = {
  ...TEST_GENESIS,
  history: { segmentSizeBytes: 32 * 1024, leafSizeBytes: 1024 },
  replication: { ...TEST_GENESIS.replication, fakeSharePermille: 400, missesMax: 1000, slashPerMissPermille: 1 },
};
/** 1 - 0.41^12 > 0.99995: in so many periods after the first it is caught. */
const PERIODS_MAX = 12;

let cluster: Cluster;
beforeAll(async () => {
  const shape = { validators: 4, archives: 1, replicators: 1, replicatorSegments: 4 };
  cluster = await Cluster.prepare({ ...shape, parameters: PARAMETERS });
  const lazy = cluster.folders.validators[2]!;
  const config = JSON.parse(await readFile(lazy.configFile, 'utf8'));
  await writeConfig(lazy.configFile, { ...config, faults: { byzantine: 'lazy-verifier' } });
  await cluster.startNodes(cluster.nodes);
}, 60_000);
afterAll(async () => {
  await cluster?.close();
  expect(cluster?.unexpectedExits ?? []).toEqual([]);
}, 30_000);

describe('a validator that approves without checking', () => {
  it('loses a part of its bond, and nobody else does', async () => {
    const client = cluster.client(cluster.folders.archive);
    const lazy = encodeBase58(cluster.folders.validators[2]!.publicKey!);
    const bonds = async (): Promise<Map<string, bigint>> => {
      const { validators } = await client.validators();
      return new Map(validators.map(({ publicKey, units }) => [publicKey, BigInt(units)]));
    };
    const before = await bonds();
    const { totals } = await eventually('the replicator proves three segments', 300_000, async () => {
      const view = await client.replication();
      return view.replicas.filter(({ accepted }) => accepted > 0).length >= 3 ? view : null;
    });
    const after = await eventually('its bond is cut', 600_000, async () => {
      const now = await bonds();
      return now.get(lazy)! < before.get(lazy)! ? now : null;
    });
    const { totals: then } = await client.replication();
    expect(then.period - totals.period).toBeLessThanOrEqual(PERIODS_MAX);
    expect([...before].filter(([key, units]) => after.get(key) !== units).map(([key]) => key)).toEqual([lazy]);
    const share = BigInt(PARAMETERS.replication.slashPerFakePermille);
    expect(before.get(lazy)! - after.get(lazy)!).toBeGreaterThanOrEqual((before.get(lazy)! * share) / 1000n);
  }, 900_000);
});
