/** Nodes that keep history: one process a directory, fast sync, replicas that outlive their process, and checking all of it offline. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadKernels } from '../../native/index.ts';
import {
  decodeProofFile,
  deriveSampleSeed,
  encodeOpenFile,
  encodeProofFile,
  makeOpening,
  ReplicaStore,
  ReplicatorError,
  type StorageProof,
} from '../../replicator/index.ts';
import { encodeBase58 } from '../../src/codec/index.ts';
import type { NodeConfig } from '../../src/node/config.ts';
import type { InitializedNode } from '../../src/node/init.ts';
import { writeConfig } from '../../src/node/init.ts';
import { ReplicatorClient } from '../../src/rpc/client.ts';
import { diskFiles } from '../../storage/index.ts';
import { rootsAtOneHeight } from '../../tools/devnet/settle.ts';
import { allFinal, Cluster, eventually, finalHeight, TEST_GENESIS } from './cluster.ts';
import { Load } from './load.ts';

const RATE_PER_SECOND = 60;
const REPLICATION_TIMEOUT_MS = 45_000;

let cluster: Cluster;
let load: Load;
let archive: InitializedNode;
let replicator: InitializedNode;
beforeAll(async () => {
  cluster = await Cluster.start({ validators: 2, archives: 1, replicators: 1 });
  load = new Load(cluster, RATE_PER_SECOND);
  archive = cluster.folders.archive;
  replicator = cluster.folders.replicators[0]!;
}, 60_000);
afterAll(async () => {
  await load?.close();
  await cluster?.close();
  expect(cluster?.unexpectedExits ?? []).toEqual([]);
}, 30_000);

/** On disk, and more than about to be. */
const isWhole = ({ state }: { readonly state: string }): boolean => state === 'committing' || state === 'proving';
const dataOf = (node: InitializedNode): string => join(node.directory, 'data');
const replicatorClient = (): ReplicatorClient => new ReplicatorClient(cluster.ready(replicator).rpc);

function expectOneLine(errors: string, pattern: RegExp): void {
  expect(errors).toMatch(pattern);
  expect(errors).not.toMatch(/\n\s+at |node:internal/);
  expect(errors.trim().split('\n')).toHaveLength(1);
}

describe('a second process', () => {
  it.each(['archive', 'validator', 'replicator'] as const)(
    'on the data directory of a running %s is refused, and says by whom',
    async (role) => {
      const node = cluster.nodes.find((each) => each.role === role)!;
      const config = JSON.parse(readFileSync(node.configFile, 'utf8')) as NodeConfig;
      const copy = join(node.directory, 'second.json');
      // Ports of its own: only the data directory is in the way.
      await writeConfig(copy, {
        ...config,
        listen: '/ip4/127.0.0.1/tcp/0',
        rpc: { host: '127.0.0.1', port: 0 },
        log: { level: 'silent' },
      });
      const { code, errors, output } = await cluster.cairn(role, '--config', copy);
      expect(code).toBe(1);
      expect(output).toBe('');
      expectOneLine(errors, new RegExp(`in use by process ${cluster.child(node).pid}`));
    },
  );

  it('leaves the first one unharmed', async () => {
    await allFinal(cluster, cluster.chainNodes, (await finalHeight(cluster, cluster.chainNodes)) + 3);
  });
});

describe('a replicator', () => {
  /** Proofs accepted by segment; none may be rejected. */
  const accepted = async (): Promise<number[]> => {
    const { replicas } = await cluster.client(cluster.folders.validators[0]!).replication();
    expect(replicas.filter(({ rejected }) => rejected > 0)).toEqual([]);
    return [0, 1].map((segment) => replicas.find((row) => row.segment === segment)?.accepted ?? 0);
  };

  it('that is killed comes back with whole replicas and goes on proving them', async () => {
    await eventually('a replica is held', REPLICATION_TIMEOUT_MS, async () =>
      (await replicatorClient().status()).replicas.some(isWhole) ? true : null,
    );
    const before = await accepted();
    await cluster.kill(replicator);
    await cluster.startNode(replicator);
    const client = replicatorClient();
    const { segmentSizeBytes } = TEST_GENESIS.history;
    const held = await eventually('both replicas are held', REPLICATION_TIMEOUT_MS, async () => {
      const { replicas } = await client.status();
      const segments = new Set(replicas.filter(isWhole).map(({ segment }) => segment));
      return segments.size === 2 ? [...segments] : null;
    });
    for (const segment of held)
      expect(await client.readHistory(segment, 0, segmentSizeBytes)).toHaveLength(segmentSizeBytes);
    // History begins with block 1 behind its length.
    const first = await cluster.client(archive).blockBytes(1);
    const framed = await client.readHistory(0, 0, 4 + first.length);
    expect(Buffer.from(framed).readUInt32LE(0)).toBe(first.length);
    expect(Buffer.compare(framed.subarray(4), first)).toBe(0);

    await eventually(
      'a proof made after the restart is accepted, for each replica',
      REPLICATION_TIMEOUT_MS,
      async () => ((await accepted()).every((count, segment) => count > (before[segment] ?? 0)) ? true : null),
    );
  }, 120_000);
});

describe('fast sync', () => {
  it('refuses a block of another hash, and leaves nothing behind', async () => {
    const { newcomer } = cluster.folders;
    const height = await finalHeight(cluster, [archive]);
    const wrong = encodeBase58(new Uint8Array(32).fill(3));
    const { code, errors } = await cluster.cairn(
      'sync',
      '--config',
      newcomer.configFile,
      '--from',
      cluster.ready(archive).peer,
      '--trust',
      `${height}:${wrong}`,
    );
    expect(code).toBe(1);
    expectOneLine(errors, /hash/);
    expect(existsSync(dataOf(newcomer))).toBe(false);
    expect(readdirSync(newcomer.directory).sort()).toEqual(['config.json', 'network-key.json']);
  });

  it('reaches the state of the trusted block; the node then runs and follows', async () => {
    const { newcomer, validators } = cluster.folders;
    const source = cluster.client(validators[0]!);
    // Later than the recency window, so that the new node's history does not begin with block 1.
    const { recencyWindowSlots } = TEST_GENESIS.transactions;
    await eventually('a slot past the first window is final', 20_000, async () =>
      (await source.slot()) > recencyWindowSlots + 4 ? true : null,
    );
    const { height, hash } = (await source.status()).finalized;
    await allFinal(cluster, [archive], height);
    const args = [
      'sync',
      '--config',
      newcomer.configFile,
      '--from',
      cluster.ready(archive).peer,
      '--trust',
      `${height}:${hash}`,
    ];
    const synced = await cluster.cairnJson(...args);
    expect(synced).toMatchObject({ height, hash });
    expect(synced.stateRoot).toBe((await source.block({ height })).stateRoot);
    const again = await cluster.cairn(...args);
    expect(again.code).toBe(2);
    expectOneLine(again.errors, /holds something: give a directory that is absent or empty/);

    await cluster.startNode(newcomer);
    await allFinal(cluster, [newcomer], height + 4);
    const nodes = new Map([validators[0]!, newcomer].map((node) => [node.name, cluster.client(node)]));
    const roots = await rootsAtOneHeight(nodes);
    expect(new Set(roots.map(({ stateRoot }) => stateRoot)).size).toBe(1);
    expect(roots).toHaveLength(2);
    expect((await cluster.child(newcomer).stop()).code).toBe(0);
  }, 60_000);
});

describe('offline verification', () => {
  const kernels = loadKernels();
  const verifyProof = (file: string, ...more: readonly string[]) =>
    cluster.cairn(
      ...['verify', 'proof', file, '--genesis', cluster.genesisFile, '--data', dataOf(archive), '--json'],
      ...more,
    );
  const verifyHistory = (node: InitializedNode) =>
    cluster.cairn('verify', 'history', '--genesis', cluster.genesisFile, '--data', dataOf(node), '--json');

  it('wants the node stopped', async () => {
    const running = await verifyHistory(archive);
    expect(running.code).toBe(2);
    expectOneLine(running.errors, /a running node must be stopped first/);
    // What is checked from here on is on disk only.
    await load.driver.drain(20_000);
    await load.close();
    for (const node of [replicator, archive]) expect((await cluster.child(node).stop()).code).toBe(0);
  }, 40_000);

  it('finds the whole history valid, from genesis or from where a synced node starts', async () => {
    const whole = await verifyHistory(archive);
    expect([whole.code, whole.errors]).toEqual([0, '']);
    const found = JSON.parse(whole.output) as { last: number; tipHash: string; segments: number };
    expect(found).toMatchObject({ valid: true, first: 1, fromGenesis: true });
    expect(found.segments).toBeGreaterThanOrEqual(2);
    const { blockhash } = await cluster.client(cluster.folders.validators[0]!).block({ height: found.last });
    expect(found.tipHash).toBe(blockhash);
    const synced = await verifyHistory(cluster.folders.newcomer);
    expect([synced.code, synced.errors]).toEqual([0, '']);
    expect(JSON.parse(synced.output)).toMatchObject({ valid: true, fromGenesis: false });
  }, 40_000);

  it('finds the proofs of the replicator valid, and no other', async () => {
    const folder = join(dataOf(replicator), 'proofs');
    const file = join(folder, 'segment-0.proof');
    const good = await verifyProof(file);
    expect([good.code, good.errors]).toEqual([0, '']);
    expect(JSON.parse(good.output)).toMatchObject({ valid: true, segment: 0 });

    const bytes = new Uint8Array(readFileSync(file));
    const forged = cluster.path('forged.proof');
    const proof = decodeProofFile(kernels, bytes);
    writeFileSync(forged, encodeProofFile(kernels, { ...proof, samplesRoot: new Uint8Array(32).fill(1) }));
    const bent = await verifyProof(forged);
    expect(bent.code).toBe(1);
    expectOneLine(bent.errors, /invalid \(samples-root\)/);

    const garbage = cluster.path('garbage.proof');
    writeFileSync(
      garbage,
      bytes.map((byte, at) => (at === 300 ? byte ^ 1 : byte)),
    );
    const refused = await verifyProof(garbage);
    expect(refused.code).toBe(2);
    expectOneLine(refused.errors, /is not a storage proof/);
  }, 40_000);

  it('finds proofs of mode open valid that are made out of the stored replicas, and no other', async () => {
    const folder = join(dataOf(replicator), 'proofs');
    const outcomes = [];
    for (const name of readdirSync(folder)) {
      const stream = decodeProofFile(kernels, new Uint8Array(readFileSync(join(folder, name))));
      const file = cluster.path(`open-${name}`);
      if (!(await writeOpenProof(stream, file))) continue;
      const { code, errors } = await verifyProof(file, '--samples', '40', '--checks', '5');
      outcomes.push(code === 0 ? 'valid' : errors.replace(/^.*invalid \((.*?)\).*$/s, '$1'));
      const others = await verifyProof(file, '--samples', '41', '--checks', '5');
      expect(others.code).toBe(1);
      expectOneLine(others.errors, /invalid \(parameters\)/);
    }
    // A replica that was committed only after the period began has nothing to be opened against.
    expect(outcomes.length).toBeGreaterThan(0);
    for (const outcome of outcomes) expect(['valid', 'not-committed']).toContain(outcome);
  }, 60_000);

  /** Opens what a proof of mode stream was made from; false when that replica was rotated away meanwhile. */
  async function writeOpenProof({ samplesRoot: _, ...stream }: StorageProof, file: string): Promise<boolean> {
    const { sampleBlockSizeBytes: __, layers = 1, identity, geometry, ...proof } = stream;
    const directory = join(dataOf(replicator), 'replicas');
    const store = await ReplicaStore.open({ kernels, files: diskFiles(), directory, identity, geometry });
    try {
      const replica = await store.get(proof);
      const subject = { identity, ...proof, periodHash: proof.periodBlock.pohHash };
      const seed = deriveSampleSeed(subject, proof.sampleProof);
      if (seed === false) return expect.fail('a stored proof does not verify');
      const shape = { geometry, layers, parameters: { sampleCount: 40, checkCount: 5 } };
      const body = await makeOpening(kernels, await replica.openSource(), shape, seed);
      await replica.close();
      writeFileSync(file, encodeOpenFile(kernels, { ...proof, identity, ...shape, body }));
      return true;
    } catch (error) {
      if (error instanceof ReplicatorError && error.code === 'replica-missing') return false;
      throw error;
    } finally {
      await store.close();
    }
  }

  it('finds one changed byte in the history', async () => {
    const folder = join(dataOf(archive), 'history', 'stream');
    const file = join(folder, readdirSync(folder).sort()[0]!);
    const bytes = readFileSync(file);
    bytes[30_000]! ^= 1;
    writeFileSync(file, bytes);
    const damaged = await verifyHistory(archive);
    expect(damaged.code).toBe(1);
    expectOneLine(damaged.errors, /invalid: block \d+/);
  }, 40_000);
});
