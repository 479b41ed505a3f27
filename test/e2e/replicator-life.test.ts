/** A replicator's whole life with real processes: registered, paid, unregistered and withdrawn to the last unit; and one that is ended by a stranger's report. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatAddress } from '../../src/codec/index.ts';
import type { InitializedNode, NetworkParameters } from '../../src/node/init.ts';
import type { ReplicationRows } from '../../src/rpc/client.ts';
import { Cluster, eventually, FEE, TEST_GENESIS } from './cluster.ts';

const WAIT_MS = 120_000;
/** Segments that blocks alone fill in seconds, one replica each; two misses in a row end it, one costs a quarter of its part of the deposit. Without rent: every unit can be told. */
const PARAMETERS: NetworkParameters = {
  ...TEST_GENESIS,
  history: { segmentSizeBytes: 32 * 1024, leafSizeBytes: 1024 },
  replication: { ...TEST_GENESIS.replication, rewardLockoutPeriods: 1, missesMax: 2, fakeSharePermille: 0 },
  rent: { microunitsPerByteBlock: '0' },
};
const DEPOSIT = BigInt(PARAMETERS.replication.minimumDeposit) + BigInt(PARAMETERS.replication.depositPerReplica);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.prepare({
    ...{ validators: 1, archives: 1, replicators: 2 },
    ...{ parameters: PARAMETERS, replicatorSegments: 1 },
  });
  await cluster.startNodes(cluster.nodes);
}, 60_000);
afterAll(async () => {
  await cluster?.close();
  expect(cluster?.unexpectedExits ?? []).toEqual([]);
}, 30_000);

const rpc = (): readonly string[] => ['--rpc', cluster.ready(cluster.folders.archive).rpc];
const replication = (...args: readonly string[]) => cluster.cairn('replication', ...args, ...rpc());
const keyOf = (node: InitializedNode): readonly string[] => ['--key', join(node.directory, 'key.json')];
const addressOf = (node: InitializedNode): string => formatAddress(node.address!);

type Identity = ReplicationRows['identities'][number];

/** A replicator's record, once it is as wanted. */
function untilIdentity(what: string, node: InitializedNode, isSo: (row: Identity) => boolean): Promise<Identity> {
  const client = cluster.client(cluster.folders.archive);
  return eventually(what, WAIT_MS, async () =>
    (await client.replication({ identity: addressOf(node) })).identities.find(isSo),
  );
}

/** Fees of an address's transactions in all final blocks. */
async function feesOf(address: string): Promise<bigint> {
  const client = cluster.client(cluster.folders.archive);
  let sum = 0n;
  for (let height = await client.blockHeight(); height > 0; height -= 1)
    for (const { fromAddress, fee } of (await client.block({ height })).transactions ?? [])
      if (fromAddress === address) sum += BigInt(fee);
  return sum;
}

/** At the same time: each has a replicator of its own, and both wait for periods. */
describe.concurrent('a replicator', () => {
  it('is paid while it proves, and gets every unit back when it leaves', async () => {
    const [node] = cluster.folders.replicators as [InitializedNode];
    const { archive, options } = cluster.folders;
    const identity = addressOf(node);
    await untilIdentity('two proofs were paid', node, ({ accepted, paid }) => accepted >= 2 && BigInt(paid) > 0n);
    const shown = await replication('status', '--identity', identity);
    expect([shown.code, shown.output]).toEqual([
      0,
      expect.stringMatching(/^1 replicas, deposit 1100000, rewards \d+ of/),
    ]);

    const early = await replication('withdraw', ...keyOf(node));
    expect([early.code, early.errors]).toEqual([1, expect.stringContaining('run cairn replication unregister first')]);
    await cluster.child(node).stop();
    const left = await cluster.cairnJson('replication', 'unregister', ...keyOf(node), ...rpc());
    expect(left).toMatchObject({ identity, retired: 1, deposit: String(DEPOSIT), lost: '0' });
    const again = await replication('unregister', ...keyOf(node));
    expect([again.code, again.errors]).toEqual([1, expect.stringContaining('has unregistered already')]);
    const locked = await replication('withdraw', ...keyOf(node));
    expect([locked.code, locked.errors]).toEqual([
      1,
      expect.stringMatching(/refused \(lockout\).*free from period \d+/),
    ]);

    // Its process, started again, sees that it has left: it serves what it holds, and neither commits nor registers.
    await cluster.startNode(node);
    const client = cluster.client(archive);
    await eventually('the deposit is free', WAIT_MS, async () =>
      (await client.replication()).totals.period >= Number(left.freePeriod) ? true : null,
    );
    const { paid } = await untilIdentity('still there', node, () => true);
    const back = await cluster.cairnJson('replication', 'withdraw', ...keyOf(node), ...rpc());
    expect(back).toMatchObject({ identity, deposit: String(DEPOSIT) });
    const none = await replication('withdraw', ...keyOf(node));
    expect([none.code, none.errors]).toEqual([1, expect.stringContaining('is not registered as a replicator')]);
    expect(await client.balance(identity)).toBe(options.nodeBalance + BigInt(paid) - (await feesOf(identity)));

    const { totals } = await client.replication();
    await eventually('two periods more', WAIT_MS, async () =>
      (await client.replication()).totals.period >= totals.period + 2 ? true : null,
    );
    expect((await client.replication({ identity })).identities).toEqual([]);
    await cluster.child(node).stop();
  }, 300_000);

  it('that goes away is ended by whoever reports it, and loses what its misses cost', async () => {
    const node = cluster.folders.replicators[1]!;
    const client = cluster.client(cluster.folders.archive);
    await untilIdentity('a proof was accepted', node, ({ accepted }) => accepted > 0);
    const wallet = ['--key', cluster.wallet.file];
    const nothing = await replication('report', ...wallet);
    expect([nothing.code, nothing.errors]).toEqual([1, expect.stringContaining('no replica has lapsed')]);
    await cluster.kill(node);
    const { segment } = await eventually('its replica lapses', WAIT_MS, async () =>
      (await client.replication({ identity: addressOf(node) })).replicas.find(({ isLapsed }) => isLapsed),
    );
    const elsewhere = await replication('report', ...wallet, '--segment', String(segment + 1));
    expect(elsewhere.code).toBe(1);
    const ended = await cluster.cairnJson('replication', 'report', ...wallet, ...rpc());
    expect(ended).toMatchObject({ left: 0, reported: [{ segment, identity: addressOf(node) }], fee: String(FEE) });
    const { identities, replicas } = await client.replication({ identity: addressOf(node) });
    expect(replicas).toEqual([]);
    const { depositPerReplica, slashPerMissPermille } = PARAMETERS.replication;
    const lost = DEPOSIT - BigInt(identities[0]!.deposit);
    expect([
      lost >= (BigInt(depositPerReplica) * 3n * BigInt(slashPerMissPermille)) / 1000n,
      identities[0]!.locked,
    ]).toEqual([true, '0']);
  }, 300_000);
});
