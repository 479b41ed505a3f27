/**
 * Replicas: encoding (chain, both Merkle trees, no disk), decoding with every leaf checked, and the verifier's pass over one segment for many
 * identities. On this thread alone; rates of the pass are bytes encrypted, all identities together.
 */
import type { Kernels } from '../../../native/index.ts';
import {
  decodeReplica,
  encodeSegment,
  inlineThreads,
  memoryReader,
  type ReplicaCipher,
  streamRoots,
} from '../../../replicator/index.ts';
import { limitWork } from '../limit-work.ts';
import type { BenchCase, Size, Work } from '../model.ts';
import { joined, sampleBytes } from '../sample-data.ts';

const SEGMENT_BYTES: Readonly<Record<Size, number>> = { tiny: 64 * 1024, quick: 4 * 2 ** 20, full: 8 * 2 ** 20 };
const LEAF_BYTES = 1024;
const RESULT_BYTES = 64 * 1024;
const LIMIT_BYTES = 1024 * 1024;
const cipher: ReplicaCipher = { key: sampleBytes(32, 20), iv: sampleBytes(16, 21) };

const geometryOf = (segment: Uint8Array) => ({ segmentSizeBytes: segment.length, leafSizeBytes: LEAF_BYTES });

/** Encodes some segments into memory at the same time, on this one thread. */
async function encode(
  kernels: Kernels,
  segments: readonly Uint8Array[],
  replicas: readonly Uint8Array[],
  threads = inlineThreads(kernels),
): Promise<Uint8Array> {
  const encoded = segments.map((segment, i) => {
    const sink = {
      writeReplica: async (offset: number, bytes: Uint8Array) => replicas[i]!.set(bytes, offset),
      writeLeafHashes: async () => undefined,
    };
    return encodeSegment(kernels, segment, sink, { cipher, geometry: geometryOf(segment), threads });
  });
  return joined(...(await Promise.all(encoded)).map(({ replicaRoot }) => replicaRoot));
}

function encodeCase(name: string, count: number): BenchCase {
  return {
    name,
    unit: 'bytes',
    limitIs: 'one chain of AES-NI, nothing hashed',
    prepare(context) {
      const segments = Array.from({ length: count }, (_, i) => sampleBytes(SEGMENT_BYTES[context.size], 22 + 80 * i));
      const replicas = segments.map(({ length }) => new Uint8Array(length));
      const small = segments.map((segment) => segment.subarray(0, RESULT_BYTES));
      return {
        ours: (kernels) => {
          // As a replicator has them, with the memory of chunks that is used again.
          const threads = inlineThreads(kernels);
          const call = async () => void (await encode(kernels, segments, replicas, threads));
          return { units: count * SEGMENT_BYTES[context.size], call };
        },
        peers: {},
        limit: limitWork(context, 'aesCbc', LIMIT_BYTES),
        result: (kernels) => encode(kernels, small, replicas),
      };
    },
  };
}

/** One segment, and two at the same time. */
export const replicaEncode: readonly BenchCase[] = [encodeCase('replica.encode', 1), encodeCase('replica.encode.2', 2)];

/** Decodes everything and gives the last chunk's leaf hashes. */
async function decode(kernels: Kernels, replica: Uint8Array): Promise<Uint8Array> {
  let last: Uint8Array = new Uint8Array(0);
  const options = { cipher, geometry: geometryOf(replica), layers: 1 } as const;
  for await (const { leaves } of decodeReplica(kernels, memoryReader(replica), options)) last = leaves.hashes;
  return last;
}

export const replicaDecode: BenchCase = {
  name: 'replica.decode',
  unit: 'bytes',
  limitIs: 'eight blocks of AES-NI at a time, nothing hashed',
  prepare(context) {
    const replica = sampleBytes(SEGMENT_BYTES[context.size], 23);
    return {
      ours: (kernels) => ({ units: replica.length, call: async () => void (await decode(kernels, replica)) }),
      peers: {},
      limit: limitWork(context, 'aesDecrypt', LIMIT_BYTES),
      result: (kernels) => decode(kernels, replica.subarray(0, RESULT_BYTES)),
    };
  },
};

/** One period's samples of each identity. */
async function verifyPass(kernels: Kernels, segment: Uint8Array, identities: number): Promise<Uint8Array> {
  const { identities: roots } = await streamRoots(kernels, {
    segment,
    geometry: geometryOf(segment),
    sampleBlockSizeBytes: 1024 * 1024,
    wantSegmentRoot: false,
    identities: Array.from({ length: identities }, (_, index) => ({
      cipher: { key: sampleBytes(32, 30 + index), iv: cipher.iv },
      wantReplicaRoot: false,
      samples: [{ periodHash: sampleBytes(32, 100 + index), seed: sampleBytes(32, 160 + index) }],
    })),
  });
  return joined(...roots.flatMap(({ samplesRoots }) => samplesRoots));
}

function verifyStream(identities: number): BenchCase {
  return {
    name: `replica.verifyStream.${identities}`,
    unit: 'bytes',
    limitIs: identities === 1 ? 'one chain of AES-NI' : '32 chains of VAES, nothing written',
    rounds: 9,
    prepare(context) {
      const segment = sampleBytes(SEGMENT_BYTES[context.size], 24);
      const work = (kernels: Kernels): Work => ({
        units: segment.length * identities,
        call: async () => void (await verifyPass(kernels, segment, identities)),
      });
      return {
        ours: work,
        peers: {},
        limit: limitWork(context, identities === 1 ? 'aesCbc' : 'aesCbc32', LIMIT_BYTES),
        result: (kernels) => verifyPass(kernels, segment.subarray(0, RESULT_BYTES), identities),
      };
    },
  };
}

/** For one identity, eight and forty-eight. */
export const replicaVerifyStream: readonly BenchCase[] = [verifyStream(1), verifyStream(8), verifyStream(48)];
