/**
 * Validators that do not check storage proofs, with real processes: one that approves everything, and one that waits for the others' findings and keeps its own
 * for itself where they rejected something. Fakes find both out, and their bonds are cut; the two that check lose nothing.
 */
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
/** 1 - 0.41^12 > 0.99995: in so many periods after the first both are caught, by the same fake. */
const PERIODS_MAX = 12;

let cluster: Cluster;
beforeAll(async () => {
  const shape = { validators: 4, archives: 1, replicators: 1, replicatorSegments: 4 };
  cluster = await Cluster.prepare({ ...shape, parameters: PARAMETERS });
  for (const [index, byzantine] of [
    [2, 'lazy-verifier'],
    [3, 'copying-verifier'],
  ] as const) {
    const { configFile } = cluster.folders.validators[index]!;
    const config = JSON.parse(await readFile(configFile, 'utf8'));
    await writeConfig(configFile, { ...config, faults: { byzantine } });
  }
  await cluster.startNodes(cluster.nodes);
}, 60_000);
afterAll(async () => {
  await cluster?.close();
  expect(cluster?.unexpectedExits ?? []).toEqual([]);
}, 30_000);

describe('validators that approve without checking, and that copy', () => {
  it('lose a part of their bonds, and nobody else does', async () => {
    const client = cluster.client(cluster.folders.archive);
    const cheats = cluster.folders.validators.slice(2).map(({ publicKey }) => encodeBase58(publicKey!));
    const bonds = async (): Promise<Map<string, bigint>> => {
      const { validators } = await client.validators();
      return new Map(validators.map(({ publicKey, units }) => [publicKey, BigInt(units)]));
    };
    const before = await bonds();
    const { totals } = await eventually('the replicator proves three segments', 300_000, async () => {
      const view = await client.replication();
      return view.replicas.filter(({ accepted }) => accepted > 0).length >= 3 ? view : null;
    });
    const after = await eventually('their bonds are cut', 600_000, async () => {
      const now = await bonds();
      return cheats.every((key) => now.get(key)! < before.get(key)!) ? now : null;
    });
    const { totals: then } = await client.replication();
    expect(then.period - totals.period).toBeLessThanOrEqual(PERIODS_MAX);
    expect(
      [...before]
        .filter(([key, units]) => after.get(key) !== units)
        .map(([key]) => key)
        .sort(),
    ).toEqual([...cheats].sort());
    const share = BigInt(PARAMETERS.replication.slashPerFakePermille);
    for (const key of cheats)
      expect(before.get(key)! - after.get(key)!).toBeGreaterThanOrEqual((before.get(key)! * share) / 1000n);
  }, 900_000);
});
