/** Bonds by the command line, a lost vote file, a copied key: with real processes. */
import { copyFile, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatAddress } from '../../src/codec/index.ts';
import { addNode, type InitializedNode, writeConfig } from '../../src/node/init.ts';
import type { ValidatorsRows } from '../../src/rpc/client.ts';
import { allFinal, Cluster, eventually, FEE, finalHeight } from './cluster.ts';

const BOND = 300_000n;
/** An epoch of 2 s: bonds enter and leave within a few. */
const CONSENSUS = { slotsPerEpoch: 8, staleEpochsFast: 10, voteLateSlotsMax: 7 } as const;
const EPOCHS_TIMEOUT_MS = 60_000;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ validators: 4, archives: 1, consensus: CONSENSUS });
  await allFinal(cluster, cluster.chainNodes, 2);
}, 60_000);
afterAll(async () => {
  await cluster?.close();
  expect(cluster?.unexpectedExits ?? []).toEqual([]);
}, 30_000);

type Row = ValidatorsRows['validators'][number];

const rpcOf = (node: InitializedNode): readonly string[] => ['--rpc', cluster.ready(node).rpc];

/** A key's row once it is as wanted, as any validator tells it. */
function untilRow(what: string, key: string, isSo: (row: Row) => boolean): Promise<Row> {
  return eventually(what, EPOCHS_TIMEOUT_MS, async () => {
    const { validators } = await cluster.client(cluster.folders.archive).validators();
    return validators.find((row) => row.publicKey === key && isSo(row));
  });
}

const keyOf = async (node: InitializedNode): Promise<string> =>
  (await cluster.client(node).status()).publicKey as string;

describe('a bond', () => {
  it('makes a validator of a newcomer, and comes back when it leaves', async () => {
    const { folders } = cluster;
    const { archive } = folders;
    const newcomer = await addNode(folders.options, folders.network, 'validator', 'validator-5', 1);
    const address = formatAddress(newcomer.address!);
    const wallet = ['--key', cluster.wallet.file, ...rpcOf(archive)];
    await cluster.cairnJson('transfer', ...wallet, '--to', address, '--amount', String(BOND + 10n * FEE));
    await cluster.startNode(newcomer);
    const keyFile = ['--key', join(newcomer.directory, 'key.json'), ...rpcOf(archive)];
    await cluster.cairnJson('bond', ...keyFile, '--amount', String(BOND));
    const key = await keyOf(newcomer);
    await untilRow('the bond is active', key, ({ stage, weight }) => stage === 'active' && weight === String(BOND));
    await eventually('the newcomer votes', EPOCHS_TIMEOUT_MS, async () =>
      (await cluster.client(archive).validators()).validators.some(
        (row) => row.publicKey === key && row.lastVoteSlot !== null,
      )
        ? true
        : null,
    );
    await eventually('the newcomer knows it is one of five', EPOCHS_TIMEOUT_MS, async () => {
      const { isMember, members } = (await cluster.client(newcomer).status()).consensus;
      return (isMember && members === 5) || null;
    });

    const refused = await cluster.cairn('withdraw', ...keyFile);
    expect([refused.code, refused.errors]).toEqual([1, expect.stringContaining('refused')]);
    await cluster.cairnJson('unbond', ...keyFile);
    const left = await untilRow('the bond has left', key, ({ freeEpoch }) => freeEpoch !== null);
    await eventually('the bond is free', EPOCHS_TIMEOUT_MS, async () =>
      (await cluster.client(archive).validators()).epoch >= left.freeEpoch! ? true : null,
    );
    await cluster.cairnJson('withdraw', ...keyFile);
    expect(await cluster.client(archive).balance(address)).toBe(BOND + 7n * FEE);
    const { output } = await cluster.cairn('validators', ...rpcOf(archive));
    expect(output).not.toContain(key);
    await cluster.child(newcomer).stop();
  }, 240_000);

  // These two only look, at the same time.
  it.concurrent('leaves hand-overs behind, by which a stranger comes from genesis to today with nobody to trust', async () => {
    const { archive, newcomer: stranger } = cluster.folders;
    const from = cluster.ready(archive).peer;
    const synced = await cluster.cairnJson('sync', '--config', stranger.configFile, '--from', from);
    // In, judging in both sets, out of one, out of both: at least.
    expect(synced.handOvers).toBeGreaterThanOrEqual(4);
    await cluster.startNode(stranger);
    await allFinal(cluster, [stranger], Number(synced.height) + 10);
    expect((await cluster.client(stranger).validators()).epoch).toBeGreaterThan(0);
    await cluster.child(stranger).stop();
  }, 120_000);

  it.concurrent('and who voted for what, and how late, can be worked out from the blocks alone', async () => {
    const { archive } = cluster.folders;
    const to = await finalHeight(cluster, [archive]);
    const range = ['--from', String(to - 5), '--to', String(to)];
    const audit = await cluster.cairnJson(
      'audit',
      'votes',
      '--genesis',
      cluster.genesisFile,
      ...rpcOf(archive),
      ...range,
    );
    const votes = audit.votes as { verdict: string; lateSlots: number; voter: string }[];
    const counted = votes.filter(({ verdict }) => verdict === 'counted');
    expect(new Set(counted.map(({ voter }) => voter)).size).toBeGreaterThanOrEqual(3);
    for (const { lateSlots } of counted) expect(lateSlots).toBeGreaterThanOrEqual(0);
    const others = votes.filter(({ verdict }) => !['counted', 'again', 'source-not-justified'].includes(verdict));
    expect(others).toEqual([]);
  }, 60_000);
});

describe('a validator', () => {
  it('whose vote file is gone refuses to vote, and says until when', async () => {
    const { validators, archive } = cluster.folders;
    const forgetful = await eventually('one that does not lead', 15_000, async () => {
      for (const node of validators) if (!(await cluster.client(node).status()).isLeader) return node;
      return null;
    });
    const key = await keyOf(forgetful);
    await cluster.child(forgetful).stop();
    const file = join(forgetful.directory, 'data', 'votes');
    await rename(file, cluster.path('votes'));
    await cluster.startNode(forgetful);
    const silence = await eventually('it knows until when', 40_000, async () => {
      const { consensus } = await cluster.client(forgetful).status();
      return consensus.silence?.untilSlot === null ? null : consensus.silence;
    });
    const { head } = await cluster.client(archive).status();
    expect(silence.reason).toBe('votesLost');
    expect(silence.untilSlot).toBeGreaterThan(head.slot);
    const { output } = await cluster.cairn('status', ...rpcOf(forgetful));
    expect(output).toContain(`REFUSES to vote and lead until a block above slot ${silence.untilSlot} is final`);
    expect(await readFile(cluster.child(forgetful).logFile, 'utf8')).toContain('refuses to vote and lead');
    const metrics = await (await fetch(`${cluster.ready(forgetful).rpc}/metrics`)).text();
    expect(metrics).toContain(`cairn_silent_until_slot ${silence.untilSlot}`);
    const lastVote = async (): Promise<number | null | undefined> =>
      (await cluster.client(archive).validators()).validators.find((row) => row.publicKey === key)?.lastVoteSlot;
    const before = await lastVote();
    await allFinal(cluster, [archive], (await finalHeight(cluster, [archive])) + 6);
    expect(await lastVote()).toBe(before);
    // It has said nothing since: with the file back in its place it is bound as before.
    await cluster.child(forgetful).stop();
    await rename(cluster.path('votes'), file);
    await cluster.startNode(forgetful);
    await eventually('it votes again', 40_000, async () => ((await lastVote()) ?? 0) > (before ?? 0) || null);
  }, 120_000);

  it('whose key runs twice is slashed with evidence, and the network goes on', async () => {
    const { folders } = cluster;
    const { validators, archive } = folders;
    // The leader's: two processes that make blocks for the same slots.
    const leader = await eventually('a leader', 15_000, async () => {
      for (const node of validators) if ((await cluster.client(node).status()).isLeader) return node;
      return null;
    });
    const key = await keyOf(leader);
    const twin = await addNode(folders.options, folders.network, 'validator', 'validator-6', 2);
    await copyFile(join(leader.directory, 'key.json'), join(twin.directory, 'key-copy.json'));
    const config = JSON.parse(await readFile(twin.configFile, 'utf8'));
    await writeConfig(twin.configFile, { ...config, keyFile: 'key-copy.json' });
    await cluster.startNode(twin);
    await untilRow('the copied key is slashed', key, ({ slashed, units }) => slashed && units === '0');
    const height = await finalHeight(cluster, [archive]);
    await allFinal(cluster, [archive], height + 6);
    const block = await eventually('the evidence stands in the chain', 10_000, async () => {
      const client = cluster.client(archive);
      for (let at = await client.blockHeight(); at > 1; at -= 1) {
        const { transactions } = await client.block({ height: at });
        const found = transactions?.find(({ kind }) => kind === 'evidence');
        if (found !== undefined) return found;
      }
      return null;
    });
    expect(block.payload).toMatchObject({ culprit: key });
  }, 120_000);
});
