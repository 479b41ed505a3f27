/** Chains that are encrypted at the same time: which chunks go through the cipher together, and that nobody waits for a source. */
import { describe, expect, it } from 'vitest';
import { encodeSegment } from '../../replicator/encode.ts';
import { KEPT_SIZE_BYTES_MAX } from '../../replicator/threads/chunk-memory.ts';
import { type EncryptionChain, Encryptions } from '../../replicator/threads/encryption.ts';
import type { EncryptChunk, Encrypted } from '../../replicator/threads/jobs.ts';
import { inlineThreads, startReplicaThreads } from '../../replicator/threads/threads.ts';
import { encodeToMemory, hashOf, kernels, noise } from './fixtures.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

function chunk(name: number, sizeBytes = 64, wantOutputHashes = true): EncryptChunk {
  const bytes = new Uint8Array(sizeBytes);
  const hashes = { leafSizeBytes: 64, wantInputHashes: true, wantOutputHashes };
  return { key: Uint8Array.of(name), before: bytes, input: bytes, output: bytes, ...hashes };
}

/** Encryptions whose jobs end when told to; `jobs` are the names of the chunks that went together. */
function watched(threadCount: number): {
  encryptions: Encryptions;
  jobs: number[][];
  ends: ((error?: Error) => void)[];
} {
  const jobs: number[][] = [];
  const ends: ((error?: Error) => void)[] = [];
  const encryptions = new Encryptions(threadCount, (chunks) => {
    jobs.push(chunks.map(({ key }) => key[0]!));
    return new Promise<Encrypted[]>((resolve, reject) => {
      const encrypted = chunks.map(({ key }) => ({ chain: key, inputLeaves: undefined, outputLeaves: undefined }));
      ends.push((error) => (error === undefined ? resolve(encrypted) : reject(error)));
    });
  });
  return { encryptions, jobs, ends };
}

describe('chains that are encrypted at the same time', () => {
  it('go through the cipher by twos, and get each its own back', async () => {
    const { encryptions, jobs, ends } = watched(1);
    const [a, b] = [encryptions.begin(), encryptions.begin()];
    const first = a.encrypt(chunk(1));
    await turn();
    expect(jobs).toEqual([]);
    const second = b.encrypt(chunk(2));
    expect(jobs).toEqual([[1, 2]]);
    ends[0]!();
    expect([(await first).chain, (await second).chain]).toEqual([Uint8Array.of(1), Uint8Array.of(2)]);
    // What one of them has ready first waits for the other, which is writing.
    void b.encrypt(chunk(4));
    await turn();
    void a.encrypt(chunk(3));
    expect(jobs).toEqual([
      [1, 2],
      [4, 3],
    ]);
  });

  it('do not wait when they are alone, when the other has ended, or while it waits for its source', async () => {
    const { encryptions, jobs, ends } = watched(1);
    const a = encryptions.begin();
    const alone = a.encrypt(chunk(1));
    expect(jobs).toEqual([[1]]);
    const b = encryptions.begin();
    let arrive: () => void = () => undefined;
    const read = b.reading(new Promise<void>((resolve) => (arrive = resolve)));
    ends[0]!();
    await alone;
    await turn();
    const beside = a.encrypt(chunk(2));
    expect(jobs).toEqual([[1], [2]]);
    ends[1]!();
    await beside;
    arrive();
    await read;
    void a.encrypt(chunk(3));
    await turn();
    expect(jobs.length).toBe(2);
    b.end();
    expect(jobs).toEqual([[1], [2], [3]]);
  });

  it('begin again together when the source answers within a turn', async () => {
    const { encryptions, jobs } = watched(1);
    const [a, b] = [encryptions.begin(), encryptions.begin()];
    const step = async (chain: EncryptionChain, name: number) => {
      await chain.reading(Promise.resolve());
      await chain.encrypt(chunk(name));
    };
    void step(a, 1);
    void step(b, 2);
    await turn();
    expect(jobs).toEqual([[1, 2]]);
  });

  it('use free threads first, and never more than there are', async () => {
    const { encryptions, jobs, ends } = watched(2);
    const chains = Array.from({ length: 5 }, () => encryptions.begin());
    chains.forEach((chain, i) => void chain.encrypt(chunk(i)));
    expect(jobs).toEqual([
      [0, 1],
      [2, 3],
    ]);
    ends[1]!();
    await turn();
    expect(jobs.length).toBe(2);
    chains[2]!.end();
    chains[3]!.end();
    expect(jobs[2]).toEqual([4]);
    const few = watched(2);
    const two = [few.encryptions.begin(), few.encryptions.begin()];
    two.forEach((chain, i) => void chain.encrypt(chunk(i)));
    expect(few.jobs).toEqual([[0], [1]]);
  });

  it('stay apart when their chunks differ in size or in what is hashed, and fail together', async () => {
    const { encryptions, jobs, ends } = watched(1);
    const chains = Array.from({ length: 4 }, () => encryptions.begin());
    const chunks = [chunk(1), chunk(2, 128), chunk(3, 64, false), chunk(4)];
    const results = chunks.map((each, i) => chains[i]!.encrypt(each));
    expect(jobs).toEqual([[1, 4]]);
    const failed = Promise.allSettled([results[0], results[3]]);
    for (const i of [0, 3]) chains[i]!.end();
    ends[0]!(new RangeError('lost'));
    expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await turn();
    expect(jobs[1]).toEqual([2]);
  });
});

describe('memory of chunks', () => {
  const geometry = { segmentSizeBytes: 8192, leafSizeBytes: 64 };
  const segment = noise('memory', geometry.segmentSizeBytes);
  const options = { cipher: { key: hashOf('key'), iv: noise('iv', 16) }, geometry, chunkSizeBytes: 1024 };

  it('is used again by the next encoding, up to a bound', async () => {
    const threads = inlineThreads(kernels);
    const seen: ArrayBufferLike[][] = [[], []];
    for (const buffers of seen) {
      const sink = {
        writeReplica: async (_offset: number, { buffer }: Uint8Array) => void buffers.push(buffer),
        writeLeafHashes: async () => undefined,
      };
      await encodeSegment(kernels, segment, sink, { ...options, threads });
    }
    expect(new Set(seen.flat()).size).toBe(new Set(seen[0]).size);
    const large = new Uint8Array(KEPT_SIZE_BYTES_MAX - 4 * 1024 + 1);
    threads.chunks.giveBack([large]);
    expect(threads.chunks.borrow(large.length) === large).toBe(false);
  });

  it('is not used again after a failure: a write or a job may be under way', async () => {
    const threads = inlineThreads(kernels);
    const failed = new Set<ArrayBufferLike>();
    const breaking = {
      writeReplica: async (offset: number, { buffer }: Uint8Array) => {
        failed.add(buffer);
        if (offset === 4096) throw new RangeError('disk full');
      },
      writeLeafHashes: async () => undefined,
    };
    await expect(encodeSegment(kernels, segment, breaking, { ...options, threads })).rejects.toThrow('disk full');
    const sink = {
      writeReplica: async (_offset: number, { buffer }: Uint8Array) => expect(failed.has(buffer)).toBe(false),
      writeLeafHashes: async () => undefined,
    };
    await encodeSegment(kernels, segment, sink, { ...options, threads });
  });
});

describe('segments encoded at the same time', () => {
  const geometry = { segmentSizeBytes: 40 * 1024, leafSizeBytes: 64 };
  const segments = [0, 1, 2].map((i) => noise(`segment ${i}`, geometry.segmentSizeBytes));
  const cipherOf = (i: number) => ({ key: hashOf(`key ${i}`), iv: noise(`iv ${i}`, 16) });

  it.each([
    ['inline', () => inlineThreads(kernels)],
    ['on a thread', () => startReplicaThreads(1)],
    ['on two threads', () => startReplicaThreads(2)],
  ] as const)('are what they are one by one, %s', async (_name, start) => {
    const threads = start();
    const replicas = segments.map(() => new Uint8Array(geometry.segmentSizeBytes));
    const roots = await Promise.all(
      segments.map((segment, i) => {
        const sink = {
          writeReplica: async (offset: number, bytes: Uint8Array) => {
            for (let turns = 0; turns < i; turns += 1) await turn();
            replicas[i]!.set(bytes, offset);
          },
          writeLeafHashes: async () => undefined,
        };
        // The third's arrive late.
        const source = (async function* () {
          const piece = new Uint8Array(5000);
          for (let at = 0; at < segment.length; at += piece.length) {
            if (i === 2) await turn();
            const bytes = segment.subarray(at, at + piece.length);
            // Borrowed until the next is asked for, as from a file that is read into one buffer.
            piece.set(bytes);
            yield piece.subarray(0, bytes.length);
          }
        })();
        const options = { cipher: cipherOf(i), geometry, threads, chunkSizeBytes: 4096 };
        return encodeSegment(kernels, source, sink, options);
      }),
    );
    await threads.stop();
    for (const [i, segment] of segments.entries()) {
      const { bytes, segmentRoot, replicaRoot } = await encodeToMemory(segment, cipherOf(i), geometry);
      expect(Buffer.compare(replicas[i]!, bytes)).toBe(0);
      expect(roots[i]).toEqual({ segmentRoot, replicaRoot });
    }
  });
});
