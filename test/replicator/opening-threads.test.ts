/** Openings made on a thread: the same bytes, no kernel called on the own thread meanwhile, and damage told as what it is. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Kernels } from '../../native/index.ts';
import { proveKey } from '../../replicator/key.ts';
import type { OpenShape } from '../../replicator/open-proof.ts';
import type { Replica } from '../../replicator/replica-file.ts';
import { ReplicaStore } from '../../replicator/store.ts';
import { type ReplicaThreads, startReplicaThreads } from '../../replicator/threads/threads.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { diskFiles } from '../../storage/index.ts';
import { encodeToMemory, hashOf, identity, kernels, noise } from './fixtures.ts';

const geometry = { segmentSizeBytes: 64 * 1024, leafSizeBytes: 64 };
const segment = noise('opened on threads', geometry.segmentSizeBytes);
const { segmentRoot } = await encodeToMemory(segment, { key: hashOf('any'), iv: noise('any', 16) }, geometry);
const key = identity(0);
const id = { segment: 2, rotation: 1 };
const rotationHash = hashOf('rotation 1');
const seed = hashOf('seed');

/** Kernels that count their calls. */
let calls = 0;
const counting = Object.fromEntries(
  Object.entries(kernels).map(([name, value]) => [
    name,
    typeof value !== 'function'
      ? value
      : (...values: unknown[]) => {
          calls += 1;
          return (value as (...all: unknown[]) => unknown)(...values);
        },
  ]),
) as unknown as Kernels;

let folder: string;
let threads: ReplicaThreads;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-openings-'));
  threads = startReplicaThreads(1);
});
afterAll(async () => {
  await threads.stop();
  await rm(folder, { recursive: true });
});

async function stored(layers: 1 | 2): Promise<{ store: ReplicaStore; replica: Replica; shape: OpenShape }> {
  const directory = join(folder, String(layers));
  const common = { kernels: counting, files: diskFiles(), identity: key.publicKey, geometry, layers, threads };
  const store = await ReplicaStore.open({ ...common, directory });
  const subject = { ...id, rotationHash };
  await store.encode({ ...subject, keyProof: proveKey(key, subject), source: segment, segmentRoot });
  const parameters = { sampleCount: 200, checkCount: 10 };
  return { store, replica: await store.get(id), shape: { geometry, layers, parameters } };
}

describe('openings on a thread', () => {
  it.each([1, 2] as const)('are those made here, without work here (%s layers)', async (layers) => {
    const { store, replica, shape } = await stored(layers);
    calls = 0;
    const made = await replica.makeOpening(shape, seed, { threads: store.openingThreads });
    expect(calls).toBe(0);
    expect(Buffer.compare(made, await replica.makeOpening(shape, seed))).toBe(0);
    expect(calls).toBeGreaterThan(0);
    await replica.close();
    await store.drop(id);
    await store.close();
  });

  it('tell damage as what it is, and are made here when the thread is lost', async () => {
    const { store, replica, shape } = await stored(1);
    const right = await replica.makeOpening(shape, seed);
    const lost = startReplicaThreads(1);
    await lost.stop();
    const made = await replica.makeOpening(shape, seed, { threads: lost });
    expect(Buffer.compare(made, right)).toBe(0);
    for (let leaf = 0; leaf < 1024; leaf += 1) await store.eraseLeaves(id, [leaf]);
    const opening = replica.makeOpening(shape, seed, { threads: store.openingThreads });
    await expect(opening).rejects.toMatchObject({ name: 'CorruptReplicaError', code: 'replica-leaf' });
    const blind = { threads: store.openingThreads, unchecked: true };
    expect((await replica.makeOpening(shape, seed, blind)).length).toBe(right.length);
    await replica.close();
    await store.close();
  });

  it('are offered only where a thread can open the file by itself', async () => {
    const common = { kernels, directory: '/replicas', identity: key.publicKey, geometry };
    const simulated = await ReplicaStore.open({ ...common, files: new SimulatedDisk(1), threads });
    expect(simulated.openingThreads).toBeUndefined();
    const alone = await ReplicaStore.open({ ...common, files: diskFiles(), directory: join(folder, 'alone') });
    expect(alone.openingThreads).toBeUndefined();
    await alone.close();
  });
});
