/**
 * A queue of segments from the network to the disk: pieces as they come off the wire through the encoder into replica files, each checked against its root, synced
 * and named; one after the other, and two at a time as a replicator works. The limit writes as many bytes to one file and syncs it.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kernels } from '../../../native/index.ts';
import { createVrfKey, encodeSegment, proveKey, ReplicaStore } from '../../../replicator/index.ts';
import { diskFiles } from '../../../storage/index.ts';
import type { BenchCase, Size, Work } from '../model.ts';
import { joined, sampleBytes } from '../sample-data.ts';

const SEGMENT_BYTES: Readonly<Record<Size, number>> = { tiny: 64 * 1024, quick: 16 * 2 ** 20, full: 64 * 2 ** 20 };
const SEGMENTS = 4;
const LEAF_BYTES = 1024;
/** What one frame of the network brings. */
const FRAME_BYTES: number = 1024 * 1024;
const WRITE_BYTES: number = 1024 * 1024;
const vrf = createVrfKey(sampleBytes(32, 40));
const rotationHash = sampleBytes(32, 41);

async function* frames(segment: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < segment.length; at += FRAME_BYTES) yield segment.subarray(at, at + FRAME_BYTES);
}

async function rootOf(kernels: Kernels, segment: Uint8Array): Promise<Uint8Array> {
  const sink = { writeReplica: async () => undefined, writeLeafHashes: async () => undefined };
  const cipher = { key: sampleBytes(32, 42), iv: sampleBytes(16, 43) };
  const geometry = { segmentSizeBytes: segment.length, leafSizeBytes: LEAF_BYTES };
  return (await encodeSegment(kernels, segment, sink, { cipher, geometry })).segmentRoot;
}

/** Encodes the segment as so many of them, and removes them without syncing that, as the limit does. @returns their roots */
async function encodeQueue(
  kernels: Kernels,
  directory: string,
  segment: Uint8Array,
  segmentRoot: Uint8Array,
  atOnce: number,
): Promise<Uint8Array> {
  const geometry = { segmentSizeBytes: segment.length, leafSizeBytes: LEAF_BYTES };
  const store = await ReplicaStore.open({ kernels, files: diskFiles(), directory, identity: vrf.publicKey, geometry });
  const roots: Uint8Array[] = [];
  const indexes = Array.from({ length: SEGMENTS }, (_, index) => index).values();
  const work = async (): Promise<void> => {
    for (const index of indexes) {
      const subject = { segment: index, rotation: 1, rotationHash };
      const request = { ...subject, keyProof: proveKey(vrf, subject), segmentRoot, source: () => frames(segment) };
      roots[index] = (await store.encode(request)).replicaRoot;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  await store.close();
  await rm(directory, { recursive: true });
  return joined(...roots);
}

async function writeRaw(path: string, bytes: Uint8Array, sizeBytes: number): Promise<void> {
  const file = await open(path, 'w');
  for (let at = 0; at < sizeBytes; at += WRITE_BYTES) await file.write(bytes.subarray(0, WRITE_BYTES));
  await file.sync();
  await file.close();
  await rm(path);
}

const diskCase = (name: string, atOnce: number): BenchCase => ({
  name,
  unit: 'bytes',
  limitIs: 'as many bytes written to one file and synced',
  waits: true,
  rounds: 3,
  async prepare({ size, directory }) {
    const folder = await mkdtemp(join(directory, 'cairn-bench-'));
    const segment = sampleBytes(SEGMENT_BYTES[size], 44);
    const units = segment.length * SEGMENTS;
    const work = async (kernels: Kernels): Promise<Work> => {
      const root = await rootOf(kernels, segment);
      return {
        units,
        call: async () => void (await encodeQueue(kernels, join(folder, kernels.name), segment, root, atOnce)),
      };
    };
    const small = segment.subarray(0, SEGMENT_BYTES.tiny);
    return {
      ours: work,
      peers: {},
      limit: { units, call: () => writeRaw(join(folder, 'raw'), segment, units) },
      result: async (kernels) =>
        encodeQueue(kernels, join(folder, 'small'), small, await rootOf(kernels, small), atOnce),
      close: () => rm(folder, { recursive: true, force: true }),
    };
  },
});

export const replicaEncodeDisk: readonly BenchCase[] = [
  diskCase('replica.encode.disk', 1),
  diskCase('replica.encode.disk.2', 2),
];
