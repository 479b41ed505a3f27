import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ByteSource } from '../../replicator/chunks.ts';
import { type CorruptReplicaError, ReplicatorError } from '../../replicator/errors.ts';
import { deriveSampleSeed, proveKey, proveSamples } from '../../replicator/key.ts';
import {
  decodeReplicaHeader,
  encodeReplicaHeader,
  REPLICA_HEADER_SIZE_BYTES,
} from '../../replicator/replica-header.ts';
import { ReplicaStore } from '../../replicator/store.ts';
import { verifyStream } from '../../replicator/verify.ts';
import { diskFiles } from '../../storage/files/disk-files.ts';
import type { Files } from '../../storage/files/files.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { encodeToMemory, hashOf, identity, kernels, noise } from './fixtures.ts';

const geometry = { segmentSizeBytes: 5 * 1024, leafSizeBytes: 512 };
const segment = noise('store', geometry.segmentSizeBytes);
const key = identity(0);
const { segmentRoot } = await encodeToMemory(segment, { key: hashOf('any'), iv: noise('any', 16) }, geometry);
const directory = '/data/replicas';
const fileOf = (segmentIndex: number, rotation: number): string =>
  `${directory}/segment-${String(segmentIndex).padStart(10, '0')}.rotation-${String(rotation).padStart(10, '0')}.replica`;

const folder = await mkdtemp(join(tmpdir(), 'cairn-replicas-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

function open(files: Files, where = directory): Promise<ReplicaStore> {
  return ReplicaStore.open({ kernels, files, directory: where, identity: key.publicKey, geometry });
}

function subject(segmentIndex: number, rotation: number) {
  const rotationHash = hashOf(`rotation ${rotation}`);
  const keyProof = proveKey(key, { segment: segmentIndex, rotation, rotationHash });
  return { segment: segmentIndex, rotation, rotationHash, keyProof };
}

const request = (segmentIndex: number, rotation: number, source: ByteSource = segment) => ({
  ...subject(segmentIndex, rotation),
  source,
  segmentRoot,
});

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces = [];
  for await (const piece of source) pieces.push(piece.slice());
  return new Uint8Array(Buffer.concat(pieces));
}

async function stored(): Promise<{ disk: SimulatedDisk; store: ReplicaStore }> {
  const disk = new SimulatedDisk(1);
  const store = await open(disk);
  await store.encode(request(3, 1));
  return { disk, store };
}

describe('a stored replica', () => {
  const adapters: [string, Files, string][] = [
    ['the real disk', diskFiles(), join(folder, 'a')],
    ['the simulated disk', new SimulatedDisk(1), directory],
  ];
  for (const [name, files, where] of adapters)
    it(`on ${name} gives back the original, is listed, verifies, and goes when dropped`, async () => {
      let store = await open(files, where);
      const header = await store.encode(request(7, 2));
      await store.encode(request(3, 1));
      await store.close();
      store = await open(files, where);
      const { replicas, damaged } = await store.list();
      expect(damaged).toEqual([]);
      expect(replicas.map((replica) => [replica.segment, replica.rotation])).toEqual([
        [3, 1],
        [7, 2],
      ]);
      const replica = await store.get({ segment: 7, rotation: 2 });
      expect(replica.header).toEqual(header);
      expect(await collect(replica.plaintext())).toEqual(segment);
      for (const [from, size] of [
        [0, 1],
        [511, 2],
        [1000, 3000],
        [5119, 1],
        [0, 5120],
        [77, 0],
      ] as const)
        expect(await replica.read(from, size)).toEqual(segment.slice(from, from + size));
      await replica.verify();
      await replica.close();
      await store.drop({ segment: 7, rotation: 2 });
      await expect(store.get({ segment: 7, rotation: 2 })).rejects.toMatchObject({ code: 'replica-missing' });
      await expect(store.drop({ segment: 7, rotation: 2 })).rejects.toMatchObject({ code: 'replica-missing' });
      await store.close();
    });

  it('proves what a verifier accepts, after a rotation out of the old replica too', async () => {
    const { store } = await stored();
    await store.reencode({ ...subject(3, 2), fromRotation: 1 });
    for (const rotation of [1, 2]) {
      const replica = await store.get({ segment: 3, rotation });
      const samples = { identity: key.publicKey, segment: 3, period: 9, periodHash: hashOf('period 9') };
      const sampleProof = proveSamples(key, samples);
      const seed = deriveSampleSeed(samples, sampleProof) as Uint8Array;
      const samplesRoot = await replica.samplesRoot({ ...samples, seed, sampleBlockSizeBytes: 1024 });
      const claim = { ...replica.header, proofs: [{ ...samples, sampleProof, samplesRoot }] };
      expect(await verifyStream(kernels, { segment, geometry, sampleBlockSizeBytes: 1024, claims: [claim] })).toEqual([
        { valid: true },
      ]);
      expect(await collect(replica.plaintext())).toEqual(segment);
      await replica.close();
    }
    const roots = (await store.list()).replicas.map((header) => Buffer.from(header.replicaRoot).toString('hex'));
    expect(new Set(roots).size).toBe(2);
  });

  it('refuses reads outside the segment, and more at once than it allows', async () => {
    const { store } = await stored();
    const replica = await store.get({ segment: 3, rotation: 1 });
    for (const [from, size] of [
      [-1, 2],
      [5120, 1],
      [0, 5121],
      [0.5, 1],
      [0, Number.NaN],
      [0, -1],
    ] as const)
      await expect(replica.read(from, size)).rejects.toMatchObject({ code: 'range' });
  });

  it('is opened by one store at a time', async () => {
    const { disk, store } = await stored();
    await expect(open(disk)).rejects.toMatchObject({ code: 'locked' });
    await store.close();
    await (await open(disk)).close();
  });
});

describe('nothing is kept of', () => {
  const refused: [string, () => ReturnType<typeof request>, string][] = [
    ['a segment with another root', () => request(4, 1, noise('other', 5120)), 'segment-root'],
    ['a short segment', () => request(4, 1, segment.subarray(1)), 'source-short'],
    ['a long segment', () => request(4, 1, [segment, Uint8Array.of(1)]), 'source-long'],
    ['a key proof for another segment', () => ({ ...request(5, 1), segment: 4 }), 'key-proof'],
  ];
  for (const [what, make, code] of refused)
    it(what, async () => {
      const { disk, store } = await stored();
      await expect(store.encode(make())).rejects.toMatchObject({ code });
      expect([...disk.image().keys()]).toEqual([fileOf(3, 1)]);
    });

  it('a source that fails half way, or a disk that is full', async () => {
    const { disk, store } = await stored();
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield segment.subarray(0, 2000);
      throw new ReplicatorError('range', 'connection lost');
    }
    await expect(store.encode(request(4, 1, failing()))).rejects.toThrow('connection lost');
    disk.capacityBytes = disk.usedBytes() + 3000;
    await expect(store.encode(request(4, 1))).rejects.toMatchObject({ code: 'no-space' });
    expect([...disk.image().keys()]).toEqual([fileOf(3, 1)]);
  });
});

describe('a wrong byte on disk', () => {
  const id = { segment: 3, rotation: 1 };
  const fileSizeBytes = REPLICA_HEADER_SIZE_BYTES + 5120 + 10 * 32;

  it('anywhere in the file is caught by decoding all of it, and never gives a wrong byte', async () => {
    for (let offset = 0; offset < fileSizeBytes; offset += 61) {
      const { disk, store } = await stored();
      disk.corrupt(fileOf(3, 1), offset, 0x10);
      const found = await store
        .get(id)
        .then(async (replica) => collect(replica.plaintext()))
        .then(
          () => undefined,
          (error: CorruptReplicaError) => error,
        );
      expect(found, `byte ${offset}`).toMatchObject({ name: 'CorruptReplicaError' });
      // A cipher block garbles its own leaf; a byte at a leaf's end, the next one too.
      if (offset >= REPLICA_HEADER_SIZE_BYTES && offset < REPLICA_HEADER_SIZE_BYTES + 5120)
        expect(Math.floor((found!.offset - REPLICA_HEADER_SIZE_BYTES) / 512)).toBe(
          Math.floor((offset - REPLICA_HEADER_SIZE_BYTES) / 512),
        );
    }
  });

  it('spoils only reads near it', async () => {
    const { store } = await stored();
    await store.injectCorruption(id, 2000);
    const replica = await store.get(id);
    await expect(replica.read(1600, 10)).rejects.toMatchObject({ code: 'replica-leaf' });
    expect(await replica.read(3000, 100)).toEqual(segment.slice(3000, 3100));
    await expect(replica.verify()).rejects.toMatchObject({ code: 'replica-leaf', offset: 512 + 1536 });
  });

  it('of whole leaves is found by reads and proofs alike, but where it is asked for', async () => {
    const { store } = await stored();
    const leaf = 2;
    await store.eraseLeaves(id, [leaf]);
    const replica = await store.get(id);
    await expect(replica.verify()).rejects.toMatchObject({ code: 'replica-leaf' });
    const { leafSizeBytes } = geometry;
    expect(await replica.read(0, leafSizeBytes)).toEqual(segment.slice(0, leafSizeBytes));
    const checked = await replica.openSource();
    await expect(checked.segmentLeaf(leaf)).rejects.toMatchObject({ code: 'replica-leaf' });
    expect(await checked.replicaLeaf(leaf)).toEqual(new Uint8Array(leafSizeBytes));
    const blind = await replica.openSource({ unchecked: true });
    expect(await blind.segmentLeaf(leaf)).not.toEqual(segment.slice(leaf * leafSizeBytes, (leaf + 1) * leafSizeBytes));
    await expect(store.eraseLeaves(id, [1e6])).rejects.toMatchObject({ code: 'range' });
  });

  it('in the head is listed as damaged, and the rest still listed', async () => {
    const { disk, store } = await stored();
    await store.encode(request(4, 1));
    disk.corrupt(fileOf(3, 1), 40, 1);
    const { replicas, damaged } = await store.list();
    expect(replicas.map((replica) => replica.segment)).toEqual([4]);
    expect(damaged).toMatchObject([{ ...id, error: { code: 'replica-header' } }]);
    await store.drop(id);
    expect((await store.list()).damaged).toEqual([]);
  });

  it('stops a rotation; unchecked it goes through, and every later byte of the new replica is wrong', async () => {
    const { store } = await stored();
    await store.injectCorruption(id, 1000);
    await expect(store.reencode({ ...subject(3, 2), fromRotation: 1 })).rejects.toMatchObject({ code: 'replica-leaf' });
    expect((await store.list()).replicas).toHaveLength(1);
    const header = await store.reencode({ ...subject(3, 2), fromRotation: 1, unchecked: true });
    const claim = { ...header, proofs: [] };
    expect(await verifyStream(kernels, { segment, geometry, sampleBlockSizeBytes: 1024, claims: [claim] })).toEqual([
      { valid: false, reason: 'replica-root' },
    ]);
  });

  it('or a missing one: a truncated or foreign file is refused', async () => {
    const { disk, store } = await stored();
    const file = await disk.open(fileOf(3, 1), 'write');
    await file.truncate(fileSizeBytes - 1);
    await expect(store.get(id)).rejects.toMatchObject({ code: 'replica-truncated' });
    await file.truncate(100);
    await expect(store.get(id)).rejects.toMatchObject({ code: 'replica-truncated' });
    await store.encode(request(4, 1));
    await disk.rename(fileOf(4, 1), fileOf(3, 1));
    await expect(store.get(id)).rejects.toMatchObject({ code: 'replica-header' });
  });
});

describe('the head', () => {
  it('has one encoding, and each damage its reason', async () => {
    const { disk } = await stored();
    const bytes = disk.image().get(fileOf(3, 1))!.slice(0, REPLICA_HEADER_SIZE_BYTES);
    expect(encodeReplicaHeader(kernels, decodeReplicaHeader(kernels, bytes, 'x'))).toEqual(bytes);
    const damaged = (at: number, value: number, fixCrc: boolean): Uint8Array => {
      const copy = bytes.slice();
      copy[at] = value;
      if (fixCrc) new DataView(copy.buffer).setUint32(508, kernels.crc32c(copy.subarray(0, 508)), true);
      return copy;
    };
    for (const [at, value, fixCrc, code] of [
      [0, 0, true, 'replica-magic'],
      [8, 2, true, 'replica-version'],
      [10, 2, true, 'replica-header'],
      [11, 3, true, 'replica-header'],
      [20, 3, true, 'replica-header'],
      [31, 1, true, 'replica-header'],
      [250, 1, true, 'replica-header'],
      [250, 1, false, 'replica-header'],
    ] as const)
      expect(() => decodeReplicaHeader(kernels, damaged(at, value, fixCrc), 'x')).toThrow(
        expect.objectContaining({ code }),
      );
  });
});

describe('a power cut', () => {
  /** Encodes two replicas and rotates one; resolves early when the power goes. */
  async function work(disk: SimulatedDisk, done: Set<string>): Promise<void> {
    const store = await open(disk);
    await store.encode(request(3, 1));
    done.add('3 1');
    await store.encode(request(4, 1));
    done.add('4 1');
    await store.reencode({ ...subject(3, 2), fromRotation: 1 });
    done.add('3 2');
    await store.drop({ segment: 3, rotation: 1 });
    done.add('dropped');
  }

  /** A disk whose folder for data is durable, as a node's is. */
  async function freshDisk(seed: number): Promise<SimulatedDisk> {
    const disk = new SimulatedDisk(seed);
    await disk.makeDirectory('/data');
    await disk.syncDirectory('/');
    return disk;
  }

  it('at any operation, and again during the recovery, leaves whole replicas or none, and loses none that was promised', async () => {
    const dry = await freshDisk(0);
    const start = dry.operations;
    await work(dry, new Set());
    expect(dry.operations).toBeGreaterThan(25);
    for (let at = start; at < dry.operations; at += 1)
      for (let seed = 0; seed < 3; seed += 1) {
        const disk = await freshDisk(at * 10 + seed);
        const done = new Set<string>();
        disk.fault = { at, kind: 'cut' };
        await work(disk, done).catch(() => undefined);
        disk.reboot();
        disk.fault = { at: disk.operations + 1, kind: 'cut' };
        await open(disk).catch(() => undefined);
        disk.reboot();
        const store = await open(disk);
        const { replicas, damaged } = await store.list();
        expect(damaged).toEqual([]);
        const listed = replicas.map((header) => `${header.segment} ${header.rotation}`);
        for (const promised of done)
          if (promised !== 'dropped' && !(promised === '3 1' && done.has('3 2'))) expect(listed).toContain(promised);
        if (done.has('dropped')) expect(listed).not.toContain('3 1');
        for (const header of replicas) {
          const replica = await store.get(header);
          await replica.verify();
          expect(await collect(replica.plaintext())).toEqual(segment);
          await replica.close();
        }
        expect([...disk.image().keys()].filter((name) => name.endsWith('.partial'))).toEqual([]);
        await store.encode(request(9, 1));
      }
  });
});
