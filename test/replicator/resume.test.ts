import { describe, expect, it } from 'vitest';
import { proveKey } from '../../replicator/key.ts';
import type { LayerCount } from '../../replicator/layers.ts';
import { encodeReplicaHeader } from '../../replicator/replica-header.ts';
import type { SegmentSource } from '../../replicator/replica-writer.ts';
import { ReplicaStore } from '../../replicator/store.ts';
import { startReplicaThreads } from '../../replicator/threads/threads.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { encodeToMemory, hashOf, identity, kernels, noise } from './fixtures.ts';

const geometry = { segmentSizeBytes: 12 * 1024, leafSizeBytes: 64 };
const segment = noise('resume', geometry.segmentSizeBytes);
const key = identity(0);
const { segmentRoot } = await encodeToMemory(segment, { key: hashOf('any'), iv: noise('any', 16) }, geometry);
const directory = '/data/replicas';
const rotationHash = hashOf('rotation 1');
const subject = { segment: 3, rotation: 1, rotationHash };
const keyProof = proveKey(key, subject);

function open(files: SimulatedDisk, layers: LayerCount): Promise<ReplicaStore> {
  // Small chunks come from small leaves; a checkpoint after every one.
  return ReplicaStore.open({
    kernels,
    files,
    directory,
    identity: key.publicKey,
    geometry,
    layers,
    checkpointSizeBytes: 1024,
    chunkSizeBytes: 1024,
  });
}

async function freshDisk(seed: number): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk(seed);
  await disk.makeDirectory('/data');
  await disk.syncDirectory('/');
  return disk;
}

const encode = (store: ReplicaStore, source: SegmentSource) =>
  store.encode({ ...subject, keyProof, segmentRoot, source });

/** A source that notes from where it was asked, and breaks off after some bytes. */
function breaking(asked: number[], breakAfter: number): SegmentSource {
  return (offset) => {
    asked.push(offset);
    return (async function* () {
      for (let at = offset; at < segment.length; at += 512) {
        if (at - offset >= breakAfter) throw new RangeError('the peer is gone');
        await new Promise((resolve) => setImmediate(resolve));
        yield segment.subarray(at, Math.min(at + 512, segment.length));
      }
    })();
  };
}

async function expectWhole(store: ReplicaStore): Promise<void> {
  const replica = await store.get({ segment: 3, rotation: 1 });
  await replica.verify();
  const pieces = [];
  for await (const piece of replica.plaintext()) pieces.push(piece.slice());
  expect(new Uint8Array(Buffer.concat(pieces))).toEqual(segment);
  await replica.close();
}

describe('an encoding whose source broke off', () => {
  it('goes on where it stood, in a new process too', async () => {
    const disk = await freshDisk(1);
    const asked: number[] = [];
    let store = await open(disk, 1);
    await expect(encode(store, breaking(asked, 7000))).rejects.toThrow('the peer is gone');
    await store.close();
    store = await open(disk, 1);
    const header = await encode(store, breaking(asked, 1e9));
    expect(asked[0]).toBe(0);
    expect(asked[1]).toBeGreaterThan(1000);
    await expectWhole(store);
    expect(header.replicaRoot).toEqual((await encode(store, segment)).replicaRoot);
    expect([...disk.image().keys()].filter((name) => /partial|progress/.test(name))).toEqual([]);
  });

  it('starts afresh when a byte of what it left is wrong', async () => {
    for (const at of [512, 1535, 512 + geometry.segmentSizeBytes]) {
      const disk = await freshDisk(2);
      const asked: number[] = [];
      const store = await open(disk, 1);
      await expect(encode(store, breaking(asked, 7000))).rejects.toThrow('the peer is gone');
      const partial = [...disk.image().keys()].find((name) => name.endsWith('.replica.partial'))!;
      disk.corrupt(partial, at, 1);
      await encode(store, breaking(asked, 1e9));
      expect(asked).toEqual([0, 0]);
      await expectWhole(store);
    }
  });

  it('starts afresh for another rotation, and removes what the old one left', async () => {
    const disk = await freshDisk(3);
    const store = await open(disk, 1);
    await expect(encode(store, breaking([], 7000))).rejects.toThrow('the peer is gone');
    const next = { segment: 3, rotation: 2, rotationHash: hashOf('rotation 2') };
    await store.encode({ ...next, keyProof: proveKey(key, next), segmentRoot, source: segment });
    expect([...disk.image().keys()].filter((name) => /partial|progress/.test(name))).toEqual([]);
  });
});

describe('a power cut during an encoding with checkpoints', () => {
  for (const layers of [1, 2, 4] as const)
    it(`${layers} layers: at any operation leaves nothing, or something to go on with; the replica is always whole`, async () => {
      const dry = await freshDisk(0);
      const start = dry.operations;
      const first = await open(dry, layers);
      const { replicaRoot } = await encode(first, segment);
      let resumed = 0;
      const step = layers === 1 ? 1 : 3;
      for (let at = start; at < dry.operations; at += step) {
        const disk = await freshDisk(at);
        disk.fault = { at, kind: 'cut' };
        await open(disk, layers)
          .then((store) => encode(store, segment))
          .catch(() => undefined);
        disk.reboot();
        const store = await open(disk, layers);
        const { replicas, damaged } = await store.list();
        expect(damaged).toEqual([]);
        if (replicas.length === 0) {
          const offsets: number[] = [];
          const source: SegmentSource = (offset) => {
            offsets.push(offset);
            return segment.subarray(offset);
          };
          const header = await encode(store, source);
          expect(header.replicaRoot).toEqual(replicaRoot);
          if (offsets[0]! > 0) resumed += 1;
        }
        await expectWhole(store);
        await store.close();
      }
      expect(resumed).toBeGreaterThan(5);
    });
});

describe('one flipped byte of a stored replica', () => {
  for (const layers of [1, 2, 4] as const)
    it(`${layers} layers: is found by the first reading, wherever it lies`, async () => {
      const disk = await freshDisk(6);
      const store = await open(disk, layers);
      await encode(store, segment);
      const id = { segment: 3, rotation: 1 };
      for (let at = layers; at < geometry.segmentSizeBytes; at += 491) {
        await store.injectCorruption(id, at);
        const replica = await store.get(id);
        const read = async (): Promise<void> => {
          for await (const _piece of replica.plaintext());
        };
        await expect(read()).rejects.toMatchObject({ code: 'replica-leaf' });
        await replica.close();
        await store.injectCorruption(id, at);
      }
      await expectWhole(store);
    });
});

describe('a replica from before files held subtrees', () => {
  it('is read as ever, and says what to do when a proof of mode open is wanted', async () => {
    const disk = await freshDisk(7);
    const store = await open(disk, 1);
    const header = await encode(store, segment);
    const path = [...disk.image().keys()].find((name) => name.endsWith('.replica'))!;
    const file = await disk.open(path, 'write');
    await file.write(0, encodeReplicaHeader(kernels, { ...header, hasSubtrees: false }));
    await file.truncate(512 + geometry.segmentSizeBytes + (geometry.segmentSizeBytes / geometry.leafSizeBytes) * 32);
    await expectWhole(store);
    const replica = await store.get(header);
    await expect(replica.openSource()).rejects.toMatchObject({ code: 'no-subtrees' });
  });
});

describe('encoding and decoding on threads', () => {
  it('gives what one thread gives', async () => {
    const threads = startReplicaThreads(2);
    try {
      const disk = await freshDisk(4);
      const store = await ReplicaStore.open({
        kernels,
        files: disk,
        directory,
        identity: key.publicKey,
        geometry,
        layers: 2,
        threads,
        chunkSizeBytes: 2048,
      });
      const header = await encode(store, segment);
      await store.close();
      const plain = await open(await freshDisk(5), 2);
      expect(header.replicaRoot).toEqual((await encode(plain, segment)).replicaRoot);
      const again = await open(disk, 2);
      const replica = await again.get({ segment: 3, rotation: 1 });
      await replica.verify(threads);
      await replica.close();
    } finally {
      await threads.stop();
    }
    await expect(threads.run({ kind: 'leaves', data: segment, leafSizeBytes: 64 })).rejects.toMatchObject({
      code: 'thread',
    });
  });
});
